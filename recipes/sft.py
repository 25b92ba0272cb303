"""Section 3.2.3: supervised fine-tuning on packed conversations, with the loss on the assistant's words only.

accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/sft.py \
        --config recipes/configs/tiny/sft.yaml [--field value]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

# Run as a script, this file's own folder comes first on sys.path, and not the repository's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from modeling_ling.command_line import explain_missing

with explain_missing("train", "recipes/sft.py"):
    from recipes.stages.course import run_door, run_recipe
    from recipes.stages.fine_tuning import SFTStage


def main(arguments: Sequence[str] | None = None) -> Path | None:
    """Run one recipe; see `run_recipe`."""
    return run_recipe(SFTStage, arguments)


if __name__ == "__main__":
    with explain_missing("train", "recipes/sft.py"):
        sys.exit(run_door(SFTStage))
