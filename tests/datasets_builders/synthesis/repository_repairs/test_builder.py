"""Repairs over several files: what is changed, and that programs and diffs hold when they are run and applied again."""

import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builders.building import ConfigError
from datasets_builders.synthesis.repository_repairs.builder import (
    RepositoryRepairsBuilder,
    RepositoryRepairsConfig,
)
from datasets_builders.synthesis.repository_repairs.changes import changes_of, renamed
from datasets_builders.synthesis.repository_repairs.diffs import apply_repository_diff, repository_diff
from datasets_builders.synthesis.repository_repairs.files import RepositoryModules
from evals.execution import Executor, Program, Verdict

FILES = {
    "src/shop/__init__.py": "from .prices import total\n\nVERSION = '1'\n",
    "src/shop/taxes.py": (
        "RATE = 19\n\n\n"
        "class Basket:\n    def __init__(self, prices):\n        self.prices = list(prices)\n\n"
        "    def sum_of(self):\n        return sum(self.prices)\n\n\n"
        "def with_tax(price, percent, digits=2):\n    return round(price + price * percent / 100, digits)\n\n\n"
        "def split_sum(total, parts):\n    return total // parts, total % parts\n"
    ),
    "src/shop/prices.py": (
        "import math\n\nfrom . import taxes\nfrom .taxes import Basket, split_sum as divided, with_tax\n\n\n"
        "def total(prices):\n    basket = Basket(prices)\n    return with_tax(basket.sum_of(), taxes.RATE, 1)\n\n\n"
        "def shares(amount: int, people: int):\n    each, rest = divided(amount, people)\n"
        "    if rest:\n        return f'{each} each, {rest} left'\n    return f'{each} each'\n\n\n"
        "def by_value(amounts):\n    return sorted(amounts, key=with_tax)\n\n\n"
        "def net(price):\n    return math.floor(price * 100 / (100 + taxes.RATE))\n"
    ),
    "tests/test_prices.py": (
        "from shop import total\n\n\ndef test_total():\n    assert total([10, 20]) == 35.7\n"
        "    assert total([]) == 0\n"
    ),
    "src/shop/reads.py": "import os\nfrom .taxes import RATE\n\n\ndef reads(p):\n    return os.listdir(p), RATE\n",
    "src/shop/circle.py": "from .round import g\n\n\ndef f(n):\n    return g(n)\n",
    "src/shop/round.py": "from .circle import f\n\n\ndef g(n):\n    return f(n) if n else 0\n",
    "json.py": "def loads(text):\n    return text\n",
}  # fmt: skip


def test_functions_come_with_the_files_they_need_and_with_no_more() -> None:
    modules = RepositoryModules(FILES)
    found = {
        function.name: function for name in modules for function in modules.functions(name, max_files=4, max_chars=3000)
    }
    assert set(found) == {"total", "shares", "by_value", "net", "test_total"}
    assert [file.path for file in found["test_total"].files] == [
        "shop/taxes.py",
        "shop/prices.py",
        "tests/test_prices.py",
    ]
    assert found["net"].files[0].text == "RATE = 19\n"
    assert found["net"].files[1].text == (
        "import math\n\nfrom shop import taxes\n\n\n"
        "def net(price):\n    return math.floor(price * 100 / (100 + taxes.RATE))\n"
    )
    # What the package exports again is imported from where it is defined.
    assert found["test_total"].files[-1].text.startswith("from shop.prices import total\n\n\n")


def test_changes_are_those_that_every_file_could_follow() -> None:
    modules = RepositoryModules(FILES)
    found = {
        (function.name, change.kind): change
        for function in modules.functions("shop.prices", 4, 3000)
        for change in changes_of(function)
    }
    assert {name for name, _ in found} == {"total", "shares"}, "a function that is passed on as a value is left alone"
    assert {kind for name, kind in found if name == "total"} == {
        *("swapped_parameters", "keyword_only", "renamed_function", "renamed_attribute"),
    }
    repaired = {kind: change.repaired[-1].text for (name, kind), change in found.items() if name == "total"}
    assert "with_tax(taxes.RATE, basket.sum_of(), 1)" in repaired["swapped_parameters"]
    assert "with_tax(basket.sum_of(), taxes.RATE, digits=1)" in repaired["keyword_only"]
    assert "basket.sum_of_of()" in repaired["renamed_attribute"]
    assert "import Basket\nfrom shop.taxes import with_tax_of" in repaired["renamed_function"]
    swapped = found["shares", "swapped_return"]
    assert "return total % parts, total // parts" in swapped.faulty[0].text
    assert "rest, each = divided(amount, people)" in swapped.repaired[1].text
    assert "each, rest = divided(amount, people)" in swapped.faulty[1].text


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("repairs")
    table = [
        {
            "id": f"{number:032x}",
            "content": text,
            "path": path,
            "repository": "shop",
            "language": "Python",
            "license": "mit",
        }
        for number, (path, text) in enumerate(FILES.items())
    ]
    (folder / "code" / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(table), folder / "code" / "data" / "train_00000_of_00001.parquet")
    (folder / "code" / "README.md").write_text("---\nlicense: mit\n---\n")
    config = RepositoryRepairsConfig(
        output_dir=str(folder / "built"), input=str(folder / "code"), decontaminate=[], num_tasks=1,
        validation_fraction=0.0, max_faults_per_function=9,
    )  # fmt: skip
    result = RepositoryRepairsBuilder(config).run()
    assert result.ledger.step("find_changes").reasons["functions_found"] == 2
    return [row for path in (folder / "built" / "data").glob("*.parquet") for row in pq.read_table(path).to_pylist()]


def test_rows_are_told_by_tests_and_by_calls_in_all_ways(rows: list[dict[str, Any]]) -> None:
    assert {row["told_by"] for row in rows} == {"test", "calls"}
    assert {row["mutation"] for row in rows} >= {
        "swapped_parameters",
        "swapped_return",
        "renamed_attribute",
        "keyword_only",
    }
    for row in rows:
        assert row["changed_path"] not in row["repaired_paths"] and not set(row["repaired_paths"]) & {
            "tests/test_prices.py"
        }
        prompt = row["messages"][0]["content"]
        assert all(text in prompt for text in row["contents"]), "files are shown whole"
        places = [prompt.index(f"`{path}`:\n") for path in row["paths"]]
        assert places == sorted(places)
    told = next(row for row in rows if row["told_by"] == "test")
    assert told["fail_to_pass"] == ["from tests.test_prices import test_total\ntest_total()"]


def test_programs_fail_before_and_pass_after_git_has_applied_the_answer(
    rows: list[dict[str, Any]], executor: Executor, tmp_path: Path
) -> None:
    programs, expected = [], []
    for number, row in enumerate(rows):
        folder = tmp_path / str(number)
        for path, text in zip(row["paths"], row["contents"], strict=True):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        faulty = {path: (folder / path).read_bytes() for path in row["paths"]}
        diff = row["messages"][1]["content"].removeprefix("```diff\n").removesuffix("```")
        subprocess.run(["git", "apply", "--unidiff-zero", "-"], input=diff.encode(), cwd=folder, check=True)
        repaired = {path: (folder / path).read_bytes() for path in row["paths"]}
        for text in row["fail_to_pass"]:
            programs += [Program(text, files=faulty), Program(text, files=repaired)]
            expected += [Verdict.FAIL, Verdict.PASS]
        for text in row["pass_to_pass"][:1]:
            programs += [Program(text, files=faulty), Program(text, files=repaired)]
            expected += [Verdict.PASS, Verdict.PASS]
    assert [result.verdict for result in executor.run_batch(programs)] == expected


def test_diffs_of_several_files_are_read_strictly() -> None:
    before = {"a.py": "x = 1\ny = 2\n", "b/c.py": "z = 3\n"}
    after = {"a.py": "x = 1\ny = 4\n", "b/c.py": "z = 5\n"}
    diff = repository_diff(before, after)
    assert apply_repository_diff(before, diff) == after
    for wrong in ("", "x = 1", diff.replace("b/c.py", "d.py"), diff.replace("-y = 2", "-y = 3")):
        with pytest.raises(ValueError, match="diff"):
            apply_repository_diff(before, wrong)


@pytest.mark.parametrize(
    ("name", "new"),
    [("get_price", "fetch_price"), ("_parse_line", "_read_line"), ("size", "get_size"), ("sum_parts", "sum_parts_of")],
)
def test_new_names_read_like_names(name: str, new: str) -> None:
    assert renamed(name) == new


def test_limits_are_checked() -> None:
    with pytest.raises(ConfigError, match="max_files is 1"):
        RepositoryRepairsConfig(output_dir="x", input="y", max_files=1)


def renamed_in(caller: str, callee: str = "def twice(n):\n    return n * 2\n") -> str | None:
    """Return the caller's file with a renamed function followed, None where there is no such change."""
    modules = RepositoryModules({"pkg/low.py": callee, "pkg/high.py": caller})
    changes = [change for function in modules.functions("pkg.high", 4, 3000) for change in changes_of(function)]
    return next((change.repaired[-1].text for change in changes if change.kind == "renamed_function"), None)


def test_what_users_of_renaming_report_is_right() -> None:
    # python-rope/rope#270, #229: a module under another name
    alias = "from . import low as m\n\n\ndef f(n):\n    return m.twice(n)\n"
    assert "return m.get_twice(n)" in (renamed_in(alias) or "")
    # davidhalter/jedi-vim#1057: the name after `as` is the importer's own
    own = "from .low import twice as double\n\n\ndef f(n):\n    return double(n)\n"
    assert "import get_twice as double" in (renamed_in(own) or "") and "return double(n)" in (renamed_in(own) or "")
    # python-rope/rope#232: inside functions of functions
    nested = "from .low import twice\n\n\ndef f(n):\n    def g(m):\n        return twice(m)\n    return g(n)\n"
    assert "return get_twice(m)" in (renamed_in(nested) or "")
    # davidhalter/jedi-vim#361: a name in a text may be looked up by it
    named = 'NAMES = ["twice"]\n\n\ndef twice(n):\n    return (NAMES, n * 2)\n'
    assert renamed_in("from .low import twice\n\n\ndef f(n):\n    return twice(n)\n", named) is None
