"""Section 2.4: what functions do, seen in the sandbox more than once.

Three runs, each in fresh processes:

1. candidate calls on the function as it is;
2. the calls chosen from them, in reverse order, in another world (hash seed, clock, folder, environment, version of the
   interpreter, platform; `sandbox_world`), then all in one process, forwards and backwards; and the same calls on every
   mutant. A function that answers differently depends on more than its arguments and is impure. What the calls do line
   by line is recorded;
3. the calls once more, recorded too, and the mutants that failed, independently.

Source: ours; the paper verifies what a model wrote, here nothing is written that was not observed.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from datasets_builders.synthesis.program_analysis.arguments import candidate_calls, known_calls
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.growth import SIZES, growing_calls, growth_of
from datasets_builders.synthesis.program_analysis.jobs import (
    CallResult,
    Job,
    JobResult,
    ObservationSettings,
    SeenError,
    run_jobs,
)
from datasets_builders.synthesis.program_analysis.mutation import Mutant, mutate
from evals.execution import Executor

# A mutant may reach a draw of lots or a look at the clock that the original went past: such functions are not mutated.
_CHANGEABLE = re.compile(r"\b(random|time|datetime|id|hash)\b")
FAILED_CHECK = frozenset({"assertion", "raised"})
# Exceptions that say that a call was none of those the function is for, or that a bound was met.
_MISUSE = frozenset({"TypeError", "AttributeError", "NameError", "RecursionError", "MemoryError", "UnboundLocalError"})
# So many calls are tried on a function that none of them got through.
PATIENCE = 24
# Of a function that gave one and the same answer to this many calls there is nothing to predict.
MIN_CALLS_OF_CONSTANT = 2


@dataclass(frozen=True)
class ObservedCall:
    """A call that did the same in every run.

    `answer` is the literal that it returned, empty where it raised `error`; `steps` the number of lines it executed;
    `origin` where its arguments are from: doctest, test, call_site or generated; `changes` the arguments it changed;
    `events` its trace, the same in two runs.
    """

    call: str
    answer: str
    steps: int
    origin: str = "generated"
    changes: tuple[tuple[int | str, str], ...] = ()
    error: SeenError | None = None
    events: list[list[Any]] | None = None


@dataclass(frozen=True)
class FailingMutant:
    """A mutant that fails the check in both runs.

    `values` are its answers to the calls ("" where none), `errors` the exceptions it raised instead ("" where none).
    """

    mutant: Mutant
    values: tuple[str, ...]
    errors: tuple[str, ...] = ()


@dataclass
class Observation:
    """All that was learned of a function by running it.

    `calls` returned something, `changing_calls` changed an argument, `failing_calls` raised. `impurity` says how the
    runs differed, or is empty. `is_constant`: every call gave the same answer. `doctests` says whether the examples of
    the docstring hold. `growth` is how the number of executed lines grows, where measuring makes it plain, over an
    `int` or the length of a `list`. `statuses` counts what became of the candidate calls.
    """

    calls: list[ObservedCall] = field(default_factory=list)
    check: str = ""
    mutants: list[FailingMutant] = field(default_factory=list)
    impurity: str = ""
    statuses: Counter[str] = field(default_factory=Counter)
    changing_calls: list[ObservedCall] = field(default_factory=list)
    failing_calls: list[ObservedCall] = field(default_factory=list)
    is_constant: bool = False
    doctests: str = ""
    growth: str = ""
    growth_over: str = ""


@dataclass
class _Work:
    """A function on its way through the runs."""

    sample: FunctionSample
    observation: Observation
    returning: list[ObservedCall] = field(default_factory=list)
    changing: list[ObservedCall] = field(default_factory=list)
    failing: list[ObservedCall] = field(default_factory=list)
    mutants: list[Mutant] = field(default_factory=list)
    check: str = ""
    second: JobResult = field(default_factory=JobResult)

    @property
    def calls(self) -> list[ObservedCall]:
        """All chosen calls; those that return come first, so that their numbers are those of `Observation.calls`."""
        return [*self.returning, *self.changing, *self.failing]

    @property
    def programs(self) -> list[str]:
        """The function, then its mutants."""
        return [self.sample.code, *(with_function(self.sample, mutant.function) for mutant in self.mutants)]

    @property
    def halves(self) -> list[str]:
        """The function with one fault alone of each mutant that has two."""
        return [with_function(self.sample, half) for mutant in self.mutants for half in mutant.halves]


def observe(
    executor: Executor,
    samples: Sequence[FunctionSample],
    settings: ObservationSettings,
    on_seconds: Callable[[float], None] | None = None,
) -> list[Observation]:
    """Run functions and their mutants, and keep what came out the same every time.

    Args:
        executor (`Executor`): the sandbox.
        samples (`Sequence[FunctionSample]`): the functions.
        settings (`ObservationSettings`): numbers and bounds.
        on_seconds (`Callable`, *optional*): told the processor time used in the sandbox.

    Returns:
        `list[Observation]`: one per function, in order.
    """
    works = [_Work(sample, Observation()) for sample in samples]
    candidates = [
        [
            call
            for call in candidate_calls(sample, settings.seed, settings.num_candidates)
            if len(call) <= settings.max_call_chars
        ]
        for sample in samples
    ]
    jobs = [
        Job([sample.code], calls, with_lines=True, patience=PATIENCE)
        for sample, calls in zip(samples, candidates, strict=True)
    ]
    first = run_jobs(executor, jobs, settings, on_seconds=on_seconds)
    for work, calls, result in zip(works, candidates, first, strict=True):
        _choose(work, calls, result, settings)
    active = [work for work in works if work.calls]
    for work in active:
        work.mutants = _mutants(work.sample, settings) if work.check else []
    _second_run(executor, active, settings, on_seconds)
    _third_run(executor, [work for work in active if not work.observation.impurity], settings, on_seconds)
    _measure_growth(executor, [work for work in active if work.observation.calls], settings, on_seconds)
    return [work.observation for work in works]


def _measure_growth(
    executor: Executor,
    works: list[_Work],
    settings: ObservationSettings,
    on_seconds: Callable[[float], None] | None,
) -> None:
    """Count the lines that calls with growing arguments execute."""
    families = {number: growing_calls(work.sample) for number, work in enumerate(works)}
    wanted = [number for number, calls in families.items() if calls]
    jobs = [Job([works[number].sample.code], [*chain.from_iterable(families[number])]) for number in wanted]
    for number, result in zip(wanted, run_jobs(executor, jobs, settings, 3, on_seconds), strict=True):
        num_calls = len(families[number]) * len(SIZES)
        found = [result.calls.get((0, call), CallResult("not run")) for call in range(num_calls)]
        # What is returned does not matter here, that the call came to its end does.
        if all(call.status in ("ok", "too_long", "not_literal") for call in found):
            steps = [call.steps for call in found]
            growth = growth_of([steps[first : first + len(SIZES)] for first in range(0, num_calls, len(SIZES))])
            over = "list" if "[" in families[number][0][0] else "int"
            works[number].observation.growth, works[number].observation.growth_over = growth, over if growth else ""


def _mutants(sample: FunctionSample, settings: ObservationSettings) -> list[Mutant]:
    if _CHANGEABLE.search(sample.code):
        return []
    return mutate(sample.function, settings.num_mutants, settings.seed)


def _choose(work: _Work, calls: list[str], result: JobResult, settings: ObservationSettings) -> None:
    """Choose the calls that go on, of what the first run showed."""
    observation = work.observation
    observation.statuses.update(call.status for call in result.calls.values())
    observation.statuses["not run"] += len(calls) - len(result.calls)
    origins = known_calls(work.sample)
    by_kind: dict[str, dict[str, CallResult]] = {"returning": {}, "changing": {}, "failing": {}}
    for (_, number), found in sorted(result.calls.items()):
        call = calls[number]
        if found.status == "ok":
            if found.changes:
                by_kind["changing"][call] = found
            # What a call does to its arguments is its answer, if it returns nothing.
            if not (found.changes and found.value == "None"):
                by_kind["returning"][call] = found
        elif found.status == "raised" and found.error is not None and _is_telling(found.error, origins.get(call, "")):
            by_kind["failing"][call] = found
    returning = by_kind["returning"]
    answers = {found.value for found in returning.values()}
    observation.is_constant = len(answers) == 1 and len(returning) >= MIN_CALLS_OF_CONSTANT
    work.returning = _choose_calls(returning, origins, settings.num_calls)
    # A call that both returns something and changes an argument is run once.
    chosen = {call.call for call in work.returning}
    changing = {call: found for call, found in by_kind["changing"].items() if call not in chosen}
    work.changing = _choose_calls(changing, origins, settings.num_changing_calls)
    work.failing = _choose_calls(by_kind["failing"], origins, settings.num_failing_calls)
    work.check = build_check(work.returning[: settings.num_check_calls])


def _is_telling(error: SeenError, origin: str) -> bool:
    """Return whether an exception says something about the function, and not that it was called with nonsense."""
    return error.kind not in _MISUSE or (origin in ("doctest", "test") and error.line > 0)


def _choose_calls(found: dict[str, CallResult], origins: dict[str, str], num_calls: int) -> list[ObservedCall]:
    """Choose calls that people wrote, reach new lines and give new answers, the readable before the long."""
    chosen: list[ObservedCall] = []
    covered: set[int] = set()
    answers: Counter[tuple[Any, ...]] = Counter()
    left = dict(found)
    while left and len(chosen) < num_calls:

        def merit(item: tuple[str, CallResult]) -> tuple[int, bool, int, bool, int, str]:
            call, result = item
            return (
                answers[result.outcome],
                call not in origins,
                -len(set(result.lines) - covered),
                result.value in ("None", "True", "False", "''", "[]"),
                (len(call) + len(result.value)) // 80,
                # Neither the shortest nor the longest: whatever comes first by chance.
                hashlib.sha256(call.encode()).hexdigest(),
            )

        call, result = min(left.items(), key=merit)
        if answers[result.outcome] >= 2:
            break
        del left[call]
        answer = result.value if result.status == "ok" else ""
        origin = origins.get(call, "generated")
        chosen.append(ObservedCall(call, answer, result.steps, origin, result.changes, result.error))
        covered.update(result.lines)
        answers[result.outcome] += 1
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
    works: list[_Work],
    settings: ObservationSettings,
    on_seconds: Callable[[float], None] | None,
) -> None:
    """Run the chosen calls in another world, and the mutants; note what is impure."""
    jobs = [
        Job(
            work.programs,
            [call.call for call in work.calls],
            [(program, work.check) for program in (*work.programs, *work.halves)] if work.check else [],
            reverse=True,
            skew=True,
            repeat=True,
            record=True,
            docstring=work.sample.docstring if ">>>" in work.sample.docstring else "",
        )
        for work in works
    ]
    for work, result in zip(works, run_jobs(executor, jobs, settings, 1, on_seconds), strict=True):
        work.second = result
        work.observation.impurity = _difference(work.calls, result) or result.stateful.get(0, "")
        if result.checks.get(0, CallResult("not run")).status != "passed":
            work.check = ""
        failed = {number for number, found in result.checks.items() if found.status in FAILED_CHECK}
        failing = [
            number
            for number in range(1, len(work.mutants) + 1)
            # Asserts that fail alone would pass in another order.
            if number in failed and not result.stateful.get(number)
        ]
        shown = _with_both_faults_shown(work.mutants, failed)
        failing = [number for number in failing if number in shown]
        work.mutants = [replace(work.mutants[number - 1], halves=()) for number in failing] if work.check else []
        # Unit 0 stays, the others close up.
        units = {0: 0, **{old: new for new, old in enumerate(failing, start=1)}}
        result.calls = {(units[unit], call): found for (unit, call), found in result.calls.items() if unit in units}
        result.checks = {units[unit]: found for unit, found in result.checks.items() if unit in units}


def _with_both_faults_shown(mutants: Sequence[Mutant], failed: set[int]) -> set[int]:
    """Return the numbers (from 1) of mutants of which each fault fails the check by itself.

    Args:
        mutants: checked as 1 and on; their halves follow the last.
        failed: numbers of checks.
    """
    half = len(mutants) + 1
    shown = set()
    for number, mutant in enumerate(mutants, 1):
        if failed.issuperset(range(half, half + len(mutant.halves))):
            shown.add(number)
        half += len(mutant.halves)
    return shown


def _difference(calls: Sequence[ObservedCall], result: JobResult) -> str:
    """Return how a later run of the original differs from the first, or an empty text."""
    for number, call in enumerate(calls):
        again = result.calls.get((0, number), CallResult("not run"))
        if call.error is not None:
            if again.error is None or again.error.kind != call.error.kind:
                return f"{call.call} raised {call.error.text}, then {again.value or again.status}"
        elif again.status != "ok" or again.value != call.answer or again.changes != call.changes:
            return f"{call.call} gave {call.answer}, then {again.value or again.status}"
    return ""


def _third_run(
    executor: Executor,
    works: list[_Work],
    settings: ObservationSettings,
    on_seconds: Callable[[float], None] | None,
) -> None:
    """Run everything once more, and keep what is the same."""
    jobs = [
        Job(
            work.programs,
            [call.call for call in work.calls],
            [(program, work.check) for program in work.programs] if work.check else [],
            record=True,
            docstring=work.sample.docstring if work.second.doctests == "passed" else "",
        )
        for work in works
    ]
    for work, third in zip(works, run_jobs(executor, jobs, settings, 2, on_seconds), strict=True):
        observation = work.observation
        difference = _difference(work.calls, third)
        if not difference and work.check and third.checks.get(0, CallResult("not run")).status != "passed":
            difference = "the check passed once and then failed"
        if difference:
            observation.impurity = difference
            continue
        observation.check = work.check
        observation.doctests = third.doctests or work.second.doctests
        kept = [_with_trace(call, number, work.second, third) for number, call in enumerate(work.calls)]
        observation.calls = [call for call in kept[: len(work.returning)] if call is not None]
        rest = [call for call in kept[len(work.returning) :] if call is not None]
        observation.failing_calls = [call for call in rest if call.error is not None]
        observation.changing_calls = [call for call in (*observation.calls, *rest) if call.changes and not call.error]
        for number, mutant in enumerate(work.mutants, start=1):
            runs = [run.checks.get(number, CallResult("not run")) for run in (work.second, third)]
            if runs[1].status in FAILED_CHECK and runs[0].outcome == runs[1].outcome:
                agreed = [_agreed(work.second, third, number, call) for call in range(len(observation.calls))]
                values = tuple(found.value if found.status == "ok" else "" for found in agreed)
                errors = tuple(found.error.text if found.error else "" for found in agreed)
                observation.mutants.append(FailingMutant(mutant, values, errors))


def _with_trace(call: ObservedCall, number: int, second: JobResult, third: JobResult) -> ObservedCall | None:
    """Return the call with its trace, if two runs agree on it; None for an exception that reads differently."""
    again, once_more = second.calls[0, number], third.calls[0, number]
    if call.error is not None and not call.error == again.error == once_more.error:
        return None
    events = again.events if again.events == once_more.events else None
    return ObservedCall(call.call, call.answer, call.steps, call.origin, call.changes, call.error, events)


def _agreed(second: JobResult, third: JobResult, unit: int, call: int) -> CallResult:
    again, once_more = (run.calls.get((unit, call), CallResult("not run")) for run in (second, third))
    return again if again.outcome == once_more.outcome else CallResult("differs")
