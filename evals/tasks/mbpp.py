"""Sections 4.3.1 and 4.4.1: MBPP, 3-shot for base models, and MBPP+, without examples: it contains those."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace
from pathlib import Path

from evals.benchmarks.mbpp import MBPP, MBPP_PLUS, MBPP_SHOTS
from evals.benchmarks.rows import Row
from evals.execution import Limits, Program
from evals.tasks.benchmark import SELF_CONTAINED_SCRIPT, ExecutedBenchmark
from evals.tasks.marked import marked_program
from evals.tasks.prepared_tests import prepared_test
from evals.tasks.python_text import as_module, without_demonstration

# The prompt of the paper that introduced MBPP; DeepSeek-Coder's harness, which CodeFuseEval follows, quotes the code.
QUESTION = (
    "You are an expert Python programmer, and here is your task: {text} Your code should pass these tests:\n\n{tests}\n"
)
ANSWERS = {"standard": "[BEGIN]\n{code}\n[DONE]\n\n", "paper": "[BEGIN]\n '{code}' \n[DONE]\n\n"}
PREFIXES = {"standard": "", "paper": "Complete the following python code:\n"}
PAPER_CHAT = "{text}\nYour code should satisfy these tests:\n{tests}"


class Mbpp(ExecutedBenchmark):
    """pass@1; ids 11 to 510."""

    name = "mbpp"
    title = "500 small Python problems with three tests each; 3-shot for base models"
    source = MBPP
    packages = ("numpy",)  # as for MBPP+
    max_new_tokens = 512
    base_stops = ("[DONE]",)

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        """Return the rows, each with the examples of the few-shot prompt."""
        rows, where = self.source.load(data_dir)
        shots = [{key: row[key] for key in ("text", "code", "test_list")} for row in MBPP_SHOTS.load(data_dir)[0]]
        return [{**row, "shots": shots} for row in rows], where

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        if instruct:
            template = PAPER_CHAT if preset == "paper" else QUESTION
            return template.format(text=row["text"], tests="\n".join(row["test_list"]))
        examples = "".join(self._question(shot) + ANSWERS[preset].format(code=shot["code"]) for shot in row["shots"])
        return f"{PREFIXES[preset]}{examples}{self._question(row)}[BEGIN]\n"

    def _question(self, row: Row) -> str:
        return QUESTION.format(text=row["text"], tests="\n".join(row["test_list"]))

    def entry_point(self, row: Row) -> str | None:
        return called_function(row["test_list"][0])

    def program(self, row: Row, code: str) -> Program:
        """Return code, setup, tests, in this order: the setup of one problem uses a class of the solution."""
        code = code.strip()
        if code[:1] == code[-1:] == "'":  # the paper preset's examples quote the code, and a base model quotes its own
            code = code[1:-1]
        tests = "\n".join([row["test_setup_code"], *row["test_list"]])
        return marked_program(as_module(code), tests, packages=self.packages)

    def chat_program(self, row: Row, code: str) -> Program:
        return self.program(row, without_demonstration(code, self.entry_point(row)))

    def gold(self, row: Row) -> str:
        return row["code"]


class MbppPlus(ExecutedBenchmark):
    """MBPP's cleaned problems with evalplus's tests."""

    name = "mbppplus"
    title = "378 cleaned MBPP problems with evalplus's tests"
    source = MBPP_PLUS
    max_new_tokens = 512
    packages = ("numpy",)
    limits = Limits(wall_seconds=60.0, cpu_seconds=60.0, memory_bytes=4 << 30)
    base_stops = ('\n"""', "\nassert", "\nclass ", "\nif __name__", "\nprint(")

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        if instruct and preset == "paper":
            return PAPER_CHAT.format(text=row["prompt"], tests="\n".join(row["test_list"]))
        text = f'"""\n{row["prompt"]}\n{row["test_list"][0]}\n"""\n'
        return SELF_CONTAINED_SCRIPT.format(prompt=text.strip()) if instruct else text

    def entry_point(self, row: Row) -> str | None:
        return called_function(row["test_list"][0])

    def program(self, row: Row, code: str) -> Program:
        test = prepared_test(row["test"], self.packages, self.limits)
        program = marked_program(as_module(code), test.text, packages=self.packages)
        return replace(program, expected_seconds=test.seconds)

    def chat_program(self, row: Row, code: str) -> Program:
        return self.program(row, without_demonstration(code, self.entry_point(row)))

    def gold(self, row: Row) -> str:
        return row["code"]


def called_function(assertion: str) -> str | None:
    """Return the function that an assertion is about: the first that it calls and Python does not have."""
    calls = [node.func for node in ast.walk(ast.parse(assertion)) if isinstance(node, ast.Call)]
    names = [function.id for function in calls if isinstance(function, ast.Name)]
    return next((name for name in names if not hasattr(builtins, name)), None)
