"""Section 3.2: the course of a stage, equal for all kinds: plan, data, resume or begin, train, export, card, push."""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeling_ling.command_line import EXIT_OK, EXIT_USAGE
from recipes.reporting.planning import StagePlan, describe_sources, render_plan
from recipes.running.checkpoints import load_model, load_tokenizer, starting_config
from recipes.running.recipe_loading import RecipeError, parse_recipe, quiet_environment
from recipes.running.run_folder import EVENTS_FILE, METRICS_FILE, RUN_FILE, append_event, read_events, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from recipes.running.recipe_keys import StageArguments
    from recipes.running.resuming import RunStart
    from recipes.running.trainer import LingTrainerMixin
    from recipes.stages.stage import Stage


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

    from recipes.running.resuming import start_run

    settings = stage.settings
    moments = moments_folder(settings)
    start = start_run(settings, stage_identity(stage, tokenizer))
    model = load_model(settings.init_from, tokenizer, torch.float32, settings.seed, model_overrides(settings))
    prepare_console(settings)
    trainer = stage.make_trainer(
        model,
        tokenizer,
        learning_rate_at=learning_rate_at,
        flops_per_token=plan.flops_per_token,
        start=start,
        moments_from=moments if start.checkpoint is None else None,
    )
    return run_stage(stage, trainer, tokenizer, plan, start)


def stage_identity(stage: Stage[Any], tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return what the losses of a stage depend on; see `run_identity`.

    Args:
        stage: with its data read.
        tokenizer: of the data.
    """
    from datasets_builders.tokenized.tokenization import tokenizer_fingerprint
    from recipes.running.identity import run_identity

    settings = stage.settings
    return run_identity(
        settings,
        stage.kind,
        config=starting_config(settings.init_from, tokenizer, model_overrides(settings)),
        data_fingerprint=stage.data_fingerprint(),
        tokenizer_fingerprint=tokenizer_fingerprint(tokenizer),
    )


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


def announce_start(output_dir: Path, start: RunStart) -> None:
    """Say and note how the run starts; from here on its folder holds no finished model.

    Args:
        output_dir: the run's folder.
        start: what was decided.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    if start.moved_to is not None:
        print(f"What was there before is now in {start.moved_to}.", flush=True)
    if start.checkpoint is not None:
        print(f"Continuing from {start.checkpoint}.", flush=True)
    for change in start.changes:
        print(f"Changed within the run: {change}.", flush=True)
    write_json(output_dir / RUN_FILE, {"finished": False, "run_id": start.run_id, "identity": start.identity})
    event = "start" if start.checkpoint is None else "resume"
    append_event(output_dir, event, run_id=start.run_id, step=start.step, date=now())
    for change in start.changes:
        append_event(output_dir, "change", run_id=start.run_id, step=start.step, **asdict(change))


def now() -> str:
    """Return the time, in UTC, as ISO 8601 has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def run_stage(
    stage: Stage[Any],
    trainer: LingTrainerMixin,
    tokenizer: PreTrainedTokenizerBase,
    plan: StagePlan,
    start: RunStart,
) -> Path:
    """Train, then write the Hub-ready folder with its card, and push it where asked.

    Args:
        stage: with its data read.
        trainer: over them.
        tokenizer: goes into the folder.
        plan: complete.
        start: where the run starts.

    Returns:
        The folder, the recipe's output_dir.
    """
    from modeling_ling.export import export_model
    from recipes.reporting.run_card import collect_run, write_card

    arguments = stage.settings
    output_dir = Path(arguments.output_dir)
    if is_main_process(arguments):
        announce_start(output_dir, start)
    started = time.time()
    trainer.train(resume_from_checkpoint=None if start.checkpoint is None else str(start.checkpoint))
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
        facts = {"data fingerprint": start.identity["data"], **stage.facts()}
        consumed = stage.consumed_tokens(trainer.state.global_step)
        run = collect_run(
            arguments, plan, read_metrics(output_dir), consumed, facts, start.checkpoint, time.time() - started
        )
        events = [event for event in read_events(output_dir) if event.get("run_id") == start.run_id]
        run |= {"finished": True, "run_id": start.run_id, "identity": start.identity, "events": events}
        write_json(output_dir / RUN_FILE, run)
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

    ignore = (*DEFAULT_IGNORE, "packed/**", "previous-*/**", RUN_FILE, EVENTS_FILE)
    # main as well: whoever names the repository alone gets what was trained last, not an empty branch.
    for revision in ("main", f"step-{step:09d}"):
        result = publish_folder(output_dir, repository, kind="model", revision=revision, ignore=ignore)
    print(f"Pushed to {result.url}.", flush=True)
