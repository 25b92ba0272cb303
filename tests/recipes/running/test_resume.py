"""A run that is stopped and continued logs what an unbroken run logs, on the same data, after SIGKILL too."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from recipes import dpo, pretrain, sft
from recipes.running.run_folder import METRICS_FILE, find_checkpoints
from recipes.running.trainer import TIMING_KEYS, truncate_metrics
from tests import warm_python

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = {"stage1": pretrain, "sft": sft, "dpo": dpo}
STEPS = {"logging_steps": 1, "save_steps": 2, "save_total_limit": 10}


def figures(folder: Path) -> list[dict[str, Any]]:
    """The log lines without what the clock and the machine decide."""
    lines = [json.loads(line) for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMING_KEYS} for line in lines]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def assert_same_run(folder: Path, unbroken: Path) -> None:
    assert figures(folder) == figures(unbroken)
    for name, tensor in weights(unbroken).items():
        torch.testing.assert_close(weights(folder)[name], tensor, atol=0, rtol=0)


@pytest.mark.parametrize("stage", ["stage1", "sft", "dpo"])
def test_a_resumed_run_equals_an_unbroken_one(stage: str, command_line: Callable, small_world, tmp_path: Path) -> None:
    sizes = {"train_tokens": 3072} if stage == "stage1" else {"max_samples": 20, "init_from": small_world.model}
    unbroken, resumed = tmp_path / "unbroken", tmp_path / "resumed"
    SCRIPTS[stage].main(command_line(stage, unbroken, **STEPS, **sizes))
    assert len(figures(unbroken)) >= 5
    # What a run stopped after step 3 leaves: the checkpoint of step 2, and log lines beyond it, the last cut short.
    resumed.mkdir()
    shutil.copytree(unbroken / "checkpoint-2", resumed / "checkpoint-2")
    lines = (unbroken / METRICS_FILE).read_text(encoding="utf-8").splitlines()
    (resumed / METRICS_FILE).write_text("\n".join(lines[:3]) + '\n{"step": 4, "los', encoding="utf-8")
    SCRIPTS[stage].main(command_line(stage, resumed, resume_from="auto", **STEPS, **sizes))
    assert_same_run(resumed, unbroken)


def test_a_run_killed_at_any_moment_goes_on_to_the_same_end(command_line: Callable, tmp_path: Path) -> None:
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    fields = {"logging_steps": 1, "save_steps": 3, "train_tokens": 512 * 90}
    pretrain.main(command_line("stage1", unbroken, **fields | {"save_steps": 1000}))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    script = str(ROOT / "recipes" / "pretrain.py")
    process = warm_python.Popen(
        [sys.executable, script, *command_line("stage1", killed, **fields)],
        libraries="training",
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not find_checkpoints(killed) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)  # its own processor time is what the other process needs
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= len(figures_or_none(killed)) < 90
    pretrain.main(command_line("stage1", killed, resume_from="auto", **fields | {"save_steps": 1000}))
    assert_same_run(killed, unbroken)


def figures_or_none(folder: Path) -> list[str]:
    return (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()


def test_log_lines_after_the_resumed_step_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / METRICS_FILE
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st', encoding="utf-8")
    assert truncate_metrics(path, 2) == 2
    assert path.read_text(encoding="utf-8") == '{"step": 1}\n{"step": 2}\n'
    assert truncate_metrics(tmp_path / "absent.jsonl", 2) == 0
