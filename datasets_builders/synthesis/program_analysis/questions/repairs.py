"""Section 2.4: which edit broke a function (code_repair)?"""

from __future__ import annotations

from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import (
    FailingMutant,
    Observation,
    ObservedCall,
    with_function,
)
from datasets_builders.synthesis.program_analysis.questions.question import (
    Question,
    QuestionLimits,
    as_code_block,
    render,
    same_value,
)


def code_repairs(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield the mutants that fail the check, to be repaired."""
    num_checked = observation.check.count("\nassert ") + 1
    for number, failing in enumerate(observation.mutants[: limits.max_repairs]):
        faulty = failing.mutant.function
        others = [other.mutant.function for index, other in enumerate(observation.mutants) if index != number]
        yield Question(
            kind="code_repair",
            prompt=render(
                "code_repair",
                sample,
                faulty=with_function(sample, faulty),
                check=observation.check,
                failure=_failure(failing, observation.calls[:num_checked]),
            ),
            content=as_code_block(sample.function),
            context=sample.context,
            check=observation.check,
            # Leaving the bug in is wrong too, and what a careless answer does.
            wrong_answers=[*others, faulty][: limits.max_wrong_answers],
        )


def _failure(mutant: FailingMutant, calls: list[ObservedCall]) -> str:
    for call, value in zip(calls, mutant.values, strict=False):
        if value and not same_value(value, call.answer):
            return f"`{call.call}` returns `{value}` instead of `{call.answer}`."
    return "The check below does not pass."
