"""Section 2.2.2, phase 2: lexicographical topological sorting of files, with and without cycles.

An edge goes from a file to the file that imports it, so that a file comes behind what it needs. The paper repeats: of
the files that are left take those with the fewest imports that are left, of these the first by name; where that number
is not zero the file breaks a cycle. On a graph without cycles this is the lexicographical topological order.

On one with cycles the rule can place a file that is in no cycle before what it needs: with 1 -> 2, 2 -> 1 and 2 -> 0 it
takes 0 first. The policy `scc` keeps such edges: strongly connected components are ordered like files, by their first
member, and the paper's rule orders the files within each. Weak edges (see `Edge.is_weak`) count between components;
within one they are left out and put back one by one as long as no new cycle comes of them, and what there is then is
ordered in the same way again.

For ablations files can also stand by their names, at random, or depth first: each behind what it needs, and near to it.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

CYCLE_POLICIES = ("paper", "scc")
ORDERS = ("imports", "paths", "random", "dfs")
# Visits of files while the weak edges of one component are put back; those that are left then stay out.
MAX_VISITS = 5_000_000


@dataclass(frozen=True)
class Ordering:
    """Files in order, and what the order could not keep.

    Args:
        paths (`list[str]`): each file once.
        cycle_breakers (`list[str]`): files that were placed before something that they import, in order.
        broken_edges (list of (imported, importing)): imports whose file comes only later, sorted.
    """

    paths: list[str]
    cycle_breakers: list[str] = field(default_factory=list)
    broken_edges: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Graph:
    """Files by their rank in the order of names; `followers[starts[u]:starts[u + 1]]` import file u."""

    starts: NDArray[np.int64]
    followers: NDArray[np.int64]
    degrees: NDArray[np.int64]


def order_files(
    paths: Iterable[str],
    edges: Iterable[tuple[str, str]],
    cycle_policy: str = "scc",
    weak_edges: Iterable[tuple[str, str]] = (),
    order: str = "imports",
    seed: str = "",
) -> Ordering:
    """Order files so that what a file imports comes before it, as far as cycles allow.

    Neither the order of the files nor that of the edges matters. O((V + E) log V).

    Args:
        paths (iterable of `str`): the files, each once.
        edges (iterable of (imported, importing)): imports; one of a file by itself and one that is there twice are
            dropped.
        cycle_policy (`str`): `paper` or `scc`.
        weak_edges (iterable of (imported, importing)): as `edges`; with `scc` they give way in cycles.
        order (`str`): `imports`; `paths`, `random` and `dfs` are there to compare with.
        seed (`str`): of `random`; the same gives the same order.

    Returns:
        `Ordering`: paths, cycle breakers, broken edges.

    Raises:
        ValueError: a path stands twice, an edge names a file that is not there, or the policy is unknown.

    Source: paper 2.2.2; the direction of edges, names as bytes of UTF-8 and the policy scc are ours.
    """
    if cycle_policy not in CYCLE_POLICIES:
        raise ValueError(f"cycle_policy is {cycle_policy!r}; known: {', '.join(CYCLE_POLICIES)}")
    if order not in ORDERS:
        raise ValueError(f"order is {order!r}; known: {', '.join(ORDERS)}")
    names = sorted(paths, key=lambda path: path.encode("utf-8", "surrogatepass"))
    ranks = {name: rank for rank, name in enumerate(names)}
    if len(ranks) != len(names):
        twice = next(first for first, second in pairwise(names) if first == second)
        raise ValueError(f"the path {twice!r} stands twice")
    strong, weak = _keys(edges, ranks), _keys(weak_edges, ranks)
    keys = _distinct(np.concatenate((strong, weak)))
    is_weak = np.ones(len(keys), bool)
    is_weak[np.searchsorted(keys, strong)] = False
    found = _pairs(keys, len(names))
    if order == "paths":
        placed = list(range(len(names)))
    elif order == "random":
        placed = sorted(range(len(names)), key=lambda node: hashlib.sha256(f"{seed}\n{names[node]}".encode()).digest())
    elif order == "dfs":
        placed = _depth_first(len(names), found)
    elif cycle_policy == "paper":
        placed = _by_fewest_imports(len(names), found)
    else:
        placed = _by_components(len(names), found, is_weak)
    place = np.empty(len(names), np.int64)
    place[placed] = np.arange(len(names))
    broken = found[place[found[:, 0]] > place[found[:, 1]]] if len(found) else found
    breakers = sorted(set(broken[:, 1].tolist()), key=lambda node: place[node])
    return Ordering(
        [names[node] for node in placed],
        [names[node] for node in breakers],
        [(names[imported], names[importing]) for imported, importing in broken.tolist()],
    )


def _keys(edges: Iterable[tuple[str, str]], ranks: Mapping[str, int]) -> NDArray[np.int64]:
    """Return edges as sorted numbers, imported times the number of files plus importing."""
    try:
        ends = np.fromiter(map(ranks.__getitem__, chain.from_iterable(edges)), np.int64).reshape(-1, 2)
    except KeyError as error:
        raise ValueError(f"an edge names {error.args[0]!r}, which is none of the files") from None
    return _distinct(ends[ends[:, 0] != ends[:, 1]] @ np.array([len(ranks), 1]))


def _distinct(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return numbers from 0 on in order, each once. `np.unique` hashes numbers, which takes ten times as long."""
    keys = np.sort(keys)
    return keys[np.diff(keys, prepend=-1) != 0]


def _pairs(keys: NDArray[np.int64], num_nodes: int) -> NDArray[np.int64]:
    """Return (imported, importing) of edges that are numbers, see `_keys`."""
    return np.stack(np.divmod(keys, max(num_nodes, 1)), axis=1)


def _graph(num_nodes: int, pairs: NDArray[np.int64]) -> _Graph:
    """Return followers by node, from pairs that are sorted."""
    starts = np.searchsorted(pairs[:, 0], np.arange(num_nodes + 1))
    return _Graph(starts, pairs[:, 1], np.bincount(pairs[:, 1], minlength=num_nodes))


def _by_fewest_imports(num_nodes: int, pairs: NDArray[np.int64]) -> list[int]:
    """Apply the paper's rule: always the file with the fewest imports that are left, then the first by name."""
    graph = _graph(num_nodes, pairs)
    starts, followers, degrees = graph.starts.tolist(), graph.followers.tolist(), graph.degrees.tolist()
    # A degree and a node as one number, which compares faster than a pair.
    waiting = [degree * num_nodes + node for node, degree in enumerate(degrees)]
    heapq.heapify(waiting)
    order, is_placed = [], [False] * num_nodes
    while waiting:
        degree, node = divmod(heapq.heappop(waiting), num_nodes)
        # Entries are not changed in the heap but pushed again: one with an older degree is passed over.
        if is_placed[node] or degree != degrees[node]:
            continue
        is_placed[node] = True
        order.append(node)
        for follower in followers[starts[node] : starts[node + 1]]:
            if not is_placed[follower]:
                degrees[follower] -= 1
                heapq.heappush(waiting, degrees[follower] * num_nodes + follower)
    return order


def _by_components(num_nodes: int, pairs: NDArray[np.int64], is_weak: NDArray[np.bool_]) -> list[int]:
    """Order strongly connected components by their first member, and within each without weak edges or by the rule."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    weights = np.ones(len(pairs), bool)
    graph = coo_array((weights, (pairs[:, 0], pairs[:, 1])), shape=(num_nodes, num_nodes)).tocsr()
    labels = connected_components(graph, directed=True, connection="strong")[1]
    # A component is called by its first member, so that the order of names is that of components.
    first = np.full(num_nodes, num_nodes, np.int64)
    np.minimum.at(first, labels, np.arange(num_nodes))
    component = first[labels]
    outside = component[pairs[:, 0]] != component[pairs[:, 1]]
    between = _pairs(_distinct(component[pairs[outside]] @ np.array([num_nodes, 1])), num_nodes)
    inside, inside_is_weak = pairs[~outside], is_weak[~outside]
    members: dict[int, list[int]] = {}
    for node, name in enumerate(component.tolist()):
        members.setdefault(name, []).append(node)
    by_component = np.argsort(component[inside[:, 0]], kind="stable")
    inside, inside_is_weak = inside[by_component], inside_is_weak[by_component]
    bounds = component[inside[:, 0]]
    order: list[int] = []
    for name in _by_fewest_imports(num_nodes, between):
        nodes = members.get(name)
        if nodes is None:
            continue  # a file that is not the first of its component
        if len(nodes) == 1:
            order.append(name)
            continue
        low, high = np.searchsorted(bounds, [name, name + 1])
        local, local_is_weak = np.searchsorted(np.array(nodes), inside[low:high]), inside_is_weak[low:high]
        if local_is_weak.any():
            local = _with_weak_edges(len(nodes), local[~local_is_weak], local[local_is_weak])
            ordered = _by_components(len(nodes), local, np.zeros(len(local), bool))
        else:
            ordered = _by_fewest_imports(len(nodes), local)
        order += [nodes[node] for node in ordered]
    return order


def _depth_first(num_nodes: int, pairs: NDArray[np.int64]) -> list[int]:
    """Return files by name, each behind those that it needs and that are not placed yet."""
    needs: list[list[int]] = [[] for _ in range(num_nodes)]
    for imported, importing in pairs.tolist():
        needs[importing].append(imported)
    order: list[int] = []
    is_seen = [False] * num_nodes
    for start in range(num_nodes):
        waiting = [(start, iter(needs[start]))] if not is_seen[start] else []
        is_seen[start] = True
        while waiting:
            node, left = waiting[-1]
            needed = next((other for other in left if not is_seen[other]), None)
            if needed is None:
                order.append(node)
                waiting.pop()
            else:
                is_seen[needed] = True
                waiting.append((needed, iter(needs[needed])))
    return order


def _with_weak_edges(num_nodes: int, strong: NDArray[np.int64], weak: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return strong edges with those weak ones that, one by one, make no cycle that was not there.

    Args:
        num_nodes (`int`): files.
        strong, weak (array of (imported, importing)): edges, sorted.

    Source: the order is kept as edges come in after Pearce and Kelly (2006).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(strong), bool)
    matrix = coo_array((ones, (strong[:, 0], strong[:, 1])), shape=(num_nodes, num_nodes)).tocsr()
    num_groups, groups = connected_components(matrix, directed=True, connection="strong")
    order = _by_components(num_nodes, strong, np.zeros(len(strong), bool))
    places: dict[int, int] = {}
    for node in order:
        places.setdefault(int(groups[node]), len(places))
    # Groups are called by their place, which changes as edges come in.
    ends = np.array([places[group] for group in range(num_groups)])[groups]
    online = _OnlineOrder(num_groups)
    for imported, importing in _pairs(
        _distinct(_outside(ends[strong]) @ np.array([num_groups, 1])), num_groups
    ).tolist():
        online.add(imported, importing)
    kept = [
        number
        for number, (imported, importing) in enumerate(ends[weak].tolist())
        if imported != importing and online.add(imported, importing)
    ]
    found = np.concatenate((strong, weak[kept]))
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _outside(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    return pairs[pairs[:, 0] != pairs[:, 1]]


class _OnlineOrder:
    """An order of numbers that takes in edges as long as they make no cycle."""

    def __init__(self, num_nodes: int) -> None:
        self._place = list(range(num_nodes))
        self._followers: list[set[int]] = [set() for _ in range(num_nodes)]
        self._leaders: list[set[int]] = [set() for _ in range(num_nodes)]
        self._visits_left = MAX_VISITS

    def add(self, first: int, second: int) -> bool:
        """Take in that `first` stands before `second`; return whether that can be."""
        place = self._place
        if place[first] > place[second]:
            behind = self._reached(second, self._followers, lambda node: place[node] <= place[first])
            if behind is None or first in behind:
                return False
            before = self._reached(first, self._leaders, lambda node: place[node] >= place[second])
            if before is None:
                return False
            nodes = [*sorted(before, key=place.__getitem__), *sorted(behind, key=place.__getitem__)]
            for node, at in zip(nodes, sorted(place[node] for node in nodes), strict=True):
                place[node] = at
        self._followers[first].add(second)
        self._leaders[second].add(first)
        return True

    def _reached(self, start: int, edges: list[set[int]], is_between: Callable[[int], bool]) -> set[int] | None:
        found, waiting = {start}, [start]
        while waiting:
            node = waiting.pop()
            self._visits_left -= len(edges[node])
            if self._visits_left < 0:
                return None
            new = {other for other in edges[node] if other not in found and is_between(other)}
            found |= new
            waiting += new
        return found
