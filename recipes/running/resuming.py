"""Section 3.2: whether a start continues a run or begins one, decided before any weight is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recipes.running.identity import Change, Identity, check_allowed, differences, permitted_changes
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import (
    COMPLETE_MARKER,
    find_checkpoints,
    is_whole,
    make_room,
    move_later_checkpoints,
    new_run_id,
    read_marker,
)

if TYPE_CHECKING:
    from recipes.running.stage_keys import StageArguments


@dataclass(frozen=True)
class RunStart:
    """How a run starts.

    Attributes:
        run_id: new for a fresh run, the checkpoint's for a continued one.
        identity: of the settings now.
        checkpoint: to continue from; None for a fresh run.
        step: of that checkpoint.
        changes: settings that differ from the checkpoint's, all allowed by the recipe.
        moved_to: where an earlier run, or later checkpoints, were moved.
    """

    run_id: str
    identity: Identity
    checkpoint: Path | None = None
    step: int = 0
    changes: tuple[Change, ...] = ()
    moved_to: Path | None = None


def start_run(settings: StageArguments, identity: Identity) -> RunStart:
    """Decide how a run starts, on the first process before the others, and make room for a fresh one.

    Args:
        settings: resume_from, output_dir, allow_changes and overwrite_output_dir are read.
        identity: of the settings now.

    Returns:
        The same on all processes, but for the id of a fresh run, which the first process alone writes down.

    Raises:
        RecipeError: the checkpoint is not whole or of another run, or the folder is in use.
    """
    with settings.main_process_first(local=False, desc="looking for checkpoints"):
        return resolve_start(
            settings.resume_from,
            Path(settings.output_dir),
            identity,
            allow_changes=settings.allow_changes,
            overwrite=settings.overwrite_output_dir,
            moves=settings.process_index == 0,
        )


def resolve_start(
    resume_from: str | None,
    output_dir: Path,
    identity: Identity,
    *,
    allow_changes: Sequence[str] = (),
    overwrite: bool = False,
    moves: bool = True,
) -> RunStart:
    """Return how a run starts.

    Args:
        resume_from: None, "auto" (the last whole checkpoint in output_dir, or a fresh start), or a folder.
        output_dir: the run's folder.
        identity: of the settings now.
        allow_changes: settings that may differ from the checkpoint's.
        overwrite: a fresh start moves an earlier run away; `auto` then takes a run of other settings for such a one.
        moves: whether this process moves files; one of them does.

    Returns:
        What was decided.

    Raises:
        RecipeError: the checkpoint is not whole or of another run, or the folder is in use.
    """
    check_allowed(allow_changes)
    checkpoint = _wanted_checkpoint(resume_from, output_dir)
    if checkpoint is not None:
        saved = read_marker(checkpoint)
        changes = differences(saved["identity"], identity)
        is_other_run = any(change.key not in allow_changes for change in changes)
        if not (is_other_run and overwrite and resume_from == "auto"):
            allowed = permitted_changes(changes, allow_changes, checkpoint)
            step = int(saved["step"])
            moved = move_later_checkpoints(output_dir, step) if moves else None
            return RunStart(saved["run_id"], identity, checkpoint, step, tuple(allowed), moved)
    moved = make_room(output_dir, overwrite=overwrite, moves=moves)
    return RunStart(new_run_id(), identity, moved_to=moved)


def _wanted_checkpoint(resume_from: str | None, output_dir: Path) -> Path | None:
    if resume_from is None:
        return None
    if resume_from == "auto":
        return next(reversed(find_checkpoints(output_dir)), None)
    folder = Path(resume_from)
    if not is_whole(folder):
        raise RecipeError(
            f"resume_from: {folder} is no whole checkpoint ({COMPLETE_MARKER} is missing, or a file that it counts is "
            "missing or shorter). Give a checkpoint-N folder of an earlier run, or auto for the last whole one in "
            "output_dir."
        )
    return folder


__all__ = ["RunStart", "resolve_start", "start_run"]
