"""Section 2.2.2: one sample of a repository's files, so that what a file needs comes before it.

Code stands in the order of the import graph. The paper says nothing of documentation, tests and length; here they have
a place that the config names, and a sample that would be too long ends between two files and goes on in the next part.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from datasets_builders.curation.deduplication.components import components
from datasets_builders.repositories.graph import Edge, ImportGraph
from datasets_builders.repositories.ordering import Ordering
from datasets_builders.repositories.roles import is_readme, is_test
from datasets_builders.repositories.separators import Separators

UNITS = ("repository", "component")
TESTS = ("last", "with_tested", "in_order")
DOCUMENTATION = ("readme_first", "first", "last", "none")
SPLITS = ("order", "components")


@dataclass(frozen=True)
class Arrangement:
    """How the files of a sample are placed.

    Args:
        cycle_policy (`str`): see `order_files`.
        unit (`str`): one sample per `repository` (the paper), or per weakly connected `component` (DeepSeek-Coder).
        tests (`str`): `last`, `with_tested` (behind the last file that each imports) or `in_order`, as any other.
        documentation (`str`): `readme_first` (the others last), `first`, `last` or `none`.
        separators (`str`): of `SEPARATORS`.
        max_size (`int`): of a sample, in the unit of the sizes that `arrange` gets; a file that is longer alone is one.
        order (`str`): see `order_files`.
        split (`str`): how what is too long is split: in `order`, or between `components` where that goes.
    """

    cycle_policy: str = "scc"
    unit: str = "repository"
    tests: str = "last"
    documentation: str = "readme_first"
    separators: str = "comment"
    max_size: int = 10_000_000
    order: str = "imports"
    split: str = "order"


@dataclass
class Sample:
    """Files of a repository in order.

    Args:
        paths (`list[str]`): in order.
        part, num_parts (`int`): where a repository or component was split.
        edges (list of `Edge`): imports by files of this part, of files that are in this part or an earlier one too.
        num_edges (`int`): imports between files of the sample's repository or component.
        num_unlinked_files (`int`): files of code in this part that neither import another nor are imported.
        cycle_breakers (`list[str]`), broken_edges: see `Ordering`; of the whole repository or component.
    """

    paths: list[str]
    part: int = 0
    num_parts: int = 1
    edges: list[Edge] = field(default_factory=list)
    num_edges: int = 0
    num_unlinked_files: int = 0
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
    graph: ImportGraph,
    code: Sequence[str],
    documentation: Sequence[str],
    sizes: Mapping[str, int],
    how: Arrangement,
    name: str = "",
) -> list[Sample]:
    """Return the samples of a repository.

    Args:
        graph (`ImportGraph`): of its code.
        code (sequence of `str`): paths of all code, also in languages whose imports are not found.
        documentation (sequence of `str`): paths; with the unit `component` they belong to none.
        sizes (dict): size of each file, its separator included.
        how (`Arrangement`): where what stands.
        name (`str`): of the repository; the order `random` hangs on it.

    Source: paper 2.2.2; components after DeepSeek-Coder 2.2.
    """
    groups = [list(code)] if how.unit == "repository" else _components(graph, code)
    group_of = {path: number for number, group in enumerate(groups) for path in group}
    found: list[list[Edge]] = [[] for _ in groups]
    for edge in graph.edges:
        found[group_of[edge.importing]].append(edge)
    samples: list[Sample] = []
    for group, inner in zip(groups, found, strict=True):
        ordering = ImportGraph(group, graph.languages, inner).order(how.cycle_policy, how.order, name)
        edges = {(edge.imported, edge.importing) for edge in inner}
        paths = _with_tests(ordering, edges, how.tests)
        if how.unit == "repository":
            paths = _with_documentation(paths, sorted(documentation), how.documentation)
        if how.split == "components" and sum(sizes[path] for path in paths) > how.max_size:
            paths = _by_component(paths, inner)
            parts = list(_parts(paths, sizes, how.max_size, _components_of(paths, inner)))
        else:
            parts = list(_parts(paths, sizes, how.max_size))
        linked = {path for edge in edges for path in edge}
        unlinked = set(group) - linked
        for number, part in enumerate(parts):
            files = set(part)
            samples.append(
                Sample(
                    part,
                    number,
                    len(parts),
                    edges=[edge for edge in inner if edge.importing in files],
                    num_edges=len(edges),
                    num_unlinked_files=len(unlinked & files),
                    cycle_breakers=ordering.cycle_breakers,
                    broken_edges=ordering.broken_edges,
                )
            )
    return samples


def _components(graph: ImportGraph, code: Sequence[str]) -> list[list[str]]:
    """Return the weakly connected components with more than one file, by their first path."""
    paths = sorted(code)
    groups: dict[int, list[str]] = {}
    for path, label in _components_of(paths, graph.edges).items():
        groups.setdefault(label, []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def _components_of(paths: Sequence[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Return the number of the weakly connected component that each path is in; others that edges name are left out."""
    numbers = {path: number for number, path in enumerate(paths)}
    ends = [(numbers[edge.imported], numbers[edge.importing]) for edge in edges]
    return dict(zip(paths, components(len(paths), ends).tolist(), strict=True))


def _by_component(paths: Sequence[str], edges: Iterable[Edge]) -> list[str]:
    """Return paths with those of a component behind each other, components by their first path."""
    labels = _components_of(paths, edges)
    first: dict[int, int] = {}
    for place, path in enumerate(paths):
        first.setdefault(labels[path], place)
    return sorted(paths, key=lambda path: first[labels[path]])  # stable


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


def _parts(
    paths: Sequence[str], sizes: Mapping[str, int], max_size: int, labels: Mapping[str, int] | None = None
) -> Iterator[list[str]]:
    """Give paths in parts that are no longer than allowed; a component that would fit into one is not cut."""
    whole: Counter[int] = Counter()
    for path, in_component in (labels or {}).items():
        whole[in_component] += sizes[path]
    part: list[str] = []
    size, label = 0, -1
    for path in paths:
        needed = sizes[path]
        if labels and labels[path] != label:
            label = labels[path]
            needed = min(whole[label], max_size)
        if part and size + needed > max_size:
            yield part
            part, size = [], 0
        part.append(path)
        size += sizes[path]
    if part:
        yield part


def join_files(
    repository: str, paths: Sequence[str], contents: Mapping[str, str], languages: Mapping[str, str], how: Separators
) -> tuple[str, list[tuple[int, int]]]:
    """Return the text of a sample, the repository's name and each file behind its separator, and where files stand.

    Returns:
        The text, and of each file its first character in it and the one behind its last.
    """
    pieces = [how.repository(repository)]
    length = len(pieces[0])
    places: list[tuple[int, int]] = []
    for path in paths:
        content = contents[path]
        added = [how.file(path, languages.get(path, "")), content, "" if content.endswith("\n") else "\n"]
        start = length + len(added[0])
        places.append((start, start + len(content)))
        length += sum(map(len, added))
        pieces += added
    return "".join(pieces), places
