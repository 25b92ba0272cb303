"""Section 3.2: the course of a stage, equal for all kinds: plan, data, resume or begin, train, export, card, push."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeling_ling.command_line import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, prepare_process
from modeling_ling.damaged_files import damaged_file
from modeling_ling.hub_reading import hub_failure
from recipes.reporting.planning import StagePlan, describe_sources, render_plan
from recipes.running.checkpoints import check_model_fits, load_tokenizer
from recipes.running.door_help import door_help, wants_help
from recipes.running.recipe_loading import RecipeError, parse_recipe, quiet_environment
from recipes.running.sharding import gather_weights, whole_copy
from recipes.running.stopping import RunInterruptedError, TrainingStoppedError, disk_errors_named, follow_launcher
from recipes.stages.outcome import announce_start, note_cut_run, push_model, write_results

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from recipes.running.resuming import RunStart
    from recipes.running.stage_keys import StageArguments
    from recipes.running.trainer import LingTrainerMixin
    from recipes.stages.pushing import CheckpointPusher
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
    stage.command_line = list(sys.argv[1:] if arguments is None else arguments)
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
    from recipes.running.resuming import start_run

    settings = stage.settings
    check_reporting(settings)
    check_tasks(settings)
    check_pushing(settings)
    stage.read_held_out(tokenizer)
    moments = moments_folder(settings)
    start = start_run(settings, stage_identity(stage, tokenizer))
    model = stage.load_model(tokenizer)
    prepare_console(settings)
    trainer = stage.make_trainer(
        model,
        tokenizer,
        learning_rate_at=learning_rate_at,
        flops_per_token=plan.flops_per_token,
        start=start,
        moments_from=moments if start.checkpoint is None else None,
        held_out=stage.held_out,
    )
    return run_stage(stage, trainer, tokenizer, plan, start)


def stage_identity(stage: Stage[Any], tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Return what the losses of a stage depend on; see `run_identity`.

    Args:
        stage: with its data read.
        tokenizer: of the data.

    Raises:
        RecipeError: the model does not fit the recipe's rows or their ids.
    """
    from datasets_builders.tokenized.tokenization import tokenizer_fingerprint
    from recipes.running.identity import run_identity

    settings = stage.settings
    config = stage.starting_config(tokenizer)
    check_model_fits(settings, config, tokenizer)
    identity = run_identity(
        settings,
        stage.kind,
        config=config,
        data_fingerprint=stage.data_fingerprint(),
        tokenizer_fingerprint=tokenizer_fingerprint(tokenizer),
    )
    if settings.schedule == "multi_step_constant" and settings.drop_on == "validation_loss":
        # What moves the learning rate.
        identity["eval_every_steps"] = settings.eval_every_steps
        identity["held_out"] = [[source.name, source.fingerprint] for source in stage.held_out]
    return identity


def run_door(stage_class: type[Stage[Any]], arguments: Sequence[str] | None = None) -> int:
    """Run a script under `accelerate launch` or alone, and return its exit code.

    Args:
        stage_class: the kind of training.
        arguments: the command line without the program's name; by default sys.argv's, of a process of its own.

    Returns:
        0 where the recipe was done; 2 for what the user can mend; 1 where training could not go on (numbers that are
        not finite, a full disk); 143 or 130 where SIGTERM or SIGINT ended it, after a whole checkpoint.
    """
    quiet_environment()
    prepare_process()
    given = sys.argv[1:] if arguments is None else arguments
    if wants_help(given):
        print(door_help(stage_class.kind, given))
        return EXIT_OK
    if arguments is None:
        follow_launcher()
    try:
        run_recipe(stage_class, arguments)
    except KeyboardInterrupt:  # before the first step, or a second time
        print("interrupted", file=sys.stderr, flush=True)
        return EXIT_INTERRUPTED
    except RunInterruptedError as error:
        print(str(error), file=sys.stderr, flush=True)
        return error.exit_code
    except TrainingStoppedError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return EXIT_FAILED
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return EXIT_USAGE
    except OSError as error:
        if (reason := hub_failure(error)) is None:
            raise
        print(f"error: {reason}", file=sys.stderr, flush=True)
        return EXIT_USAGE
    except Exception as error:
        if (reason := damaged_file(error)) is None:
            raise
        print(f"error: {reason}", file=sys.stderr, flush=True)
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


def check_reporting(settings: StageArguments) -> None:
    """Refuse a tracker that is not installed, before anything is loaded.

    Raises:
        RecipeError: names it.
    """
    from transformers.integrations import get_available_reporting_integrations

    wanted = [settings.report_to] if isinstance(settings.report_to, str) else list(settings.report_to or ())
    missing = sorted({*wanted} - {"none", "all", *get_available_reporting_integrations()})
    if missing:
        settings.refuse("report_to", f"{', '.join(missing)} is not installed", "pip install it, or write none.")


def check_pushing(settings: StageArguments) -> None:
    """Refuse a repository that the token may not write to, before the first step; a Hub out of reach is only said.

    Raises:
        RecipeError: says what to do.
    """
    if not settings.push_to_hub_repo or not is_main_process(settings):
        return
    from modeling_ling.hub_calls import PublishError, PublishRefusedError
    from modeling_ling.push_options import check_right_to_write

    try:
        check_right_to_write(settings.push_to_hub_repo)
    except PublishRefusedError as error:
        raise RecipeError(f"push_to_hub_repo: {error}") from error
    except PublishError as error:
        print(f"push_to_hub_repo: {error} Training begins all the same.", flush=True)


def check_tasks(settings: StageArguments) -> None:
    """Refuse tasks that evals does not have, before anything is loaded.

    Raises:
        RecipeError: names the first.
    """
    if not settings.eval_tasks_every_steps:
        return
    from evals.benchmarks.held_out_execution import NAME as HELD_OUT
    from evals.commands.arguments import chosen_tasks
    from evals.errors import UsageError

    if settings.world_size > 1 and 60 * settings.eval_tasks_minutes >= settings.ddp_timeout:
        limit = f"other processes wait for ddp_timeout, {settings.ddp_timeout} seconds"
        settings.refuse("eval_tasks_minutes", limit, "Lower it, or raise ddp_timeout.")

    folder = settings.eval_tasks_held_out
    try:
        chosen = chosen_tasks(settings.eval_tasks, with_held_out=folder is not None)
    except UsageError as error:
        settings.refuse("eval_tasks", str(error).removeprefix("--tasks: "), "`python -m evals list` shows all.")
    if (HELD_OUT in chosen) != (folder is not None) or (folder is not None and not Path(folder).is_dir()):
        settings.refuse("eval_tasks_held_out", f"{HELD_OUT} is asked of a folder, and nothing else is", "Name it here.")


def prepare_console(arguments: StageArguments) -> None:
    """Show a progress bar on a terminal, one line per logging step in a file."""
    arguments.disable_tqdm = not sys.stderr.isatty()
    if arguments.disable_tqdm:
        import datasets
        import transformers

        datasets.disable_progress_bars()
        transformers.utils.logging.disable_progress_bar()


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


def add_pusher(
    trainer: LingTrainerMixin,
    settings: StageArguments,
    tokenizer: PreTrainedTokenizerBase,
    stage: str,
    start: RunStart,
) -> CheckpointPusher:
    """Have the checkpoints of a trainer pushed as they are saved."""
    from recipes.stages.pushing import CheckpointPusher

    repository = settings.push_to_hub_repo or ""
    model = trainer.accelerator.unwrap_model(trainer.model)
    pusher = CheckpointPusher(repository, stage=stage, run_id=start.run_id, model=model, tokenizer=tokenizer)
    trainer.add_callback(pusher)
    return pusher


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
    arguments = stage.settings
    output_dir = Path(arguments.output_dir)
    if is_main_process(arguments):
        announce_start(output_dir, start, plan.num_steps)
    started = time.time()
    pusher = add_pusher(trainer, arguments, tokenizer, plan.stage, start) if arguments.push_checkpoints else None
    try:
        trainer.train(resume_from_checkpoint=None if start.checkpoint is None else str(start.checkpoint))
        trainer.raise_if_stopped()
    except (RunInterruptedError, TrainingStoppedError) as error:
        if is_main_process(arguments):
            step = trainer.state.global_step
            note_cut_run(output_dir, start, step, stage.consumed_tokens(step), str(error))
        raise
    state_dict = None
    if trainer.is_fsdp_enabled:
        state_dict = gather_weights(trainer.model_wrapped, keep=stage.measures or trainer.is_world_process_zero())
    model = trainer.accelerator.unwrap_model(trainer.model)
    if stage.measures:
        device = trainer.accelerator.device
        stage.measure(model if state_dict is None else whole_copy(model, state_dict, device), tokenizer)
    if trainer.is_world_process_zero():
        with disk_errors_named("the model", output_dir):
            write_results(
                stage,
                model,
                state_dict,
                tokenizer,
                plan,
                start,
                step=trainer.state.global_step,
                wall_seconds=time.time() - started,
            )
        if pusher is not None:
            pusher.wait()
        if arguments.push_to_hub_repo:
            push_model(output_dir, arguments.push_to_hub_repo, trainer.state.global_step)
    trainer.accelerator.wait_for_everyone()
    return output_dir
