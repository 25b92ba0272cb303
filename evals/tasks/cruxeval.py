"""Sections 4.3.2 and 4.4.2: CRUXEval: what does a call return, and what call returns this? With chain of thought.

The prompts are CRUXEval's own, in files beside this one; the paper used the same. Answers stand between [ANSWER] and
[/ANSWER], and are judged by running the function.
"""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path
from typing import TypeGuard

from evals.benchmarks.cruxeval import CRUXEVAL
from evals.benchmarks.rows import Row
from evals.execution import Limits, Program
from evals.tasks.answers import Extraction
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.blocks import blocks, final_text
from evals.tasks.marked import marked_program

PROMPTS = Path(__file__).parent / "prompts"
MAX_LINES = 8  # of what stands between the marks: one of them is the assertion
VALUE_NODES = (
    *(ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.Call, ast.UnaryOp, ast.BinOp, ast.expr_context),
    *(ast.operator, ast.unaryop),
)
WRONG = Program("raise SystemExit('the answer has not the form that was asked for')")


class CruxEvalOutput(ExecutedBenchmark):
    """What does the call return? A literal, so that calling the function again is no answer."""

    name = "cruxeval_output"
    title = "800 Python functions: what does the call return (CoT)"
    source = CRUXEVAL
    base_stops = ("[/ANSWER]",)
    limits = Limits(wall_seconds=3.0, cpu_seconds=3.0)
    template = (PROMPTS / "cruxeval_output.txt").read_text(encoding="utf-8")

    def identify(self, row: Row) -> str:
        return row["id"]

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        return self.template.format(**row)  # the template has no other braces; those of the row are left alone

    def code_of_answer(self, row: Row, answer: str) -> Extraction:
        said = final_text(answer)
        if said is None:
            return Extraction("", "unfinished_thought")
        return Extraction(said, "tagged" if "[ANSWER]" in said else "no_fence")

    def program(self, row: Row, code: str) -> Program:
        value = answered_assertion(code)[1]
        if value is None or not is_literal(value):
            return WRONG
        return marked_program(row["code"], f"assert f({row['input']}) == {value}")

    def gold(self, row: Row) -> str:
        return f"[ANSWER]\nassert f({row['input']}) == {row['output']}\n[/ANSWER]"


class CruxEvalInput(CruxEvalOutput):
    """Which call returns this? Any call of f will do."""

    name = "cruxeval_input"
    title = "800 Python functions: which call returns this (CoT)"
    template = (PROMPTS / "cruxeval_input.txt").read_text(encoding="utf-8")

    def program(self, row: Row, code: str) -> Program:
        call = answered_assertion(code)[0]
        if call is None or not is_call_of_f(call):
            return WRONG
        return marked_program(row["code"], f"assert {row['output']} == {call}")


def answered_assertion(answer: str) -> tuple[str | None, str | None]:
    """Return both sides of the assertion in an answer: the call, and what stands after ==; None where not found.

    The last [ANSWER] that holds one counts. The text is parsed, not split at "==": the strings of an answer may hold
    it.
    """
    for said in reversed(answer.split("[ANSWER]")[1:] or [answer]):
        for statement in _statements(said.partition("[/ANSWER]")[0]):
            expression = statement.test if isinstance(statement, ast.Assert) else getattr(statement, "value", None)
            with contextlib.suppress(RecursionError):
                if _is_comparison(expression):
                    return ast.unparse(expression.left), ast.unparse(expression.comparators[0])
                if isinstance(expression, ast.expr):  # only the one side that was asked for
                    return ast.unparse(expression), ast.unparse(expression)
    return None, None


def _is_comparison(expression: object) -> TypeGuard[ast.Compare]:
    return isinstance(expression, ast.Compare) and len(expression.ops) == 1 and isinstance(expression.ops[0], ast.Eq)


def _statements(said: str) -> list[ast.stmt]:
    """Return the first statement of what an answer says, which may stand in a fence, backticks or bold."""
    text = (final_text(said) or "").strip()
    tried = [text, text.strip("*`").strip(), *(block.code for block in blocks(text, "python"))]
    tried += [line.strip().strip("*`") for line in text.split("\n") if line.strip()][:MAX_LINES]
    for code in tried:
        try:
            found = ast.parse(code.strip()).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if found and not (isinstance(found[0], ast.Expr) and isinstance(found[0].value, ast.Name)):
            return found[:1]
    return []


def is_literal(text: str) -> bool:
    """Return whether a text is a value written out: of constants, displays and operators, and set() of those.

    Nothing else is called or looked up in it. `[0] * 3` is one.
    """
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval").body))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call) and _is_set(node.func)}
    return all(isinstance(node, VALUE_NODES) or id(node) in called for node in nodes) and all(
        id(node.func) in called for node in nodes if isinstance(node, ast.Call)
    )


def _is_set(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("set", "frozenset")


def is_call_of_f(text: str) -> bool:
    """Return whether a text is one call of f."""
    expression = ast.parse(text, mode="eval").body
    return isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "f"
