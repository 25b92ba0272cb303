"""Section 3.2: whether a stage fits the GPUs that one has, measured on a machine without any."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from modeling_ling.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE

HELP = "say how much memory a stage takes on each GPU, from one step of the sharded model without data"
EXAMPLE = "python -m recipes memory recipes/configs/tiny/stage1.yaml --num-devices 8 --gpu-gb 80 --bf16 true"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="a YAML file of recipes/configs/")
    _add_flags(parser)
    parser.usage = f"{parser.prog} RECIPE [RECIPE ...] [--num-devices N] [--gpu-gb GB] [--field value ...]"


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--num-devices", "--num_devices", type=int, default=8, metavar="N", help="GPUs that weights are sharded over"
    )
    parser.add_argument("--gpu-gb", "--gpu_gb", type=float, default=80.0, metavar="GB", help="memory of one GPU")


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Take recipes up to the first flag, then flags of ours, and what is left as fields of the recipes."""
    first_flag = next((index for index, value in enumerate(arguments) if value.startswith("--")), len(arguments))
    if "--help" in arguments:
        return parser.parse_args(arguments)
    options = parser.parse_args(arguments[:first_flag])
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    _add_flags(flags)
    options, options.overrides = flags.parse_known_args(arguments[first_flag:], options)
    return options


def run(options: argparse.Namespace) -> int:
    """Simulate each recipe's step; one that is wrong does not keep the others from being planned."""
    from recipes.reporting.memory import SimulationError
    from recipes.running.recipe_loading import RecipeError

    if options.num_devices < 1 or options.gpu_gb <= 0:
        print("error: --num-devices and --gpu-gb must be above 0", file=sys.stderr)
        return EXIT_USAGE
    code = EXIT_OK
    for path in options.recipes:
        try:
            print(plan_memory(path, options.overrides, options.num_devices, options.gpu_gb), end="\n\n", flush=True)
        except RecipeError as error:
            print(f"error: {error}", file=sys.stderr)
            code = EXIT_USAGE
        except SimulationError as error:
            print(f"error: {path}: the step cannot be simulated: {error}", file=sys.stderr)
            code = max(code, EXIT_FAILED)
    return code


def plan_memory(path: str, overrides: Sequence[str], num_devices: int, gpu_gb: float) -> str:
    """Return what one GPU holds while it trains a recipe, as text.

    Raises:
        RecipeError: the recipe cannot be used, or trains in float32, whose grouped products cannot be simulated.
        SimulationError: the step failed.
    """
    from recipes.reporting.memory import describe_memory, simulate
    from recipes.running.checkpoints import PRESET_PREFIX, load_config
    from recipes.running.plan_settings import settings_for_plan

    kind, settings = settings_for_plan(path, [*overrides, "--bf16", "true"])
    # A stage that has not run yet, or a model on the Hub: a plan waits for neither.
    is_here = settings.init_from.startswith(PRESET_PREFIX) or (Path(settings.init_from) / "config.json").is_file()
    source = settings.init_from if is_here else settings.plan_preset
    config = load_config(source)
    checkpointing = bool(settings.gradient_checkpointing or getattr(settings, "activation_checkpointing", False))
    rows = settings.per_device_train_batch_size * (2 if kind == "dpo" else 1)
    plan = simulate(
        config,
        num_devices=num_devices,
        rows=rows,
        sequence_length=settings.sequence_length,
        bf16=True,
        activation_checkpointing=checkpointing,
    )
    notes = ["bfloat16 over float32 weights and moments"]
    if kind == "dpo":
        notes.append("both sides of a pair; the frozen reference is not in it (precompute_ref_log_probs)")
    head = (
        f"{settings.stage or kind} ({kind}): {path}\n"
        f"  {source}, {num_devices} GPU(s), {rows} row(s) of {settings.sequence_length} tokens at once each, "
        f"recomputation {'on' if checkpointing else 'off'}; {'; '.join(notes)}"
    )
    return f"{head}\n{describe_memory(plan, device_bytes=round(gpu_gb * 1e9))}"
