"""Section 2.4: questions whose answers are known because they were computed, a module for each kind.

What a call returns (execution_prediction), and how (execution_rationale); which call gives a result (input_prediction)
or shows a fault (counterexample), where there may be none (equivalence); what a call does to its arguments
(argument_afterwards) and how it fails (exception_prediction); which way a condition goes (branch_prediction), what a
variable holds on the way (local_value), how many lines run (complexity); how to mend a broken function (code_repair,
repair_as_diff, faulty_line); a function's tests (test_writing) and another form of it (refactoring); a function from
its docstring (docstring_to_code) and a docstring from its function (code_to_docstring).
"""

from __future__ import annotations

from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import Observation
from datasets_builders.synthesis.program_analysis.questions.complexity import complexity_questions
from datasets_builders.synthesis.program_analysis.questions.docstrings import docstring_questions
from datasets_builders.synthesis.program_analysis.questions.effects import argument_questions, exception_questions
from datasets_builders.synthesis.program_analysis.questions.execution import (
    execution_predictions,
    execution_rationales,
)
from datasets_builders.synthesis.program_analysis.questions.inputs import counterexamples, input_predictions
from datasets_builders.synthesis.program_analysis.questions.question import Question, QuestionLimits
from datasets_builders.synthesis.program_analysis.questions.repairs import code_repairs
from datasets_builders.synthesis.program_analysis.questions.states import state_questions

KINDS = (
    *("execution_prediction", "execution_rationale", "input_prediction", "counterexample", "argument_afterwards"),
    *("exception_prediction", "branch_prediction", "local_value", "equivalence", "complexity"),
    *("code_repair", "repair_as_diff", "faulty_line"),
    *("test_writing", "refactoring"),
    *("docstring_to_code", "code_to_docstring"),
)

__all__ = ["KINDS", "Question", "QuestionLimits", "questions_about"]


def questions_about(
    sample: FunctionSample, observation: Observation, limits: QuestionLimits | None = None
) -> Iterator[Question]:
    """Yield all questions of all kinds that a function gives.

    Args:
        sample (`FunctionSample`): the function.
        observation (`Observation`): what running it showed; an impure function gives no questions.
        limits (`QuestionLimits`, *optional*): how many, and how good the docstring must be.

    Yields:
        `Question`, in a fixed order.
    """
    limits = limits or QuestionLimits()
    if observation.impurity:
        return
    for ask in (
        *(execution_predictions, execution_rationales, input_predictions, counterexamples),
        *(argument_questions, exception_questions, state_questions, complexity_questions),
        *(code_repairs, docstring_questions),
    ):
        yield from ask(sample, observation, limits)
