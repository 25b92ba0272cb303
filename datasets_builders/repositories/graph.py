"""Section 2.2.2, phase 1: the import graph of a repository: files, edges with evidence, and what was not found."""

import posixpath
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from datasets_builders.curation.syntax.parser_process import ParserLost, ParserProcess
from datasets_builders.curation.syntax.parsing import ParseTooCostly
from datasets_builders.repositories.files import RepositoryFiles
from datasets_builders.repositories.imports import C_FAMILY, FileImports, find_imports, has_query, may_import, parsed_as
from datasets_builders.repositories.ordering import Ordering, order_files
from datasets_builders.repositories.resolution import Resolution, Resolver
from datasets_builders.repositories.resolution.c import CRules
from datasets_builders.repositories.statements import Import

REASONS = ("resolved", "external", "missing", "ambiguous", "dynamic", "unused")
IMPLICIT_FORM = "used"
# Imports that need nothing of the other file when theirs is loaded, or that the paper's algorithm does not know.
WEAK_FORMS = frozenset(("typing", "lazy", IMPLICIT_FORM))
PARSE = "datasets_builders.repositories.imports:imports_as_json"


class Edge(NamedTuple):
    """An import that was resolved: `importing` needs `imported`.

    Args:
        imported, importing (`str`): paths.
        line (`int`): of the import, from 1.
        target (`str`): as it is written.
        rule (`str`): by which it was resolved.
        is_weak (`bool`): for type checkers only, inside a function, or without an import: these give way in cycles.
    """

    imported: str
    importing: str
    line: int
    target: str
    rule: str
    is_weak: bool = False


class Unresolved(NamedTuple):
    """An import that means no file of the repository, and why: see `Resolution.rule`."""

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
    """

    files: list[str]
    languages: dict[str, str]
    edges: list[Edge] = field(default_factory=list)
    unresolved: list[Unresolved] = field(default_factory=list)
    num_resolved: Counter[str] = field(default_factory=Counter)

    def order(self, cycle_policy: str = "scc", order: str = "imports", seed: str = "") -> Ordering:
        """Return the files so that what a file imports comes before it; see `order_files`."""
        strong = {(edge.imported, edge.importing) for edge in self.edges if not edge.is_weak}
        weak = {(edge.imported, edge.importing) for edge in self.edges} - strong
        return order_files(self.files, strong, cycle_policy, weak, order, seed)

    def resolved_fraction(self) -> float:
        """Return how many of the imports that should lead to files of the repository do, 1 when there are none."""
        resolved = self.num_resolved.total()
        num_lost = sum(lost.reason in ("missing", "ambiguous") for lost in self.unresolved)
        return resolved / (resolved + num_lost) if resolved + num_lost else 1.0

    def coverage(self) -> dict[str, Counter[str]]:
        """Return per language how many imports were resolved, and of the others how many are of which kind."""
        counts = {language: Counter(resolved=count) for language, count in self.num_resolved.items()}
        for lost in self.unresolved:
            counts.setdefault(self.languages[lost.path], Counter())[lost.reason] += 1
        return dict(sorted(counts.items()))


def parse_imports(repository: RepositoryFiles, parser: ParserProcess) -> dict[str, FileImports]:
    """Return the imports of all files in a known language, and note those whose parser was lost as left out.

    A file without extension and language that a file of C or C++ includes is a header of C++.

    Args:
        repository (`RepositoryFiles`): the files.
        parser (`ParserProcess`): of the function `PARSE`.

    Source: paper 2.2.2.
    """
    imports: dict[str, FileImports] = {}
    waiting = {path: language for path, language in repository.languages.items() if has_query(language)}
    while waiting:
        for path, language in sorted(waiting.items()):
            imports[path] = _parsed(repository, path, language, parser)
        waiting = dict.fromkeys(_headers_by_inclusion(repository, imports, waiting), "C++")
        repository.languages.update(waiting)
    return imports


def _parsed(repository: RepositoryFiles, path: str, language: str, parser: ParserProcess) -> FileImports:
    text = repository.contents[path]
    if not may_import(language, text.encode("utf-8", "replace")):
        return FileImports()
    if language in C_FAMILY:
        return find_imports(language, text)  # no parser is needed
    try:
        found = parser.read(*parsed_as(language, text))
        return FileImports.from_json(found) if found else FileImports()
    except ParseTooCostly:
        repository.left_out[path] = "parse_too_costly"
    except ParserLost:
        repository.left_out[path] = "parser_lost"
    return FileImports()


def _headers_by_inclusion(
    repository: RepositoryFiles, imports: Mapping[str, FileImports], including: Mapping[str, str]
) -> set[str]:
    """Return the files without extension and language that some files include.

    `<list>` is the standard library's, whatever is called list here.
    """
    rules = CRules(repository, imports)
    found = {
        target
        for path, language in including.items()
        if language in ("C", "C++")
        for include in imports[path].imports
        if include.target and "." not in posixpath.basename(include.target)
        if include.form != "angled" or "/" in include.target
        for target in rules.resolve(path, include).paths
    }
    return found - repository.languages.keys()


def build_graph(
    repository: RepositoryFiles, imports: Mapping[str, FileImports] | None = None, has_implicit: bool = True
) -> ImportGraph:
    """Find and resolve the imports of all files.

    Args:
        repository (`RepositoryFiles`): the files.
        imports (dict, *optional*): of the files, where they are parsed already.
        has_implicit (`bool`): whether names of its own package that a file uses without an import are edges.

    Source: paper 2.2.2; it leaves implicit dependencies out.
    """
    if imports is None:
        with ParserProcess(PARSE) as parser:
            imports = parse_imports(repository, parser)
    languages = {path: repository.languages[path] for path in sorted(imports)}
    graph = ImportGraph(list(languages), languages)
    resolver = Resolver(repository, imports, languages)
    for path, file in imports.items():
        for found in file.imports:
            _add(graph, path, found, resolver.resolve(path, found))
        for found, resolution in resolver.implicit(path) if has_implicit else ():
            _add(graph, path, found, resolution)
    graph.edges = sorted(set(graph.edges))
    graph.unresolved = sorted(set(graph.unresolved))
    return graph


def _add(graph: ImportGraph, path: str, found: Import, resolution: Resolution) -> None:
    if not resolution.paths:
        graph.unresolved.append(Unresolved(path, found.line, found.target, resolution.rule))
        return
    if found.form != IMPLICIT_FORM:
        graph.num_resolved[graph.languages[path]] += 1
    is_weak = found.form in WEAK_FORMS
    # A file of data, such as a JSON module, is resolved and is no node.
    nodes = (imported for imported in resolution.paths if imported in graph.languages and imported != path)
    graph.edges += [Edge(imported, path, found.line, found.target, resolution.rule, is_weak) for imported in nodes]
