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
    """How many questions of a function are asked, and which docstrings are good enough.

    Of a function of one statement, and of answers that can be copied from the call, one question a kind is asked.
    `max_steps` and `max_rationale_chars` bound a rationale, `min_steps` is the shortest.
    """

    max_calls: int = 6
    max_rationales: int = 6
    max_inputs: int = 2
    max_arguments: int = 2
    max_exceptions: int = 2
    max_branches: int = 2
    max_locals: int = 2
    max_counterexamples: int = 1
    max_equivalences: int = 1
    min_steps: int = 2
    max_steps: int = 50
    max_rationale_chars: int = 3000
    max_repairs: int = 3
    max_wrong_answers: int = 3
    max_rewrites: int = 3
    min_docstring_chars: int = 30
    max_docstring_chars: int = 800
    min_docstring_words: int = 5
    min_statements: int = 3


@dataclass(frozen=True)
class Question:
    """One question and its answer.

    `content` is the text of the answer as the assistant gives it. `code`, `call` and `answer` are set for the kinds
    about a run of a program; `context` and `check` (asserts that the right code passes) for those answered in code.
    Where other answers may be right too, `check` is a program to run after `code`, with `???` for the answer.
    `wrong_answers` were seen to be wrong: other values, or code that fails the check. `verified_by` says what stands
    for the answer: execution, replay (of a recorded run), doctest, or none. `call_from` says where the call is from,
    `trace` is the recorded run. Of a repair, `mutation` is the kind of fault, and the faulty code fails the asserts
    `fail_to_pass` and passes `pass_to_pass`. Of tests, `mutants` are faulty versions of the function, of which the
    tests find `num_killed`. Of a refactoring, `rewrite` is its kind, and both versions did the same on
    `num_compared_calls` calls.
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
    verified_by: str = "execution"
    call_from: str = ""
    trace: str = ""
    mutants: list[str] = field(default_factory=list)
    num_killed: int = 0
    rewrite: str = ""
    num_compared_calls: int = 0

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


@cache
def rationale_styles() -> tuple[dict[str, Template], ...]:
    """Return the wordings of a rationale's steps: what happened to its wording, for every style."""
    text = (PROMPT_FOLDER / "rationale_steps.txt").read_text(encoding="utf-8")
    pairs = ([line.split(": ", 1) for line in part.strip().splitlines()] for part in text.split("\n---\n"))
    return tuple({name: Template(wording) for name, wording in style} for style in pairs)


def as_code_block(code: str) -> str:
    """Return code in a Markdown fence, as answers in code are given."""
    return f"```python\n{code}\n```"


def same_value(first: str, second: str) -> bool:
    """Return whether two literals, given as text, are equal values."""
    return first == second or ast.literal_eval(first) == ast.literal_eval(second)


def meets_check(value: str, answer: str) -> bool:
    """Return whether a value, given as text, meets the assert that states an answer: `1` is not `True` there."""
    return value == answer or (answer not in ("None", "True", "False") and same_value(value, answer))


PLACEHOLDER = "???"


def filled_check(check: str, answer: str) -> str:
    """Return a check with an answer in it, to be run after a question's code.

    Args:
        check (`str`): of a question; `???` stands for the answer.
        answer (`str`): a call with literal arguments, from whatever source.

    Raises:
        ValueError: the answer is something else, which might do anything.
    """
    try:
        node = ast.parse(answer.strip(), mode="eval").body
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "list":
            node = node.args[0]
        _check_literal_call(node)
    except (SyntaxError, ValueError, TypeError, IndexError, RecursionError, MemoryError) as error:
        raise ValueError(f"the answer is no call with literal arguments: {answer[:60]!r}") from error
    return check.replace(PLACEHOLDER, answer.strip())


def _check_literal_call(node: ast.expr) -> None:
    """Raise ValueError unless an expression is a call, or an attribute or method of one, with literal arguments."""
    while isinstance(node, ast.Call | ast.Attribute):
        if isinstance(node, ast.Attribute):
            node = node.value
            continue
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            ast.literal_eval(argument)
        node = node.func
    if not isinstance(node, ast.Name):
        raise ValueError("the answer is no call of a name")


def asked_definition(sample: FunctionSample, call: str) -> ast.FunctionDef | None:
    """Return the function or method that a call is about, if its text shows it."""
    node = ast.parse(sample.function).body[0]
    if isinstance(node, ast.FunctionDef):
        return node
    name = call_name(call)
    methods = [part for part in ast.walk(node) if isinstance(part, ast.FunctionDef) and part.name == name]
    return methods[0] if methods else None


def call_name(call: str) -> str:
    """Return the name of the function or method that an expression calls."""
    node = ast.parse(call, mode="eval").body
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "list" and node.args:
        node = node.args[0]
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def num_statements(function: ast.FunctionDef) -> int:
    """Return the number of statements in a function's body, at all depths, without its docstring."""
    num_all = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    return num_all - (ast.get_docstring(function) is not None)


def is_one_statement(sample: FunctionSample, call: str) -> bool:
    """Return whether a call is about a function of one statement."""
    function = asked_definition(sample, call)
    return function is not None and num_statements(function) <= 1


def stands_in_call(answer: str, call: str) -> bool:
    """Return whether an answer can be copied from the call."""
    return len(answer) > 2 and answer in call
