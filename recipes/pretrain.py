"""Section 3.2: pre-training: stage 1, stage 2 and annealing.

    accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/pretrain.py \
        --config recipes/configs/tiny/stage1.yaml [--field value]
    python recipes/pretrain.py --config recipes/configs/tiny/stage1.yaml --dry_run
    python recipes/pretrain.py --config recipes/configs/tiny/stage1.yaml --show_batch

`--resume_from auto` continues a killed run with the very losses of an unbroken one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

# Run as a script, this file's own folder comes first on sys.path, and not the repository's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modeling_ling.command_line import explain_missing

with explain_missing("train", "recipes/pretrain.py"):
    from recipes.stages.course import run_door, run_recipe
    from recipes.stages.pretraining import PretrainStage


def main(arguments: Sequence[str] | None = None) -> Path | None:
    """Run one recipe; see `run_recipe`."""
    return run_recipe(PretrainStage, arguments)


if __name__ == "__main__":
    with explain_missing("train", "recipes/pretrain.py"):
        sys.exit(run_door(PretrainStage))
