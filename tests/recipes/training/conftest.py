"""Settings of the small runs: shipped recipes with everything made small by command-line fields."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[3] / "recipes" / "ling_coder_tiny"
COMMON = ["--sequence_length", "128", "--per_device_train_batch_size", "2", "--warmup_steps", "1"]
PRETRAIN = ["--global_batch_tokens", "512", "--max_epochs", "1000"]


@pytest.fixture(scope="session")
def command_line(small_world) -> Callable[..., list[str]]:
    """Gives the arguments of a small run of a shipped recipe: command_line("stage1", output_dir, field=value)."""

    def build(stage: str, output_dir: Path | None, **fields: object) -> list[str]:
        sizes = {"sft": ["--global_batch_rows", "4"], "dpo": ["--global_batch_pairs", "4"]}.get(stage, PRETRAIN)
        arguments = ["--config", str(RECIPES / f"{stage}.yaml"), "--data_root", str(small_world.root), *COMMON, *sizes]
        if stage == "stage1":
            arguments += ["--milestones_tokens", "1024", "--init_from", str(small_world.model)]
        if output_dir is not None:
            arguments += ["--output_dir", str(output_dir)]
        for name, value in fields.items():
            arguments += [f"--{name}", str(value)]
        return arguments

    return build
