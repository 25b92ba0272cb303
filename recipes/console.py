"""`ling-coder data|train|evals|model COMMAND`: the four programs under one name.

    ling-coder data source_code input_dir=~/project output_dir=outputs/project
    ling-coder train sft --config recipes/configs/tiny/sft.yaml
    ling-coder evals run --model outputs/quickstart/model --tasks humaneval
    ling-coder chat outputs/quickstart/model

`ling-coder data X` is `python -m datasets_builders X`, and so on; training is `python recipes/KIND.py`, or with
`--launch FILE` the same under `accelerate launch --config_file FILE`.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from modeling_ling.command_line import EXIT_OK, EXIT_USAGE, guarded

# Word -> the package, what it does.
PROGRAMS = {
    "data": ("datasets_builders", "build datasets"),
    "train": ("recipes", "plan, train: pretrain, sft, dpo, distill"),
    "evals": ("evals", "score models"),
    "model": ("modeling_ling", "describe, initialize, export, chat"),
}
# What may be said without the program's word.
SHORT = {"chat": ("model", "talk to a model"), "plan": ("train", "what a recipe will do: steps, tokens, hours")}
SCRIPTS = ("pretrain", "sft", "dpo", "distill")
RECIPES = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command of one program and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return guarded(lambda: run(given), "ling-coder")


def run(given: list[str]) -> int:
    """Hand the arguments to the program that they name."""
    if not given or given[0] in ("-h", "--help"):
        print(overview(), file=sys.stdout if given else sys.stderr)
        return EXIT_OK if given else EXIT_USAGE
    word, *rest = given
    if word in SHORT:
        rest, word = [word, *rest], SHORT[word][0]
    if word not in PROGRAMS:
        near = difflib.get_close_matches(word, [*PROGRAMS, *SHORT], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        print(f"ling-coder: error: there is no {word!r}{hint}\n\n{overview()}", file=sys.stderr)
        return EXIT_USAGE
    if word == "train" and rest and rest[0] in SCRIPTS:
        command = training_command(rest[0], rest[1:])
        os.execv(command[0], command)
    program = importlib.import_module(f"{PROGRAMS[word][0]}.__main__")
    code: int = program.main(rest, program=f"ling-coder {word}")
    return code


def training_command(kind: str, arguments: Sequence[str]) -> list[str]:
    """Return the command line that trains: a script in this process's place, or launched by accelerate.

    Args:
        kind (`str`): one of `SCRIPTS`.
        arguments: the recipe's, and `--launch FILE` anywhere among them.
    """
    rest, launch = list(arguments), ""
    for place, argument in enumerate(rest):
        flag, separator, value = argument.partition("=")
        if flag == "--launch":
            launch = value if separator else "".join(rest[place + 1 : place + 2])
            del rest[place : place + (1 if separator else 2)]
            break
    script = ["-m", "recipes.distill"] if kind == "distill" else [str(RECIPES / f"{kind}.py")]
    if launch:
        return [sys.executable, "-m", "accelerate.commands.launch", "--config_file", launch, *script, *rest]
    return [sys.executable, *script, *rest]


def overview() -> str:
    """Return the list of programs."""
    lines = ["usage: ling-coder PROGRAM COMMAND [--option value ...]", ""]
    lines += [f"  {word:<6} {what} (python -m {package})" for word, (package, what) in PROGRAMS.items()]
    lines += ["", "and without a program's word:", ""]
    lines += [f"  {word:<6} {what} (ling-coder {program} {word})" for word, (program, what) in SHORT.items()]
    return "\n".join([*lines, "", "ling-coder PROGRAM --help lists its commands."])


if __name__ == "__main__":
    sys.exit(main())
