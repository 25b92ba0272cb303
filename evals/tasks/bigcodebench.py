"""Sections 4.3.1 and 4.4.1: BigCodeBench, programs run in an environment of their own.

The benchmark's tests need some seventy pinned packages: `evals/environments.sh bigcodebench` installs those of the hard
problems, or `LING_BIGCODEBENCH_PYTHON` names the interpreter of another environment. Programs have no network; tests
that want one, or data of nltk, fail for everybody.
"""

from __future__ import annotations

import ast
import sys

from evals.benchmarks.bigcodebench import bigcodebench_source
from evals.benchmarks.rows import Row
from evals.execution import Limits, MissingPackageError, Program
from evals.execution.environments import PREFIX, missing_packages
from evals.execution.toolchains import environment_python
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.marked import marked_program

PYTHON_VARIABLE = "LING_BIGCODEBENCH_PYTHON"
INSTRUCTION = (
    "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
)
ANSWER_HEAD = (
    "Below is a Python script with a self-contained function that solves the problem and passes corresponding tests:"
)
RUN_TESTS = """
import unittest as _unittest
_result = _unittest.TextTestRunner().run(_unittest.defaultTestLoader.loadTestsFromTestCase(TestCases))
assert _result.wasSuccessful() and _result.testsRun, "a test failed"
"""


class BigCodeBench(ExecutedBenchmark):
    """pass@1, calibrated: the signature and imports of the problem stand before the answer."""

    max_new_tokens = 1280
    limits = Limits(wall_seconds=240.0, cpu_seconds=240.0, memory_bytes=8 << 30, disk_bytes=1 << 30, num_processes=128)
    base_stops = ("\ndef ", "\nclass ", "\nif __name__", "\nprint(", "\nassert ", "\nimport ", "\nfrom ")

    def __init__(self, hard: bool) -> None:
        self.name = "bigcodebench_hard" if hard else "bigcodebench"
        self.title = f"{'148 hard' if hard else '1,140'} tasks with library calls"
        self.source = bigcodebench_source(hard)

    @property
    def interpreter(self) -> str:
        """The environment's Python; without one named, this process's."""
        return environment_python("bigcodebench", PYTHON_VARIABLE) or sys.executable

    def missing(self, rows: list[Row]) -> list[str]:
        """Return the packages of the rows that the environment does not have."""
        return missing_packages(
            self.interpreter, sorted({name for row in rows for name in ast.literal_eval(row["libs"])})
        )

    def load(self, data_dir):
        """Return the rows.

        Raises:
            MissingPackageError: the environment lacks a package that a row needs; the task is then unscorable.
        """
        rows, where = self.source.load(data_dir)
        missing = self.missing(rows)
        if missing:
            raise MissingPackageError(
                f"{self.interpreter} lacks {', '.join(missing[:8])}{' and more' if len(missing) > 8 else ''}; run "
                "`bash evals/environments.sh bigcodebench`, or make an environment with BigCodeBench's "
                f"requirements-eval.txt and set {PYTHON_VARIABLE} to its python"
            )
        return rows, where

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        if not instruct:
            return row["complete_prompt"] if preset == "paper" else row["complete_prompt"].strip()
        if preset == "paper":
            return f"{INSTRUCTION}\n```\n{row['instruct_prompt']}```\n {ANSWER_HEAD}\n```python\n"
        return f"{INSTRUCTION}\n{row['instruct_prompt'].strip()}\n"

    def program(self, row: Row, code: str) -> Program:
        return self._program(row, row["complete_prompt"] + code)

    def chat_program(self, row: Row, code: str) -> Program:
        return self._program(row, code)

    def _program(self, row: Row, code: str) -> Program:
        code = f"{row['code_prompt']}\n    pass\n{code}"
        return marked_program(code, f"{row['test']}\n{RUN_TESTS}", PREFIX + self.interpreter)

    def gold(self, row: Row) -> str:
        return row["canonical_solution"]


BIGCODEBENCH = (BigCodeBench(hard=False), BigCodeBench(hard=True))
