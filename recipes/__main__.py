"""Section 3.2: `python -m recipes plan RECIPE...`: what recipes will do, without a GPU and without a step.

python -m recipes plan recipes/ling_coder_tiny/*.yaml
python -m recipes plan recipes/ling_coder_tiny/stage1.yaml --train_tokens 4000000
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from recipes.training.recipe_loading import RecipeError, load_recipe, parse_recipe, quiet_environment

USAGE = f"""usage: python -m recipes plan RECIPE [RECIPE ...] [--field value ...]

{__doc__}
For each recipe: steps, tokens wanted and available per source, epochs, accumulation, parameters, memory, FLOPs, and the
learning rate at the start, in the middle and at the end. Fields given here override every recipe named.
To train: python recipes/{{pretrain,sft,dpo}}.py --config RECIPE [--field value]"""


def plan_recipe(path: str, overrides: Sequence[str] = ()) -> str:
    """Loads one recipe and says what it will do.

    Args:
        path: of the YAML file.
        overrides: further command-line arguments.

    Returns:
        The plan as text.

    Raises:
        RecipeError: the recipe cannot be run as written.

    Source: ours.
    """
    kind = load_recipe(path).get("recipe")
    if kind not in ("pretrain", "sft", "dpo"):
        raise RecipeError(f"{path}: recipe: {kind!r} must say which script runs it: pretrain, sft or dpo.")
    # Training on a plan's machine is not meant: a GPU that is not there must not stop it.
    from recipes.training.arguments import ARGUMENT_CLASSES

    settings = parse_recipe(
        ARGUMENT_CLASSES[kind], ["--config", path, "--use_cpu", "true", "--bf16", "false", *overrides]
    )
    return render(kind, settings)


def render(kind: str, settings: object) -> str:
    """The plan of parsed settings as text.

    Source: ours.
    """
    from pathlib import Path

    from recipes import dpo, pretrain, sft
    from recipes.training.planning import complete_plan, render_plan

    if kind == "pretrain":
        return render_plan(pretrain.plan_stage(settings))
    stage = {"sft": sft, "dpo": dpo}[kind]
    has_data = Path(settings.dataset).is_dir() and (Path(settings.tokenizer) / "tokenizer.json").is_file()
    if not has_data:
        return render_plan(stage.plan_stage(settings))
    from recipes.training.checkpoints import load_tokenizer

    encoded, removals = stage.encode_dataset(settings, load_tokenizer(settings.tokenizer))
    plan = stage.plan_stage(settings, encoded, removals)
    complete_plan(plan, settings, settings.max_steps)
    return render_plan(plan)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line.

    Args:
        arguments: without the program's name; sys.argv's by default.

    Returns:
        Exit status: 0, or 2 where a recipe is wrong.

    Source: ours.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help") or "--help" in arguments:
        print(USAGE)
        return 0 if arguments else 2
    command, *rest = arguments
    first_flag = next((index for index, value in enumerate(rest) if value.startswith("--")), len(rest))
    paths, overrides = rest[:first_flag], rest[first_flag:]
    if command != "plan" or not paths:
        print(USAGE, file=sys.stderr)
        return 2
    status = 0
    for path in paths:
        try:
            print(plan_recipe(path, overrides), end="\n\n")
        except RecipeError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    quiet_environment()
    raise SystemExit(main())
