"""Reading benchmark rows from files, and naming them by a hash of their content."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class BenchmarkDataError(RuntimeError):
    """A benchmark's rows are missing or not what they should be; the message says how to get them."""


def read_rows(path: Path) -> list[Row]:
    """Read a .jsonl, .json (a list of rows, or rows by id) or .parquet file; the first two also packed as .gz.

    Raises:
        BenchmarkDataError: it cannot be read as such.
    """
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as parquet

            return parquet.read_table(path).to_pylist()
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")
        if path.name.removesuffix(".gz").endswith(".json"):
            whole = json.loads(text)
            return list(whole.values()) if isinstance(whole, dict) else whole
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError, EOFError, zlib.error) as error:  # the last two: a download that was cut off
        raise BenchmarkDataError(f"{path} cannot be read: {error}") from error


def check_columns(rows: Sequence[Row], columns: Iterable[str], where: str) -> None:
    """Raise BenchmarkDataError unless there are rows and each has the columns."""
    if not rows:
        raise BenchmarkDataError(f"{where} has no rows")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise BenchmarkDataError(f"{where}: row {number} is no mapping of columns: {str(row)[:80]}")
        missing = [column for column in columns if column not in row]
        if missing:
            raise BenchmarkDataError(f"{where}: row {number} lacks {', '.join(missing)}; it has {', '.join(row)}")


def content_hash(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Return the SHA-256 of the rows' columns as canonical JSON, whatever file they came from."""
    digest = hashlib.sha256()
    for row in rows:
        values = {column: row[column] for column in columns}
        digest.update(json.dumps(values, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()
