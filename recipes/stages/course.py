"""Section 3.2: the course of a stage, equal for all kinds: plan, data, resume or begin, train, export, card, push."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeling_ling.command_line import EXIT_OK, EXIT_USAGE
from recipes.reporting.planning import StagePlan, describe_sources, render_plan
from recipes.running.checkpoints import load_model, load_tokenizer, resolve_resume
from recipes.running.recipe_loading import RecipeError, parse_recipe, quiet_environment
from recipes.running.trainer import METRICS_FILE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from recipes.running.recipe_keys import StageArguments
    from recipes.running.trainer import LingTrainerMixin
    from recipes.stages.stage import Stage

RUN_FILE = "run.json"


def run_recipe(stage_class: type[Stage[Any]], arguments: Sequence[str] | None = None) -> Path | None:
    """Run one recipe from its command line to its model.

    Args:
        stage_class: the kind of training.
        arguments: the command line without the program's name; sys.argv's by default.

    Returns:
        The model's folder; None where only a plan or a batch was asked for.

    Raises:
        RecipeError: the recipe cannot be run as written.
    """
    settings = parse_recipe(stage_class.arguments_class(), arguments)
    stage = stage_class(settings)
    reads_first = stage.steps_depend_on_data and (stage.has_data() or not settings.dry_run)
    tokenizer = load_tokenizer(settings.tokenizer) if reads_first else None
    if tokenizer is not None:
        stage.read_data(tokenizer)
    plan, learning_rate_at = stage.whole_plan()
    if announce(settings, plan):
        return None
    if tokenizer is None:
        tokenizer = load_tokenizer(settings.tokenizer)
        stage.read_data(tokenizer)
        stage.refine_plan(plan)
        if is_main_process(settings) and plan.sources:
            print("\n".join(["Packed, in real tokens:", *describe_sources(plan.sources)]), flush=True)
    if settings.show_batch:
        if is_main_process(settings):
            print(stage.describe_first_batch(tokenizer))
        return None
    assert learning_rate_at is not None
    return train_stage(stage, tokenizer, plan, learning_rate_at)


def train_stage(
    stage: Stage[Any], tokenizer: PreTrainedTokenizerBase, plan: StagePlan, learning_rate_at: Callable[[int], float]
) -> Path:
    """Load the model, continue or begin, and train.

    Args:
        stage: with its data read.
        tokenizer: of the data.
        plan: complete.
        learning_rate_at: by step.

    Returns:
        The model's folder.
    """
    import torch

    settings = stage.settings
    fingerprint = stage.data_fingerprint()
    resume = resolve_resume(settings.resume_from, Path(settings.output_dir), fingerprint)
    moments = moments_folder(settings)
    model = load_model(settings.init_from, tokenizer, torch.float32, settings.seed, model_overrides(settings))
    prepare_console(settings)
    trainer = stage.make_trainer(
        model,
        tokenizer,
        learning_rate_at=learning_rate_at,
        flops_per_token=plan.flops_per_token,
        data_fingerprint=fingerprint,
        moments_from=moments if resume is None else None,
    )
    facts = {"data fingerprint": fingerprint, **stage.facts()}
    return run_stage(trainer, settings, tokenizer, plan, resume, stage.consumed_tokens(), facts)


def run_door(stage_class: type[Stage[Any]]) -> int:
    """Run a script under `accelerate launch` or alone, and return its exit code: 2 for what the user can mend."""
    quiet_environment()
    try:
        run_recipe(stage_class)
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return EXIT_USAGE
    return EXIT_OK


def is_main_process(arguments: StageArguments) -> bool:
    """Whether this process prints and writes."""
    return arguments.process_index == 0


def announce(arguments: StageArguments, plan: StagePlan) -> bool:
    """Print the plan.

    Args:
        arguments: a StageArguments.
        plan: complete.

    Returns:
        True if that was all that was asked for (--dry_run).
    """
    if is_main_process(arguments):
        print(render_plan(plan), flush=True)
    return arguments.dry_run


def prepare_console(arguments: StageArguments) -> None:
    """Show a progress bar on a terminal, one line per logging step in a file."""
    arguments.disable_tqdm = not sys.stderr.isatty()
    if arguments.disable_tqdm:
        import datasets
        import transformers

        datasets.disable_progress_bars()
        transformers.utils.logging.disable_progress_bar()


def model_overrides(arguments: StageArguments) -> dict[str, Any]:
    """Return the configuration keys that a recipe sets on the model."""
    keys = ("router_aux_loss_coef", "router_z_loss_coef", "router_warmup_steps")
    return {key: getattr(arguments, key) for key in keys if getattr(arguments, key) is not None}


def moments_folder(arguments: StageArguments) -> Path | None:
    """Return the stage whose optimizer moments are taken over, or None.

    Raises:
        RecipeError: moments are asked for, but init_from is no local stage.
    """
    if not arguments.init_optimizer:
        return None
    folder = Path(arguments.init_from)
    if not folder.is_dir():
        raise RecipeError(
            f"init_optimizer: true needs init_from to be the output_dir of an earlier stage, not "
            f"{arguments.init_from!r}. Set init_optimizer: false."
        )
    return folder


def read_metrics(output_dir: Path) -> list[dict[str, Any]]:
    """Return all log lines of a run."""
    path = output_dir / METRICS_FILE
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run_stage(
    trainer: LingTrainerMixin,
    arguments: StageArguments,
    tokenizer: PreTrainedTokenizerBase,
    plan: StagePlan,
    resume: Path | None,
    consumed: dict[str, int],
    data_facts: dict[str, Any],
) -> Path:
    """Train, then write the Hub-ready folder with its card, and push it where asked.

    Args:
        trainer: a LingTrainerMixin.
        arguments: a StageArguments.
        tokenizer: goes into the folder.
        plan: complete.
        resume: the checkpoint to continue from, or None.
        consumed: tokens trained on, per source.
        data_facts: for the card: fingerprint, removed rows and the like.

    Returns:
        The folder, arguments.output_dir.
    """
    from modeling_ling.export import export_model
    from recipes.reporting.run_card import collect_run, write_card

    output_dir = Path(arguments.output_dir)
    if resume is not None and is_main_process(arguments):
        print(f"Continuing from {resume}.", flush=True)
    started = time.time()
    trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
    if not trainer.is_world_process_zero() and not trainer.is_fsdp_enabled:
        trainer.accelerator.wait_for_everyone()
        return output_dir
    state_dict = trainer.accelerator.get_state_dict(trainer.model_wrapped) if trainer.is_fsdp_enabled else None
    model = trainer.accelerator.unwrap_model(trainer.model)
    if trainer.is_world_process_zero():
        # The training patches of TRL's forward must not reach the export.
        model.__dict__.pop("forward", None)
        model.config.output_router_logits = False
        model.config.router_warmup_steps = 0  # it belongs to this run: whoever trains on would have to count steps
        export_model(model, tokenizer, output_dir, state_dict=state_dict)
        run = collect_run(
            arguments, plan, read_metrics(output_dir), consumed, data_facts, resume, time.time() - started
        )
        (output_dir / RUN_FILE).write_text(json.dumps(run, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        write_card(output_dir, run)
        print(f"{plan.stage}: model, card and {METRICS_FILE} are in {output_dir}.", flush=True)
        if arguments.push_to_hub_repo:
            push_model(output_dir, arguments.push_to_hub_repo, trainer.state.global_step)
    trainer.accelerator.wait_for_everyone()
    return output_dir


def push_model(output_dir: Path, repository: str, step: int) -> None:
    """Push a finished folder, private, to the revision named by its step.

    Args:
        output_dir: Hub-ready.
        repository: ORG/NAME.
        step: optimizer steps trained.

    Source: ours; a revision per step is open-r1's habit.
    """
    from modeling_ling.publishing import DEFAULT_IGNORE, publish_folder

    ignore = (*DEFAULT_IGNORE, "packed/**", RUN_FILE)
    # main as well: whoever names the repository alone gets what was trained last, not an empty branch.
    for revision in ("main", f"step-{step:09d}"):
        result = publish_folder(output_dir, repository, kind="model", revision=revision, ignore=ignore)
    print(f"Pushed to {result.url}.", flush=True)
