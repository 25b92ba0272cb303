"""HumanEval: the rows are checked, gold passes, and no shortcut does."""

import gzip
import json

import pytest

from evals.benchmarks.humaneval import COLUMNS, HUMANEVAL
from evals.benchmarks.rows import BenchmarkDataError, check_columns, content_hash, read_rows
from evals.execution import Executor, Verdict
from evals.tasks.humaneval import HumanEval, HumanEvalPlus

BENCHMARK = HumanEval()


@pytest.fixture(scope="module")
def executor():
    with Executor() as executor:
        yield executor


def verdict(executor, row, completion):
    return executor.run(BENCHMARK.program(row, completion)).verdict


def test_gold_passes_and_wrong_code_fails(executor, problem_file):
    rows = read_rows(problem_file)
    assert [verdict(executor, row, row["canonical_solution"]) for row in rows] == [Verdict.PASS] * 2
    assert verdict(executor, rows[0], "    return a\n") is Verdict.FAIL
    assert verdict(executor, rows[0], "    return (\n") is Verdict.COMPILE_ERROR


@pytest.mark.parametrize(
    "shortcut",
    [
        "    import os; os._exit(0)\n",
        "    raise SystemExit(0)\n",
        "    pass\nraise SystemExit(0)\n",
        "    print('passed-0000000000000000')\n    raise SystemExit(0)\n",
    ],
)
def test_leaving_before_the_tests_does_not_pass(executor, problem_file, shortcut):
    assert verdict(executor, read_rows(problem_file)[0], shortcut) is Verdict.FAIL


def test_a_chat_answer_is_put_together_with_the_prompts_helpers(executor, problem_file):
    row = read_rows(problem_file)[1]
    answer = "Here it is:\n```python\ndef four_times(text):\n    return twice(twice(text))\n```\nIt calls twice."
    wrong = answer.replace("twice(twice(text))", "twice(text)")
    records = BENCHMARK.judge([row] * 2, [answer, wrong], instruct=True)
    assert [(record.verdict, record.extraction) for record in records] == [("pass", "fenced"), ("fail", "fenced")]


def test_prompts_of_the_presets_are_what_defines_them(problem_file):
    row = read_rows(problem_file)[0]
    assert BENCHMARK.prompt(row, "paper", instruct=True) == f"Complete the following python code:\n{row['prompt']}"
    assert BENCHMARK.prompt(row, "standard", instruct=True) == (
        "Please provide a self-contained Python script that solves the following problem in a markdown code block:\n"
        f"```\n{row['prompt'].strip()}\n```\n"
    )
    assert BENCHMARK.prompt(row, "standard", instruct=False) == row["prompt"]
    assert BENCHMARK.prompt(row, "paper", instruct=False) == f"# language: python\n{row['prompt']}"


def test_every_preset_is_a_task_of_lighteval_with_a_stable_name():
    from evals.tasks.lighteval_tasks import tasks_of

    names = [task.name for task in tasks_of(BENCHMARK)]
    assert names == [
        "ling_humaneval_standard_instruct",
        "ling_humaneval_standard_base",
        "ling_humaneval_paper_instruct",
        "ling_humaneval_paper_base",
        "humaneval",
    ]


def test_rows_that_are_not_humaneval_are_refused(tmp_path, problem_file):
    folder = tmp_path / "humaneval"
    folder.mkdir()
    with pytest.raises(BenchmarkDataError, match=r"--data-dir DIR or LING_BENCHMARKS_DIR=DIR"):
        HUMANEVAL.load(tmp_path)
    (folder / "HumanEval.jsonl").write_bytes(problem_file.read_bytes())
    with pytest.raises(BenchmarkDataError, match="has 2 rows, humaneval has 164"):
        HUMANEVAL.load(tmp_path)
    (folder / "HumanEval.jsonl").write_text(json.dumps({"task_id": "x"}))
    with pytest.raises(BenchmarkDataError, match="row 0 lacks prompt"):
        HUMANEVAL.load(tmp_path)
    (folder / "HumanEval.jsonl").write_text("{")
    with pytest.raises(BenchmarkDataError, match="cannot be read"):
        HUMANEVAL.load(tmp_path)
    with pytest.raises(BenchmarkDataError, match="has no rows"):
        check_columns([], COLUMNS, "here")


def test_the_hash_names_the_content_and_not_the_file(tmp_path, problem_file):
    packed = tmp_path / "problems.jsonl.gz"
    packed.write_bytes(gzip.compress(problem_file.read_bytes()))
    hashes = {content_hash(read_rows(path), COLUMNS) for path in (problem_file, packed)}
    assert len(hashes) == 1


def test_without_data_and_network_humaneval_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv("LING_BENCHMARKS_DIR", raising=False)
    with pytest.raises(BenchmarkDataError, match="put HumanEval"):
        HUMANEVAL.load()


def test_other_content_under_the_same_name_is_refused(tmp_path, problem_file):
    row = json.loads(problem_file.read_text().splitlines()[0])
    folder = tmp_path / "humaneval"
    folder.mkdir()
    (folder / "HumanEval.jsonl").write_text("".join(json.dumps(row) + "\n" for _ in range(164)))
    with pytest.raises(BenchmarkDataError, match="the content is not that of humaneval as it is known"):
        HUMANEVAL.load(tmp_path)


def test_the_plus_tests_may_import_numpy_and_nothing_else(problem_file):
    row = read_rows(problem_file)[0]
    plus = HumanEvalPlus()
    row["test"] = "import numpy as np\n" + row["test"]
    code = row["canonical_solution"]
    answers = [code, f"    import torch\n{code}", "    return b\n"]
    verdicts = [record.verdict for record in plus.judge([row] * 3, answers, instruct=False)]
    assert verdicts == ["pass", "fail", "fail"]


def test_the_published_test_that_no_solution_can_pass_is_put_right():
    published = "    for inp, exp in []:\n        assert _poly(*candidate(*inp), inp) <= 0.0001\n"
    plus = HumanEvalPlus()
    repaired = plus.test({"task_id": "HumanEval/32", "test": published})
    assert "assert abs(_poly(*inp, candidate(*inp))) <= 0.0001" in repaired
    assert plus.test({"task_id": "HumanEval/33", "test": published}) == published
