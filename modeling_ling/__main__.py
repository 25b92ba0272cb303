"""`python -m modeling_ling describe|init|export|train-tokenizer|check-released`."""

import sys
from collections.abc import Sequence

from modeling_ling.command_line import run_program

DESCRIPTION = """The model's command line.

python -m modeling_ling describe --preset lite
python -m modeling_ling export --from inclusionAI/Ling-Coder-lite --to outputs/ling_coder_lite"""

COMMANDS = {
    "describe": "modeling_ling.describe",
    "init": "modeling_ling.initialize",
    "export": "modeling_ling.export",
    "train-tokenizer": "modeling_ling.train_tokenizer",
    "check-released": "modeling_ling.check_released",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return run_program("modeling_ling", DESCRIPTION, {"commands": COMMANDS}, arguments)


if __name__ == "__main__":
    sys.exit(main())
