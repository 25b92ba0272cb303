"""Section 4.3.3: MATH (Hendrycks et al. 2021) with Minerva's four examples; the final answer counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.hendrycks_math import MATH
from evals.benchmarks.rows import Row
from evals.execution import Executor, Limits, Program, Verdict
from evals.tasks.benchmark import Benchmark
from evals.tasks.records import SampleRecord

SHOTS = (Path(__file__).with_name("prompts") / "math.txt").read_text(encoding="utf-8")
# Whether two answers in LaTeX are the same value; texts are parsed as LaTeX, in the sandbox, never as Python.
EQUAL = """
from latex2sympy2_extended import latex2sympy
import sympy
first, second = (latex2sympy(text) for text in {texts!r})
same = first == second or sympy.simplify(first - second) == 0
raise SystemExit(0 if same else 1)
"""
PACKAGES = ("latex2sympy2_extended", "antlr4", "sympy", "mpmath")
LIMITS = Limits(wall_seconds=10.0, cpu_seconds=10.0, memory_bytes=1 << 30)
MAX_COMPARED_CHARS = 200  # characters of an answer that is worth comparing as a value
DROPPED = (r"\left", r"\right", r"\!", r"\,", r"\;", r"\ ", "$", r"\%", "%", r"^\circ", r"^{\circ}", r"\$")


class Math(Benchmark):
    """Exact match of the boxed or final answer, as text without its make-up, else as a value."""

    name = "math"
    group = "general"
    title = "5,000 competition problems, 4-shot"
    source = MATH
    metric = "exact_match"
    max_new_tokens = 1024
    base_stops = ("\nProblem:", "I hope it is correct")

    def identify(self, row: Row) -> str:
        return row["task_id"]

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        rows, where = self.source.load(data_dir)
        return [{**row, "task_id": f"math/{number}"} for number, row in enumerate(rows)], where

    def require(self) -> str:
        from evals.execution.packages import locate

        for package in PACKAGES:
            locate(package)
        with Executor(LIMITS) as executor:
            return executor.isolation

    def subsets(self, row: Row) -> dict[str, str]:
        return {"level": row["level"], "type": row["type"]}

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        return f"{SHOTS}\nProblem:\n{row['problem']}\n\nSolution:"

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        found = [final_answer(answer) for answer in answers]
        truths = [final_answer(row["solution"]) for row in rows]
        verdicts = [
            Verdict.PASS if value is not None and plain(value) == plain(truth or "") else Verdict.FAIL
            for value, truth in zip(found, truths, strict=True)
        ]
        unsure = {
            index: Program(EQUAL.format(texts=(plain(value), plain(truth))), packages=PACKAGES)
            for index, (value, truth) in enumerate(zip(found, truths, strict=True))
            if verdicts[index] is Verdict.FAIL and value and truth and len(value) < MAX_COMPARED_CHARS
        }
        with Executor(LIMITS) as executor:
            for index, result in zip(unsure, executor.run_batch(list(unsure.values())), strict=True):
                if result.verdict in (Verdict.PASS, Verdict.INFRA_ERROR):
                    verdicts[index] = result.verdict
        return [
            SampleRecord(self.identify(row), answer, verdict.value, "" if value is not None else "no answer")
            for row, answer, verdict, value in zip(rows, answers, verdicts, found, strict=True)
        ]

    def gold(self, row: Row) -> str:
        return row["solution"]


def final_answer(text: str) -> str | None:
    """Return what the last box holds, else what follows "final answer is" or "answer is"; None without either."""
    start = max(text.rfind(r"\boxed"), text.rfind(r"\fbox"))
    if start >= 0:
        opening = text.find("{", start)
        depth = 0
        for position in range(opening, len(text)) if opening >= 0 else ():
            depth += (text[position] == "{") - (text[position] == "}")
            if depth == 0:
                return text[opening + 1 : position]
    said = re.findall(r"answer is:?\s*(.+?)(?:\. I hope|\.?\s*(?:\n|\Z))", text)
    return said[-1].strip() if said else None


def plain(answer: str) -> str:
    """Return an answer without spaces, units, dollar signs and sizes, so that two spellings of one are equal."""
    text = re.sub(r"\\(?:text|mbox|mathrm|textbf)\{\s*(.*?)\s*\}", r"\1", answer.strip().strip("."))
    text = text.replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac")
    for word in DROPPED:
        text = text.replace(word, "")
    text = re.sub(r"\\frac(\d)(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\sqrt(\w)", r"\\sqrt{\1}", text)
    text = re.sub(r"^[a-zA-Z]\s*=\s*|(?<=\d),(?=\d{3}\b)", "", text)
    return re.sub(r"\s+", "", text)
