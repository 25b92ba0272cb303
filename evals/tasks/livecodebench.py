"""Section 4.4.1: LiveCodeBench: a program that reads stdin, or a method of Solution; every test must be met.

A test's expected output never enters the sandbox: what a program prints is compared out here.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from evals.benchmarks.livecodebench import LIVECODEBENCH, load_livecodebench
from evals.benchmarks.rows import Row
from evals.execution import ExecutionResult, Executor, Limits, Program, Verdict
from evals.tasks.answers import Extraction, extract
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.python_text import as_module, with_futures_first, without_demonstration
from evals.tasks.records import SampleRecord, record_of

SYSTEM = "You are an AI programming assistant, you answer questions related to computer science."
TASK = (
    "You will be given a question (problem specification) and will generate a correct Python program that matches the "
    "specification and passes all tests. You will NOT return anything except for the program."
)
WITH_STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your code within "
    "delimiters."
)
FROM_STDIN = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample "
    "inputs). Enclose your code within delimiters as follows."
)
# lighteval's, for `standard`.
STANDARD = (
    "You will be given a question (problem specification) and will generate a correct Python program that matches the "
    "specification and passes all tests."
)
ENSURE = (
    " Ensure that when the python program runs, it reads the inputs, runs the algorithm and writes output to STDOUT."
)
READS_INPUT = r"\binput\s*\(|\bstdin\b|\bopen\(\s*0"
# Of numbers with decimals: a last digit is no other answer.
RELATIVE_TOLERANCE = 1e-9
IMPORTS = (
    "import bisect, collections, functools, heapq, itertools, json, math, operator, random, re, string, sys\n"
    "from typing import *\nfrom collections import *\nfrom functools import *\nfrom heapq import *\n"
    "from itertools import *\nfrom bisect import *\nfrom math import *\nfrom builtins import *\n"
    "sys.setrecursionlimit(50000)\nsys.set_int_max_str_digits(50000)\n"
)
CALL = """
{code}
import json as _json, sys as _sys
_arguments = [_json.loads(line) for line in _sys.stdin.read().split("\\n") if line.strip()]
_owner = Solution() if "Solution" in globals() else None
_result = getattr(_owner, {function!r})(*_arguments) if _owner else globals()[{function!r}](*_arguments)
_plain = lambda value: value.item() if hasattr(value, "item") else list(value)  # a number of numpy's is a number
_sys.stdout.write("\\n{mark}" + _json.dumps(_result, default=_plain) + "\\n")
"""


class LiveCodeBench(ExecutedBenchmark):
    """pass@1 over all public and private tests, six seconds each."""

    name = "livecodebench"
    title = "101 contest problems of 2024-08 to 2024-11"
    source = LIVECODEBENCH
    max_new_tokens = 4096
    packages = ("numpy",)  # as the official environment has
    limits = Limits(wall_seconds=6.0, cpu_seconds=6.0, memory_bytes=4 << 30)

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        return load_livecodebench(self.source, data_dir)

    def subsets(self, row: Row) -> dict[str, str]:
        return {"difficulty": row["difficulty"]}

    def entry_point(self, row: Row) -> str | None:
        return row["function"]

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        """Return lighteval's prompt (`standard`), or the question in DeepSeek's frame, which the paper uses for all."""
        starter = row["starter_code"]
        fence = f"```python\n{starter or '# YOUR CODE HERE'}\n```"
        if preset == "paper":
            instruction = f"{WITH_STARTER if starter else FROM_STDIN}\n{fence}"
            question = f"### Instruction: {TASK}\n\nQuestion:\n{row['question_content']}"
            return f"{SYSTEM}\n\n{question}\n\n### Instruction: {instruction}\n\n### Response:\n\n"
        instruction = f"{WITH_STARTER if starter else FROM_STDIN + ENSURE}\n{fence}\n\n"
        return f"{STANDARD}\n\nQuestion: {row['question_content']}\n\n{instruction}"

    def program(self, row: Row, code: str) -> Program:
        """Return the program for the first test; `judge` runs all of them."""
        return self._test_program(row, code, row["tests"][0])[0]

    def _test_program(self, row: Row, code: str, test: dict[str, str]) -> tuple[Program, str]:
        mark = ""
        source = with_futures_first(IMPORTS + code)
        if row["function"]:
            mark = f"result-{secrets.token_hex(8)} "
            code = without_demonstration(code, row["function"])
            source = as_module(IMPORTS + CALL.format(code=code, function=row["function"], mark=mark))
        return Program(source, stdin=test["input"], random_seed=0, packages=self.packages), mark

    def code_of_answer(self, row: Row, answer: str) -> Extraction:
        """Return the code of an answer: of several programs the last that reads its input."""
        return extract(answer, "python", row["function"], None if row["function"] else READS_INPUT)

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        found = [
            self.code_of_answer(row, answer) if instruct or "```" in answer else Extraction(answer, "")
            for row, answer in zip(rows, answers, strict=True)
        ]
        jobs = [
            (index, test, *self._test_program(row, extraction.code, test))
            for index, (row, extraction) in enumerate(zip(rows, found, strict=True))
            for test in row["tests"]
        ]
        with Executor(self.limits) as executor:
            results = executor.run_batch(program for _, _, program, _ in jobs)
        worst: dict[int, ExecutionResult] = {}
        for (index, test, _, mark), result in zip(jobs, results, strict=True):
            judged = judge_test(result, test["output"], mark)
            if index not in worst or worst[index].verdict is Verdict.PASS:
                worst[index] = judged
        return [
            record_of(self.identify(row), answer, worst[index], extraction.how, extraction.code)
            for index, (row, answer, extraction) in enumerate(zip(rows, answers, found, strict=True))
        ]

    def gold(self, row: Row) -> str | None:
        return row.get("gold")


def judge_test(result: ExecutionResult, expected: str, mark: str) -> ExecutionResult:
    """Return the result with the verdict that its output deserves."""
    from dataclasses import replace

    if result.verdict is not Verdict.PASS:
        return result
    if mark:
        value = result.stdout.rpartition(mark)[2] if mark in result.stdout else ""
        right = same_json(value, expected)
    else:
        right = same_output(result.stdout, expected)
    return result if right else replace(result, verdict=Verdict.FAIL, message="wrong answer")


def same_json(found: str, expected: str) -> bool:
    """Return whether two JSON texts are equal; numbers with decimals to RELATIVE_TOLERANCE."""
    try:
        return _same_value(json.loads(found), json.loads(expected))
    except (ValueError, RecursionError):
        return False


def _same_value(found: object, expected: object) -> bool:
    if isinstance(expected, float) and isinstance(found, int | float) and not isinstance(found, bool):
        return math.isclose(found, expected, rel_tol=RELATIVE_TOLERANCE)
    if isinstance(expected, list) and isinstance(found, list):
        return len(found) == len(expected) and all(map(_same_value, found, expected))
    return found == expected


def same_output(found: str, expected: str) -> bool:
    """Return whether two outputs are equal line by line, without the space around; numbers as numbers.

    Where a number with decimals is expected, one to RELATIVE_TOLERANCE will do: the official judge asks for the same
    digits, which fails right answers.
    """
    lines, others = found.strip().split("\n"), expected.strip().split("\n")
    return len(lines) == len(others) and all(map(_same_line, lines, others))


def _same_line(line: str, other: str) -> bool:
    if line.strip() == other.strip():
        return True
    words, expected = line.split(), other.split()
    return len(words) == len(expected) and all(map(_same_number, words, expected))


def _same_number(word: str, expected: str) -> bool:
    try:
        number, right = Decimal(word), Decimal(expected)
        if "." in expected and number.is_finite() and right.is_finite():
            return abs(number - right) <= Decimal(RELATIVE_TOLERANCE) * max(abs(number), abs(right))
        return number == right
    except ArithmeticError:
        return False
