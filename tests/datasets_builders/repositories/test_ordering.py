"""Ordering of files: equal to networkx without cycles, deterministic, and faithful to the paper with them."""

import random

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets_builders.repositories.ordering import CYCLE_POLICIES, Ordering, order_files

PATHS = [f"{letter}.py" for letter in "abcdefghijkl"]
EDGES = st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from(PATHS)), max_size=40)


def broken_outside_cycles(ordering: Ordering, edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    graph = networkx.DiGraph(edges)
    graph.add_nodes_from(PATHS)
    components = networkx.strongly_connected_components(graph)
    component = {path: number for number, members in enumerate(components) for path in members}
    return [
        (importer, imported)
        for importer, imported in ordering.broken_edges
        if component[importer] != component[imported]
    ]


def by_the_papers_words(paths: list[str], edges: list[tuple[str, str]]) -> list[str]:
    """Follow section 2.2.2 word by word, in quadratic time."""
    left, edges, order = sorted(paths), {edge for edge in edges if edge[0] != edge[1]}, []
    while left:
        degree = {
            path: sum(1 for importer, imported in edges if imported == path and importer in left) for path in left
        }
        chosen = min(left, key=lambda path: (degree[path], path))
        order.append(chosen)
        left.remove(chosen)
    return order


@given(EDGES)
@settings(max_examples=300, deadline=None)
def test_the_papers_rule_is_followed_to_the_letter(edges):
    assert order_files(PATHS, edges, "paper").paths == by_the_papers_words(PATHS, edges)


@given(EDGES, st.permutations(PATHS))
@settings(max_examples=300, deadline=None)
def test_without_cycles_both_policies_give_what_networkx_gives(edges, ranking):
    rank = {path: number for number, path in enumerate(ranking)}
    edges = [(importer, imported) for importer, imported in edges if rank[importer] < rank[imported]]
    graph = networkx.DiGraph(edges)
    graph.add_nodes_from(PATHS)
    expected = list(networkx.lexicographical_topological_sort(graph))
    for policy in CYCLE_POLICIES:
        ordering = order_files(PATHS, edges, policy)
        assert ordering.paths == expected
        assert not ordering.broken_edges and not ordering.cycle_breakers


@given(EDGES)
@settings(max_examples=300, deadline=None)
def test_scc_breaks_no_edge_outside_a_cycle_and_never_more_edges_than_there_must_be(edges):
    ordering = order_files(PATHS, edges, "scc")
    assert sorted(ordering.paths) == PATHS
    assert broken_outside_cycles(ordering, edges) == []
    place = {path: number for number, path in enumerate(ordering.paths)}
    late = {(importer, imported) for importer, imported in edges if place[importer] > place[imported]}
    assert set(ordering.broken_edges) == late and {other for _, other in late} == set(ordering.cycle_breakers)


@given(EDGES, st.randoms())
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_input_does_not_matter(edges, generator):
    paths, shuffled = list(PATHS), list(edges) * 2
    generator.shuffle(paths)
    generator.shuffle(shuffled)
    for policy in CYCLE_POLICIES:
        assert order_files(paths, shuffled, policy) == order_files(PATHS, edges, policy)


def test_the_smallest_graph_on_which_the_policies_differ():
    edges = [("1", "2"), ("2", "1"), ("2", "0")]
    paper, scc = (order_files("012", edges, policy) for policy in CYCLE_POLICIES)
    assert paper.paths == ["0", "1", "2"] and broken_outside_cycles(paper, edges) == [("2", "0")]
    assert scc.paths == ["1", "2", "0"] and scc.broken_edges == [("2", "1")] and scc.cycle_breakers == ["1"]


def test_on_random_graphs_scc_breaks_fewer_edges():
    generator = random.Random(0)
    broken = dict.fromkeys(CYCLE_POLICIES, 0)
    for _ in range(300):
        paths = [str(number) for number in range(generator.randrange(3, 13))]
        edges = [tuple(generator.choices(paths, k=2)) for _ in range(2 * len(paths))]
        for policy in CYCLE_POLICIES:
            broken[policy] += len(order_files(paths, edges, policy).broken_edges)
    assert broken["scc"] < broken["paper"]


@given(EDGES, EDGES)
@settings(max_examples=150, deadline=None)
def test_weak_edges_come_back_where_they_make_no_cycle(strong, weak):
    ordering = order_files(PATHS, strong, "scc", weak)
    without = order_files(PATHS, strong)
    lost = set(ordering.broken_edges)
    # No weak edge costs a strong one.
    assert lost & set(strong) == set(without.broken_edges)
    # Each that is lost closes a cycle with strong edges and with weak ones that are kept.
    kept = {*strong, *weak} - lost
    for imported, importing in lost - set(strong):
        assert imported in reached(importing, kept | set(strong))


def reached(start, edges):
    found, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        new = {importing for imported, importing in edges if imported == node} - found
        found |= new
        waiting += new
    return found


def test_names_are_ordered_as_bytes_and_wrong_input_is_named():
    assert order_files(["é", "z", "B", "a"], []).paths == ["B", "a", "z", "é"]
    with pytest.raises(ValueError, match="'a' stands twice"):
        order_files(["a", "a"], [])
    with pytest.raises(ValueError, match="an edge names 'b', which is none of the files"):
        order_files(["a"], [("a", "b")])
    with pytest.raises(ValueError, match="cycle_policy is 'best'; known: paper, scc"):
        order_files(["a"], [], "best")
    assert order_files([], []).paths == []
