"""Section 2.2.2, phase 1: the import graph of a repository: files, edges with evidence, and what was not found."""

from collections import Counter
from dataclasses import dataclass, field

from datasets_builders.curation.syntax import ParseTooCostly
from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.imports import QUERIES, FileImports, Import, find_imports
from datasets_builders.repositories.ordering import CyclePolicy, Ordering, order_files
from datasets_builders.repositories.resolution import Resolver


@dataclass(frozen=True, order=True)
class Edge:
    """An import that was resolved: `importing` needs `imported`.

    Args:
        imported, importing (`str`): paths.
        line (`int`): of the import, from 1.
        target (`str`): as it is written.
        rule (`str`): by which it was resolved.
    """

    imported: str
    importing: str
    line: int
    target: str
    rule: str


@dataclass(frozen=True, order=True)
class Unresolved:
    """An import that means no file of the repository, and why: external, missing, ambiguous, dynamic."""

    path: str
    line: int
    target: str
    reason: str


@dataclass
class ImportGraph:
    """The imports between the files of a repository.

    Args:
        files (`list[str]`): all files in a language whose imports are found, sorted.
        languages (dict): of each file.
        edges (list of `Edge`): sorted; without imports of a file by itself.
        unresolved (list of `Unresolved`): sorted.
        left_out (dict): file to the reason for which its imports were not looked for.
    """

    files: list[str]
    languages: dict[str, str]
    edges: list[Edge] = field(default_factory=list)
    unresolved: list[Unresolved] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def order(self, cycle_policy: CyclePolicy = "scc") -> Ordering:
        """Return the files so that what a file imports comes before it."""
        return order_files(self.files, ((edge.imported, edge.importing) for edge in self.edges), cycle_policy)

    def coverage(self) -> dict[str, Counter[str]]:
        """Return per language how many imports were resolved, and of the others how many are of which kind."""
        counts: dict[str, Counter[str]] = {}
        resolved = {(edge.importing, edge.line, edge.target) for edge in self.edges}
        for path, _, _ in resolved:
            counts.setdefault(self.languages[path], Counter())["resolved"] += 1
        for one in self.unresolved:
            counts.setdefault(self.languages[one.path], Counter())[one.reason] += 1
        return dict(sorted(counts.items()))


def build_graph(repository: RepositoryFiles) -> ImportGraph:
    """Find and resolve the imports of all files.

    Source: paper 2.2.2.
    """
    languages = {path: name for path, name in sorted(repository.languages.items()) if name in QUERIES}
    graph = ImportGraph(list(languages), languages)
    imports: dict[str, FileImports] = {}
    for path, language in languages.items():
        try:
            imports[path] = find_imports(language, repository.contents[path].encode("utf-8", "replace"))
        except ParseTooCostly:
            graph.left_out[path] = "parse_too_costly"
            imports[path] = FileImports(())
    resolver = Resolver(repository, imports)
    for path, file in imports.items():
        for one in file.imports:
            _add(graph, resolver, path, one)
    graph.edges = sorted(set(graph.edges))
    graph.unresolved.sort()
    return graph


def _add(graph: ImportGraph, resolver: Resolver, path: str, found: Import) -> None:
    resolution = resolver.resolve(path, graph.languages[path], found)
    # A file of data, such as a JSON module, is resolved and is no node.
    nodes = [one for one in resolution.paths if one in graph.languages]
    if not resolution.paths:
        graph.unresolved.append(Unresolved(path, found.line, found.target, resolution.rule))
    graph.edges += [Edge(one, path, found.line, found.target, resolution.rule) for one in nodes if one != path]
