"""Section 2.4: a function from its docstring (docstring_to_code) and a docstring from its function."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample, source_lines
from datasets_builders.synthesis.program_analysis.observation import Observation
from datasets_builders.synthesis.program_analysis.questions.question import (
    Question,
    QuestionLimits,
    as_code_block,
    render,
)

# Notes among those who work on a project, which nobody else can make sense of.
_INSIDE_TALK = re.compile(
    r"\b(XXX|TODO|FIXME|HACK|bpo-?\d+|gh-\d+|issue ?#?\d+|SF (bug|patch)|PEP \d+)\b", re.IGNORECASE
)
_WORDS_IN_A_ROW = re.compile(r"\b[a-z]{3,} [a-z]{2,} [a-z]{2,}\b")
_EXAMPLE_LINES = re.compile(r"(?m)^\s*(>>>|\.\.\.)( .*)?$")


def docstring_questions(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield a function to be written from its docstring, and a docstring from its function.

    What the docstring says is the author's word; where it has examples, they were run.
    """
    parts = None if sample.is_class else split_docstring(sample.function)
    if parts is None or not _is_worth_documenting(sample, limits):
        return
    has_examples = ">>>" in sample.docstring
    if has_examples and observation.doctests != "passed":
        return
    stub, undocumented = parts
    given = f"\nGiven:\n\n```python\n{sample.context}\n```\n" if sample.context else ""
    examples = "doctest" if has_examples else "none"
    yield Question(
        kind="docstring_to_code",
        prompt=render("docstring_to_code", sample, stub=stub, given=given),
        content=as_code_block(sample.function),
        context=sample.context,
        check=observation.check,
        wrong_answers=[failing.mutant.function for failing in observation.mutants][: limits.max_wrong_answers],
        verified_by="execution" if observation.check else examples,
    )
    yield Question(
        kind="code_to_docstring",
        prompt=render("code_to_docstring", sample, undocumented=undocumented, given=given),
        content=sample.docstring,
        context=sample.context,
        verified_by=examples,
    )


def is_prose(text: str) -> bool:
    """Return whether a docstring is a description in words, meant for users.

    Args:
        text (`str`): the docstring.

    Returns:
        `bool`: no for examples alone, for lists of names and for notes among developers.
    """
    described = _EXAMPLE_LINES.sub("", text.split(">>>")[0]).strip()
    if not described[:1].isalpha() or _INSIDE_TALK.search(text):
        return False
    return _WORDS_IN_A_ROW.search(described) is not None


def _is_worth_documenting(sample: FunctionSample, limits: QuestionLimits) -> bool:
    text = sample.docstring
    if not limits.min_docstring_chars <= len(text) <= limits.max_docstring_chars or not is_prose(text):
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
    lines = source_lines(function)
    return "\n".join(lines[:last]), "\n".join([*lines[: first - 1], *lines[last:]])


def _signature_end(node: ast.FunctionDef) -> int:
    """Return the last line on which something of the signature stands, as far as the tree knows."""
    parts = [part for part in ast.walk(node.args) if isinstance(part, ast.expr | ast.arg)]
    parts += [node.returns] if node.returns is not None else []
    return max([node.lineno, *(part.end_lineno or part.lineno for part in parts)])
