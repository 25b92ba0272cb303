"""Section 3.2.4: direct preference optimisation on pairs of a right and a wrong answer.

accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/dpo.py \
        --config recipes/configs/tiny/dpo.yaml [--field value]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

# Run as a script, this file's own folder comes first on sys.path, and not the repository's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modeling_ling.command_line import explain_missing

with explain_missing("train", "recipes/dpo.py"):
    from recipes.stages.course import run_door, run_recipe
    from recipes.stages.preference import DPOStage


def main(arguments: Sequence[str] | None = None) -> Path | None:
    """Run one recipe; see `run_recipe`."""
    return run_recipe(DPOStage, arguments)


if __name__ == "__main__":
    with explain_missing("train", "recipes/dpo.py"):
        sys.exit(run_door(DPOStage))
