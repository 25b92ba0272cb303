"""Section 3.2: the folder of a run: who it belongs to, whether it has finished, and how an old run makes room.

`run.json` says `"finished": false` from the first step to the export, so that the stage after never takes the weights
of a run that was cut short for a finished model.
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

from recipes.running.recipe_loading import RecipeError

COMPLETE_MARKER = "checkpoint_complete.json"
RUN_FILE = "run.json"
METRICS_FILE = "metrics.jsonl"
EVENTS_FILE = "events.jsonl"
DROPS_FILE = "learning_rate_drops.jsonl"
# Lines of METRICS_FILE that are not of training say their kind.
EVALUATION_KIND, TASKS_KIND = "held_out", "tasks"
# Where `evals run` leaves its answers, a folder for each step.
TASKS_FOLDER = "eval_tasks"
# What a run leaves in its folder: nothing else is ever moved.
_RUN_PATTERNS = (
    *("checkpoint-*", RUN_FILE, METRICS_FILE, EVENTS_FILE, DROPS_FILE, TASKS_FOLDER, "README.md", "config.json"),
    *("curves.html", "verification.json"),
    *("generation_config.json", "*.safetensors", "*.safetensors.index.json"),
)

# What a run is continued from.
_STATE_PATTERNS = (
    *("*.safetensors", "optimizer.pt", "scheduler.pt", "*/*.distcp"),
    *("config.json", "rng_state*.pth", "trainer_state.json"),
)


def find_checkpoints(output_dir: Path) -> list[Path]:
    """Return the whole checkpoints of a run, oldest first.

    One that a kill cut short has no marker and is left out; so is one whose files are shorter than its marker says, as
    after a power cut: what was written last may never have reached the disk.

    Args:
        output_dir: the run's folder.

    Returns:
        Folders named checkpoint-N.
    """
    found = []
    for folder in output_dir.glob("checkpoint-*"):
        match = re.fullmatch(r"checkpoint-(\d+)", folder.name)
        if match and is_whole(folder):
            found.append((int(match[1]), folder))
    return [folder for _, folder in sorted(found)]


def is_whole(checkpoint: Path) -> bool:
    """Whether a checkpoint has its marker and the files that the marker counts; a damaged marker is for the reader."""
    try:
        marker = json.loads((checkpoint / COMPLETE_MARKER).read_text(encoding="utf-8"))
    except OSError:
        return False
    except ValueError:
        return True
    sizes = marker.get("file_bytes", {}) if isinstance(marker, dict) else {}
    return all((checkpoint / name).is_file() and (checkpoint / name).stat().st_size == sizes[name] for name in sizes)


def sizes_of_state(checkpoint: Path) -> dict[str, int]:
    """Return the sizes in bytes of the files that a run is continued from, by their names below the checkpoint."""
    found = (path for pattern in _STATE_PATTERNS for path in checkpoint.glob(pattern))
    return {path.relative_to(checkpoint).as_posix(): path.stat().st_size for path in sorted(found)}


def read_marker(checkpoint: Path) -> dict[str, Any]:
    """Return what the marker of a whole checkpoint says: step, run_id, identity.

    Raises:
        RecipeError: the file is no JSON object with these.
    """
    path = checkpoint / COMPLETE_MARKER
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict) and {"step", "run_id", "identity"} <= record.keys():
            return record
    except ValueError:
        pass
    raise RecipeError(f"{path} is damaged or of another version: this checkpoint cannot be continued.")


def new_run_id() -> str:
    """Return the name of a fresh run."""
    return uuid.uuid4().hex


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON, whole or not at all."""
    temporary = path.with_name(path.name + ".partial")
    temporary.write_text(
        json.dumps(value, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    temporary.replace(path)


def append_event(output_dir: Path, event: str, **values: Any) -> None:
    """Add a line to `events.jsonl`: what happened to the run besides its steps."""
    with (output_dir / EVENTS_FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")


def read_events(output_dir: Path) -> list[dict[str, Any]]:
    """Return the lines of `events.jsonl`; one that a kill cut short is left out."""
    path = output_dir / EVENTS_FILE
    events = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return events


def read_metrics(output_dir: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the lines of metrics.jsonl that are of one kind.

    Args:
        output_dir: the run's folder.
        kind: EVALUATION_KIND or TASKS_KIND; None for the log lines of training.
    """
    path = output_dir / METRICS_FILE
    if not path.is_file():
        return []
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line.get("kind") == kind]


def is_unfinished(folder: Path) -> bool:
    """Whether a folder's run began and has not written its model yet."""
    try:
        run = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(run, dict) and run.get("finished") is False


def require_finished(init_from: str) -> None:
    """Refuse to begin with the folder of a run that has not finished, or with a checkpoint that is not whole.

    Raises:
        RecipeError: says what to do instead.
    """
    folder = Path(init_from)
    if is_unfinished(folder):
        raise RecipeError(
            f"init_from: the run in {folder} has not finished, so it has no model yet. Finish it with resume_from: "
            "auto, or name one of its checkpoint-N folders."
        )
    is_checkpoint = re.fullmatch(r"checkpoint-\d+", folder.name) and (folder / "trainer_state.json").is_file()
    if is_checkpoint and not is_whole(folder):
        raise RecipeError(f"init_from: {folder} is no whole checkpoint (cut short while it was saved). Name another.")


def make_room(output_dir: Path, *, overwrite: bool, moves: bool = True) -> Path | None:
    """Prepare a folder for a fresh run.

    Args:
        output_dir: may hold an earlier run.
        overwrite: move that run into `previous-N/` of the same folder; nothing is deleted.
        moves: whether this process moves files.

    Returns:
        Where the earlier run lies now, or None.

    Raises:
        RecipeError: there is one, and `overwrite` is false.
    """
    checkpoints = find_checkpoints(output_dir)
    is_used = checkpoints or ((output_dir / RUN_FILE).is_file() and not is_unfinished(output_dir))
    if is_used and not overwrite:
        # With resume_from: auto one of them would have been taken: there is nothing to continue then.
        way = "Continue it with resume_from: auto, give" if checkpoints else "It has no whole checkpoint. Give"
        raise RecipeError(
            f"output_dir: {output_dir} holds an earlier run. {way} another output_dir, or write "
            "overwrite_output_dir: true, which moves the old run into a folder beside the new."
        )
    found = {path for pattern in _RUN_PATTERNS for path in output_dir.glob(pattern)} if is_used and moves else set()
    return _move_away(output_dir, sorted(found))


def move_later_checkpoints(output_dir: Path, step: int) -> Path | None:
    """Move checkpoints after a step away: a run that goes on from an earlier one must not find them later.

    Args:
        output_dir: the run's folder.
        step: of the checkpoint that is continued.

    Returns:
        Where they lie now, or None where there were none.
    """
    later = [folder for folder in find_checkpoints(output_dir) if int(folder.name.removeprefix("checkpoint-")) > step]
    return _move_away(output_dir, later)


def _move_away(output_dir: Path, paths: list[Path]) -> Path | None:
    if not paths:
        return None
    number = 1
    while (output_dir / f"previous-{number}").exists():
        number += 1
    target = output_dir / f"previous-{number}"
    target.mkdir()
    for path in paths:
        path.rename(target / path.name)
    return target


__all__ = [
    "COMPLETE_MARKER",
    "EVENTS_FILE",
    "METRICS_FILE",
    "RUN_FILE",
    "append_event",
    "find_checkpoints",
    "is_unfinished",
    "is_whole",
    "make_room",
    "move_later_checkpoints",
    "new_run_id",
    "read_events",
    "read_marker",
    "read_metrics",
    "require_finished",
    "sizes_of_state",
    "write_json",
]
