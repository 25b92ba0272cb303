"""Small repositories by kind: which file an import means, which it does not, and why one means none."""

import re
from pathlib import Path

import pytest

from tests.datasets_builders.repositories.graphs import graph_of

EXPECTED = re.compile(r"^(must|not|why) (.+) (\S+)\n", re.MULTILINE)


def cases():
    """Give the cases of each file: `### title`, files behind `==> path <==`, then what is expected of edges."""
    for file in sorted((Path(__file__).parent / "cases").glob("*.txt")):
        for case in file.read_text().split("### ")[1:]:
            title, _, text = case.partition("\n")
            parts = re.split(r"^==> (.+) <==\n", EXPECTED.sub("", text), flags=re.MULTILINE)[1:]
            contents = dict(zip(parts[::2], parts[1::2], strict=True))
            yield pytest.param(contents, EXPECTED.findall(text), id=f"{file.stem}: {title}")


@pytest.mark.parametrize(("contents", "expected"), list(cases()))
def test_what_imports_mean(contents, expected):
    graph = graph_of(contents)
    edges = {(edge.importing, edge.imported) for edge in graph.edges}
    reasons = {(lost.target, lost.reason) for lost in graph.unresolved}
    assert expected
    for kind, first, second in expected:
        if kind == "why":
            assert (first, second) in reasons
        else:
            assert ((first, second) in edges) == (kind == "must"), (kind, first, second)
