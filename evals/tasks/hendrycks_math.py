"""Section 4.3.3: MATH (Hendrycks et al. 2021) with Minerva's four examples; the final answer counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.hendrycks_math import MATH
from evals.benchmarks.rows import Row
from evals.execution import Executor, Limits, Program, Verdict
from evals.tasks.benchmark import Benchmark
from evals.tasks.blocks import final_text
from evals.tasks.latex_answers import Equal, final_answer, parts_of, plain, same
from evals.tasks.records import SampleRecord

SHOTS = (Path(__file__).with_name("prompts") / "math.txt").read_text(encoding="utf-8")
# Which pairs of expressions or equations in LaTeX are equal; they are parsed as LaTeX, in the sandbox, never as Python.
# Symbols have real values; a difference that is no zero at some point is not simplified.
EQUAL = """
import json, signal, sys
import sympy
from latex2sympy2_extended import latex2sympy

def value(text):
    sides = [latex2sympy(side) for side in text.split("=")]
    return sides[0] - sides[1] if len(sides) == 2 else sides[0]

def is_zero(difference):
    if difference == 0:
        return True
    symbols = sorted(difference.free_symbols, key=str)
    for shift in (0, 1):
        number = difference.subs({{symbol: sympy.Rational(7 + 4 * i + shift, 5) for i, symbol in enumerate(symbols)}})
        number = sympy.N(number, 30)
        if number.is_number and number.is_finite and abs(number) > sympy.Float("1e-15"):
            return False
    return sympy.simplify(difference) == 0

def equal(first, second):
    if ("=" in first) != ("=" in second):
        return False
    first_value, second_value = value(first), value(second)
    if "=" not in first:
        return first_value == second_value or is_zero(first_value - second_value)
    symbols = first_value.free_symbols | second_value.free_symbols
    ratio = sympy.cancel(first_value / second_value)
    return ratio.is_number and ratio != 0 and bool(symbols)

def out_of_time(*_):
    raise TimeoutError

signal.signal(signal.SIGALRM, out_of_time)
answers = []
for first, second in {pairs!r}:
    signal.setitimer(signal.ITIMER_REAL, {seconds})
    try:
        answers.append(bool(equal(first, second)))
    except Exception:
        answers.append(False)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
print()
print(json.dumps(answers))
"""
PACKAGES = ("latex2sympy2_extended", "antlr4", "sympy", "mpmath")
LIMITS = Limits(wall_seconds=10.0, cpu_seconds=10.0, memory_bytes=1 << 30)
PAIR_SECONDS = 3.0  # of one pair of expressions
MAX_PAIRS = 64  # of an answer
MAX_CHARS = 300  # of an answer that is worth comparing as a value


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
        found = [final_answer(final_text(answer) or "") for answer in answers]
        truths = [final_answer(row["solution"]) for row in rows]
        verdicts = judged_pairs(list(zip(truths, found, strict=True)))
        return [
            SampleRecord(
                self.identify(row), answer, verdict.value, "" if said is not None else "no answer", found=said or ""
            )
            for row, answer, verdict, said in zip(rows, answers, verdicts, found, strict=True)
        ]

    def gold(self, row: Row) -> str:
        return row["solution"]


def judged_pairs(pairs: Sequence[tuple[str | None, str | None]]) -> list[Verdict]:
    """Return for each pair of a right answer and one that is given whether they are the same."""
    verdicts, open_pairs, programs = [Verdict.FAIL] * len(pairs), [], []
    for index, (truth, said) in enumerate(pairs):
        if not truth or not said or max(len(truth), len(said)) > MAX_CHARS:
            continue
        first, second = parts_of(plain(truth)), parts_of(plain(said))
        asked: dict[tuple[str, str], bool] = {}
        if plain(truth).replace(" ", "") == plain(said).replace(" ", ""):
            verdicts[index] = Verdict.PASS
        elif same(first, second, asking(asked)) and len(asked) <= MAX_PAIRS:
            open_pairs.append((index, first, second, list(asked)))
            programs.append(Program(EQUAL.format(pairs=list(asked), seconds=PAIR_SECONDS), packages=PACKAGES))
    with Executor(LIMITS) as executor:
        for (index, first, second, asked_pairs), result in zip(open_pairs, executor.run_batch(programs), strict=True):
            if result.verdict is Verdict.INFRA_ERROR:
                verdicts[index] = result.verdict
            elif result.verdict is Verdict.PASS:
                holds = dict(zip(asked_pairs, json.loads(result.stdout.splitlines()[-1]), strict=True))
                if same(first, second, asking(holds)):
                    verdicts[index] = Verdict.PASS
    return verdicts


def asking(known: dict[tuple[str, str], bool]) -> Equal:
    """Return what says whether two texts are equal as far as that is known, and notes others as equal until asked."""
    return lambda first, second: known.setdefault((first, second), True)
