"""A run of each stage, cut and continued with one process, then two, then one, is the run that was never cut.

Row for row it reads the same; on a CPU its losses are equal to the last bit where a step has two micro-batches, since
two numbers have one sum.
"""

import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from recipes.running.run_folder import METRICS_FILE, find_checkpoints
from recipes.running.trainer import TIMING_KEYS
from recipes.stages.course import run_recipe
from recipes.stages.kinds import STAGES
from tests import warm_python
from tests.recipes.running.processes import WORLDS_WORKER, launch_jobs

pytestmark = pytest.mark.slow

KINDS = {"stage1": "pretrain", "stage2": "pretrain", "annealing": "pretrain", "sft": "sft", "dpo": "dpo"}
NUM_STEPS = 6
ROOT = Path(__file__).parents[3]


def figures(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMING_KEYS} for line in lines]


def equal_weights(first: Path, second: Path) -> bool:
    tensors, others = (load_file(folder / "model.safetensors") for folder in (first, second))
    return all(torch.equal(tensors[name], others[name]) for name in tensors | others)


def keep_until(source: Path, target: Path, step: int) -> None:
    """What a run leaves that was cut after a step that it saved."""
    target.mkdir(parents=True)
    shutil.copytree(source / f"checkpoint-{step}", target / f"checkpoint-{step}")
    shutil.copy(source / METRICS_FILE, target)


def test_each_stage_goes_on_with_other_numbers_of_processes(
    command_line: Callable, small_world, tmp_path: Path
) -> None:
    draws = random.Random(os.environ.get("PYTEST_RANDOM_SEED", "0"))
    arguments: dict[str, Callable[[Path], list[str]]] = {}
    for stage, kind in KINDS.items():
        sizes = (
            {"train_tokens": 512 * NUM_STEPS} if kind == "pretrain" else {"max_samples": 24, "init_optimizer": False}
        )
        fields = {"logging_steps": 1, "save_steps": 1, "save_total_limit": 20, **sizes}
        fields |= {"init_from": small_world.model, "init_optimizer": False}
        arguments[stage] = lambda folder, stage=stage, fields=fields: command_line(
            stage, folder, resume_from="auto", **fields
        )
        run_recipe(STAGES[kind], arguments[stage](tmp_path / "unbroken" / stage))
    cuts = {}
    for stage in KINDS:
        unbroken = tmp_path / "unbroken" / stage
        last = len(figures(unbroken))
        assert last >= 5
        cuts[stage] = sorted(draws.sample(range(1, last), 2))
        keep_until(unbroken, tmp_path / "two" / stage, cuts[stage][0])
    jobs = [(kind, arguments[stage](tmp_path / "two" / stage)) for stage, kind in KINDS.items()]
    launch_jobs(WORLDS_WORKER, jobs, tmp_path)
    for stage, kind in KINDS.items():
        keep_until(tmp_path / "two" / stage, tmp_path / "one" / stage, cuts[stage][1])
        run_recipe(STAGES[kind], arguments[stage](tmp_path / "one" / stage))
        for line, expected in zip(
            figures(tmp_path / "one" / stage), figures(tmp_path / "unbroken" / stage), strict=True
        ):
            # TRL averages the rewards that it shows in single precision, over whatever a process has.
            rewards = {name: line.pop(name) for name in [*line] if name.startswith("rewards/")}
            assert rewards == pytest.approx({name: expected.pop(name) for name in rewards}, abs=1e-6)
            assert line == expected, (stage, cuts[stage])
        assert equal_weights(tmp_path / "one" / stage, tmp_path / "unbroken" / stage)


def test_a_signal_to_one_process_stops_all_of_them_at_one_step(command_line: Callable, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = command_line("stage1", run, logging_steps=1, save_steps=100, train_tokens=512 * 40)
    path = tmp_path / "jobs.json"
    path.write_text(json.dumps([["pretrain", arguments]]), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = warm_python.run(
        [*command, str(WORLDS_WORKER), str(path)],
        libraries="training",
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONPATH": str(ROOT), "STOP_RANK": "1"},
    )
    assert done.returncode != 0
    assert "exitcode  : 143" in done.stderr
    (checkpoint,) = find_checkpoints(run)
    assert checkpoint.name == "checkpoint-3"  # seen before the next update
    assert not (run / "model.safetensors").exists()


def test_two_processes_have_the_reference_s_figures_of_one(command_line: Callable, small_world, tmp_path: Path) -> None:
    def arguments(name: str) -> list[str]:
        fields = {"max_samples": 12, "num_train_epochs": 1, "logging_steps": 1, "init_from": small_world.model}
        fields |= {"precompute_ref_log_probs": True, "packed_dir": tmp_path / f"packed-{name}", "beta": 0.5}
        return command_line("dpo", tmp_path / name, **{**fields, "warmup_steps": 0})

    run_recipe(STAGES["dpo"], arguments("one"))
    launch_jobs(WORLDS_WORKER, [("dpo", arguments("two"))], tmp_path)
    losses = [[line["loss"] for line in figures(tmp_path / name)] for name in ("one", "two")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
