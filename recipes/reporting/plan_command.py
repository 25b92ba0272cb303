"""Section 3.2, Table 1: what recipes will do, without a GPU and without a step.

For each recipe: steps, tokens wanted, planned and available per source, epochs, accumulation, parameters, memory,
FLOPs, hours and cost at a stated utilization and price, and the curve of the learning rate. Several stages are put into
their order and added up. Parts of recipes (common.yaml) are passed over, so a whole folder can be named.

Keys of the recipes given behind them override every one of them: `--train-tokens 4000000`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modeling_ling.command_line import EXIT_OK, EXIT_USAGE

if TYPE_CHECKING:
    from recipes.reporting.planning import StagePlan
    from recipes.running.stage_keys import StageArguments

HELP = "say what recipes will do: steps, tokens, memory, FLOPs, hours, cost, learning rates"
EXAMPLE = "python -m recipes plan recipes/configs/lite/*.yaml --num-devices 256 --mfu 0.2 --html plan.html"
# Flags of this command; any other is a key of the recipes. All take a value.
OWN_FLAGS = ("--num-devices", "--mfu", "--device", "--price", "--html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from recipes.reporting.costs import Assumptions

    assumed = Assumptions()
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="a YAML file of recipes/configs/*/")
    parser.add_argument("--num-devices", type=int, default=1, metavar="N", help="devices that train together")
    parser.add_argument(
        "--mfu",
        type=float,
        default=assumed.utilization,
        metavar="SHARE",
        help="share of the devices' peak that is used; hours and cost rest on it",
    )
    parser.add_argument("--device", default=assumed.device, metavar="NAME", help="what the hours are hours of")
    parser.add_argument(
        "--price", type=float, default=assumed.price_per_hour, metavar="DOLLARS", help="of one device for one hour"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with curves and tables too")
    parser.usage = f"{parser.prog} RECIPE [RECIPE ...] [options] [--key value ...]"


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Take this command's flags wherever they stand, recipes up to the first other flag, and the rest as keys."""
    own: list[str] = []
    others: list[str] = []
    waiting = False
    for argument in arguments:
        if waiting or argument.partition("=")[0] in OWN_FLAGS or argument in ("-h", "--help"):
            own.append(argument)
            waiting = not waiting and argument in OWN_FLAGS
        else:
            others.append(argument)
    first_flag = next((index for index, value in enumerate(others) if value.startswith("--")), len(others))
    options = parser.parse_args([*own, *others[:first_flag]])
    if options.num_devices < 1:
        parser.error(f"--num-devices is {options.num_devices}: it must be at least 1")
    options.overrides = others[first_flag:]
    return options


def run(options: argparse.Namespace) -> int:
    """Print the plan of each recipe; one that is wrong does not keep the others from being planned."""
    from recipes.reporting.costs import Assumptions
    from recipes.reporting.planning import in_order, render_plan, render_total
    from recipes.running.recipe_loading import RecipeError, is_part

    assumptions = Assumptions(options.device, options.mfu, options.price)
    code = EXIT_OK
    found = []
    for path in options.recipes:
        try:
            if len(options.recipes) == 1 or not is_part(path):
                found.append(whole_plan(path, options.overrides, options.num_devices))
        except RecipeError as error:
            print(f"error: {error}", file=sys.stderr)
            code = EXIT_USAGE
    found = [found[number] for number in in_order([plan for plan, _ in found])]
    for plan, learning_rate_at in found:
        print(render_plan(plan, assumptions, learning_rate_at), end="\n\n")
    total = render_total([plan for plan, _ in found], assumptions)
    if total:
        print(total)
    if options.html and found:
        from recipes.reporting.plan_page import save_plan_page

        print(f"The page is {save_plan_page(options.html, found, assumptions)}.")
    return code


def whole_plan(
    path: str, overrides: Sequence[str] = (), num_devices: int = 1
) -> tuple[StagePlan, Callable[[int], float] | None]:
    """Return what one recipe will do, and the learning rate by step where the number of steps is known.

    Args:
        path (`str`): the YAML file.
        overrides (sequence of `str`): further command-line arguments.
        num_devices (`int`): that train together.

    Returns:
        The plan, and the learning rate or None. A batch that so many devices do not divide is planned for fewer, and a
        note says so.

    Raises:
        RecipeError: the recipe cannot be run as written.
    """
    from recipes.running.plan_settings import settings_for_plan
    from recipes.running.recipe_loading import DevicesError

    try:
        return _plan_of(*settings_for_plan(path, overrides, num_devices))
    except DevicesError as error:
        if not error.usable:
            raise
        plan, learning_rate_at = _plan_of(*settings_for_plan(path, overrides, error.usable))
    # The batch is the recipe's; a cluster that does not divide it lends fewer devices.
    note = f"{num_devices:,} devices do not divide {plan.rows_per_step:,} rows: planned for {plan.num_devices:,}"
    plan.notes.insert(0, note)
    return plan, learning_rate_at


def plan_recipe(path: str, overrides: Sequence[str] = (), num_devices: int = 1) -> str:
    """Return `whole_plan` as text."""
    from recipes.reporting.planning import render_plan

    return render_plan(whole_plan(path, overrides, num_devices)[0])


def _plan_of(kind: str, settings: StageArguments) -> tuple[StagePlan, Callable[[int], float] | None]:
    """Return the plan of parsed settings; chat data that is there is encoded to count its rows."""
    from recipes.running.checkpoints import load_tokenizer
    from recipes.stages.kinds import STAGES

    stage = STAGES[kind](settings)
    if stage.steps_depend_on_data and stage.has_data() and (Path(settings.tokenizer) / "tokenizer.json").is_file():
        stage.read_data(load_tokenizer(settings.tokenizer))
    return stage.whole_plan()
