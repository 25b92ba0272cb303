"""Tasks of evals in the course of a run: scores with their intervals, and a training that nothing of it takes down."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from datasets import Dataset

from recipes import pretrain, sft
from recipes.running import task_evaluation
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import RUN_FILE, TASKS_FOLDER, TASKS_KIND, read_events, read_metrics
from recipes.running.trainer import TIMING_KEYS
from tests import warm_python

pytestmark = pytest.mark.slow


def training_lines(folder: Path) -> list[dict]:
    return [{key: value for key, value in line.items() if key not in TIMING_KEYS} for line in read_metrics(folder)]


def write_questions(folder: Path) -> Path:
    """Questions as the sft builder writes them."""
    rows = [
        {
            "mid": f"q{number}",
            "messages": [
                {"role": "user", "content": f"What does f({number}) return?"},
                {"role": "assistant", "content": str(number + 1)},
            ],
            "kind": "execution_prediction",
            "code": "def f(x):\n    return x + 1\n",
            "call": f"f({number})",
            "answer": str(number + 1),
        }
        for number in range(6)
    ]
    (folder / "data").mkdir(parents=True)
    for split in ("train", "validation"):
        Dataset.from_list(rows).to_parquet(folder / "data" / f"{split}_00000_of_00001.parquet")
    return folder


def test_scores_have_intervals_and_stand_on_the_card(
    command_line: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    popen = partial(warm_python.Popen, libraries="evaluation")  # does not import for seconds what the tests have
    monkeypatch.setattr(task_evaluation, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": popen}))
    fields = {"logging_steps": 1, "train_tokens": 1024, "schedule": "constant"}
    tasks = {"eval_tasks": "held_out_execution", "eval_tasks_every_steps": 2, "eval_tasks_limit": 2}
    tasks["eval_tasks_held_out"] = write_questions(tmp_path / "questions")
    pretrain.main(command_line("stage1", tmp_path / "asked", **fields, **tasks))
    records = read_metrics(tmp_path / "asked", TASKS_KIND)
    assert [record["step"] for record in records] == [2], read_events(tmp_path / "asked")
    for record in records:
        score = record["tasks"]["held_out_execution"]
        low, high = score["interval"]
        assert score["n"] == 2 and low <= score["value"] <= high
    answers = tmp_path / "asked" / TASKS_FOLDER / "step-2"
    assert (answers / "answers" / "results.json").is_file() and not (answers / "model").exists()
    card = (tmp_path / "asked" / "README.md").read_text(encoding="utf-8")
    assert "## Tasks in the course of the run" in card and "| held_out_execution (" in card


def test_whatever_becomes_of_them_training_goes_on(
    command_line: Callable, small_world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No benchmark there, and then no time.
    monkeypatch.setenv("LING_BENCHMARKS_DIR", str(tmp_path))
    fields = {"init_from": small_world.model, "max_samples": 16, "warmup_steps": 0, "logging_steps": 1}
    fields |= {"router_warmup_steps": 3}
    sft.main(command_line("sft", tmp_path / "plain", **fields))
    plain = training_lines(tmp_path / "plain")
    last = plain[-1]["step"]
    for name, more, reason in (
        ("absent", {"eval_tasks_every_steps": 100}, "evals run ended with 2"),
        ("late", {"eval_tasks_every_steps": 1, "eval_tasks_minutes": 0.001}, "no answer within 0.001 minutes"),
    ):
        folder = tmp_path / name
        sft.main(command_line("sft", folder, eval_tasks="humaneval", **fields, **more))
        failed = [event for event in read_events(folder) if event["event"] == "eval_tasks_failed"]
        assert [event["step"] for event in failed] == (list(range(1, last + 1)) if name == "late" else [last])
        assert [event["reason"] for event in failed if reason not in event["reason"]] == []
        assert training_lines(folder) == plain, "an export on the way changes nothing"
        assert json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["finished"] is True
        assert read_metrics(folder, TASKS_KIND) == []
        assert not (folder / TASKS_FOLDER / f"step-{last}" / "model").exists()


def test_a_task_that_there_is_not_stops_before_the_first_step(command_line: Callable, tmp_path: Path) -> None:
    flags = {"eval_tasks": "humanevil", "eval_tasks_every_steps": 1, "train_tokens": 1024, "schedule": "constant"}
    with pytest.raises(RecipeError, match="unknown humanevil"):
        pretrain.main(command_line("stage1", tmp_path / "run", **flags))
    flags |= {"eval_tasks": "held_out_execution"}
    with pytest.raises(RecipeError, match="asked of a folder"):
        pretrain.main(command_line("stage1", tmp_path / "run", **flags))
    assert not (tmp_path / "run").exists()
