"""Section 2.1: the rows of Parquet and JSON Lines files, as Python values; what cannot be read is told, row by row.

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

from datasets_builders.sources.decompression import Damage, decompressed_pieces
from datasets_builders.sources.entry import rank_of

PARQUET, JSON_LINES = (".parquet",), (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".json.gz")
ROWS_OF_A_BATCH, BYTES_OF_A_BATCH = 64, 16 << 20
MAX_LINE_BYTES = 256 << 20
# A damaged file may claim any number of rows; beyond this many the rest of a row group is told as one.
MAX_TOLD_ROWS = 100_000
MAX_DIGITS = 100  # of a whole number; Python refuses to read some thousands
MAX_DETAIL_CHARACTERS = 200
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
        """Whether it is Parquet, else JSON Lines."""
        return self.name.lower().endswith(PARQUET)


@dataclass(frozen=True)
class Unreadable:
    """What stands for a row that cannot be read.

    Args:
        problem (`str`): a short, countable word.
        detail (`str`): what differs from row to row.
    """

    problem: str
    detail: str = ""


def is_table(name: str) -> bool:
    """Return whether a file's name is that of a table that can be read."""
    return name.lower().endswith((*PARQUET, *JSON_LINES))


def local_table(path: Path) -> TableFile:
    """Return a table on disk."""
    status = path.stat()
    return TableFile(str(path), partial(_open, str(path)), [path.name, status.st_size, status.st_mtime_ns])


def _open(path: str) -> BinaryIO:
    return open(path, "rb")


class WatchedFile(io.RawIOBase):
    """A file that remembers what reading it raised: that is the machine's or the network's fault, no damage.

    Args:
        file (binary file): what is read.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.error: BaseException | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        try:
            return self._file.read(size)
        except BaseException as error:
            self.error = error
            raise

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file too."""
        if not self.closed:
            self._file.close()
        super().close()

    def check(self) -> None:
        """Raise what reading raised."""
        if self.error is not None:
            raise self.error


def rows_of(file: TableFile, wanted: Collection[str], rank: int, world_size: int) -> Iterator[tuple[int, Any]]:
    """Give (number, row or `Unreadable`) for the rows of one rank; all ranks together give each row once.

    Args:
        file (`TableFile`): the table.
        wanted: names of the columns that are read; of JSON Lines all are.
        rank, world_size (`int`): Parquet is shared out by row group, JSON Lines by line.
    """
    with WatchedFile(file.open()) as opened:
        if file.is_parquet:
            yield from _parquet_rows(opened, file.name, wanted, rank, world_size)
        else:
            yield from _json_rows(opened, file.name, rank, world_size)


def _parquet_rows(
    opened: WatchedFile, name: str, wanted: Collection[str], rank: int, world_size: int
) -> Iterator[tuple[int, Any]]:
    try:
        table = pq.ParquetFile(opened, page_checksum_verification=True)
        columns = [column for column in table.schema_arrow.names if column in wanted]
        groups = [table.metadata.row_group(group) for group in range(table.metadata.num_row_groups)]
        claimed = table.metadata.num_rows
        sizes = [(group.num_rows, _rows_at_once(group.num_rows, group.total_byte_size)) for group in groups]
    except _UNREADABLE as error:
        opened.check()
        if rank_of(name, world_size) == rank:
            yield 0, Unreadable("damaged_table", _told(error))
        return
    start = 0
    for group, (num_rows, at_once) in enumerate(sizes):
        if rank_of(f"{name}#{group}", world_size) == rank:
            numbers = range(start, start + num_rows)
            yield from _rows_of_group(table, opened, columns, group, numbers, at_once)
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


def _json_rows(opened: WatchedFile, name: str, rank: int, world_size: int) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines_of(opened, name)):
        if number % world_size != rank:
            continue
        if isinstance(line, Unreadable):
            yield number, line
        elif line.strip():
            yield number, _parsed(line)


def lines_of(opened: WatchedFile, name: str = "") -> Iterator[bytes | Unreadable]:
    """Give the lines of a file, plain or compressed, without their ends; damage ends the line that it falls into."""
    parts: list[bytes] = []
    length = 0
    for piece in decompressed_pieces(cast(BinaryIO, opened), name):
        if isinstance(piece, Damage):
            opened.check()
            parts, length = [], 0
            yield Unreadable("damaged_table", piece.detail[:MAX_DETAIL_CHARACTERS])
            continue
        first, *others = piece.split(b"\n")
        length += len(first)
        if length <= MAX_LINE_BYTES:
            parts.append(first)
        else:
            parts = []
        if others:
            yield b"".join(parts) if length <= MAX_LINE_BYTES else Unreadable("row_too_large")
            yield from others[:-1]
            parts, length = [others[-1]], len(others[-1])
    if length:
        yield b"".join(parts) if length <= MAX_LINE_BYTES else Unreadable("row_too_large")


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line, parse_int=_whole_number)
    except (ValueError, RecursionError, MemoryError) as error:
        return Unreadable("bad_json", _told(error))


def _whole_number(text: str) -> int | float:
    return int(text) if len(text) <= MAX_DIGITS else math.inf


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:MAX_DETAIL_CHARACTERS]
