"""Run a list of commands one after the other: logged, measured, and continued where an earlier run stopped.

Each step is a command in its own process, so that its memory is given back and what is shown is what a user would
type; those that train and score are forks of one process that has imported what they share. A step that has finished
leaves `state/NAME.json` behind; it runs again only when its command, or a step before it, changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from recipes.quickstart.warm_start import RunningCommand, WarmStart

SAMPLE_SECONDS = (
    1.0  # how often memory and processor time of a step are read; each reading walks the page tables of its processes
)


@dataclass(frozen=True)
class Step:
    """A command of a story.

    Args:
        name (`str`): unique, a file name.
        title (`str`): what it does, for people.
        command (`tuple` of `str`): argv.
        paper (`str`): the section it stands for.
        warm (`bool`): it begins by importing torch and transformers, so that a fork of a process that has saves time.
        accepts (`tuple` of `int`): exit codes beside 0 that the steps behind it can do with.
    """

    name: str
    title: str
    command: tuple[str, ...]
    paper: str = ""
    warm: bool = False
    accepts: tuple[int, ...] = ()


@dataclass(frozen=True)
class StepRecord:
    """What a finished step left: its fingerprint and its measurements.

    Attributes:
        seconds: by the clock.
        processor_seconds: of all processes of the step, but for what they took after the last reading, a second or
            less before their end; a busy machine hardly changes it.
    """

    name: str
    title: str
    command: str
    fingerprint: str
    seconds: float
    processor_seconds: float
    peak_memory_bytes: int


@dataclass
class Used:
    """What the processes of a step took."""

    processor_seconds: float
    peak_memory_bytes: int


class StepFailedError(RuntimeError):
    """A step ended with an error; the message names its log and shows its end."""


class StepRunner:
    """Run steps in order below one folder, skipping those that are done.

    Args:
        folder (`Path`): holds `state/` and `logs/`.
        environment (`dict`, *optional*): added to the environment of each step.

    A step's peak memory is the largest sum of the proportional set sizes of its process tree that was seen, read every
    second: a short spike can be missed. Where the system has no proportional sizes, resident sizes are summed.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = {**os.environ, **(environment or {})}
        (folder / "state").mkdir(parents=True, exist_ok=True)
        (folder / "logs").mkdir(parents=True, exist_ok=True)

    def run(self, steps: Sequence[Step], after: str = "") -> list[StepRecord]:
        """Run `steps`, print a line for each, and return their records.

        Args:
            steps: in order.
            after: stands for what they depend on beside each other; where it changes, all run again.

        Raises:
            StepFailedError: a command ended with a status other than 0.
            ValueError: two steps have the same name.
            KeyboardInterrupt: Ctrl-C; the running step's processes are ended first.
        """
        repeated = {step.name for step in steps if [other.name for other in steps].count(step.name) > 1}
        if repeated:
            raise ValueError(
                f"two steps have the same name, and would overwrite each other's state: {sorted(repeated)}"
            )
        records: list[StepRecord] = []
        chain = after
        with contextlib.closing(WarmStart(self.environment)) as warm_start:
            for number, step in enumerate(steps, start=1):
                chain = fingerprint(step, chain)
                label = f"[{number:2d}/{len(steps)}] {step.title}"
                record = self.finished(step, chain)
                if record:
                    print(f"{label}: done before ({record.seconds:.0f} s)", flush=True)
                else:
                    if any(later.warm for later in steps[number - 1 :]):
                        warm_start.prepare()
                    record = self._run_one(step, chain, label, warm_start)
                records.append(record)
        return records

    def finished(self, step: Step, expected: str) -> StepRecord | None:
        """Return the record of an earlier run of the same step after the same steps, or None."""
        try:
            record = StepRecord(**json.loads(self._state_path(step).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return record if record.fingerprint == expected else None

    def _state_path(self, step: Step) -> Path:
        return self.folder / "state" / f"{step.name}.json"

    def _run_one(self, step: Step, chain: str, label: str, warm_start: WarmStart) -> StepRecord:
        log_path = self.folder / "logs" / f"{step.name}.log"
        start = time.monotonic()
        with open(log_path, "ab") as log:
            begin = log.tell()  # behind what earlier tries said
            log.write(f"$ {shlex.join(step.command)}\n".encode())
            log.flush()
            # A session of its own: Ctrl-C reaches us alone, and we end the whole tree.
            process = warm_start.start(step.command, log, warm=step.warm)
            used = self._watch(process, warm_start.tree_pid(process), label, log_path, start)
        seconds = time.monotonic() - start
        status = process.returncode or 0
        if status not in (0, *step.accepts):
            raise StepFailedError(failure_message(step, status, log_path, begin))
        print(f"{label}: {seconds:.0f} s", flush=True)
        command = shlex.join(step.command)
        record = StepRecord(step.name, step.title, command, chain, seconds, **asdict(used))
        temporary = self._state_path(step).with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
        temporary.replace(self._state_path(step))
        return record

    def _watch(self, process: RunningCommand, tree_pid: int, label: str, log_path: Path, start: float) -> Used:
        """Wait for `process`; return what its tree took."""
        ended = threading.Event()
        used = Used(0.0, 0)
        before = tree_used(tree_pid).processor_seconds if tree_pid != process.pid else 0.0

        def watch() -> None:
            while not ended.wait(SAMPLE_SECONDS):
                now = tree_used(tree_pid)
                used.processor_seconds = max(used.processor_seconds, now.processor_seconds - before)
                used.peak_memory_bytes = max(used.peak_memory_bytes, now.peak_memory_bytes)
                if sys.stdout.isatty():
                    line = f"{label} ... {time.monotonic() - start:.0f} s  {last_line(log_path)}"
                    columns = os.get_terminal_size().columns
                    print(f"\r\x1b[K{line[: columns - 1]}", end="", flush=True)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            process.wait()
        except KeyboardInterrupt:
            end_session(process)
            raise
        finally:
            ended.set()
            watcher.join()
            if sys.stdout.isatty():
                print("\r\x1b[K", end="", flush=True)
        return used


def fingerprint(step: Step, before: str) -> str:
    """Return a hash of a step's command and of all that ran before it."""
    return hashlib.sha256("\0".join([before, step.name, *step.command]).encode()).hexdigest()[:16]


def tree_used(pid: int) -> Used:
    """Return what a process and its descendants took until now; shared pages are counted once."""
    try:
        processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return Used(0.0, 0)
    return Used(sum(map(_processor_seconds, processes)), sum(map(_memory_bytes, processes)))


def _processor_seconds(process: psutil.Process) -> float:
    """Return the processor time of a process and of those of its children that have ended."""
    try:
        return sum(process.cpu_times()[:4])
    except (psutil.Error, OSError):
        return 0.0


def _memory_bytes(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return getattr(full, "pss", full.rss)
    except (psutil.Error, OSError):
        return 0


def last_line(path: Path) -> str:
    """Return the last non-empty line of a log, as a terminal would show it."""
    with open(path, "rb") as log:
        log.seek(max(0, path.stat().st_size - 2000))
        text = log.read().decode("utf-8", "replace")
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return lines[-1] if lines else ""


def end_session(process: RunningCommand, grace_seconds: float = 10.0) -> None:
    """Ask a process group to end (SIGINT, so that it can finish its files), then end it."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def failure_message(step: Step, status: int, log_path: Path, begin: int = 0, num_lines: int = 25) -> str:
    """Say which step failed, how to see all of it, and what the last lines of this try were, which begins at a byte."""
    said = log_path.read_bytes()[begin:].decode("utf-8", "replace")
    tail = "\n".join(said.splitlines()[-num_lines:])
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return (
        f"{tail}\n\nThe step '{step.name}' ({step.title}) {how}; above is the end of {log_path}.\n"
        f"Mend what it says and run the same command again: finished steps are kept. To run this step alone:\n"
        f"  {shlex.join(step.command)}"
    )
