"""Section 2.2.2 for one's own code: which files are kept out of training, and that nothing like them stays in it.

The builder has removed copies and near-copies of whole files. What is left to look for is a file that contains much of
a held-out one, or is contained in it: such files leave the training data too.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A line says something of its file from here on; shorter ones (braces, `else:`, `return None`) are everywhere.
MIN_LINE_CHARACTERS = 12
# Of a held-out file, or of the other: from this share of telling lines on they are too alike.
MAX_SHARED_LINES = 0.5
MIN_FILE_LINES = 8
# Of a small project more is held out than the share: figures of two files say nothing.
MIN_HELD_OUT, MIN_PART = 10, 5
DEFAULT_SHARE, DEFAULT_MAX_FILES = 0.05, 100
TRAIN_SHARD = "train_00000_of_00001.parquet"


@dataclass(frozen=True)
class HeldOut:
    """Rows of files, by what becomes of them.

    Attributes:
        held_out: to be measured on.
        train: to train on.
        too_alike: left out of both.
    """

    held_out: list[dict[str, Any]]
    train: list[dict[str, Any]]
    too_alike: list[dict[str, Any]]


def telling_lines(text: str) -> frozenset[str]:
    """Return the lines of a file that tell it from others, without their indentation; imports are no such lines."""
    lines = (line.strip() for line in text.splitlines())
    return frozenset(
        line
        for line in lines
        if len(line) >= MIN_LINE_CHARACTERS
        and not line.startswith(("import ", "from ", "#include", "using ", "package "))
    )


def hold_out(
    rows: Sequence[dict[str, Any]],
    share: float = DEFAULT_SHARE,
    max_files: int = DEFAULT_MAX_FILES,
    seed: int = 0,
) -> HeldOut:
    """Choose the files that are held out, by a hash of where they stand, and take out of the rest what is like them.

    Args:
        rows: of the `source_code` builder: content, path, repository.
        share: of the files, 0 to 1; of few files a fifth, or ten.
        max_files: at most so many.
        seed: another choice.

    Returns:
        What becomes of every row.

    Raises:
        ValueError: too few files to hold one out.
    """
    lines = [telling_lines(row["content"]) for row in rows]
    eligible = [number for number, found in enumerate(lines) if len(found) >= MIN_FILE_LINES]
    if len(eligible) < 2:
        raise ValueError(
            f"{len(rows)} file(s) are left after curation, of which {len(eligible)} have {MIN_FILE_LINES} lines to ask "
            "for: at least two are needed, one to train on and one to measure with. Give more code."
        )
    few = min(MIN_HELD_OUT, len(rows) // MIN_PART)
    ranked = sorted(eligible, key=lambda number: _rank(rows[number], seed))
    chosen = set(ranked[: min(max_files, max(1, round(share * len(rows)), few), len(eligible) - 1)])
    files_of_line = defaultdict(set)
    for number in chosen:
        for line in lines[number]:
            files_of_line[line].add(number)
    alike = {
        number for number, found in enumerate(lines) if number not in chosen and _is_alike(found, files_of_line, lines)
    }
    rest = [number for number in range(len(rows)) if number not in chosen | alike]
    if not rest:
        raise ValueError(
            f"all {len(rows) - len(chosen)} other files share more than {MAX_SHARED_LINES:.0%} of their lines with a "
            "held-out one: nothing is left to train on."
        )
    return HeldOut(*([rows[number] for number in numbers] for numbers in (sorted(chosen), rest, sorted(alike))))


def _rank(row: dict[str, Any], seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}|{row['repository']}|{row['path']}".encode()).digest()


def _is_alike(found: frozenset[str], files_of_line: dict[str, set[int]], lines: Sequence[frozenset[str]]) -> bool:
    shared: dict[int, int] = defaultdict(int)
    for line in found:
        for number in files_of_line.get(line, ()):
            shared[number] += 1
    return any(
        count > MAX_SHARED_LINES * min(len(lines[number]), max(len(found), MIN_FILE_LINES))
        for number, count in shared.items()
    )


def read_rows(dataset: Path) -> list[dict[str, Any]]:
    """Return the rows of a built dataset's train split.

    Raises:
        ValueError: there are none.
    """
    import pyarrow.parquet as pq

    files = sorted((dataset / "data").rglob("train_*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    if not rows:
        raise ValueError(
            f"{dataset} has no rows: nothing of the code was kept. Its README.md says what was removed, and why."
        )
    return rows


def write_held_out(dataset: Path, found: HeldOut, to: Path) -> None:
    """Write `held_out.jsonl`, `split.json` and the files to train on, in the form of the builder's own rows.

    Args:
        dataset: that the rows came from, for their schema.
        found: of its rows.
        to: folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = to / "datasets" / "train" / "data"
    data.mkdir(parents=True, exist_ok=True)
    schema = pq.read_schema(next((dataset / "data").rglob("train_*.parquet")))
    pq.write_table(pa.Table.from_pylist(found.train, schema=schema), data / TRAIN_SHARD)
    keys = ("path", "repository", "language", "content")
    lines = [json.dumps({key: row[key] for key in keys}) for row in found.held_out]
    (to / "held_out.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    counts = {
        "train": len(found.train),
        "held_out": len(found.held_out),
        "left_out_as_too_alike": [f"{row['repository']}/{row['path']}" for row in found.too_alike],
    }
    (to / "split.json").write_text(json.dumps(counts, indent=1), encoding="utf-8")


__all__ = ["HeldOut", "hold_out", "read_rows", "telling_lines", "write_held_out"]
