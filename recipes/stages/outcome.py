"""Section 3.2: what a run leaves in its folder: that it began, how it ended, its model, card and `run.json`."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import (
    EVALUATION_KIND,
    EVENTS_FILE,
    METRICS_FILE,
    RUN_FILE,
    TASKS_FOLDER,
    TASKS_KIND,
    append_event,
    read_events,
    read_metrics,
    write_json,
)
from recipes.running.stopping import TrainingStoppedError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.reporting.planning import StagePlan
    from recipes.running.resuming import RunStart
    from recipes.stages.stage import Stage


def announce_start(output_dir: Path, start: RunStart, num_steps: int | None) -> None:
    """Say and note how the run starts; from here on its folder holds no finished model.

    Args:
        output_dir: the run's folder.
        start: what was decided.
        num_steps: of the whole run, where that is known.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    if start.moved_to is not None:
        print(f"What was there before is now in {start.moved_to}.", flush=True)
    if start.checkpoint is not None:
        print(f"Continuing from {start.checkpoint}.", flush=True)
        if start.step == num_steps:
            print("It is the last step: nothing is left to train, model and card are written from it.", flush=True)
    for change in start.changes:
        print(f"Changed within the run: {change}.", flush=True)
    write_json(output_dir / RUN_FILE, _unfinished(start))
    event = "start" if start.checkpoint is None else "resume"
    append_event(output_dir, event, run_id=start.run_id, step=start.step, date=now())
    for change in start.changes:
        append_event(output_dir, "change", run_id=start.run_id, step=start.step, **asdict(change))


def now() -> str:
    """Return the time, in UTC, as ISO 8601 has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def note_cut_run(output_dir: Path, start: RunStart, step: int, consumed: dict[str, int], reason: str) -> None:
    """Write down how far a run came that ended before its last step; it leaves no model and no card.

    Args:
        output_dir: the run's folder.
        start: of the run.
        step: optimizer steps done.
        consumed: real tokens per source of those steps.
        reason: why it ended.
    """
    write_json(
        output_dir / RUN_FILE,
        {**_unfinished(start), "step": step, "consumed_tokens": consumed, "stopped": reason, "date": now()},
    )
    append_event(output_dir, "stop", run_id=start.run_id, step=step, reason=reason, date=now())


def _unfinished(start: RunStart) -> dict[str, Any]:
    return {"finished": False, "run_id": start.run_id, "identity": start.identity}


def write_results(
    stage: Stage[Any],
    model: BailingMoeForCausalLM,
    state_dict: dict[str, torch.Tensor] | None,
    tokenizer: PreTrainedTokenizerBase,
    plan: StagePlan,
    start: RunStart,
    *,
    step: int,
    wall_seconds: float,
) -> None:
    """Write the Hub-ready folder of a finished run: model, tokenizer, `run.json`, card.

    Args:
        stage: with its data read.
        model: unwrapped.
        state_dict: its weights where they had to be gathered, or None.
        tokenizer: goes into the folder.
        plan: complete.
        start: of the run.
        step: optimizer steps done.
        wall_seconds: of this process, loading not counted.
    """
    from recipes.reporting.run_card import collect_run
    from recipes.reporting.run_page import CURVES_FILE, save_curves
    from recipes.reporting.verification import write_verification

    settings = stage.settings
    output_dir = Path(settings.output_dir)
    # The training patches of TRL's forward must not reach the export.
    model.__dict__.pop("forward", None)
    stage.save_model(model, tokenizer, output_dir, state_dict)
    facts = {"data fingerprint": start.identity["data"], **stage.facts()}
    consumed = stage.consumed_tokens(step)
    metrics = read_metrics(output_dir)
    run = collect_run(settings, plan, metrics, consumed, facts, start.checkpoint, wall_seconds, stage.command_line)
    events = [event for event in read_events(output_dir) if event.get("run_id") == start.run_id]
    run |= {
        "finished": True,
        "model_type": model.config.model_type,
        "run_id": start.run_id,
        "identity": start.identity,
        "events": events,
        "held_out": read_metrics(output_dir, EVALUATION_KIND),
        "tasks": read_metrics(output_dir, TASKS_KIND),
        "overlaps": [asdict(overlap) for overlap in stage.overlaps],
    }
    evaluated = {"held_out": run["held_out"], "tasks": run["tasks"]}
    save_curves(output_dir / CURVES_FILE, plan.stage, metrics, events, **evaluated)
    (output_dir / "README.md").write_text(stage.render_card(run), encoding="utf-8")
    write_verification(output_dir, run)
    # Last: from here on the stage after takes the model.
    write_json(output_dir / RUN_FILE, run)
    print(f"{plan.stage}: model, card and {METRICS_FILE} are in {output_dir}.", flush=True)


def push_model(output_dir: Path, repository: str, step: int) -> None:
    """Push a finished folder, private, to the revision named by its step.

    Args:
        output_dir: Hub-ready.
        repository: ORG/NAME.
        step: optimizer steps trained.

    Raises:
        TrainingStoppedError: the Hub could not be reached.
        RecipeError: the Hub does not allow it.

    Source: ours; a revision per step is open-r1's habit.
    """
    from modeling_ling.hub_calls import PublishError, PublishRefusedError
    from modeling_ling.publishing import DEFAULT_IGNORE, publish_folder

    private = ("packed/**", "previous-*/**", ".pushing/**", f"{TASKS_FOLDER}/**", RUN_FILE, EVENTS_FILE)
    ignore = (*DEFAULT_IGNORE, *private)
    # main as well: whoever names the repository alone gets what was trained last, not an empty branch.
    try:
        for revision in ("main", f"step-{step:09d}"):
            result = publish_folder(output_dir, repository, kind="model", revision=revision, ignore=ignore)
    except PublishRefusedError as error:
        raise RecipeError(f"the model in {output_dir} is whole, but was not pushed: {error}") from error
    except PublishError as error:
        raise TrainingStoppedError(f"the model in {output_dir} is whole, but was not pushed: {error}") from error
    print(f"Pushed to {result.url}.", flush=True)
