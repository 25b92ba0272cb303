"""Sections 2.1 and 2.3: train a classifier, a scorer, a reward model or a judge that reasons, for the builders to use.

python -m recipes.distill --config recipes/configs/distill/quality.yaml [--field value]
accelerate launch --config_file recipes/accelerate_configs/cpu.yaml -m recipes.distill --config RECIPE
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from modeling_ling.command_line import explain_missing

with explain_missing("train", "python -m recipes.distill"):
    from recipes.stages.course import run_door, run_recipe
    from recipes.stages.kinds import STAGES


def main(arguments: Sequence[str] | None = None) -> Path | None:
    """Run one recipe; see `run_recipe`."""
    return run_recipe(STAGES["distill"], arguments)


if __name__ == "__main__":
    with explain_missing("train", "python -m recipes.distill"):
        sys.exit(run_door(STAGES["distill"]))
