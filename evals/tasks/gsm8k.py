"""Section 4.3.3: GSM8K with four examples: the last number of the answer counts. Nothing is executed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.gsm8k import GSM8K, GSM8K_TRAIN
from evals.benchmarks.rows import Row
from evals.execution import Verdict
from evals.tasks.benchmark import Benchmark
from evals.tasks.blocks import before_next_question, final_text
from evals.tasks.numbers import final_number
from evals.tasks.records import SampleRecord

NUM_SHOTS = 4


class Gsm8k(Benchmark):
    """Exact match of the number. The examples are the first of the train split; the paper's are not known."""

    name = "gsm8k"
    group = "general"
    title = "1,319 word problems, 4-shot with chain of thought"
    source = GSM8K
    metric = "exact_match"
    max_new_tokens = 512
    base_stops = ("\nQuestion:",)

    def identify(self, row: Row) -> str:
        return row["task_id"]

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        """Return the rows, numbered, each with the examples."""
        rows, where = self.source.load(data_dir)
        shots = GSM8K_TRAIN.load(data_dir)[0][:NUM_SHOTS]
        return [{**row, "task_id": f"gsm8k/{number}", "shots": shots} for number, row in enumerate(rows)], where

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        examples = "".join(f"Question: {shot['question']}\nAnswer: {shot['answer']}\n\n" for shot in row["shots"])
        return f"{examples}Question: {row['question']}\nAnswer:"

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        records = []
        for row, answer in zip(rows, answers, strict=True):
            said = final_text(answer) or ""
            found, expected = final_number(before_next_question(said)), final_number(row["answer"])
            if found is None:  # the question was repeated before it was answered
                found = final_number(said)
            verdict = Verdict.PASS if found is not None and found == expected else Verdict.FAIL
            message = "" if found is not None else "no number"
            number = "" if found is None else str(found)
            records.append(SampleRecord(self.identify(row), answer, verdict.value, message, found=number))
        return records

    def gold(self, row: Row) -> str:
        return row["answer"]
