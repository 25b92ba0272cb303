"""HumanEval: the rows are checked, gold passes, and no shortcut does."""

import gzip
import json
import os
from pathlib import Path

import pytest

from evals.benchmarks.humaneval import COLUMNS, load_humaneval
from evals.benchmarks.rows import BenchmarkDataError, check_columns, content_hash, read_rows
from evals.execution import Executor, Verdict
from evals.tasks.humaneval import BASE_PROMPTS, INSTRUCT_PROMPTS, code_of_answer, program_of, prompt_function


@pytest.fixture(scope="module")
def executor():
    with Executor() as executor:
        yield executor


def verdict(executor, row, completion):
    return executor.run(program_of(row, completion)).verdict


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
    assert verdict(executor, row, code_of_answer(answer)) is Verdict.PASS
    assert code_of_answer("no fence") == "\nno fence"
    assert code_of_answer("```python\nfirst\n```\n```\nlast") == "\nlast"


def test_prompts_of_the_presets_are_what_defines_them(problem_file):
    row = read_rows(problem_file)[0]
    queries = {name: prompt_function(template)(row, "t").query for name, template in INSTRUCT_PROMPTS.items()}
    assert queries["paper"] == f"Complete the following python code:\n{row['prompt']}"
    assert queries["standard"].endswith(f"```\n{row['prompt'].strip()}\n```\n")
    assert prompt_function(BASE_PROMPTS["standard"])(row, "t").query == row["prompt"]
    assert prompt_function(BASE_PROMPTS["paper"])(row, "t").query == f"# language: python\n{row['prompt']}"


def test_rows_that_are_not_humaneval_are_refused(tmp_path, problem_file):
    folder = tmp_path / "humaneval"
    folder.mkdir()
    with pytest.raises(BenchmarkDataError, match=r"--data-dir DIR or LING_BENCHMARKS_DIR=DIR"):
        load_humaneval(tmp_path)
    (folder / "HumanEval.jsonl").write_bytes(problem_file.read_bytes())
    with pytest.raises(BenchmarkDataError, match="has 2 rows, HumanEval has 164"):
        load_humaneval(tmp_path)
    (folder / "HumanEval.jsonl").write_text(json.dumps({"task_id": "x"}))
    with pytest.raises(BenchmarkDataError, match="row 0 lacks prompt"):
        load_humaneval(tmp_path)
    (folder / "HumanEval.jsonl").write_text("{")
    with pytest.raises(BenchmarkDataError, match="cannot be read"):
        load_humaneval(tmp_path)
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
        load_humaneval()


def test_all_164_gold_solutions_pass_where_the_data_are_there(executor):
    """With LING_BENCHMARKS_DIR set: the true rows. Without: that their absence is an error that says what to do."""
    if not os.environ.get("LING_BENCHMARKS_DIR"):
        with pytest.raises(BenchmarkDataError, match="LING_BENCHMARKS_DIR"):
            load_humaneval(Path("/nowhere"))
        return
    rows, _ = load_humaneval()
    results = executor.run_batch([program_of(row, row["canonical_solution"]) for row in rows])
    assert [
        row["task_id"] for row, result in zip(rows, results, strict=True) if result.verdict is not Verdict.PASS
    ] == []
