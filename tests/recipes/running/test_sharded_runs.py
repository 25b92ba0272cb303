"""Sharded over two processes (FSDP2), a run trains as one process does; its shards serve all that follows."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from recipes import pretrain
from recipes.reporting.average_command import average_checkpoints
from recipes.running.run_folder import METRICS_FILE, RUN_FILE
from tests.recipes.running.processes import SHARDED_WORKER, launch_jobs

pytestmark = pytest.mark.slow

# The balance loss is a statistic of each process's own tokens.
STEPS = {
    "logging_steps": 1,
    "save_steps": 2,
    "save_total_limit": 10,
    "train_tokens": 512 * 6,
    "router_aux_loss_coef": 0,
}


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()]
    return [line[name] for line in lines for name in ("total_loss", "grad_norm", "learning_rate")]


def cut(source: Path, target: Path, step: int) -> None:
    target.mkdir()
    shutil.copytree(source / f"checkpoint-{step}", target / f"checkpoint-{step}")
    shutil.copy(source / METRICS_FILE, target)


def test_a_sharded_run_equals_one_process_and_its_shards_serve_all_that_follows(
    command_line: Callable, tmp_path: Path
) -> None:
    plain, sharded = tmp_path / "plain", tmp_path / "sharded"

    def next_stage(name: str, before: Path) -> list[str]:
        fields = {**STEPS, "init_from": before, "init_optimizer": "true", "warmup_steps": 0}
        return command_line("stage2", tmp_path / name, **fields)

    pretrain.main(command_line("stage1", plain, **STEPS))
    pretrain.main(next_stage("plain-next", plain))
    launch_jobs(SHARDED_WORKER, [("pretrain", command_line("stage1", sharded, **STEPS))], tmp_path)
    assert not (sharded / "checkpoint-2" / "model.safetensors").exists()
    assert (sharded / "checkpoint-2" / "pytorch_model_fsdp_0").is_dir()
    assert losses(sharded) == pytest.approx(losses(plain), rel=1e-5)
    assert json.loads((sharded / RUN_FILE).read_text())["finished"] is True
    exported, expected = (load_file(folder / "model.safetensors") for folder in (sharded, plain))
    assert exported.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(exported[name], tensor, atol=1e-5, rtol=1e-4)

    # Merged by itself, without what the run exported.
    cut(sharded, tmp_path / "alone", 6)
    average_checkpoints(tmp_path / "alone", tmp_path / "merged", last=1)
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    assert all(torch.equal(merged[name], exported[name]) for name in exported | merged)

    # Continued by two, sharded; the stage after takes its moments over; and by one, not sharded.
    cut(sharded, tmp_path / "by-two", 2)
    cut(sharded, tmp_path / "by-one", 4)
    jobs = [
        command_line("stage1", tmp_path / "by-two", resume_from="auto", **STEPS),
        next_stage("sharded-next", sharded),
        next_stage("sharded-after-one", plain),
    ]
    launch_jobs(SHARDED_WORKER, [("pretrain", arguments) for arguments in jobs], tmp_path)
    assert losses(tmp_path / "by-two") == losses(sharded)
    pretrain.main(command_line("stage1", tmp_path / "by-one", resume_from="auto", **STEPS))
    assert losses(tmp_path / "by-one") == pytest.approx(losses(sharded), rel=1e-5)
    pretrain.main(next_stage("one-after-shards", sharded))
    for name in ("sharded-next", "sharded-after-one", "one-after-shards"):
        assert losses(tmp_path / name) == pytest.approx(losses(tmp_path / "plain-next"), rel=1e-4)
    # Without the moments the losses are others: what was compared was more than the weights.
    pretrain.main([*next_stage("without-moments", sharded), "--init_optimizer", "false"])
    assert losses(tmp_path / "without-moments") != pytest.approx(losses(tmp_path / "plain-next"), rel=1e-4)
