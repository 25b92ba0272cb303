"""The model's command line: describe, init, export, train-tokenizer, check-released.

python -m modeling_ling describe --preset lite
python -m modeling_ling export --from inclusionAI/Ling-Coder-lite --to outputs/ling_coder_lite
"""

import argparse
import importlib
import sys

COMMANDS = {
    "describe": "describe",
    "init": "initialize",
    "export": "export",
    "train-tokenizer": "train_tokenizer",
    "check-released": "check_released",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a user's mistake is one line on stderr and exit code 2."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Flags are accepted with underscores too, as everywhere in the project.
    arguments = [_hyphenated(argument) for argument in arguments]
    parser = argparse.ArgumentParser(
        prog="python -m modeling_ling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module_name in COMMANDS.items():
        module = importlib.import_module(f"modeling_ling.{module_name}")
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"{parser.prog} {options.command}: error: {error}", file=sys.stderr)
        return 2


def _hyphenated(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, separator, value = argument.partition("=")
    return name.replace("_", "-") + separator + value


if __name__ == "__main__":
    sys.exit(main())
