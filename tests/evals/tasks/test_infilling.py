"""Infilling: one line at a time, judged by the tests and by the line itself."""

import json

import pytest

from evals.benchmarks.rows import BenchmarkDataError
from evals.scoring.summary import summarize
from evals.tasks.infilling import MARKERS_VARIABLE, HumanEvalInfilling, fim_markers_of, single_lines
from tests.evals.conftest import PROBLEMS

PROBLEM = {
    "task_id": "Fixture/2",
    "prompt": "def third(items):\n",
    "canonical_solution": "    index = 2\n\n    return items[index]\n",
    "test": "def check(candidate):\n    assert candidate([4, 5, 6]) == 6\n",
    "entry_point": "third",
}


def test_every_line_that_is_not_blank_is_left_out_once():
    rows = single_lines(PROBLEM)
    assert [(row["task_id"], row["middle"]) for row in rows] == [
        ("Fixture/2/0", "    index = 2"),
        ("Fixture/2/2", "    return items[index]"),
    ]
    for row in rows:
        whole = row["prefix"] + row["middle"] + row["suffix"]
        assert whole == PROBLEM["prompt"] + PROBLEM["canonical_solution"]


def test_answers_are_run_and_compared_with_the_line():
    rows = single_lines(PROBLEM)
    benchmark = HumanEvalInfilling()
    answers = ["    index = 1 + 1", "    return items[index]", "    return items[0]"]
    records = benchmark.judge([rows[0], rows[1], rows[1]], answers, instruct=False)
    assert [(record.verdict, record.exact) for record in records] == [("pass", False), ("pass", True), ("fail", False)]
    entry = summarize(records[:2], ["Fixture/2"] * 2, [{}, {}])
    assert entry["value"] == 1 and entry["exact_match"] == 0.5


def test_prompts_have_the_markers_of_the_models_tokenizer(models, monkeypatch):
    benchmark = HumanEvalInfilling()
    monkeypatch.setenv(MARKERS_VARIABLE, "")  # put back afterwards
    benchmark.prepare(str(models[0]))
    row = single_lines(PROBLEMS[0])[0]
    prefix, suffix, middle = "<|reserved_token_0|>", "<|reserved_token_1|>", "<|reserved_token_2|>"
    assert benchmark.prompt(row, "standard", False) == f"{prefix}{PROBLEMS[0]['prompt']}{suffix}\n{middle}"
    with pytest.raises(BenchmarkDataError, match="add --base"):
        benchmark.prompt(row, "standard", True)


def test_a_known_familys_markers_are_found_and_none_is_an_error(tmp_path):
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    def save(*words: str) -> str:
        vocabulary = {word: number for number, word in enumerate(("[UNK]", *words))}
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]")))
        folder = tmp_path / str(len(words))
        tokenizer.save_pretrained(folder)
        return str(folder)

    qwen = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
    assert fim_markers_of(save(*qwen)) == qwen
    with pytest.raises(BenchmarkDataError, match="no fill-in-the-middle tokens"):
        fim_markers_of(save("a"))
    with pytest.raises(BenchmarkDataError, match="cannot be loaded"):
        fim_markers_of(str(tmp_path / "nothing"))


def test_a_base_model_is_asked_and_its_exact_matches_are_counted(models, tmp_path, monkeypatch):
    from evals.scoring.options import RunOptions
    from evals.scoring.run import run

    monkeypatch.setenv(MARKERS_VARIABLE, "")
    rows = [infilling for problem in PROBLEMS for infilling in single_lines(problem)]
    monkeypatch.setattr(HumanEvalInfilling, "load", lambda self, data_dir: (rows, "fixture"))
    options = {"model": str(models[0]), "tasks": ("humaneval_infilling",), "output": tmp_path, "max_new_tokens": 4}
    asked = run(RunOptions(**options, base=True))["tasks"]["humaneval_infilling"]
    assert asked["n"] == 2 and asked["exact_match"] == 0
    lines = (tmp_path / "samples" / "humaneval_infilling.jsonl").read_text().splitlines()
    assert {json.loads(line)["cluster"] for line in lines} == {"Fixture/0", "Fixture/1"}
    refused = run(RunOptions(**options))["tasks"]["humaneval_infilling"]
    assert refused["value"] is None and "--base" in refused["reason"]
