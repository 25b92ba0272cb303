"""Sections 2.1 and 2.3: train a classifier, a scorer or a reward model, which the builders then load by its path.

python -m recipes.distill --config recipes/configs/distill/quality.yaml [--field value]
accelerate launch --config_file recipes/accelerate_configs/cpu.yaml -m recipes.distill --config RECIPE
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from recipes.distill.stage import DistillStage
from recipes.stages.course import run_door, run_recipe


def main(arguments: Sequence[str] | None = None) -> Path | None:
    """Run one recipe; see `run_recipe`."""
    return run_recipe(DistillStage, arguments)


if __name__ == "__main__":
    sys.exit(run_door(DistillStage))
