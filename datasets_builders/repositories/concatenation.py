"""Section 2.2.2: one sample of a repository's files, so that what a file needs comes before it.

Code stands in the order of the import graph. The paper says nothing of documentation, tests and length; here they have
a place that the config names, and a sample that would be too long ends between two files and goes on in the next part.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from datasets_builders.curation.deduplication.components import components
from datasets_builders.repositories.graph import Edge, ImportGraph
from datasets_builders.repositories.ordering import Ordering
from datasets_builders.repositories.roles import is_readme, is_test
from datasets_builders.repositories.separators import Separators

UNITS = ("repository", "component")
TESTS = ("last", "with_tested", "in_order")
DOCUMENTATION = ("readme_first", "first", "last", "none")


@dataclass(frozen=True)
class Arrangement:
    """How the files of a sample are placed.

    Args:
        cycle_policy (`str`): see `order_files`.
        unit (`str`): one sample per `repository` (the paper), or per weakly connected `component` (DeepSeek-Coder).
        tests (`str`): `last`, `with_tested` (behind the last file that each imports) or `in_order`, as any other.
        documentation (`str`): `readme_first` (the others last), `first`, `last` or `none`.
        separators (`str`): of `SEPARATORS`.
        max_bytes (`int`): of a sample; a file that is longer alone is one.
    """

    cycle_policy: str = "scc"
    unit: str = "repository"
    tests: str = "last"
    documentation: str = "readme_first"
    separators: str = "comment"
    max_bytes: int = 10_000_000


@dataclass
class Sample:
    """Files of a repository in order.

    Args:
        paths (`list[str]`): in order.
        part, num_parts (`int`): where a repository or component was split.
        num_edges (`int`): imports between files of the sample's repository or component.
        cycle_breakers (`list[str]`), broken_edges: see `Ordering`; of the whole repository or component.
    """

    paths: list[str]
    part: int = 0
    num_parts: int = 1
    num_edges: int = 0
    cycle_breakers: list[str] = field(default_factory=list)
    broken_edges: list[tuple[str, str]] = field(default_factory=list)


def failure(graph: ImportGraph, min_files: int, min_resolved: float) -> str | None:
    """Return why a repository cannot be concatenated, or None.

    - `no_supported_language`: imports of none of its files can be found.
    - `few_files`: there is too little to put in order.
    - `no_import_inside`: no file imports another: an order would be arbitrary.
    - `few_imports_resolved`: too many imports that should lead to a file of the repository lead nowhere.

    Args:
        graph (`ImportGraph`): of its files.
        min_files (`int`): files whose imports can be found.
        min_resolved (`float`): of the imports that should lead to files of the repository.

    Source: the paper says that some repositories cannot be concatenated, and not which; these are ours.
    """
    if not graph.files:
        return "no_supported_language"
    if len(graph.files) < min_files:
        return "few_files"
    if not graph.edges:
        return "no_import_inside"
    return "few_imports_resolved" if graph.resolved_fraction() < min_resolved else None


def arrange(
    graph: ImportGraph, code: Sequence[str], documentation: Sequence[str], sizes: Mapping[str, int], how: Arrangement
) -> list[Sample]:
    """Return the samples of a repository.

    Args:
        graph (`ImportGraph`): of its code.
        code (sequence of `str`): paths of all code, also in languages whose imports are not found.
        documentation (sequence of `str`): paths; with the unit `component` they belong to none.
        sizes (dict): bytes of each file, its separator included.
        how (`Arrangement`): where what stands.

    Source: paper 2.2.2; components after DeepSeek-Coder 2.2.
    """
    groups = [list(code)] if how.unit == "repository" else _components(graph, code)
    group_of = {path: number for number, group in enumerate(groups) for path in group}
    found: list[list[Edge]] = [[] for _ in groups]
    for edge in graph.edges:
        found[group_of[edge.importing]].append(edge)
    samples: list[Sample] = []
    for group, inner in zip(groups, found, strict=True):
        ordering = ImportGraph(group, graph.languages, inner).order(how.cycle_policy)
        edges = {(edge.imported, edge.importing) for edge in inner}
        paths = _with_tests(ordering, edges, how.tests)
        if how.unit == "repository":
            paths = _with_documentation(paths, sorted(documentation), how.documentation)
        parts = list(_parts(paths, sizes, how.max_bytes))
        samples += [
            Sample(part, number, len(parts), len(edges), ordering.cycle_breakers, ordering.broken_edges)
            for number, part in enumerate(parts)
        ]
    return samples


def _components(graph: ImportGraph, code: Sequence[str]) -> list[list[str]]:
    """Return the weakly connected components with more than one file, by their first path."""
    paths = sorted(code)
    numbers = {path: number for number, path in enumerate(paths)}
    labels = components(len(paths), [(numbers[edge.imported], numbers[edge.importing]) for edge in graph.edges])
    groups: dict[int, list[str]] = {}
    for path, label in zip(paths, labels.tolist(), strict=True):
        groups.setdefault(label, []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def _with_tests(ordering: Ordering, edges: Collection[tuple[str, str]], tests: str) -> list[str]:
    """Return the files with the tests in their place; what code that is no test imports is none either."""
    if tests == "in_order":
        return ordering.paths
    needs: dict[str, list[str]] = {}
    for imported, importing in edges:
        needs.setdefault(importing, []).append(imported)
    waiting = [path for path in ordering.paths if not is_test(path)]
    code = set(waiting)
    while waiting:
        for path in needs.get(waiting.pop(), ()):
            if path not in code:
                code.add(path)
                waiting.append(path)
    last = [path for path in ordering.paths if path not in code]
    first = [path for path in ordering.paths if path in code]
    if tests == "last":
        return first + last
    # Behind which file of code each test comes: a number, since tests may need tests.
    place = {path: number for number, path in enumerate(first)}
    for path in last:
        place[path] = max((place[needed] for needed in needs.get(path, ()) if needed in place), default=len(first))
    return sorted([*first, *last], key=lambda path: (place[path], path not in code))  # stable: tests keep their order


def _with_documentation(paths: list[str], documentation: list[str], where: str) -> list[str]:
    if where == "none":
        return paths
    first = [path for path in documentation if where == "first" or (where == "readme_first" and _is_top_readme(path))]
    return [*first, *paths, *(path for path in documentation if path not in first)]


def _is_top_readme(path: str) -> bool:
    """Return whether a path is the repository's own README; archives have one folder around everything."""
    return is_readme(path) and path.count("/") <= 1


def _parts(paths: Sequence[str], sizes: Mapping[str, int], max_bytes: int) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for path in paths:
        if part and size + sizes[path] > max_bytes:
            yield part
            part, size = [], 0
        part.append(path)
        size += sizes[path]
    if part:
        yield part


def join_files(
    repository: str, paths: Sequence[str], contents: Mapping[str, str], languages: Mapping[str, str], how: Separators
) -> str:
    """Return the text of a sample: the repository's name, then each file behind its separator."""
    pieces = [how.repository(repository)]
    for path in paths:
        content = contents[path]
        pieces += [how.file(path, languages.get(path, "")), content, "" if content.endswith("\n") else "\n"]
    return "".join(pieces)
