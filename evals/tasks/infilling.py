"""Section 3.2 trains fill-in-the-middle and section 4 never measures it: single-line infilling of HumanEval.

Every line of every solution that is not blank is left out once, and asked for between what stands before and after it:
1,033 rows, those of the published single-line infilling benchmark (Bavarian et al., 2022), which is made of the same
data. Right is what passes the tests; `exact_match` counts the answers that are the line itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evals.benchmarks.humaneval import HUMANEVAL
from evals.benchmarks.rows import BenchmarkDataError, Row
from evals.execution import Program
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.marked import marked_program
from evals.tasks.records import SampleRecord
from modeling_ling.fill_in_the_middle import family_of

MARKERS_VARIABLE = "LING_FIM_MARKERS"  # JSON of prefix, suffix, middle, for the process that asks


class HumanEvalInfilling(ExecutedBenchmark):
    """pass@1 of one line between the others, for base models."""

    name = "humaneval_infilling"
    title = "1,033 single lines to fill into HumanEval's solutions; base models"
    source = HUMANEVAL
    max_new_tokens = 128
    needs_model = True

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        rows, where = self.source.load(data_dir)
        return [infilling for row in rows for infilling in single_lines(row)], where

    def cluster(self, row: Row) -> str:
        return row["problem"]

    def prepare(self, model: str) -> None:
        os.environ[MARKERS_VARIABLE] = json.dumps(fim_markers_of(model))

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        """Return prefix and suffix in the PSM layout.

        Raises:
            BenchmarkDataError: an instruct model is asked, whose chat template leaves no place for the markers; or the
                model's markers are not known.
        """
        if instruct:
            raise BenchmarkDataError("infilling asks base models, without a chat template: add --base")
        if not os.environ.get(MARKERS_VARIABLE):
            raise BenchmarkDataError(
                f"let {MARKERS_VARIABLE} hold the model's prefix, suffix and middle markers as a JSON list"
            )
        prefix, suffix, middle = json.loads(os.environ[MARKERS_VARIABLE])
        return f"{prefix}{row['prefix']}{suffix}{row['suffix']}{middle}"

    def program(self, row: Row, code: str) -> Program:
        whole = f"{row['prefix']}{code}{row['suffix']}"
        return marked_program(whole, f"{row['test']}\ncheck({row['entry_point']})")

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        """Run every answer in its place, and note whether it is the very line."""
        records = super().judge(rows, answers, instruct)
        return [
            replace(record, exact=answer.rstrip() == row["middle"].rstrip())
            for record, row, answer in zip(records, rows, answers, strict=True)
        ]

    def gold(self, row: Row) -> str:
        return row["middle"]


def single_lines(row: Row) -> list[Row]:
    """Return a row for each line of the solution that is not blank: the line without its break is the middle."""
    lines = row["canonical_solution"].split("\n")
    return [
        {
            **row,
            "task_id": f"{row['task_id']}/{number}",
            "problem": row["task_id"],
            "prefix": row["prompt"] + "".join(f"{before}\n" for before in lines[:number]),
            "middle": line,
            "suffix": "".join(f"\n{after}" for after in lines[number + 1 :]),
        }
        for number, line in enumerate(lines)
        if line.strip()
    ]


def fim_markers_of(model: str) -> tuple[str, str, str]:
    """Return a model's prefix, suffix and middle markers: those saved with its tokenizer, or a known family's.

    Raises:
        BenchmarkDataError: its tokenizer cannot be loaded, or has none that is known.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        message = f"infilling needs the markers of {model}'s tokenizer, which cannot be loaded: {error}"
        raise BenchmarkDataError(message) from error
    try:
        return family_of(tokenizer).markers
    except ValueError as error:
        raise BenchmarkDataError(f"{model}: {error}") from error
