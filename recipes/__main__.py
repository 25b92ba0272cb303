"""`python -m recipes plan RECIPE...`, `python -m recipes adapt --code FOLDER --model ID --to FOLDER`."""

import sys
from collections.abc import Sequence

from modeling_ling.command_line import EXIT_USAGE, run_program

DESCRIPTION = """What recipes will do, without a GPU and without a step. To train:

accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/{pretrain,sft,dpo}.py --config RECIPE"""

COMMANDS = {
    "plan": "recipes.reporting.plan_command",
    "memory": "recipes.reporting.memory_command",
    "average": "recipes.reporting.average_command",
    "ablation": "recipes.ablation_gate.command",
    "card": "recipes.reporting.card_command",
    "verify": "recipes.reporting.verify_command",
    "adapt": "recipes.adapting.command",
    "hold-out": "recipes.adapting.hold_out_command",
    "adapt-tokenize": "recipes.adapting.tokenize_command",
    "infill": "recipes.adapting.infill_command",
    "label": "recipes.distill.label_command",
}


TRAINING = ("pretrain", "sft", "dpo", "distill")


def main(arguments: Sequence[str] | None = None, program: str = "") -> int:
    """Run one command and return its exit code."""
    first = next(iter(sys.argv[1:] if arguments is None else arguments), "")
    if first in TRAINING:
        script = "-m recipes.distill" if first == "distill" else f"recipes/{first}.py"
        print(
            f"python -m recipes: error: to train, `ling-coder train {first} --config RECIPE`, which is "
            f"`python {script} --config RECIPE`, or the script under `accelerate launch`",
            file=sys.stderr,
        )
        return EXIT_USAGE
    return run_program("recipes", DESCRIPTION, {"commands": COMMANDS}, arguments, program=program, extra="train")


if __name__ == "__main__":
    sys.exit(main())
