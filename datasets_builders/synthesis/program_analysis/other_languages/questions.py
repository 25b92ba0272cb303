"""Section 2.4: questions about functions in other languages than Python.

What a call returns (execution_prediction), a call that returns a value (input_prediction: any that does is right),
which edit broke a function (code_repair), and a function from its documentation (docstring_to_code).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from string import Template

from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.observation import (
    FailingMutant,
    Observation,
    ObservedCall,
)
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from datasets_builders.synthesis.program_analysis.questions.question import Question, QuestionLimits

PROMPT_FOLDER = Path(__file__).with_name("prompts")
ANSWER = "???"  # in a check of answers of which several are right
MAX_INPUTS = 2  # questions of a function that ask for a call
# Answers that so many calls give that asking for one of them tests nothing.
_EASY_ANSWERS = frozenset(
    ["true", "false", "null", "undefined", "nil", "0", "1", "-1", "NaN", "{}", "[]", "nullptr"]
) | {'""', "''"}

_LONG_FRACTION = re.compile(r"\.\d{9}")  # nobody finds arguments for every bit of a number


@cache
def prompt_templates(kind: str) -> tuple[Template, ...]:
    """Return the wordings of a kind of question, from its file in `prompts/`."""
    text = (PROMPT_FOLDER / f"{kind}.txt").read_text(encoding="utf-8")
    return tuple(Template(part.strip("\n")) for part in text.split("\n---\n"))


def questions_about(
    sample: ProgramSample, observation: Observation, limits: QuestionLimits | None = None
) -> Iterator[Question]:
    """Yield all questions of all kinds that a function gives.

    Args:
        sample (`ProgramSample`): the function.
        observation (`Observation`): what running it showed; an impure function gives no questions.
        limits (`QuestionLimits`, *optional*): how many.

    Yields:
        `Question`, in a fixed order.
    """
    limits = limits or QuestionLimits()
    if observation.impurity:
        return
    for number, call in enumerate(observation.calls[: limits.max_calls]):
        yield _execution_prediction(sample, observation, number, call, limits)
    yield from _input_predictions(sample, observation, limits)
    yield from _code_repairs(sample, observation, limits)
    yield from _docstring_to_code(sample, observation, limits)


def as_code_block(sample: ProgramSample, code: str) -> str:
    """Return code in a Markdown fence of its language."""
    return f"```{PROGRAM_LANGUAGES[sample.language].dialect.fence}\n{code}\n```"


def _render(kind: str, sample: ProgramSample, **values: str) -> str:
    templates = prompt_templates(kind)
    digest = hashlib.sha256(json.dumps([kind, sample.module, sample.name, values], sort_keys=True).encode()).digest()
    template = templates[int.from_bytes(digest[:8], "big") % len(templates)]
    fence = PROGRAM_LANGUAGES[sample.language].dialect.fence
    return template.substitute(name=sample.name, language=sample.language, fence=fence, **values)


def _execution_prediction(
    sample: ProgramSample, observation: Observation, number: int, call: ObservedCall, limits: QuestionLimits
) -> Question:
    # What a fault would have returned is the most plausible wrong value; what other arguments return comes next.
    by_mutants = [mutant.values[number] for mutant in observation.mutants]
    by_others = [other.answer for other in observation.calls]
    wrong = [text for text in dict.fromkeys((*by_mutants, *by_others)) if text and text != call.answer]
    return Question(
        kind="execution_prediction",
        prompt=_render("execution_prediction", sample, code=sample.code, call=call.call),
        content=call.answer,
        code=sample.code,
        call=call.call,
        answer=call.answer,
        check=PROGRAM_LANGUAGES[sample.language].check(sample, [call]),
        wrong_answers=wrong[: limits.max_wrong_answers],
        call_from=_origin(sample, call),
    )


def _origin(sample: ProgramSample, call: ObservedCall) -> str:
    return "call_site" if call.call in sample.seen_calls else "generated"


def _input_predictions(sample: ProgramSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    num_asked = 0
    for call in observation.calls[: limits.max_calls]:
        others = [other.call for other in observation.calls if other.answer != call.answer]
        if num_asked == MAX_INPUTS or not others or not sample.parameters:
            return
        # One that copies the answer into its arguments shows nothing of the function.
        if call.answer in _EASY_ANSWERS or call.answer in call.call or _LONG_FRACTION.search(call.answer):
            continue
        num_asked += 1
        yield Question(
            kind="input_prediction",
            prompt=_render("input_prediction", sample, code=sample.code, answer=call.answer, called=sample.called),
            content=call.call,
            code=sample.code,
            call=call.call,
            answer=call.answer,
            check=PROGRAM_LANGUAGES[sample.language].check(sample, [replace(call, call=ANSWER)]),
            wrong_answers=others[: limits.max_wrong_answers],
            call_from=_origin(sample, call),
        )


def _failure(mutant: FailingMutant, calls: list[ObservedCall]) -> str:
    """Say how the fault shows: the first call that answers otherwise."""
    for call, value, error in zip(calls, mutant.values, mutant.errors, strict=False):
        if value and value != call.answer:
            return f"`{call.call}` returns `{value}` instead of `{call.answer}`."
        if error:
            return f"`{call.call}` fails with {error} instead of returning `{call.answer}`."
    return ""


def _code_repairs(sample: ProgramSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    num_repairs = 0
    for number, failing in enumerate(observation.mutants):
        failure = _failure(failing, observation.calls)
        if num_repairs == limits.max_repairs:
            return
        if not failure:
            continue
        num_repairs += 1
        faulty = failing.mutant.function
        asserts = _asserts(sample, failing, observation.calls)
        others = [other.mutant.function for index, other in enumerate(observation.mutants) if index != number]
        yield Question(
            kind="code_repair",
            prompt=_render(
                "code_repair",
                sample,
                faulty=sample.with_function(faulty).code,
                check=observation.check,
                failure=failure,
            ),
            content=as_code_block(sample, sample.function),
            context=sample.context,
            check=observation.check,
            # Leaving the fault in is wrong too, and what a careless answer does.
            wrong_answers=[faulty, *others][: limits.max_wrong_answers],
            mutation=failing.mutant.operator,
            fail_to_pass=asserts["fail_to_pass"],
            pass_to_pass=asserts["pass_to_pass"],
        )


def _asserts(sample: ProgramSample, failing: FailingMutant, calls: list[ObservedCall]) -> dict[str, list[str]]:
    """Return the check of each call by itself, by whether the faulty code passes it."""
    asserts: dict[str, list[str]] = {"fail_to_pass": [], "pass_to_pass": []}
    for call, value, error in zip(calls, failing.values, failing.errors, strict=True):
        if value or error:
            kind = "pass_to_pass" if value == call.answer else "fail_to_pass"
            asserts[kind].append(PROGRAM_LANGUAGES[sample.language].check(sample, [call]))
    return asserts


def _docstring_to_code(sample: ProgramSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield the function from its documentation, where that is prose and the function's check is known."""
    words = re.findall(r"[A-Za-z]{2,}", re.sub(r"[@\\]\w+|\{[^}]*\}|https?://\S+", " ", sample.docstring))
    if not limits.min_docstring_chars <= len(sample.docstring) <= limits.max_docstring_chars:
        return
    if len(words) < limits.min_docstring_words or not observation.check:
        return
    signature = sample.function.partition("{")[0].strip()
    if not signature or sample.function.count("\n") < limits.min_statements:
        return
    fence = PROGRAM_LANGUAGES[sample.language].dialect.fence
    given = f"\nIt stands in this program:\n\n```{fence}\n{sample.context}\n```\n" if sample.context else ""
    yield Question(
        kind="docstring_to_code",
        prompt=_render(
            "docstring_to_code", sample, docstring=sample.docstring, signature=signature + " { ... }", given=given
        ),
        content=as_code_block(sample, sample.function),
        context=sample.context,
        check=observation.check,
        wrong_answers=[failing.mutant.function for failing in observation.mutants][: limits.max_wrong_answers],
    )
