"""Section 3.2: what recipes will do, without a GPU and without a step.

For each recipe: steps, tokens wanted and available per source, epochs, accumulation, parameters, memory, FLOPs, and the
learning rate at the start, in the middle and at the end. Fields given behind the recipes override every one of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modeling_ling.command_line import EXIT_OK, EXIT_USAGE

if TYPE_CHECKING:
    from recipes.running.recipe_keys import StageArguments

HELP = "say what recipes will do: steps, tokens, memory, FLOPs, learning rates"
EXAMPLE = "python -m recipes plan recipes/configs/tiny/stage1.yaml --train-tokens 4000000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="a YAML file of recipes/*/")
    parser.usage = f"{parser.prog} RECIPE [RECIPE ...] [--field value ...]"


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Take recipes up to the first flag, and what follows as fields of the recipes."""
    first_flag = next((index for index, value in enumerate(arguments) if value.startswith("--")), len(arguments))
    if "--help" in arguments:
        first_flag = len(arguments)
    options = parser.parse_args(arguments[:first_flag])
    options.overrides = list(arguments[first_flag:])
    return options


def run(options: argparse.Namespace) -> int:
    """Print the plan of each recipe; one that is wrong does not keep the others from being planned."""
    from recipes.running.recipe_loading import RecipeError

    code = EXIT_OK
    for path in options.recipes:
        try:
            print(plan_recipe(path, options.overrides), end="\n\n")
        except RecipeError as error:
            print(f"error: {error}", file=sys.stderr)
            code = EXIT_USAGE
    return code


def plan_recipe(path: str, overrides: Sequence[str] = ()) -> str:
    """Return what one recipe will do, as text.

    Args:
        path (`str`): the YAML file.
        overrides (sequence of `str`): further command-line arguments.

    Raises:
        RecipeError: the recipe cannot be run as written.
    """
    from recipes.running.plan_settings import settings_for_plan

    return render(*settings_for_plan(path, overrides))


def render(kind: str, settings: StageArguments) -> str:
    """Return the plan of parsed settings as text; chat data that is there is encoded to count its rows."""
    from recipes.reporting.planning import render_plan
    from recipes.running.checkpoints import load_tokenizer
    from recipes.stages.kinds import STAGES

    stage = STAGES[kind](settings)
    if stage.steps_depend_on_data and stage.has_data() and (Path(settings.tokenizer) / "tokenizer.json").is_file():
        stage.read_data(load_tokenizer(settings.tokenizer))
    return render_plan(stage.whole_plan()[0])
