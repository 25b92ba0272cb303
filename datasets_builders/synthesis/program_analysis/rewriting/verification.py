"""Section 2.4: tests and rewrites of functions, run before they are believed.

Tests have to pass on the function in two runs and fail on a mutant in both to have found it. A rewrite has to do what
the function does, exceptions and changed arguments included, on every call that was observed and on further ones, in
two runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from datasets_builders.synthesis.program_analysis.arguments import candidate_calls
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.jobs import CallResult, Job, JobResult, ObservationSettings, run_jobs
from datasets_builders.synthesis.program_analysis.mutation import mutate
from datasets_builders.synthesis.program_analysis.observation import (
    FAILED_CHECK,
    Observation,
    ObservedCall,
    with_function,
)
from datasets_builders.synthesis.program_analysis.rewriting.rewrites import Rewrite, rewrites_of
from datasets_builders.synthesis.program_analysis.rewriting.variants import Variants, VerifiedRewrite, VerifiedTests
from datasets_builders.synthesis.program_analysis.rewriting.written_tests import WrittenTests, write_tests, written
from evals.execution import Executor

NUM_FURTHER_CALLS = 16
NUM_FAULTY_REWRITES = 2
MIN_CALLS = 3


@dataclass
class _Work:
    """What is run of one function."""

    sample: FunctionSample
    observation: Observation
    tests: WrittenTests | None = None
    wrong_tests: WrittenTests | None = None
    rewrites: list[Rewrite] = field(default_factory=list)
    faulty: list[tuple[int, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def job(self, skew: bool) -> Job:
        """Return the calls on function and rewrites, and the checks."""
        programs = [self.sample.code, *(with_function(self.sample, rewrite.function) for rewrite in self.rewrites)]
        checks = []
        if self.tests is not None:
            mutants = [with_function(self.sample, found.mutant.function) for found in self.observation.mutants]
            checks += [(program, self.tests.program) for program in (self.sample.code, *mutants)]
        if self.wrong_tests is not None:
            checks.append((self.sample.code, self.wrong_tests.program))
        checks += [(with_function(self.sample, faulty), self.observation.check) for _, faulty in self.faulty]
        calls = self.calls if self.rewrites else []
        return Job(programs if self.rewrites else programs[:1], calls, checks, reverse=skew, skew=skew)


def verify_variants(
    executor: Executor,
    samples: Sequence[FunctionSample],
    observations: Sequence[Observation],
    seed: int = 0,
    rewrite: Callable[[str], list[Rewrite]] = rewrites_of,
) -> list[Variants]:
    """Write tests and rewrites of functions, and keep what running them twice bears out.

    Args:
        executor (`Executor`): the sandbox.
        samples (`Sequence[FunctionSample]`): the functions.
        observations (`Sequence[Observation]`): what is known of each.
        seed (`int`): chooses further calls and faulty rewrites.
        rewrite (`Callable`): writes a function another way.

    Returns:
        `list[Variants]`: one per function, in order.
    """
    works = [
        _work(sample, observation, seed, rewrite) for sample, observation in zip(samples, observations, strict=True)
    ]
    active = [work for work in works if work.tests is not None or work.rewrites]
    settings = ObservationSettings(seed=seed)
    runs = [run_jobs(executor, [work.job(skew) for work in active], settings, 4 + skew) for skew in (False, True)]
    found = {id(work): _variants(work, first, second) for work, first, second in zip(active, *runs, strict=True)}
    return [found.get(id(work), Variants()) for work in works]


def _work(
    sample: FunctionSample, observation: Observation, seed: int, rewrite: Callable[[str], list[Rewrite]]
) -> _Work:
    work = _Work(sample, observation)
    if sample.is_class or observation.impurity or not observation.check:
        return work
    if observation.mutants:
        work.tests = write_tests(sample, observation)
        work.wrong_tests = _wrong_tests(sample, observation, work.tests)
    known = [*observation.calls, *observation.changing_calls, *observation.failing_calls]
    if len(known) >= MIN_CALLS:
        further = candidate_calls(sample, seed, NUM_FURTHER_CALLS)
        work.calls = list(dict.fromkeys([*(call.call for call in known), *further]))
        work.rewrites = rewrite(sample.function)
        work.faulty = [
            (number, mutant.function)
            for number, found in enumerate(work.rewrites)
            for mutant in mutate(found.function, NUM_FAULTY_REWRITES, seed)
        ]
    return work


def _wrong_tests(sample: FunctionSample, observation: Observation, tests: WrittenTests | None) -> WrittenTests | None:
    """Return the same tests with what a mutant returns in place of one right value."""
    if tests is None:
        return None
    for mutant in observation.mutants:
        for number, call in enumerate(observation.calls):
            wrong = mutant.values[number]
            if wrong and wrong != call.answer and call.call in tests.text:
                others = [other for other in observation.calls if other.call in tests.text]
                changed: list[ObservedCall] = [
                    replace(other, answer=wrong) if other.call == call.call else other for other in others
                ]
                return written(sample.name, tests.style, changed, [])
    return None


def _variants(work: _Work, first: JobResult, second: JobResult) -> Variants:
    """Read the results of two runs."""
    statuses = [
        {run.checks.get(number, CallResult("not run")).status for run in (first, second)}
        for number in range(len(work.job(False).checks))
    ]
    tests, position = None, 0
    if work.tests is not None:
        num_mutants = len(work.observation.mutants)
        killed = sum(found <= FAILED_CHECK for found in statuses[1 : 1 + num_mutants])
        position = 1 + num_mutants
        wrong = ""
        if work.wrong_tests is not None:
            wrong = work.wrong_tests.text if statuses[position] <= FAILED_CHECK else ""
            position += 1
        if statuses[0] == {"passed"} and killed:
            tests = VerifiedTests(work.tests.style, work.tests.text, work.tests.program, num_mutants, killed, wrong)
    rewrites = []
    for number, rewrite in enumerate(work.rewrites):
        num_same = min(_num_same_calls(run, number + 1, len(work.calls)) for run in (first, second))
        if num_same:
            faulty = tuple(
                text
                for place, (owner, text) in enumerate(work.faulty, start=position)
                if owner == number and statuses[place] <= FAILED_CHECK
            )
            rewrites.append(VerifiedRewrite(rewrite.kind, rewrite.function, rewrite.words, num_same, faulty))
    return Variants(tests, tuple(rewrites))


def _num_same_calls(result: JobResult, unit: int, num_calls: int) -> int:
    """Return how many calls a rewrite answers as the function does: 0 if one differs, or too few can be compared."""
    num_same = 0
    for number in range(num_calls):
        right, other = (result.calls.get((place, number), CallResult("not run")) for place in (0, unit))
        if right.status not in ("ok", "raised"):
            continue
        if (right.status, right.value, right.changes) != (other.status, other.value, other.changes):
            return 0
        errors = [(call.error.kind, call.error.text) if call.error else None for call in (right, other)]
        # A misuse may be noticed at another place, in other words.
        is_misuse = right.error is not None and right.error.kind in ("TypeError", "AttributeError")
        if errors[0] != errors[1] and not (is_misuse and errors[1] and errors[0] and errors[0][0] == errors[1][0]):
            return 0
        num_same += 1
    return num_same if num_same >= MIN_CALLS else 0
