"""Section 4.4: CRUXEval: what does a call return, and what call returns this? With chain of thought.

The prompts are CRUXEval's own, in files beside this one; the paper used the same. Answers stand between [ANSWER] and
[/ANSWER], and are judged by running the function.
"""

from __future__ import annotations

import ast
from pathlib import Path

from evals.benchmarks.cruxeval import CRUXEVAL
from evals.benchmarks.rows import Row
from evals.execution import Limits, Program
from evals.tasks.answers import Extraction
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.marked import marked_program

PROMPTS = Path(__file__).parent / "prompts"
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
        return Extraction(answer, "fenced" if "[ANSWER]" in answer else "no_fence")

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

    The text is parsed, not split at "==": the strings of an answer may hold it.
    """
    text = answer.rpartition("[ANSWER]")[2].partition("[/ANSWER]")[0].strip()
    try:
        statement = ast.parse(text).body[0]
    except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
        return None, None
    expression = statement.test if isinstance(statement, ast.Assert) else getattr(statement, "value", None)
    if isinstance(expression, ast.Compare) and len(expression.ops) == 1 and isinstance(expression.ops[0], ast.Eq):
        return ast.unparse(expression.left), ast.unparse(expression.comparators[0])
    if isinstance(expression, ast.expr):  # only the one side that was asked for
        return ast.unparse(expression), ast.unparse(expression)
    return None, None


def is_literal(text: str) -> bool:
    """Return whether a text is a literal: nothing is called or looked up in it, but for set()."""
    if text == "set()":
        return True
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


def is_call_of_f(text: str) -> bool:
    """Return whether a text is one call of f."""
    expression = ast.parse(text, mode="eval").body
    return isinstance(expression, ast.Call) and isinstance(expression.func, ast.Name) and expression.func.id == "f"
