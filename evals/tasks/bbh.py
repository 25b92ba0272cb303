"""Section 4.3.3: BIG-Bench Hard with the authors' three examples and chain of thought. Nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.bbh import BBH, load_bbh
from evals.benchmarks.rows import Row
from evals.execution import Verdict
from evals.tasks.benchmark import Benchmark
from evals.tasks.records import SampleRecord

MARK = "the answer is"


class Bbh(Benchmark):
    """Exact match of what follows "the answer is"; the mean is over examples, as in the paper's tables."""

    name = "bbh"
    group = "general"
    title = "6,511 questions of 27 tasks, 3-shot with chain of thought"
    source = BBH
    metric = "exact_match"
    base_stops = ("\n\nQ:",)

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        return load_bbh(data_dir)

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        return f"{row['prompt'].strip()}\n\nQ: {row['input']}\nA: Let's think step by step."

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        records = []
        for row, answer in zip(rows, answers, strict=True):
            found = answer_of(answer)
            verdict = Verdict.PASS if found == row["target"].strip() else Verdict.FAIL
            message = "" if found is not None else f"no {MARK!r}"
            records.append(SampleRecord(self.identify(row), answer, verdict.value, message))
        return records

    def gold(self, row: Row) -> str:
        return f"So {MARK} {row['target']}."


def answer_of(text: str) -> str | None:
    """Return what follows the last "the answer is", to the end of its line and without the full stop; None without."""
    _, mark, after = text.rpartition(MARK)
    if not mark:
        return None
    line = after.strip().partition("\n")[0].strip()
    return line.removesuffix(".").strip().strip("*").strip()
