"""Section 2.4: what a question is, how many are asked of a function, and how it is worded."""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template

from datasets_builders.building.identity import content_id
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample

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
    `wrong_answers` were seen to be wrong: other values, or code that fails the check. Of a repair, `mutation` is the
    kind of fault, and the faulty code fails the asserts `fail_to_pass` and passes `pass_to_pass`.
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
    mutation: str = ""
    fail_to_pass: list[str] = field(default_factory=list)
    pass_to_pass: list[str] = field(default_factory=list)

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


def render(kind: str, sample: FunctionSample, **values: str) -> str:
    """Return a question in the wording that the content's hash chooses.

    Args:
        kind (`str`): the kind of question, whose wordings lie in `prompts/`.
        sample (`FunctionSample`): the function asked about.
        values (`str`): what stands at the placeholders of the wordings, `name` aside.
    """
    templates = prompt_templates(kind)
    digest = hashlib.sha256(json.dumps([kind, sample.module, sample.name, values], sort_keys=True).encode()).digest()
    return templates[int.from_bytes(digest[:8], "big") % len(templates)].substitute(name=sample.name, **values)


def as_code_block(code: str) -> str:
    """Return code in a Markdown fence, as answers in code are given."""
    return f"```python\n{code}\n```"


def same_value(first: str, second: str) -> bool:
    """Return whether two literals, given as text, are equal values."""
    return first == second or ast.literal_eval(first) == ast.literal_eval(second)
