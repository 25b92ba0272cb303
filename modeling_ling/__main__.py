"""`python -m modeling_ling describe|init|export|chat|train-tokenizer|check-released`."""

import sys
from collections.abc import Sequence

from modeling_ling.command_line import run_program
from modeling_ling.hub_calls import PublishError

DESCRIPTION = """The model's command line.

python -m modeling_ling describe --preset lite
python -m modeling_ling export --from inclusionAI/Ling-Coder-lite --to outputs/ling_coder_lite"""

COMMANDS = {
    "describe": "modeling_ling.commands.describe",
    "init": "modeling_ling.commands.initialize",
    "export": "modeling_ling.commands.export",
    "chat": "modeling_ling.commands.chat",
    "train-tokenizer": "modeling_ling.commands.train_tokenizer",
    "check-released": "modeling_ling.commands.check_released",
}


def main(arguments: Sequence[str] | None = None, program: str = "") -> int:
    """Run one command and return its exit code."""
    sections = {"commands": COMMANDS}
    return run_program("modeling_ling", DESCRIPTION, sections, arguments, program=program, failures=(PublishError,))


if __name__ == "__main__":
    sys.exit(main())
