"""Section 3.2.1: the loss over held-out rows on the way: it is the model's, changes nothing, and can lower the rate."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from datasets_builders.tokenized.token_files import write_token_store
from datasets_builders.tokenized.tokenization import encode_document, tokenizer_fingerprint
from recipes import pretrain
from recipes.data.held_out import open_held_out
from recipes.data.mixture_recipe import read_mixture
from recipes.running.recipe_loading import RecipeError, load_recipe
from recipes.running.run_folder import DROPS_FILE, METRICS_FILE
from tests.recipes.conftest import RECIPES

pytestmark = pytest.mark.slow

SHARES = {"code.raw": 0.658, "code.related": 0.035, "code.synthetic": 0.007, "natural_language": 0.2, "math": 0.1}
STEPS = {"train_tokens": 4096, "logging_steps": 3, "save_steps": 3, "save_total_limit": 9}
EVERY = {"validation_every_steps": 2, "validation_rows": 6}


@pytest.fixture(scope="module")
def held_out(small_world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Token files of other documents than those that are trained on."""
    folder = tmp_path_factory.mktemp("held_out")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(small_world.root / "tokenizer")
    for name in SHARES:
        texts = [f"{name} {number}: sub_{number}(a, b) returns a - b - {number}.\n" * 3 for number in range(400, 430)]
        write_token_store(
            folder / "data" / f"{name.replace('.', '_')}.ds",
            [encode_document(tokenizer, text) for text in texts],
            {"source": name, "tokenizer_fingerprint": tokenizer_fingerprint(tokenizer)},
        )
    return folder


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def measured_run(command_line: Callable, held_out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "run"
    pretrain.main(command_line("stage1", folder, validation_tokenized=held_out, **STEPS, **EVERY))
    return folder


def test_it_is_logged_every_so_many_steps_and_at_the_end_by_source(measured_run: Path) -> None:
    lines = [line for line in records(measured_run) if "held_out_loss" in line]
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    for line in lines:
        assert line["held_out_losses"].keys() == SHARES.keys()
        mean = sum(SHARES[name] * loss for name, loss in line["held_out_losses"].items())
        assert line["held_out_loss"] == pytest.approx(mean)
    assert lines[-1]["held_out_loss"] < lines[0]["held_out_loss"]
    assert "held-out loss, first -> last" in (measured_run / "README.md").read_text(encoding="utf-8")


def test_it_is_the_loss_of_the_model_that_was_left(
    measured_run: Path, held_out: Path, small_world, tmp_path: Path
) -> None:
    from modeling_ling import BailingMoeForCausalLM

    tokenizer = PreTrainedTokenizerFast.from_pretrained(small_world.root / "tokenizer")
    mixture = load_recipe(RECIPES / "stage1.yaml")["mixture"]
    sources, groups = read_mixture(mixture, held_out, [])
    rows = open_held_out(sources, [], groups, tokenizer, seq_length=128, num_rows=6, cache_dir=tmp_path)
    assert [rows[place]["source"] for place in range(len(rows))] == [0, 0, 0, 0, 1, 2, 3, 4]
    model = BailingMoeForCausalLM.from_pretrained(measured_run, dtype=torch.float32).eval()
    sums = dict.fromkeys(SHARES, (0.0, 0))
    for row in (rows[place] for place in range(len(rows))):
        name = rows.names[row.pop("source")]
        with torch.no_grad():
            logits = model(input_ids=row["input_ids"][None], position_ids=row["position_ids"][None]).logits[0, :-1]
        losses = torch.nn.functional.cross_entropy(logits, row["labels"][1:], reduction="none", ignore_index=-100)
        sums[name] = (sums[name][0] + float(losses.sum()), sums[name][1] + int((row["labels"][1:] != -100).sum()))
    expected = {name: total / count for name, (total, count) in sums.items()}
    assert records(measured_run)[-1]["held_out_losses"] == pytest.approx(expected, rel=1e-4)


def test_measuring_changes_no_loss_of_the_run(measured_run: Path, command_line: Callable, tmp_path: Path) -> None:
    pretrain.main(command_line("stage1", tmp_path / "run", **STEPS | {"logging_steps": 1}))
    plain = {line["step"]: line["grad_norm"] for line in records(tmp_path / "run")}
    measured = {line["step"]: line["grad_norm"] for line in records(measured_run)}
    assert measured == {step: plain[step] for step in measured}


def test_a_rate_that_drops_by_it_is_resumed_as_it_was(held_out: Path, command_line: Callable, tmp_path: Path) -> None:
    fields = {"drop_on": "validation_loss", "plateau_patience": 1, "plateau_min_improvement": 0.9, **STEPS, **EVERY}

    def run(folder: Path, **more: Any) -> list[tuple]:
        pretrain.main(command_line("stage1", folder, validation_tokenized=held_out, **fields, **more))
        return [
            (line["step"], line["learning_rate"], line["loss"], line.get("held_out_loss")) for line in records(folder)
        ]

    whole = run(tmp_path / "whole")
    # A low at step 2, none at 4: from step 6 (the fifth from 0) on the rate is lower.
    assert json.loads((tmp_path / "whole" / DROPS_FILE).read_text())["step"] == 5
    assert whole[-1][1] == 1.5e-3
    for step in (3, 6):
        cut = tmp_path / f"cut{step}"
        cut.mkdir()
        shutil.copytree(tmp_path / "whole" / f"checkpoint-{step}", cut / f"checkpoint-{step}")
        shutil.copy(tmp_path / "whole" / METRICS_FILE, cut)
        assert run(cut, resume_from="auto") == whole


def test_two_processes_measure_and_drop_as_one_does(held_out: Path, command_line: Callable, tmp_path: Path) -> None:
    fields = {"drop_on": "validation_loss", "plateau_patience": 1, "plateau_min_improvement": 0.9, **STEPS, **EVERY}
    alone, paired = (
        command_line("stage1", tmp_path / str(count), validation_tokenized=held_out, **fields) for count in (1, 2)
    )
    pretrain.main(alone)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", pretrain.__file__]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*launch, *paired], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    drops = [json.loads((tmp_path / str(count) / DROPS_FILE).read_text()) for count in (1, 2)]
    assert drops[0]["step"] == drops[1]["step"] == 5
    for line, other in zip(records(tmp_path / "1"), records(tmp_path / "2"), strict=True):
        assert (line["step"], line["learning_rate"]) == (other["step"], other["learning_rate"])
        for key in ("loss", "held_out_loss"):
            assert other.get(key, 0.0) == pytest.approx(line.get(key, 0.0), rel=1e-3)


def test_what_is_trained_on_or_missing_is_no_held_out_set(
    held_out: Path, small_world, command_line: Callable, tmp_path: Path
) -> None:
    for folder, words in (
        (small_world.root / "datasets" / "tokenized", "is trained on"),
        (tmp_path / "absent", "code_raw.ds is missing"),
    ):
        with pytest.raises(RecipeError, match=words):
            pretrain.main(command_line("stage1", tmp_path / "run", validation_tokenized=folder, **STEPS))
