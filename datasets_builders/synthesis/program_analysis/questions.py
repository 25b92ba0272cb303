"""Section 2.4: questions whose answers are known because they were computed.

Four kinds: what a call returns (execution_prediction), which edit broke a function (code_repair), a function from its
docstring (docstring_to_code) and a docstring from its function (code_to_docstring).
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template

from datasets_builders.building.identity import content_id
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import (
    FailingMutant,
    Observation,
    ObservedCall,
    with_function,
)

KINDS = ("execution_prediction", "code_repair", "docstring_to_code", "code_to_docstring")
PROMPT_FOLDER = Path(__file__).with_name("prompts")


@dataclass(frozen=True)
class QuestionLimits:
    """How many questions of a function are asked, and which docstrings are good enough."""

    max_calls: int = 6
    max_repairs: int = 3
    max_wrong_answers: int = 3
    min_docstring_chars: int = 30
    max_docstring_chars: int = 800
    min_docstring_words: int = 5
    min_statements: int = 3


@dataclass(frozen=True)
class Question:
    """One question and its answer.

    `content` is the text of the answer as the assistant gives it. `code`, `call` and `answer` are set for execution
    prediction only; `context` and `check` (asserts that the right code passes) for the kinds answered in code.
    `wrong_answers` were seen to be wrong: other values, or code that fails the check.
    """

    kind: str
    prompt: str
    content: str
    code: str = ""
    call: str = ""
    answer: str = ""
    context: str = ""
    check: str = ""
    wrong_answers: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that is to be learned or judged from the question: what must not hold a benchmark's texts."""
        return "\n\n".join((self.prompt, self.content, self.check, *self.wrong_answers))

    @property
    def mid(self) -> str:
        """Content hash, 32 hex digits: the same question has the same id in every build."""
        text = json.dumps([self.kind, self.prompt, self.content], ensure_ascii=True)
        return content_id(text)


@cache
def prompt_templates(kind: str) -> tuple[Template, ...]:
    """Return the wordings of a kind of question, from its file in `prompts/`."""
    text = (PROMPT_FOLDER / f"{kind}.txt").read_text(encoding="utf-8")
    return tuple(Template(part.strip("\n")) for part in text.split("\n---\n"))


def _render(kind: str, sample: FunctionSample, **values: str) -> str:
    """Fill the wording that the content's hash chooses."""
    templates = prompt_templates(kind)
    digest = hashlib.sha256(json.dumps([kind, sample.module, sample.name, values], sort_keys=True).encode()).digest()
    return templates[int.from_bytes(digest[:8], "big") % len(templates)].substitute(name=sample.name, **values)


def as_code_block(code: str) -> str:
    """Return code in a Markdown fence, as answers in code are given."""
    return f"```python\n{code}\n```"


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
    for number, call in enumerate(observation.calls[: limits.max_calls]):
        yield _execution_prediction(sample, observation, number, call, limits)
    yield from _code_repairs(sample, observation, limits)
    yield from _docstring_questions(sample, observation, limits)


def _execution_prediction(
    sample: FunctionSample, observation: Observation, number: int, call: ObservedCall, limits: QuestionLimits
) -> Question:
    # What a bug would have returned is the most plausible wrong value; what other arguments return comes next.
    by_mutants = [mutant.values[number] for mutant in observation.mutants]
    by_others = [other.answer for other in observation.calls]
    wrong = [text for text in dict.fromkeys((*by_mutants, *by_others)) if text and not _same_value(text, call.answer)]
    return Question(
        kind="execution_prediction",
        prompt=_render("execution_prediction", sample, code=sample.code, call=call.call),
        content=call.answer,
        code=sample.code,
        call=call.call,
        answer=call.answer,
        wrong_answers=wrong[: limits.max_wrong_answers],
    )


def _same_value(first: str, second: str) -> bool:
    return first == second or ast.literal_eval(first) == ast.literal_eval(second)


def _failure(mutant: FailingMutant, calls: list[ObservedCall]) -> str:
    for call, value in zip(calls, mutant.values, strict=False):
        if value and not _same_value(value, call.answer):
            return f"`{call.call}` returns `{value}` instead of `{call.answer}`."
    return "The check below does not pass."


def _code_repairs(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    num_checked = observation.check.count("\nassert ") + 1
    for number, failing in enumerate(observation.mutants[: limits.max_repairs]):
        faulty = failing.mutant.function
        others = [other.mutant.function for index, other in enumerate(observation.mutants) if index != number]
        yield Question(
            kind="code_repair",
            prompt=_render(
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


def _docstring_questions(
    sample: FunctionSample, observation: Observation, limits: QuestionLimits
) -> Iterator[Question]:
    parts = split_docstring(sample.function)
    if parts is None or not _is_worth_documenting(sample, limits):
        return
    stub, undocumented = parts
    given = f"\nGiven:\n\n```python\n{sample.context}\n```\n" if sample.context else ""
    yield Question(
        kind="docstring_to_code",
        prompt=_render("docstring_to_code", sample, stub=stub, given=given),
        content=as_code_block(sample.function),
        context=sample.context,
        check=observation.check,
        wrong_answers=[failing.mutant.function for failing in observation.mutants][: limits.max_wrong_answers],
    )
    yield Question(
        kind="code_to_docstring",
        prompt=_render("code_to_docstring", sample, undocumented=undocumented),
        content=sample.docstring,
        context=sample.context,
    )


def _is_worth_documenting(sample: FunctionSample, limits: QuestionLimits) -> bool:
    text = sample.docstring
    if not limits.min_docstring_chars <= len(text) <= limits.max_docstring_chars:
        return False
    if len(text.split()) < limits.min_docstring_words:
        return False
    statements = [node for node in ast.walk(ast.parse(sample.function)) if isinstance(node, ast.stmt)]
    return len(statements) - 2 >= limits.min_statements  # the definition and the docstring count as one each


def split_docstring(function: str) -> tuple[str, str] | None:
    """Return a function up to the end of its docstring, and the function without its docstring.

    Args:
        function (`str`): source text of one function.

    Returns:
        Two texts, or `None` where the docstring shares its lines with other code or is all there is.
    """
    node = ast.parse(function).body[0]
    assert isinstance(node, ast.FunctionDef)
    if ast.get_docstring(node) is None or len(node.body) < 2:
        return None
    first, last = node.body[0].lineno, node.body[0].end_lineno or node.body[0].lineno
    if first <= _signature_end(node) or node.body[1].lineno <= last:
        return None
    lines = function.splitlines()
    return "\n".join(lines[:last]), "\n".join([*lines[: first - 1], *lines[last:]])


def _signature_end(node: ast.FunctionDef) -> int:
    """Return the last line on which something of the signature stands, as far as the tree knows."""
    parts = [part for part in ast.walk(node.args) if isinstance(part, ast.expr | ast.arg)]
    parts += [node.returns] if node.returns is not None else []
    return max([node.lineno, *(part.end_lineno or part.lineno for part in parts)])
