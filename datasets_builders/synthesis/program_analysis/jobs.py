"""Section 2.4: calls and checks on Python functions as jobs for the sandbox, many to a program.

What runs inside is `sandbox_driver`, with `sandbox_tracer` and `sandbox_world`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.execution import Executor, Limits, Program, Verdict

_SANDBOX_FILES = {
    name: Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("sandbox_driver.py", "sandbox_tracer.py", "sandbox_world.py")
}
# What runs in the sandbox: part of what a dataset hangs on.
DRIVER = "\0".join(_SANDBOX_FILES.values())
_IMPORTED = re.compile(r"^(?:from|import) +([A-Za-z_][\w.]*)", re.MULTILINE)
# Of wall time, for one function's work; generous, since what it cuts off depends on how loaded the machine is.
JOB_SECONDS = 30.0


class SandboxError(RuntimeError):
    """The sandbox itself failed: going on would lose functions that are not to blame."""


@dataclass(frozen=True)
class ObservationSettings:
    """How many calls are tried and kept, and what bounds them.

    `max_lines` bounds the executed lines of a call, `max_answer_chars` the length of an answer, `max_events` and
    `max_trace_chars` what is recorded of a call.
    """

    seed: int = 0
    num_candidates: int = 48
    num_calls: int = 8
    num_check_calls: int = 4
    num_failing_calls: int = 2
    num_changing_calls: int = 3
    num_mutants: int = 12
    max_lines: int = 20_000
    max_answer_chars: int = 200
    max_call_chars: int = 200
    max_events: int = 120
    max_trace_chars: int = 12_000
    functions_per_program: int = 64


MAX_ERROR_CHARS = 200  # of a text, which is cut there, as in sandbox_driver.py


@dataclass(frozen=True)
class SeenError:
    """An exception: its type, how a traceback ends, and the program's line that raised it (0: a library's)."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class CallResult:
    """What became of one call: `value` is the answer's text when `status` is "ok".

    `changes` are the arguments that are others afterwards: position or keyword, and text. `events` is the trace, as
    `sandbox_tracer` records it; None where it was not asked for or is too long.
    """

    status: str
    value: str = ""
    steps: int = 0
    lines: tuple[int, ...] = ()
    changes: tuple[tuple[int | str, str], ...] = ()
    error: SeenError | None = None
    events: list[list[Any]] | None = None

    @property
    def outcome(self) -> tuple[Any, ...]:
        """All that the call did, as far as it can be seen from outside."""
        return self.status, self.value, self.changes, self.error


@dataclass
class Job:
    """One function's work inside the sandbox: programs, calls made on each, checks run on programs.

    `repeat` makes the calls of the programs again in one namespace, `record` the first one's traces, `with_lines` notes
    which lines they reached; `docstring` is one whose examples are run. After `patience` calls none of which came to an
    end the others are not made (0: all are).
    """

    units: list[str]
    calls: list[str]
    checks: list[tuple[str, str]] = field(default_factory=list)
    reverse: bool = False
    skew: bool = False
    repeat: bool = False
    record: bool = False
    with_lines: bool = False
    docstring: str = ""
    patience: int = 0


@dataclass
class JobResult:
    """Results by (unit, call), and by check; what is missing did not finish.

    `stateful` says of a program how a call differed when it was repeated, `doctests` is passed, failed, none, or empty.
    """

    calls: dict[tuple[int, int], CallResult] = field(default_factory=dict)
    checks: dict[int, CallResult] = field(default_factory=dict)
    stateful: dict[int, str] = field(default_factory=dict)
    doctests: str = ""
    finished: bool = False


def run_jobs(
    executor: Executor,
    jobs: Sequence[Job],
    settings: ObservationSettings,
    hash_seed: int = 0,
    on_seconds: Callable[[float], None] | None = None,
) -> list[JobResult]:
    """Run jobs in the sandbox, many to a program, each in a process of its own.

    Args:
        executor (`Executor`): the sandbox.
        jobs (`Sequence[Job]`): what to run.
        settings (`ObservationSettings`): bounds.
        hash_seed (`int`): PYTHONHASHSEED of the run.
        on_seconds (`Callable`, *optional*): told the processor time that each program used.

    Returns:
        `list[JobResult]`: in order. A job that kills its whole program is run again alone before it is given up.

    Raises:
        SandboxError: the sandbox could not be started, tries by the executor included.
    """
    groups = [
        list(range(start, min(start + settings.functions_per_program, len(jobs))))
        for start in range(0, len(jobs), settings.functions_per_program)
    ]
    results = [JobResult() for _ in jobs]
    _run_groups(executor, jobs, groups, results, settings, hash_seed, on_seconds)
    # Also those of a program that was cut short by what one of its functions did, or while the machine stood still.
    unfinished = [[index] for index, result in enumerate(results) if not result.finished]
    for (index,) in unfinished:
        results[index] = JobResult()
    _run_groups(executor, jobs, unfinished, results, settings, hash_seed, on_seconds)
    return results


def _run_groups(
    executor: Executor,
    jobs: Sequence[Job],
    groups: list[list[int]],
    results: list[JobResult],
    settings: ObservationSettings,
    hash_seed: int,
    on_seconds: Callable[[float], None] | None,
) -> None:
    if not groups:
        return
    programs = []
    for group in groups:
        texts = (
            text
            for index in group
            for text in (*jobs[index].units[:1], *(check for _, check in jobs[index].checks[:1]))
        )
        wanted = {name for text in texts for name in _IMPORTED.findall(text)}
        if any(jobs[index].docstring for index in group):
            wanted.add("doctest")
        bounds = {
            "max_lines": settings.max_lines,
            "max_chars": settings.max_answer_chars,
            "max_events": settings.max_events,
            "max_trace_chars": settings.max_trace_chars,
            "seconds": JOB_SECONDS,
            "seed": hash_seed,
        }
        payload = {"modules": sorted(wanted), "jobs": [vars(jobs[index]) | bounds for index in group]}
        files = {name: text.encode() for name, text in _SANDBOX_FILES.items() if name != "sandbox_driver.py"}
        files["jobs.json"] = json.dumps(payload).encode()
        programs.append(Program(source=_SANDBOX_FILES["sandbox_driver.py"], files=files, hash_seed=hash_seed))
    most = max(map(len, groups))
    limits = Limits(
        wall_seconds=JOB_SECONDS * most + 10.0,
        cpu_seconds=JOB_SECONDS * most + 10.0,
        output_bytes=64 << 20,
        num_processes=8,
    )
    for group, execution in zip(groups, executor.run_batch(programs, limits), strict=True):
        if execution.verdict is Verdict.INFRA_ERROR:
            raise SandboxError(
                f"the sandbox ({execution.isolation}) failed to run a program: {execution.message or 'no message'}. "
                "Free memory and disk space, then run the same command again; it continues"
            )
        for line in execution.stdout.splitlines():
            _record(line, group, results, on_seconds)
        if execution.verdict is Verdict.PASS and execution.output_truncated:
            for index in group:
                results[index].finished = False


def _record(line: str, group: list[int], results: list[JobResult], on_seconds: Callable[[float], None] | None) -> None:
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError:  # the last line of a program that was stopped while writing
        return
    if "seconds" in row:
        if on_seconds is not None:
            on_seconds(row["seconds"])
        return
    result = results[group[row["job"]]]
    if "done" in row:
        result.finished = True
    elif "stateful" in row:
        result.stateful[row["unit"]] = row["stateful"]
    elif "doctests" in row:
        result.doctests = row["doctests"]
    else:
        call = CallResult(
            row["status"],
            row["value"],
            row.get("steps", 0),
            tuple(row.get("lines", ())),
            tuple((label, text) for label, text in row.get("changes", ())),
            SeenError(*row["error"]) if "error" in row else None,
            row.get("events"),
        )
        if "check" in row:
            result.checks[row["check"]] = call
        else:
            result.calls[row["unit"], row["call"]] = call
