"""`python -m evals` as a user runs it, offline, on a tiny random model."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evals.__main__ import main
from evals.benchmarks.held_out_execution import NAME as HELD_OUT
from evals.commands.arguments import chosen_tasks
from evals.models.model_folder import check_model, model_fingerprint
from evals.tasks.catalog import BENCHMARKS
from tests import warm_python
from tests.evals.tasks.test_benchmarks import HELD

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def evals_in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evals", *map(str, arguments)]
    return warm_python.run(command, libraries="evaluation", cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def evals(capsys: pytest.CaptureFixture[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same here: a process of its own imports lighteval, torch and transformers first, for six seconds."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        command = list(map(str, arguments))
        code = main(command)
        return subprocess.CompletedProcess(command, code, *capsys.readouterr())

    return run


@pytest.mark.slow
def test_run_scores_what_it_can_and_says_what_it_cannot(models, held_out, tmp_path):
    """One task has data and one has not: the first is scored, beside its baselines, and the second is explained."""
    model, baseline = models
    files_before = sorted(model.rglob("*"))
    (empty := tmp_path / "empty").mkdir()
    ended = evals_in_a_process(
        *("run", "--model", model, "--baseline-model", baseline, "--tasks", "held_out_execution,humaneval"),
        *("--held-out", held_out, "--data-dir", empty, "--limit", "5", "--output", tmp_path / "out"),
    )
    assert ended.returncode == 0, ended.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    task = results["tasks"]["held_out_execution"]
    assert task["n"] == 5 and task["interval"][0] <= task["value"] <= task["interval"][1]
    assert task["baselines"]["majority_answer"]["answer"] == "7"
    assert task["baselines"]["initial_weights"]["mcnemar_p"] == 1.0
    assert "put HumanEval" in results["tasks"]["humaneval"]["reason"]
    assert "humaneval: unscorable" in ended.stderr
    samples = (tmp_path / "out" / "samples" / "held_out_execution.jsonl").read_text().splitlines()
    assert sorted(model.rglob("*")) == files_before
    assert len(samples) == 5 and set(json.loads(samples[0])) == {
        "id",
        "prediction",
        "verdict",
        "message",
        "extraction",
        "sample",
        "finish_reason",
        "cluster",
        "prompt",
        "reference",
        "baseline_prediction",
    }
    assert results["limit"] == 5 and results["revision"]


@pytest.mark.slow
def test_all_tasks_run_through_the_model_where_the_data_are_there(models, tmp_path, evals):
    """Two rows of each. Without LING_BENCHMARKS_DIR every task says what it lacks, and the status is 2."""
    arguments = ("--tasks", "all", "--limit", "2", "--max-new-tokens", "8", "--output", tmp_path, "--batch-size", "2")
    ended = evals("run", "--model", models[0], *arguments)
    results = json.loads((tmp_path / "results.json").read_text())["tasks"]
    assert list(results) == list(BENCHMARKS)
    if not os.environ.get("LING_BENCHMARKS_DIR"):
        assert ended.returncode == 2
        assert all("--data-dir" in task["reason"] for task in results.values())
        return
    assert ended.returncode == 0, ended.stderr
    scored = {name: task for name, task in results.items() if task["value"] is not None}
    assert list(scored) == [name for name in BENCHMARKS if name in HELD]
    assert all(task["reason"] for name, task in results.items() if name not in scored)
    for name, task in scored.items():
        assert task["n"] == 2 and task["value"] == 0.0, (name, task)
        assert task["isolation"] == (None if name in ("gsm8k", "bbh") else "bubblewrap")
        assert len((tmp_path / "samples" / f"{name}.jsonl").read_text().splitlines()) == 2
    # Answers put right by hand: scoring again needs no model.
    samples = tmp_path / "samples" / "mbpp.jsonl"
    gold = {BENCHMARKS["mbpp"].identify(row): row["code"] for row in BENCHMARKS["mbpp"].load(None)[0]}
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    samples.write_text("".join(json.dumps({**line, "prediction": gold[line["id"]]}) + "\n" for line in lines))
    again = evals("rescore", tmp_path)
    assert again.returncode == 0, again.stderr
    rescored = json.loads((tmp_path / "results.json").read_text())["tasks"]
    assert rescored["mbpp"]["value"] == 1.0 and "mbpp: pass@1 100.0%" in again.stdout
    assert {name: task for name, task in rescored.items() if name != "mbpp"} == {
        name: task for name, task in results.items() if name != "mbpp"
    }
    samples.write_text(json.dumps({**lines[0], "id": "no such row"}) + "\n")
    stranger = evals("rescore", tmp_path)
    assert stranger.returncode == 2 and "1 answers belong to no row" in stranger.stderr


@pytest.mark.slow
def test_what_was_generated_is_not_generated_again_unless_the_question_changed(models, held_out, tmp_path, evals):
    """A second run takes the answers from the cache; another limit on tokens, or other rows, are other questions."""

    def generate(limit: int, tokens: int) -> list[str]:
        arguments = ("--held-out", held_out, "--limit", limit, "--max-new-tokens", tokens, "--output", tmp_path)
        assert evals("run", "--model", models[0], "--tasks", HELD_OUT, *arguments).returncode == 0
        return (tmp_path / "cache" / "accelerate.jsonl").read_text(encoding="utf-8").splitlines()

    first = generate(2, 4)
    assert first and generate(2, 4) == first
    longer = generate(2, 6)
    assert len(longer) > len(first)
    assert len(generate(3, 6)) > len(longer)


def test_the_report_is_written_from_the_command_line(tmp_path, evals):
    run = tmp_path / "run"
    (run / "samples").mkdir(parents=True)
    task = {"metric": "pass@1", "value": 0.5, "n": 2, "interval": [0.1, 0.9], "isolation": "bubblewrap"}
    results = {"model": "org/name", "preset": "paper", "base": False, "tasks": {"humaneval": task}}
    (run / "results.json").write_text(json.dumps(results))
    ended = evals("report", run, "--output", tmp_path / "report")
    assert ended.returncode == 0, ended.stderr
    assert [Path(line).name for line in ended.stdout.split()] == [
        f"report.{kind}" for kind in ("html", "md", "tex", "json")
    ]
    assert (
        "| ours: org/name (paper prompts) | 50.0 (10.0 to 90.0, n=2) |" in (tmp_path / "report/report.md").read_text()
    )


def test_loss_compares_two_models_and_leaves_long_rows_out(models, held_out, tmp_path, evals):
    model, baseline = models
    output = tmp_path / "loss.json"
    arguments = ("loss", "--model", model, "--data", held_out, "--output", output)
    ended = evals(*arguments, "--baseline", baseline)
    assert ended.returncode == 0, ended.stderr
    different = json.loads(output.read_text())
    assert different["n"] == 8 and different["difference"]["mean"] != 0
    assert evals(*arguments, "--baseline", model, "--max-tokens", "10").returncode == 2
    assert evals(*arguments, "--baseline", model).returncode == 0
    assert json.loads(output.read_text())["difference"] == {"mean": 0.0, "interval": [0.0, 0.0]}


def test_selfcheck_runs_the_gold_and_finds_a_wrong_one(held_out, tmp_path, evals):
    right = evals("selfcheck", "--held-out", held_out, "--data-dir", tmp_path)
    assert right.returncode == 0
    assert "held_out_execution: 8/8 gold solutions pass" in right.stdout
    assert "humaneval: unscorable" in right.stdout
    assert evals("selfcheck", "--data-dir", tmp_path).returncode == 2


def test_selfcheck_reports_gold_that_fails(held_out, tmp_path, evals):
    import pyarrow.parquet as parquet

    table = parquet.read_table(held_out / "data" / "validation_00000_of_00001.parquet").to_pylist()
    table[0]["answer"] = "'wrong'"
    import pyarrow as pa

    (tmp_path / "data").mkdir()
    parquet.write_table(pa.Table.from_pylist(table), tmp_path / "data" / "validation_00000_of_00001.parquet")
    ended = evals("selfcheck", "--held-out", tmp_path, "--data-dir", tmp_path)
    assert ended.returncode == 1
    assert "7/8 gold solutions pass" in ended.stdout and table[0]["mid"] in ended.stdout


def test_list_names_tasks_and_isolation(evals):
    ended = evals("list")
    assert ended.returncode == 0
    assert "humaneval" in ended.stdout and "isolation: " in ended.stdout


def test_a_retrained_model_does_not_share_the_cache_of_its_generations(models, tmp_path):
    check_model(str(models[0]))
    before = model_fingerprint(str(models[0]))
    os.utime(models[0] / "model.safetensors")
    assert model_fingerprint(str(models[0])) != before


def test_groups_and_names_stand_for_tasks_each_once():
    general = tuple(name for name, benchmark in BENCHMARKS.items() if benchmark.group == "general")
    assert chosen_tasks(["general"], with_held_out=True) == general
    assert chosen_tasks(["mbpp,", "code", ",mbpp"], with_held_out=False)[:2] == ("mbpp", "humaneval")
    assert chosen_tasks(["all"], with_held_out=True)[-1] == "held_out_execution"
    assert set(chosen_tasks(["all"], with_held_out=False)) == set(BENCHMARKS)
