"""Answers to gaps, judged by the tests of the project that the gap is in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evals.execution import Executor
from recipes.__main__ import main
from recipes.adapting.execution import ProjectTests, imports, is_test_file, module_of
from recipes.adapting.infilling import SINGLE_LINE, Filling, Gap, compare, load_fillings, summarize

ADD = 'def add(a, b):\n    """Add.\n\n    >>> add(1, 2)\n    3\n    """\n    total = a + b\n    return total\n'
SHAPES = "from .numbers import add\n\n\ndef area(a, b):\n    unused = 1\n    return add(a * b, 0)\n"
FILES = {
    "src/pkg/__init__.py": "",
    "src/pkg/numbers.py": ADD,
    "src/pkg/shapes.py": SHAPES,
    "src/pkg/untested.py": "def alone():\n    return 1\n",
    "src/pkg/foreign.py": "import numpy_that_is_not_there\nvalue = 1\n",
    "tests/test_shapes.py": "import unittest\nfrom pkg.shapes import area\n\n\nclass AreaTest(unittest.TestCase):\n"
    "    def test_area(self):\n        self.assertEqual(area(2, 3), 6)\n\n    def test_broken(self):\n"
    "        self.assertEqual(area(2, 3), 7)\n",
    "tests/foreign_test.py": "from pkg import foreign\n\n\ndef test_value():\n    assert foreign.value == 1\n",
    "tests/plain_test.py": "from pkg.numbers import add\n\n\ndef test_add():\n    assert add(2, 2) == 4\n\n\n"
    "def test_fixture(tmp_path):\n    assert False\n",
}


def row(path: str, text: str) -> dict[str, Any]:
    return {"repository": "r", "path": path, "content": text}


@pytest.fixture(scope="module")
def project() -> Iterator[ProjectTests]:
    with Executor() as executor:
        yield ProjectTests([row(path, text) for path, text in FILES.items()], executor)


def gap(path: str, middle: str) -> Gap:
    before, _, behind = FILES[path].partition(middle)
    return Gap(f"r/{path}", SINGLE_LINE, before, middle, behind)


CASES = [
    ("src/pkg/numbers.py", "total = a + b", "total = b + a", True),
    ("src/pkg/numbers.py", "total = a + b", "total = a - b", False),
    ("src/pkg/numbers.py", "total = a + b", "total = (", False),
    ("src/pkg/numbers.py", "total = a + b", "import os; os._exit(0)", False),
    ("src/pkg/numbers.py", "total = a + b", "raise SystemExit", False),
    ("src/pkg/shapes.py", "return add(a * b, 0)", "return a * b", True),
    ("src/pkg/shapes.py", "return add(a * b, 0)", "return 7", False),
    # Without the line the tests pass as well: they tell nothing of an answer.
    ("src/pkg/shapes.py", "unused = 1", "unused = 2", None),
    ("src/pkg/untested.py", "return 1", "return 1", None),
    ("src/pkg/foreign.py", "value = 1", "value = 1", None),
    ("tests/test_shapes.py", "self.assertEqual(area(2, 3), 6)", "pass", None),
]


def test_an_answer_is_judged_by_the_tests_that_would_miss_the_gap(project: ProjectTests) -> None:
    gaps = [gap(path, middle) for path, middle, _, _ in CASES]
    assert project.judge(gaps, [answer for _, _, answer, _ in CASES]) == [verdict for *_, verdict in CASES]
    assert project.judge([Gap("elsewhere/a.py", SINGLE_LINE, "", "x", "")], ["x"]) == [None]


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("pkg/mod.py", "pkg.mod"),
        ("src/pkg/mod.py", "pkg.mod"),
        ("pkg/__init__.py", "pkg"),
        ("mod.py", "mod"),
        ("src.py", "src"),
        ("lib/__init__.py", "__init__"),
    ],
)
def test_a_file_is_imported_by_its_place(path: str, module: str) -> None:
    assert module_of(path) == module


@pytest.mark.parametrize(
    ("text", "nearness"),
    [
        ("from pkg.mod import f", 2),
        ("from pkg import mod", 2),
        ("import pkg.mod as m", 2),
        ("import project.pkg.mod", 2),
        ("import mod", 2),
        ("from ..pkg import mod", 2),
        ("import pkg", 1),
        ("from . import other", 0),
        ("import pkg2", 0),
        ("from amod import f", 0),
        ("def (", 0),
    ],
)
def test_imports_are_near_or_not(text: str, nearness: int) -> None:
    assert imports(text, "pkg.mod") == nearness


def test_files_of_tests_are_known_by_their_names() -> None:
    names = {
        "tests/test_a.py": True,
        "a_test.py": True,
        "pkg/tests.py": True,
        "pkg/testing.py": False,
        "test_a.txt": False,
    }
    assert {name: is_test_file(name) for name in names} == names


def test_figures_count_what_was_executed_alone() -> None:
    def filling(number: int, passes: bool | None) -> Filling:
        return Filling(f"{number}.py", SINGLE_LINE, "a", "b", False, 0.5, 1.0, passes)

    before = [filling(number, None if number < 10 else number < 20) for number in range(50)]
    after = [filling(number, None if number < 10 else number < 40) for number in range(50)]
    assert summarize(before)[SINGLE_LINE]["passes"] == pytest.approx(10 / 40)
    change = compare(before, after)[SINGLE_LINE]
    assert change["num_executed"] == 40
    assert change["passes"][0] == pytest.approx(20 / 40)
    assert change["passes"][1] > 0
    assert "passes" not in summarize(before[:5])[SINGLE_LINE]


def test_the_command_runs_the_tests_of_the_dataset(
    make_model: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "source_code" / "data"
    data.mkdir(parents=True)
    longer = ADD + "\n\nvalues = [add(1, 2), add(3, 4)]\n"
    rows = [row(path, longer if path.endswith("numbers.py") else text) for path, text in FILES.items()]
    pq.write_table(pa.Table.from_pylist(rows), data / "train_00000_of_00001.parquet")
    held_out = tmp_path / "held_out.jsonl"
    held_out.write_text(json.dumps(row("src/pkg/numbers.py", longer)) + "\n", encoding="utf-8")
    words = ["infill", "--model", str(make_model("Qwen2.5-Coder")), "--held-out", str(held_out), "--per-file", "3"]
    words += ["--max-context", "256", "--max-new-tokens", "8", "--tests-from", str(tmp_path / "source_code")]
    assert main([*words, "--to", str(tmp_path / "a.json")]) == 0
    assert "tests pass" in capsys.readouterr().out
    fillings = load_fillings(tmp_path / "a.json")
    assert {filling.passes for filling in fillings} & {True, False}
