"""Section 4.4.2 in the small: what does this call return? Questions about functions that training never asked about."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from evals.benchmarks.rows import BenchmarkDataError, Row, check_columns, read_rows

NAME = "held_out_execution"
COLUMNS = ("mid", "messages", "code", "call", "answer")
KIND = "execution_prediction"


def load_held_out(folder: Path | None, split: str = "validation") -> tuple[list[Row], str]:
    """Load the execution predictions of a split of an SFT or SyntheticQA dataset folder.

    Args:
        folder (`Path`): has `data/validation_*.parquet`.
        split (`str`): validation for the questions, train for the majority answer.

    Returns:
        (rows in the order of the hashes of their ids, so that the first n are a fair sample; where they came from).

    Raises:
        BenchmarkDataError: no folder given, no shards, other columns, or no execution prediction among them.
    """
    how = "build one with `python -m datasets_builders sft` and give it as --held-out FOLDER"
    if folder is None:
        raise BenchmarkDataError(f"no dataset of held-out questions is given; {how}")
    shards = sorted((folder / "data").rglob(f"{split}_*.parquet"))
    if not shards:
        raise BenchmarkDataError(f"{folder} has no data/{split}_*.parquet; {how}")
    rows = [row for shard in shards for row in read_rows(shard)]
    check_columns(rows, (*COLUMNS, "kind"), str(folder))
    rows = [row for row in rows if row["kind"] == KIND]
    check_columns(rows, COLUMNS, f"{folder}, kind {KIND}")
    return sorted(rows, key=lambda row: hashlib.sha256(row["mid"].encode()).digest()), f"{folder} ({split})"


def majority_answer(folder: Path) -> str:
    """Return the answer that the train split has most often; of equally frequent ones the smallest.

    Raises:
        BenchmarkDataError: as load_held_out.
    """
    counts = Counter(row["answer"] for row in load_held_out(folder, "train")[0])
    return min(counts, key=lambda answer: (-counts[answer], answer))
