"""Section 2.4: what functions return, seen in the sandbox more than once.

Three runs, each in fresh processes:

1. candidate calls on the function as it is;
2. the calls chosen from them, in reverse order, under another hash seed, clock, folder and environment, and the same
   calls on every mutant; a function that answers differently depends on more than its arguments and is impure;
3. the mutants and the check again, independently.

Source: ours; the paper verifies what a model wrote, here nothing is written that was not observed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets_builders.synthesis.program_analysis.arguments import candidate_calls
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.mutation import Mutant, mutate
from evals.execution import Executor, Limits, Program, Verdict

DRIVER = Path(__file__).with_name("sandbox_driver.py").read_text(encoding="utf-8")
# A mutant may reach a draw of lots or a look at the clock that the original went past: such functions are not mutated.
_CHANGEABLE = re.compile(r"\b(random|time|datetime|id|hash)\b")
# Of wall time, for one function's work; generous, since what it cuts off depends on how loaded the machine is.
JOB_SECONDS = 30.0
FAILED_CHECK = frozenset({"assertion", "raised"})


class SandboxError(RuntimeError):
    """The sandbox itself failed: going on would lose functions that are not to blame."""


@dataclass(frozen=True)
class ObservationSettings:
    """How many calls are tried and kept, and what bounds them.

    `max_lines` bounds the executed lines of a call, `max_answer_chars` the length of an answer.
    """

    seed: int = 0
    num_candidates: int = 48
    num_calls: int = 8
    num_check_calls: int = 4
    num_mutants: int = 12
    max_lines: int = 20_000
    max_answer_chars: int = 200
    max_call_chars: int = 200
    functions_per_program: int = 16


@dataclass(frozen=True)
class CallResult:
    """What became of one call: `value` is the answer's text when `status` is "ok"."""

    status: str
    value: str = ""
    steps: int = 0
    lines: tuple[int, ...] = ()


@dataclass
class Job:
    """One function's work inside the sandbox: programs, calls made on each, checks run on programs."""

    units: list[str]
    calls: list[str]
    checks: list[tuple[str, str]] = field(default_factory=list)
    reverse: bool = False
    skew: bool = False


@dataclass
class JobResult:
    """Results by (unit, call), and by check; what is missing did not finish."""

    calls: dict[tuple[int, int], CallResult] = field(default_factory=dict)
    checks: dict[int, CallResult] = field(default_factory=dict)
    finished: bool = False


@dataclass(frozen=True)
class ObservedCall:
    """A call with the value it returned in every run, and the number of lines it executed."""

    call: str
    answer: str
    steps: int


@dataclass(frozen=True)
class FailingMutant:
    """A mutant that fails the check in both runs; `values` are its answers to the calls ("" where none)."""

    mutant: Mutant
    values: tuple[str, ...]


@dataclass
class Observation:
    """All that was learned of a function by running it.

    `impurity` says how the runs differed, or is empty. `statuses` counts what became of the candidate calls.
    """

    calls: list[ObservedCall] = field(default_factory=list)
    check: str = ""
    mutants: list[FailingMutant] = field(default_factory=list)
    impurity: str = ""
    statuses: Counter[str] = field(default_factory=Counter)


def run_jobs(
    executor: Executor, jobs: Sequence[Job], settings: ObservationSettings, hash_seed: int = 0
) -> list[JobResult]:
    """Run jobs in the sandbox, many to a program, each in a process of its own.

    Args:
        executor (`Executor`): the sandbox.
        jobs (`Sequence[Job]`): what to run.
        settings (`ObservationSettings`): bounds.
        hash_seed (`int`): PYTHONHASHSEED of the run.

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
    _run_groups(executor, jobs, groups, results, settings, hash_seed)
    # Also those of a program that was cut short by what one of its functions did.
    unfinished = [[index] for index, result in enumerate(results) if not result.finished]
    for (index,) in unfinished:
        results[index] = JobResult()
    _run_groups(executor, jobs, unfinished, results, settings, hash_seed)
    return results


def _run_groups(
    executor: Executor,
    jobs: Sequence[Job],
    groups: list[list[int]],
    results: list[JobResult],
    settings: ObservationSettings,
    hash_seed: int,
) -> None:
    if not groups:
        return
    programs = []
    for group in groups:
        payload = [
            {
                "units": jobs[index].units,
                "calls": jobs[index].calls,
                "checks": jobs[index].checks,
                "reverse": jobs[index].reverse,
                "skew": jobs[index].skew,
                "max_lines": settings.max_lines,
                "max_chars": settings.max_answer_chars,
                "seconds": JOB_SECONDS,
                "seed": hash_seed,
            }
            for index in group
        ]
        programs.append(
            Program(source=DRIVER, files={"jobs.json": json.dumps(payload).encode("utf-8")}, hash_seed=hash_seed)
        )
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
            _record(line, group, results)
        if execution.verdict is Verdict.PASS and execution.output_truncated:
            for index in group:
                results[index].finished = False


def _record(line: str, group: list[int], results: list[JobResult]) -> None:
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError:  # the last line of a program that was stopped while writing
        return
    result = results[group[row["job"]]]
    if "done" in row:
        result.finished = True
        return
    call = CallResult(row["status"], row["value"], row.get("steps", 0), tuple(row.get("lines", ())))
    if "check" in row:
        result.checks[row["check"]] = call
    else:
        result.calls[row["unit"], row["call"]] = call


def observe(executor: Executor, samples: Sequence[FunctionSample], settings: ObservationSettings) -> list[Observation]:
    """Run functions and their mutants, and keep what came out the same every time.

    Args:
        executor (`Executor`): the sandbox.
        samples (`Sequence[FunctionSample]`): the functions.
        settings (`ObservationSettings`): numbers and bounds.

    Returns:
        `list[Observation]`: one per function, in order.
    """
    candidates = [
        [
            call
            for call in candidate_calls(sample, settings.seed, settings.num_candidates)
            if len(call) <= settings.max_call_chars
        ]
        for sample in samples
    ]
    first = run_jobs(
        executor, [Job([sample.code], calls) for sample, calls in zip(samples, candidates, strict=True)], settings
    )
    observations = [Observation() for _ in samples]
    chosen = []
    for observation, calls, result in zip(observations, candidates, first, strict=True):
        observation.statuses.update(call.status for call in result.calls.values())
        observation.statuses["not run"] += len(calls) - len(result.calls)
        ok = {calls[call]: found for (_, call), found in result.calls.items() if found.status == "ok"}
        chosen.append(_choose_calls(ok, settings.num_calls))
    active = [index for index, calls in enumerate(chosen) if calls]
    mutants = {index: _mutants(samples[index], settings) for index in active}
    second = _second_run(executor, samples, chosen, mutants, active, observations, settings)
    _third_run(executor, samples, mutants, second, observations, settings)
    return observations


def _mutants(sample: FunctionSample, settings: ObservationSettings) -> list[Mutant]:
    if _CHANGEABLE.search(sample.code):
        return []
    return mutate(sample.function, settings.num_mutants, settings.seed)


def _choose_calls(ok: dict[str, CallResult], num_calls: int) -> list[ObservedCall]:
    """Choose calls that reach new lines and give new answers, the readable before the long."""
    chosen: list[ObservedCall] = []
    covered: set[int] = set()
    answers: Counter[str] = Counter()
    left = dict(ok)
    while left and len(chosen) < num_calls:

        def merit(item: tuple[str, CallResult]) -> tuple[int, int, bool, int, str]:
            call, result = item
            return (
                answers[result.value],
                -len(set(result.lines) - covered),
                result.value in ("None", "True", "False", "''", "[]"),
                (len(call) + len(result.value)) // 80,
                # Neither the shortest nor the longest: whatever comes first by chance.
                hashlib.sha256(call.encode()).hexdigest(),
            )

        call, result = min(left.items(), key=merit)
        if answers[result.value] >= 2:
            break
        del left[call]
        chosen.append(ObservedCall(call, result.value, result.steps))
        covered.update(result.lines)
        answers[result.value] += 1
    return chosen


def build_check(calls: Sequence[ObservedCall]) -> str:
    """Return asserts that state observed results."""
    # Singletons are compared by identity, as the language's style guide asks.
    return "\n".join(
        f"assert {call.call} {'is' if call.answer in ('None', 'True', 'False') else '=='} {call.answer}"
        for call in calls
    )


def with_function(sample: FunctionSample, function: str) -> str:
    """Return the sample's program with its function exchanged."""
    return f"{sample.context}\n\n\n{function}" if sample.context else function


def _second_run(
    executor: Executor,
    samples: Sequence[FunctionSample],
    chosen: list[list[ObservedCall]],
    mutants: dict[int, list[Mutant]],
    active: list[int],
    observations: list[Observation],
    settings: ObservationSettings,
) -> dict[int, JobResult]:
    jobs = []
    for index in active:
        programs = [samples[index].code, *(with_function(samples[index], m.function) for m in mutants[index])]
        check = build_check(chosen[index][: settings.num_check_calls])
        jobs.append(
            Job(
                programs, [call.call for call in chosen[index]], [(p, check) for p in programs], reverse=True, skew=True
            )
        )
    passed = {}
    for index, result in zip(active, run_jobs(executor, jobs, settings, hash_seed=1), strict=True):
        observation = observations[index]
        observation.impurity = _difference(chosen[index], result)
        if not observation.impurity:
            observation.calls = chosen[index]
            if result.checks.get(0, CallResult("not run")).status == "passed":
                observation.check = build_check(chosen[index][: settings.num_check_calls])
                passed[index] = result
    return passed


def _difference(calls: Sequence[ObservedCall], result: JobResult) -> str:
    """Return how a later run of the original differs from the answers, or an empty text."""
    for number, call in enumerate(calls):
        again = result.calls.get((0, number), CallResult("not run"))
        if again.status != "ok" or again.value != call.answer:
            return f"{call.call} gave {call.answer}, then {again.value or again.status}"
    return ""


def _third_run(
    executor: Executor,
    samples: Sequence[FunctionSample],
    mutants: dict[int, list[Mutant]],
    second: dict[int, JobResult],
    observations: list[Observation],
    settings: ObservationSettings,
) -> None:
    jobs = []
    for index in second:
        programs = [samples[index].code, *(with_function(samples[index], m.function) for m in mutants[index])]
        calls = [call.call for call in observations[index].calls]
        jobs.append(Job(programs, calls, [(program, observations[index].check) for program in programs]))
    for index, third in zip(second, run_jobs(executor, jobs, settings, hash_seed=2), strict=True):
        observation = observations[index]
        difference = _difference(observation.calls, third)
        if not difference and third.checks.get(0, CallResult("not run")).status != "passed":
            difference = "the check passed once and then failed"
        if difference:
            observation.impurity, observation.check, observation.calls = difference, "", []
            continue
        for number, mutant in enumerate(mutants[index], start=1):
            runs = [run.checks.get(number, CallResult("not run")) for run in (second[index], third)]
            if all(run.status in FAILED_CHECK for run in runs) and runs[0] == runs[1]:
                values = tuple(_agreed(second[index], third, number, call) for call in range(len(observation.calls)))
                observation.mutants.append(FailingMutant(mutant, values))


def _agreed(second: JobResult, third: JobResult, unit: int, call: int) -> str:
    again, once_more = (run.calls.get((unit, call), CallResult("not run")) for run in (second, third))
    are_same = again.status == once_more.status == "ok" and again.value == once_more.value
    return again.value if are_same else ""
