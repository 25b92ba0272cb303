"""Section 2.4: what does a call return (execution_prediction), and how (execution_rationale)?"""

from __future__ import annotations

from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import Observation, ObservedCall
from datasets_builders.synthesis.program_analysis.questions.question import (
    Question,
    QuestionLimits,
    is_one_statement,
    render,
    same_value,
    stands_in_call,
)
from datasets_builders.synthesis.program_analysis.questions.rationale import rationale
from datasets_builders.synthesis.program_analysis.traces import Statements, render_trace, steps_of


def asked_calls(sample: FunctionSample, observation: Observation) -> list[tuple[int, ObservedCall]]:
    """Return the calls whose answers are worth predicting, with their numbers.

    A constant function has none; of a function of one statement, and of those whose answers can be copied from the
    call, one stays.
    """
    if observation.is_constant:
        return []
    asked: list[tuple[int, ObservedCall]] = []
    short: set[str] = set()
    num_copied = 0
    for number, call in enumerate(observation.calls):
        if is_one_statement(sample, call.call):
            name = call.call.split("(")[0] if not sample.is_class else call.call.rsplit(".", 1)[-1].split("(")[0]
            if name in short:
                continue
            short.add(name)
        if stands_in_call(call.answer, call.call):
            num_copied += 1
            if num_copied > 1:
                continue
        asked.append((number, call))
    return asked


def execution_predictions(
    sample: FunctionSample, observation: Observation, limits: QuestionLimits
) -> Iterator[Question]:
    """Yield what the function's calls return."""
    for number, call in asked_calls(sample, observation)[: limits.max_calls]:
        yield Question(
            kind="execution_prediction",
            prompt=render("execution_prediction", sample, code=sample.code, call=call.call),
            content=call.answer,
            code=sample.code,
            call=call.call,
            answer=call.answer,
            wrong_answers=_wrong_answers(observation, number, call)[: limits.max_wrong_answers],
            call_from=call.origin,
        )


def _wrong_answers(observation: Observation, number: int, call: ObservedCall) -> list[str]:
    """Return values that the call does not have: what a bug would have returned, then what other arguments return."""
    by_mutants = [mutant.values[number] for mutant in observation.mutants]
    by_others = [other.answer for other in observation.calls]
    return [text for text in dict.fromkeys((*by_mutants, *by_others)) if text and not same_value(text, call.answer)]


def execution_rationales(
    sample: FunctionSample, observation: Observation, limits: QuestionLimits
) -> Iterator[Question]:
    """Yield calls whose recorded runs are explained step by step."""
    num_asked = 0
    statements = Statements(sample.code)
    for number, call in asked_calls(sample, observation):
        if num_asked == limits.max_rationales:
            return
        if call.events is None:
            continue
        steps = steps_of(statements, call.events)
        num_steps = sum(step.kind == "line" for step in steps)
        if not limits.min_steps <= num_steps <= limits.max_steps:
            continue
        text = rationale(sample.code, call.call, call.answer, steps)
        if len(text) > limits.max_rationale_chars:
            continue
        num_asked += 1
        yield Question(
            kind="execution_rationale",
            prompt=render("execution_rationale", sample, code=sample.code, call=call.call),
            content=text,
            code=sample.code,
            call=call.call,
            answer=call.answer,
            wrong_answers=_wrong_answers(observation, number, call)[: limits.max_wrong_answers],
            verified_by="replay",
            call_from=call.origin,
            trace=render_trace(sample.code, call.call, call.events),
        )
