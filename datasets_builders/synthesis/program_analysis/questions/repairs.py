"""Section 2.4: code that is broken, to be repaired: as a whole function, as a diff, or by naming the faulty line.

Every question shows how the code fails: what a call returns in place of what it should, or the exception. The form
of the answer follows from the content's hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.mutation.mutate import changed_lines
from datasets_builders.synthesis.program_analysis.observation import (
    FailingMutant,
    Observation,
    ObservedCall,
    build_check,
    with_function,
)
from datasets_builders.synthesis.program_analysis.questions.question import (
    Question,
    QuestionLimits,
    as_code_block,
    meets_check,
    render,
)
from datasets_builders.synthesis.program_analysis.unified_diff import apply_diff, unified_diff

WHOLE, AS_DIFF, FAULTY_LINE = "code_repair", "repair_as_diff", "faulty_line"
# Whole functions as often as the two others together.
_FORMS = (WHOLE, AS_DIFF, WHOLE, FAULTY_LINE)
FILE_NAME = "program.py"


@dataclass(frozen=True)
class Fault:
    """A mutant with what is known of its failure.

    `failure` is a sentence; `fail_to_pass` and `pass_to_pass` are asserts that the faulty code fails and passes, all
    of which the right code passes.
    """

    mutant: FailingMutant
    failure: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]


def faults_of(observation: Observation) -> list[Fault]:
    """Return the mutants whose failure can be shown.

    Args:
        observation (`Observation`): what running the function and its mutants showed.
    """
    num_checked = observation.check.count("\nassert ") + 1
    faults = []
    for failing in observation.mutants:
        errors = failing.errors or ("",) * len(failing.values)
        failures = [
            describe_failure(call, value, error)
            for call, value, error in zip(observation.calls, failing.values, errors, strict=True)
        ]
        told = [failure for failure in failures[:num_checked] if failure]
        if not told:
            continue
        asserts = [build_check([call]) for call in observation.calls]
        faults.append(
            Fault(
                failing,
                told[0],
                tuple(text for text, failure in zip(asserts, failures, strict=True) if failure),
                tuple(
                    text
                    for text, failure, value in zip(asserts, failures, failing.values, strict=True)
                    if value and not failure
                ),
            )
        )
    return faults


def describe_failure(call: ObservedCall, value: str, error: str) -> str:
    """Return how a call of faulty code differs from the right one, empty where it does not or is not known.

    Args:
        call (`ObservedCall`): the call, and what the right code does.
        value (`str`): what the faulty code returns, empty where it is not known.
        error (`str`): the exception it raises, as a traceback ends; empty where it raises none.
    """
    if error:
        return f"`{call.call}` raises `{error}`; `{call.answer}` is expected."
    if value and not meets_check(value, call.answer):
        return f"`{call.call}` returns `{value}` instead of `{call.answer}`."
    return ""


def code_repairs(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield faults to be repaired, in the three forms."""
    faults = faults_of(observation)
    for fault in faults[: limits.max_repairs]:
        faulty = fault.mutant.mutant.function
        digest = hashlib.sha256(f"{sample.module}\0{sample.name}\0{faulty}".encode()).digest()
        form = _FORMS[digest[0] % len(_FORMS)]
        question = None
        if form == FAULTY_LINE:
            question = _faulty_line(sample, fault)
        elif form == AS_DIFF:
            question = _repair_as_diff(sample, observation, fault)
        if question is not None:
            yield question
        else:
            others = sorted(
                (other.mutant.mutant.function for other in faults if other is not fault),
                # The ones that differ most first: near pairs teach a preference nothing.
                key=lambda function: (
                    -sum(end - start for _, _, _, start, end in changed_lines(sample.function, function))
                ),
            )
            yield _whole_repair(sample, observation, fault, others, limits)


def _whole_repair(
    sample: FunctionSample, observation: Observation, fault: Fault, others: list[str], limits: QuestionLimits
) -> Question:
    faulty = fault.mutant.mutant.function
    return Question(
        kind=WHOLE,
        prompt=render(
            WHOLE,
            sample,
            faulty=with_function(sample, faulty),
            check=observation.check,
            failure=fault.failure,
        ),
        content=as_code_block(sample.function),
        code=with_function(sample, faulty),
        context=sample.context,
        check=observation.check,
        # Leaving the bug in is wrong too, and what a careless answer does.
        wrong_answers=[*others, faulty][: limits.max_wrong_answers],
        mutation=fault.mutant.mutant.operator,
        fail_to_pass=list(fault.fail_to_pass),
        pass_to_pass=list(fault.pass_to_pass),
    )


def _repair_as_diff(sample: FunctionSample, observation: Observation, fault: Fault) -> Question | None:
    faulty = with_function(sample, fault.mutant.mutant.function)
    diff = unified_diff(faulty, sample.code, FILE_NAME)
    if apply_diff(faulty, diff) != sample.code:
        return None
    return Question(
        kind=AS_DIFF,
        prompt=render(AS_DIFF, sample, faulty=faulty, check=observation.check, failure=fault.failure, file=FILE_NAME),
        content=f"```diff\n{diff}\n```",
        code=faulty,
        check=observation.check,
        mutation=fault.mutant.mutant.operator,
        fail_to_pass=list(fault.fail_to_pass),
        pass_to_pass=list(fault.pass_to_pass),
    )


def _faulty_line(sample: FunctionSample, fault: Fault) -> Question | None:
    """Ask for the line, if one line alone is changed and no other line of the program reads the same."""
    faulty = with_function(sample, fault.mutant.mutant.function)
    changes = changed_lines(sample.code, faulty)
    if len(changes) != 1:
        return None
    _, right_start, right_end, start, end = changes[0]
    lines = faulty.splitlines()
    if right_end - right_start != 1 or end - start != 1:
        return None
    texts = [line.strip() for line in lines]
    if texts.count(texts[start]) != 1:
        return None
    # The lines around are what one would take for it.
    near = sorted(range(len(texts)), key=lambda number: (abs(number - start), number))
    wrong = [texts[number] for number in near if number != start and len(texts[number]) > len("else:")]
    return Question(
        kind=FAULTY_LINE,
        prompt=render(FAULTY_LINE, sample, faulty=faulty, failure=fault.failure),
        content=texts[start],
        code=faulty,
        answer=texts[start],
        wrong_answers=list(dict.fromkeys(wrong))[:3],
        mutation=fault.mutant.mutant.operator,
        fail_to_pass=list(fault.fail_to_pass),
        pass_to_pass=list(fault.pass_to_pass),
    )
