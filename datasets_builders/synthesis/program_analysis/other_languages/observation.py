"""Section 2.4: what functions of other languages return, seen in four processes.

1. Candidate calls, in a program that counts its blocks: in one process in order, in another in reverse, under another
   clock, time zone and environment; within each process every call is made twice.
2. The calls chosen from them, in the same two ways, on the program as it is shown, together with its check; and on
   every mutant.

What does not answer the same everywhere depends on more than its arguments, and goes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from datasets_builders.synthesis.program_analysis.other_languages.calls import candidate_calls
from datasets_builders.synthesis.program_analysis.other_languages.languages import ProgramLanguage
from datasets_builders.synthesis.program_analysis.other_languages.mutation import Mutant, mutate
from datasets_builders.synthesis.program_analysis.other_languages.running import Seen, Unit, UnitResult, run_units
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample, Unusable
from evals.execution import Executor

FAILED_CHECK = frozenset({"assertion", "raised"})
MAX_REPEATS = 2  # of one answer among a function's calls


@dataclass(frozen=True)
class ObservationSettings:
    """How many calls and mutants are tried and kept, and what bounds them.

    `max_steps` bounds the blocks that a call enters, `max_answer_chars` the length of an answer.
    """

    seed: int = 0
    num_candidates: int = 48
    num_calls: int = 8
    num_check_calls: int = 4
    num_mutants: int = 12
    max_steps: int = 20_000
    max_answer_chars: int = 200
    max_call_chars: int = 200


@dataclass(frozen=True)
class ObservedCall:
    """A call with the value it returned in every run, and the number of blocks it entered."""

    call: str
    answer: str
    steps: int


@dataclass(frozen=True)
class FailingMutant:
    """A mutant that fails the check in both processes; `values` are its answers to the calls ("" where none)."""

    mutant: Mutant
    values: tuple[str, ...]
    errors: tuple[str, ...] = ()


@dataclass
class Observation:
    """All that was learned of a function by running it, as for Python."""

    calls: list[ObservedCall] = field(default_factory=list)
    check: str = ""
    mutants: list[FailingMutant] = field(default_factory=list)
    impurity: str = ""
    statuses: Counter[str] = field(default_factory=Counter)


def observe(
    executor: Executor, language: ProgramLanguage, samples: Sequence[ProgramSample], settings: ObservationSettings
) -> list[Observation]:
    """Run functions and their mutants, and keep what came out the same every time.

    Args:
        executor (`Executor`): the sandbox.
        language (`ProgramLanguage`): of all the functions.
        samples (`Sequence[ProgramSample]`): the functions.
        settings (`ObservationSettings`): numbers and bounds.

    Returns:
        `list[Observation]`: one per function, in order.

    Raises:
        MissingToolchainError: the language's compiler or interpreter is not there; the message says what to do.
    """
    observations = [Observation() for _ in samples]
    units = [Unit(sample, _candidates(sample, language, settings)) for sample in samples]
    tried = [index for index, unit in enumerate(units) if unit.calls]
    results = run_units(
        executor, language.runner, [units[index] for index in tried], settings.max_steps, settings.max_answer_chars
    )
    chosen: dict[int, list[ObservedCall]] = {}
    for index, pair in zip(tried, results, strict=True):
        answers = _agreed(units[index], pair, observations[index])
        if answers and not observations[index].impurity and (calls := choose_calls(answers, settings.num_calls)):
            chosen[index] = calls
    _second_stage(executor, language, samples, chosen, observations, settings)
    return observations


def _candidates(sample: ProgramSample, language: ProgramLanguage, settings: ObservationSettings) -> tuple[str, ...]:
    if not sample.parameters:  # a constant
        return ()
    try:
        return tuple(
            candidate_calls(
                sample,
                language.values,
                settings.seed,
                min(settings.num_candidates, language.runner.max_candidates),
                settings.max_call_chars,
            )
        )
    except Unusable:
        return ()


def _agreed(unit: Unit, pair: tuple[UnitResult, UnitResult], observation: Observation) -> dict[str, Seen]:
    """Return the calls that answered alike in both processes; one that did not makes the function impure."""
    answers = {}
    if pair[0].broken or pair[1].broken:
        observation.statuses["broken"] += len(unit.calls)
        return {}
    for number, call in enumerate(unit.calls):
        first, second = (result.calls.get(number, Seen("not_run")) for result in pair)
        observation.statuses[first.status] += 1
        if "impure" in (first.status, second.status):
            observation.impurity = f"{call}: {first.value if first.status == 'impure' else second.value}"
        elif first.status == second.status == "ok":
            if first.value != second.value:
                observation.impurity = f"{call} gave {first.value}, then {second.value}"
            else:
                answers[call] = first
    return answers


def choose_calls(answers: dict[str, Seen], num_calls: int) -> list[ObservedCall]:
    """Choose calls that enter new blocks and give new answers, the readable before the long."""
    chosen: list[ObservedCall] = []
    covered: set[int] = set()
    counts: Counter[str] = Counter()
    left = dict(answers)

    def merit(item: tuple[str, Seen]) -> tuple[int, int, bool, int, str]:
        call, seen = item
        return (
            counts[seen.value],
            -len(seen.hits - covered),
            seen.value in call or len(seen.value) < 2,
            (len(call) + len(seen.value)) // 80,
            # Neither the shortest nor the longest: whatever comes first by chance.
            hashlib.sha256(call.encode()).hexdigest(),
        )

    while left and len(chosen) < num_calls:
        call, seen = min(left.items(), key=merit)
        if counts[seen.value] >= MAX_REPEATS:
            break
        del left[call]
        chosen.append(ObservedCall(call, seen.value, seen.steps))
        covered.update(seen.hits)
        counts[seen.value] += 1
    if len(counts) < 2 or all(call.answer in call.call for call in chosen):
        return []  # whatever it is called with, it says the same, or gives back what it is given: nothing to predict
    return chosen


def _second_stage(
    executor: Executor,
    language: ProgramLanguage,
    samples: Sequence[ProgramSample],
    chosen: dict[int, list[ObservedCall]],
    observations: list[Observation],
    settings: ObservationSettings,
) -> None:
    units: list[Unit] = []
    owners: list[tuple[int, Mutant | None]] = []
    checks: dict[int, str] = {}
    for index, calls in chosen.items():
        sample = samples[index]
        checks[index] = language.check(sample, calls[: settings.num_check_calls])
        texts = tuple(call.call for call in calls)
        # The check of every call, since rows bring their own; that of some is what changed versions fail.
        units.append(Unit(sample, texts, language.check(sample, calls), is_counted=False))
        owners.append((index, None))
        for changed in mutate(sample, min(settings.num_mutants, language.runner.max_mutants), settings.seed):
            units.append(Unit(sample.with_function(changed.function), texts, checks[index], variant_of=index))
            owners.append((index, changed))
    results = run_units(executor, language.runner, units, settings.max_steps, settings.max_answer_chars)
    for (index, mutant), pair in zip(owners, results, strict=True):
        observation, calls = observations[index], chosen[index]
        if mutant is None:
            observation.impurity = _difference(calls, pair)
            if not observation.impurity and any(result.check != "passed" for result in pair):
                observation.impurity = "a literal is not equal to what was returned"
            if not observation.impurity:
                observation.calls, observation.check = calls, checks[index]
        elif observation.check and _fails_alike(pair):
            seen = [_same(pair, number) for number in range(len(calls))]
            values = tuple(call.value if call.status == "ok" else "" for call in seen)
            errors = tuple(call.value if call.status == "raised" else "" for call in seen)
            observation.mutants.append(FailingMutant(mutant, values, errors))


def _fails_alike(pair: tuple[UnitResult, UnitResult]) -> bool:
    """Return whether a changed version fails the check in both processes, and in the same way."""
    return (
        not any(result.broken for result in pair) and pair[0].check == pair[1].check and pair[0].check in FAILED_CHECK
    )


def _difference(calls: Sequence[ObservedCall], pair: tuple[UnitResult, UnitResult]) -> str:
    """Return how later runs of the original differ from the answers, or an empty text."""
    for number, call in enumerate(calls):
        for result in pair:
            again = result.calls.get(number, Seen(result.broken or "not run"))
            if again.status != "ok" or again.value != call.answer:
                return f"{call.call} gave {call.answer}, then {again.value or again.status}"
    return ""


def _same(pair: tuple[UnitResult, UnitResult], number: int) -> Seen:
    first, second = (result.calls.get(number, Seen("not run")) for result in pair)
    return first if (first.status, first.value) == (second.status, second.value) else Seen("differs")
