"""What users of other trainers reported, each through our own command: the right behavior is kept here."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipes import dpo, sft
from recipes.running.recipe_loading import RecipeError

SHORT = [{"prompt": f"What is {number}?", "completion": f"It is {number}."} for number in range(24)]
PAIRS = [{"prompt": f"What is {number}?", "chosen": f"{number}", "rejected": f"{number + 1}"} for number in range(16)]
LONG = "word " * 300


def dataset(folder: Path, **splits: list[dict[str, Any]]) -> Path:
    """Write a dataset of JSON Lines, a file for each split."""
    folder.mkdir(parents=True)
    for split, rows in splits.items():
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


# TRL reports a loss of 0.0, or NaN, over such rows (huggingface/trl#6668, #3927, #6548, #3382) and ends well.
NOTHING_LEFT = [
    ("sft", [{"prompt": LONG, "completion": "yes"}] * 8, "8 removed: longer than 128 tokens): raise sequence_length"),
    ("dpo", [{"prompt": LONG, "chosen": "x", "rejected": "y"}] * 8, "longer than 128 tokens): raise sequence_length"),
    ("dpo", [{"prompt": "p", "chosen": "x", "rejected": "x"}] * 8, "chosen and rejected are equal): give another"),
    ("dpo", [{"prompt": "p", "chosen": "x", "rejected": ["y", "z"]}] * 8, "null or no object): give another dataset"),
    ("sft", [{"prompt": "p", "completion": ""}] * 8, "an empty answer): give another dataset"),
    ("sft", [{"text": "hello"}] * 8, "dataset_columns maps other names): map its columns by dataset_columns, or give"),
    ("sft", [], "(it has no rows): give another dataset"),
]


@pytest.mark.parametrize(("kind", "rows", "words"), NOTHING_LEFT)
def test_a_dataset_of_which_nothing_is_left_is_refused_with_what_helps(
    command_line, small_world, tmp_path, kind, rows, words
):
    data = dataset(tmp_path / "data", train=rows)
    with pytest.raises(RecipeError, match="has nothing to train on") as refused:
        run(kind, command_line, small_world.model, tmp_path / "run", data)
    assert words in str(refused.value)


def test_a_held_out_split_of_which_nothing_is_left_says_why_before_training(command_line, small_world, tmp_path):
    data = dataset(tmp_path / "data", train=SHORT, validation=[{"prompt": LONG, "completion": "yes"}] * 4)
    with pytest.raises(RecipeError, match=r"nothing to measure the loss on \(4 removed: longer than 128 tokens\)"):
        run("sft", command_line, small_world.model, tmp_path / "run", data, eval_every_steps=2)
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_run_that_is_finished_says_so_and_keeps_its_figures(command_line, small_world, tmp_path, capsys):
    data = dataset(tmp_path / "data", train=SHORT * 6)
    folder = tmp_path / "run"
    run("sft", command_line, small_world.model, folder, data)
    model, metrics = (folder / "model.safetensors").read_bytes(), (folder / "metrics.jsonl").read_bytes()
    capsys.readouterr()
    run("sft", command_line, small_world.model, folder, data, resume_from="auto")
    assert "nothing is left to train" in capsys.readouterr().out
    assert (folder / "model.safetensors").read_bytes() == model
    assert (folder / "metrics.jsonl").read_bytes() == metrics
    last = json.loads(metrics.splitlines()[-1])["loss"]
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["last"]["loss"] == last > 0


@pytest.mark.parametrize(
    "lost", ["trainer_state.json", "optimizer.pt", "model.safetensors", "rng_state.pth", "config.json"]
)
def test_a_checkpoint_that_lacks_a_file_is_passed_over(command_line, small_world, tmp_path, capsys, lost):
    data = dataset(tmp_path / "data", train=SHORT * 6)
    folder = tmp_path / "run"
    run("sft", command_line, small_world.model, folder, data)
    model = (folder / "model.safetensors").read_bytes()
    newest = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    (newest / lost).unlink()
    capsys.readouterr()
    run("sft", command_line, small_world.model, folder, data, resume_from="auto")
    said = capsys.readouterr().out
    assert "Continuing from" in said and f"Continuing from {newest}" not in said
    assert (folder / "model.safetensors").read_bytes() == model


# Trainers that shuffle by epoch went back to the first one's order (huggingface/accelerate#2016).
def test_a_run_cut_in_its_second_epoch_goes_on_with_the_same_rows(command_line, small_world, tmp_path):
    data = dataset(tmp_path / "data", train=SHORT * 3)
    more = {"num_train_epochs": 3, "save_steps": 1, "save_total_limit": 20, "logging_steps": 1}
    run("sft", command_line, small_world.model, tmp_path / "whole", data, **more)
    run("sft", command_line, small_world.model, tmp_path / "cut", data, **more)
    whole = losses(tmp_path / "whole")
    in_second = len(whole) // 3 + 2
    for checkpoint in (tmp_path / "cut").glob("checkpoint-*"):
        if int(checkpoint.name.split("-")[1]) > in_second:
            shutil.rmtree(checkpoint)
    run("sft", command_line, small_world.model, tmp_path / "cut", data, resume_from="auto", **more)
    assert losses(tmp_path / "cut") == whole and len(whole) > in_second + 2


def losses(folder: Path) -> dict[int, float]:
    """Return the loss of each step, the last that was written of it."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return {line["step"]: line["loss"] for line in lines}


def run(
    kind: str, command_line: Callable[..., list[str]], model: Path, folder: Path, data: Path, **fields: object
) -> None:
    """Run a small stage on the dataset."""
    main = {"sft": sft.main, "dpo": dpo.main}[kind]
    main(command_line(kind, folder, init_from=model, dataset=data, **{"logging_steps": 1, "save_steps": 4, **fields}))
