"""Section 2.4: what does a call return (execution_prediction)?"""

from __future__ import annotations

from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import Observation, ObservedCall
from datasets_builders.synthesis.program_analysis.questions.question import (
    Question,
    QuestionLimits,
    render,
    same_value,
)


def execution_predictions(
    sample: FunctionSample, observation: Observation, limits: QuestionLimits
) -> Iterator[Question]:
    """Yield what the function's calls return."""
    for number, call in enumerate(observation.calls[: limits.max_calls]):
        yield _execution_prediction(sample, observation, number, call, limits)


def _execution_prediction(
    sample: FunctionSample, observation: Observation, number: int, call: ObservedCall, limits: QuestionLimits
) -> Question:
    # What a bug would have returned is the most plausible wrong value; what other arguments return comes next.
    by_mutants = [mutant.values[number] for mutant in observation.mutants]
    by_others = [other.answer for other in observation.calls]
    wrong = [text for text in dict.fromkeys((*by_mutants, *by_others)) if text and not same_value(text, call.answer)]
    return Question(
        kind="execution_prediction",
        prompt=render("execution_prediction", sample, code=sample.code, call=call.call),
        content=call.answer,
        code=sample.code,
        call=call.call,
        answer=call.answer,
        wrong_answers=wrong[: limits.max_wrong_answers],
    )
