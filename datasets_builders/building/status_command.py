"""What a build is doing, or where it stopped: `python -m datasets_builders status OUTPUT_DIR`.

Reads the files that a build leaves in `.build/`, so it works from any machine that sees the folder, while jobs of Slurm
or Ray are at work, after a kill, and afterwards.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.executors.slurm_queue import jobs_left
from datasets_builders.building.ledger import read_ledger
from datasets_builders.building.state import BuildState, is_locked
from modeling_ling.command_line import EXIT_FAILED, EXIT_OK

HELP = "what a build is doing: parts done, documents a second, time left, parts that failed"
EXAMPLE = "python -m datasets_builders status outputs/quickstart/datasets/sft"
MAX_SHOWN_PARTS = 3
LOG_LINES = 6
FAILURE_WORDS = ("ERROR", "Traceback", "Killed", "oom-kill", "CANCELLED", "DUE TO TIME LIMIT")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="OUTPUT_DIR", help="output_dir of the build")


def run(options: argparse.Namespace) -> int:
    """Print a line per stage; exit code 1 where parts have failed."""
    state = BuildState(options.folder)
    told = state.read(state.fingerprint_file)
    if told is None:
        raise ConfigError(f"{options.folder} holds no build; give the output_dir of one")
    finished = state.read(state.finished_file)
    if finished is not None:
        rows = ", ".join(f"{split}: {count:,} rows" for split, count in finished["num_rows"].items())
        print(f"{told['builder']}: finished, {rows}")
    else:
        at_work = is_locked(state.folder / "lock") or jobs_left(state.folder)
        how = "at work" if at_work else "stopped; the same command continues it"
        print(f"{told['builder']}: {how}")
    stages = list(stages_of(state, time.time()))
    for line in table(stages):
        print(line)
    failed = [part for stage in stages for part in stage.failed]
    for part in failed[:MAX_SHOWN_PARTS]:
        print(f"\nend of {part}:")
        print("\n".join(f"  {line}" for line in last_lines(part)))
    return EXIT_FAILED if failed else EXIT_OK


@dataclass(frozen=True)
class StageStatus:
    """A stage.

    Args:
        name (`str`): of the stage.
        num_done, num_parts (`int`): parts that have ended, and all.
        num_documents (`int`): documents that have gone in.
        total (`int`, *optional*): documents that will go in, where it is known.
        seconds (`float`): from its start to its last sign of life.
        slowest (`str`): the part whose steps were at work longest.
        failed (list of `Path`): logs of parts that ended with an error.
    """

    name: str
    num_done: int
    num_parts: int
    num_documents: int
    total: int | None
    seconds: float
    slowest: str
    failed: list[Path]

    @property
    def rate(self) -> float:
        """Documents a second."""
        return self.num_documents / self.seconds if self.seconds > 0 else 0.0

    def time_left(self) -> str:
        """Return how long it goes on at this rate, "" where that is unknown."""
        if self.num_done == self.num_parts or not self.rate:
            return ""
        if self.total is None:
            if not self.num_done:
                return ""
            return _duration(self.seconds * (self.num_parts - self.num_done) / self.num_done)
        return _duration(max(0, self.total - self.num_documents) / self.rate)


def stages_of(state: BuildState, now: float) -> Iterator[StageStatus]:
    """Give the stages in order, those that have not begun too.

    Args:
        state (`BuildState`): of the folder.
        now (`float`): seconds since 1970; the last sign of a stage that is at work is not after it.
    """
    plan: list[tuple[str, int]] = state.read(state.plan_file) or []
    before: str | None = None
    for name, num_parts in plan:
        folder = state.folder / "executor" / name
        done = {path.name: path.stat().st_mtime for path in (folder / "completions").glob("*")}
        progress = [path for path in (state.folder / "progress" / name).glob("*") if path.is_file()]
        counts = [path.read_text() for path in progress]
        given = read_ledger(state.folder, [before]).steps[-1:] if before else []
        begun = folder / "executor.json"
        start = begun.stat().st_mtime if begun.is_file() else now
        end = max([start, *done.values(), *(path.stat().st_mtime for path in progress)])
        logs = sorted((folder / "slurm_logs").glob("*"))
        spent = {path.stem: processor_seconds(path) for path in (folder / "stats").glob("*.json")}
        yield StageStatus(
            name,
            len(done),
            num_parts,
            sum(int(text) for text in counts if text.isdigit()) or went_in(state, name),
            given[0].output if given else None,
            min(end, now) - start,
            _slowest(spent) if len(done) > 1 else "",
            [path for path in logs if path.stem.rpartition("_")[2].zfill(5) not in done and has_failed(path)],
        )
        before = name


def went_in(state: BuildState, stage: str) -> int:
    """Return the documents that a stage whose count is gone has had, by its ledger."""
    steps = read_ledger(state.folder, [stage]).steps
    return steps[0].input + steps[0].created if steps else 0


def processor_seconds(stats: Path) -> float:
    """Return how long the steps of a part were at work, as datatrove's statistics state it."""
    steps = json.loads(stats.read_text(encoding="utf-8"))
    times = [step["time_stats"] for step in steps]
    return sum(time_stats["total"] for time_stats in times if isinstance(time_stats, dict))


def _slowest(seconds: dict[str, float]) -> str:
    part = max(seconds, key=lambda name: seconds[name], default="")
    return f"{part} ({_duration(seconds[part])})" if part else ""


def has_failed(log: Path) -> bool:
    """Whether the end of a part's log tells of an error."""
    return any(word in line for line in last_lines(log, 40) for word in FAILURE_WORDS)


def last_lines(log: Path, number: int = LOG_LINES) -> list[str]:
    """Return the last lines of a log that hold something."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 200 * number))
        text = file.read().decode("utf-8", "replace")
    return [line for line in text.splitlines() if line.strip()][-number:]


def table(stages: list[StageStatus]) -> list[str]:
    """Return the stages as aligned columns."""
    rows = [["stage", "parts", "documents", "a second", "time", "left", "slowest", "failed"]]
    for stage in stages:
        begun = stage.num_documents > 0 or stage.num_done > 0
        documents = f"{stage.num_documents:,}" + (f" of {stage.total:,}" if stage.total is not None else "")
        rows.append(
            [
                stage.name,
                f"{stage.num_done}/{stage.num_parts}",
                documents if begun else "",
                f"{stage.rate:,.0f}" if begun else "",
                _duration(stage.seconds) if begun else "",
                stage.time_left(),
                stage.slowest,
                f"{len(stage.failed)}" if stage.failed else "",
            ]
        )
    kept = [place for place in range(len(rows[0])) if any(row[place] for row in rows[1:])]
    widths = {place: max(len(row[place]) for row in rows) for place in kept}
    return ["  ".join(row[place].ljust(widths[place]) for place in kept).rstrip() for row in rows]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
