"""Section 2.1: the rows of Parquet, JSON Lines and CSV files as Python values; what cannot be read is told row by row.

Damage costs what is damaged: of a Parquet file the rest of a row group, of JSON Lines a line, of a compressed file a
member. What the machine fails to do, a disk or a connection, is no damage of the data and ends the run.
"""

import io
import json
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_builders.sources.csv_rows import EXTENSIONS as CSV
from datasets_builders.sources.csv_rows import csv_rows
from datasets_builders.sources.decompression import is_compressed
from datasets_builders.sources.entry import rank_of, share_of
from datasets_builders.sources.lines import (
    MAX_DETAIL_CHARACTERS,
    FilePart,
    LineNumber,
    Unreadable,
    WatchedFile,
    lines_of,
    shared_lines,
)

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
PARQUET, JSON_LINES = (".parquet",), (".jsonl", ".ndjson")
ROWS_OF_A_BATCH, BYTES_OF_A_BATCH = 64, 16 << 20
# How much of a file of lines a rank has at least. A plain file of JSON Lines is read once by all together. A compressed
# one, and CSV, where nobody knows where a row begins, is read whole by each that shares it: there are few of them, so
# that what they read does not grow with the number of ranks.
BYTES_PER_RANK, COMPRESSED_BYTES_PER_RANK, MAX_READERS = 4 << 20, 32 << 20, 8
# A damaged file may claim any number of rows; beyond this many the rest of a row group is told as one.
MAX_TOLD_ROWS = 100_000
MAX_DIGITS = 100  # of a whole number; Python refuses to read some thousands
# pyarrow's errors derive from ValueError, NotImplementedError, MemoryError (for an absurd claim of size) and others.
_UNREADABLE = (Exception,)


@dataclass(frozen=True)
class TableFile:
    """A file with rows.

    Args:
        name (`str`): shown and hashed; for the Hub with the revision.
        open (function): opens it for reading bytes; a Parquet file must allow seeking.
        identity: what changes when the content does, as JSON.
    """

    name: str
    open: Callable[[], BinaryIO]
    identity: Any = field(default=None, compare=False)

    @property
    def is_parquet(self) -> bool:
        """Whether it is Parquet."""
        return self.name.lower().endswith(PARQUET)

    @property
    def is_csv(self) -> bool:
        """Whether it is comma-separated; what is neither that nor Parquet is JSON Lines."""
        return _uncompressed(self.name).endswith(CSV)


def is_table(name: str) -> bool:
    """Return whether a file's name is that of a table that can be read."""
    lower = name.lower()
    is_packed_json = lower.endswith(tuple(f".json{compression}" for compression in COMPRESSIONS))
    return lower.endswith(PARQUET) or _uncompressed(name).endswith((*JSON_LINES, *CSV)) or is_packed_json


def _uncompressed(name: str) -> str:
    lower = name.lower()
    return next((lower.removesuffix(end) for end in COMPRESSIONS if lower.endswith(end)), lower)


def local_table(path: Path) -> TableFile:
    """Return a table on disk."""
    status = path.stat()
    return TableFile(str(path), partial(_open, str(path)), [path.name, status.st_size, status.st_mtime_ns])


def _open(path: str) -> BinaryIO:
    return open(path, "rb")


def rows_of(
    file: TableFile, wanted: Collection[str], rank: int, world_size: int
) -> Iterator[tuple[LineNumber | int, Any]]:
    """Give (number, row or `Unreadable`) for the rows of one rank; all ranks together give each row once.

    Args:
        file (`TableFile`): the table.
        wanted: names of the columns that are read; of the others all are.
        rank, world_size (`int`): Parquet is shared out by row group, a large group, JSON Lines and CSV to as many
            ranks as the size asks for.
    """
    with WatchedFile(file.open()) as opened:
        if file.is_parquet:
            yield from _parquet_rows(opened, file.name, wanted, rank, world_size)
        elif file.is_csv:
            yield from _shared_csv_rows(opened, file.name, rank, world_size)
        else:
            yield from _json_rows(opened, file, rank, world_size)


def _parquet_rows(
    opened: WatchedFile, name: str, wanted: Collection[str], rank: int, world_size: int
) -> Iterator[tuple[int, Any]]:
    try:
        table = pq.ParquetFile(opened, page_checksum_verification=True)
        columns = [column for column in table.schema_arrow.names if column in wanted]
        groups = [table.metadata.row_group(group) for group in range(table.metadata.num_row_groups)]
        claimed = table.metadata.num_rows
        sizes = [(group.num_rows, group.total_byte_size) for group in groups]
    except _UNREADABLE as error:
        opened.check()
        if rank_of(name, world_size) == rank:
            yield 0, Unreadable("damaged_table", _told(error))
        return
    start = 0
    for group, (num_rows, num_bytes) in enumerate(sizes):
        at_once = _rows_at_once(num_rows, num_bytes)
        name_of_group = f"{name}#{group}"
        share, sharers = share_of(name_of_group, num_bytes, COMPRESSED_BYTES_PER_RANK, MAX_READERS, rank, world_size)
        if share < sharers:
            numbers = range(start, start + num_rows)
            rows = _rows_of_group(table, opened, columns, group, numbers, at_once)
            yield from ((number, row) for number, row in rows if number % sharers == share)
        start += num_rows
    if claimed != start and rank_of(name, world_size) == rank:
        yield start, Unreadable("damaged_table", f"{claimed} rows, of which its row groups have {start}")


def _rows_at_once(num_rows: int, num_bytes: int) -> int:
    """Return how many rows are held in memory: a row may be a whole repository."""
    return max(1, min(ROWS_OF_A_BATCH, BYTES_OF_A_BATCH * num_rows // max(num_bytes, 1)))


def _rows_of_group(
    table: pq.ParquetFile, opened: WatchedFile, columns: list[str], group: int, numbers: range, at_once: int
) -> Iterator[tuple[int, Any]]:
    given, problem = 0, "fewer rows than the file claims"
    # Where a batch fails, the rows before the damage are read one by one.
    for batch_rows in (at_once, 1):
        at = 0
        try:
            for batch in table.iter_batches(batch_rows, row_groups=[group], columns=columns):
                for row in _python_rows(batch):
                    if at == given:
                        yield numbers[given], row
                        given += 1
                    at += 1
            break
        except _UNREADABLE as error:
            opened.check()
            problem = _told(error)
    lost = numbers[given:]
    for number in lost[:MAX_TOLD_ROWS]:
        yield number, Unreadable("damaged_row", f"row group {group}: {problem}")
    if untold := len(lost[MAX_TOLD_ROWS:]):
        yield lost[MAX_TOLD_ROWS], Unreadable("damaged_rows", f"{untold} more rows of row group {group}: {problem}")


def _python_rows(batch: pa.RecordBatch) -> list[Any]:
    try:
        return cast(list[Any], batch.to_pylist())
    except _UNREADABLE:
        names = batch.schema.names
        return [
            {name: _python_value(column[row]) for name, column in zip(names, batch.columns, strict=True)}
            for row in range(batch.num_rows)
        ]


def _python_value(value: pa.Scalar) -> Any:
    """Return a value of Arrow's as one of Python's; text that is no UTF-8 as bytes, what Python cannot hold as None."""
    try:
        return value.as_py()
    except _UNREADABLE:
        if isinstance(value, pa.StructScalar):
            return {name: _python_value(value[name]) for name in value.type.names}
        if isinstance(value, pa.ListScalar):
            return [_python_value(inner) for inner in value.values]
        is_text = isinstance(value, pa.StringScalar | pa.LargeStringScalar | pa.StringViewScalar)
        return value.as_buffer().to_pybytes() if is_text else None


def _share_of(opened: WatchedFile, name: str, rank: int, world_size: int, most: int) -> tuple[int, int, int]:
    """Return a rank's share of a file, how many ranks share it, at most so many, and its bytes."""
    size = opened.seek(0, io.SEEK_END)
    opened.seek(0)
    per_rank = COMPRESSED_BYTES_PER_RANK if is_compressed(cast(BinaryIO, opened), name) else BYTES_PER_RANK
    return *share_of(name, size, per_rank, most, rank, world_size), size


def _shared_csv_rows(opened: WatchedFile, name: str, rank: int, world_size: int) -> Iterator[tuple[int, Any]]:
    share, sharers, _ = _share_of(opened, name, rank, world_size, MAX_READERS)
    rows = enumerate(csv_rows(lines_of(opened, name), name)) if share < sharers else ()
    yield from ((number, row) for number, row in rows if number % sharers == share)


def _json_rows(
    opened: WatchedFile, file: TableFile, rank: int, world_size: int
) -> Iterator[tuple[LineNumber | int, Any]]:
    is_packed = is_compressed(cast(BinaryIO, opened), file.name)
    most = MAX_READERS if is_packed else world_size
    share, sharers, size = _share_of(opened, file.name, rank, world_size, most)
    if share >= sharers:
        return
    lines: Iterator[tuple[LineNumber | int, bytes | Unreadable]]
    if is_packed:
        lines = shared_lines(opened, file.name, share, sharers)
    else:
        lines = FilePart(file.open, size * share // sharers, size * (share + 1) // sharers).lines(opened)
    for number, line in lines:
        if isinstance(line, Unreadable):
            yield number, line
        elif line.strip():
            yield number, _parsed(line)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line, parse_int=_whole_number)
    except (ValueError, RecursionError, MemoryError) as error:
        return Unreadable("bad_json", _told(error))


def _whole_number(text: str) -> int | float:
    return int(text) if len(text) <= MAX_DIGITS else math.inf


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:MAX_DETAIL_CHARACTERS]
