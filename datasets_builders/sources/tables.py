"""Section 2.1: files that lie as rows in Parquet or JSON Lines, of any columns: the Stack's, the Stack v2's, our own.

A row is a file, or a repository with a list `files` of them. Parquet is read a few rows at a time, by row group; of
JSON Lines every rank reads all lines and parses its own.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.decompression import decompressed
from datasets_builders.sources.entry import Content, Entry, Source, path_problem, rank_of, without_excluded
from datasets_builders.sources.licenses import all_of

PARQUET, JSON_LINES = (".parquet",), (".jsonl", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".json.gz")
ROWS_OF_A_BATCH = 64
MAX_LINE_BYTES = 256 << 20
# Our name -> theirs, the first that a table has: our own datasets, the Stack (v1), the Stack v2, GitHub Code.
COLUMNS = {
    "content": ("content", "code", "text"),
    "path": ("path", "max_stars_repo_path", "file_path", "filename"),
    "repository": ("repository", "repo_name", "max_stars_repo_name", "repo"),
    "language": ("language", "lang", "programming_language"),
    "license": ("license", "detected_licenses", "max_stars_repo_licenses", "licenses"),
    "stars": ("stars", "star_events_count", "max_stars_count"),
    "forks": ("forks", "fork_events_count", "max_forks_count"),
    "date": ("date", "revision_date", "committer_date", "visit_date", "max_stars_repo_stars_event_max_datetime"),
}
FILES_COLUMN = "files"  # of the-stack-v2-train: a row per repository
BLOB_COLUMN = "blob_id"


@dataclass(frozen=True)
class TableFile:
    """A file with rows.

    Args:
        name (`str`): shown and hashed; for the Hub with the revision.
        open (function): opens it for reading bytes; a Parquet file must allow seeking.
        identity: what changes when the content does, as JSON.
        is_remote (`bool`): what fails may then be the network, which ends the run, to be continued, and is no damage.
    """

    name: str
    open: Callable[[], BinaryIO]
    identity: Any = field(default=None, compare=False)
    is_remote: bool = False


def is_table(name: str) -> bool:
    """Return whether a file's name is that of a table that can be read."""
    return name.lower().endswith((*PARQUET, *JSON_LINES))


def local_table(path: Path) -> TableFile:
    """Return a table on disk."""
    status = path.stat()
    return TableFile(str(path), partial(open, path, "rb"), [path.name, status.st_size, status.st_mtime_ns])


class TableSource(Source):
    """Rows of tables as files.

    Args:
        repository (`str`): of rows that name none.
        files (sequence of `TableFile`): read in this order.
        columns (dict): our name (`COLUMNS`) to theirs, for tables that call them otherwise.
        exclude (sequence of `str`): patterns for paths, see `excluded_by`.

    Source: columns of the Stack (v1) and the Stack v2 as published.
    """

    def __init__(
        self,
        repository: str,
        files: Sequence[TableFile],
        columns: Mapping[str, str] | None = None,
        exclude: Sequence[str] = (),
        license: str = "",
    ) -> None:
        self.repository, self.files, self.exclude = repository, list(files), list(exclude)
        self.columns = dict(columns or {})
        self._license = license
        for ours in self.columns:
            if ours not in COLUMNS:
                raise ConfigError(f"columns: {ours!r} is none of ours; known: {', '.join(COLUMNS)}")

    def license(self) -> str:
        """Return the licence as given; rows may state their own."""
        return self._license or "unknown"

    def fingerprint(self) -> dict[str, Any]:
        """Return names, sizes and times of change, or revisions."""
        return {"table": self.repository, "files": [file.identity for file in self.files]}

    def describe(self) -> str:
        """Return the name and the number of files."""
        return f"{self.repository}: {len(self.files)} table files, {self.files[0].name} first"

    def check(self) -> None:
        """Raise `ConfigError` when the first table lacks its columns."""
        first = self.files[0]
        if not first.name.lower().endswith(PARQUET):
            return
        import pyarrow.parquet as pq

        try:
            with first.open() as file:
                names = pq.ParquetFile(file).schema_arrow.names
        except Exception as error:
            raise ConfigError(f"{first.name} cannot be read as Parquet: {error}") from None
        if FILES_COLUMN not in names:
            self._names_in(names, first.name)

    def _names_in(self, names: Sequence[str], where: str) -> dict[str, str]:
        """Return our name to the table's, for the columns that it has."""
        found = {}
        for ours, theirs in COLUMNS.items():
            wanted = (self.columns[ours],) if ours in self.columns else theirs
            name = next((one for one in wanted if one in names), None)
            if ours in self.columns and name is None:
                raise ConfigError(f"columns: {where} has no column {wanted[0]!r} for {ours}; it has {', '.join(names)}")
            if name:
                found[ours] = name
        if "content" not in found:
            blobs = (
                " It gives Software Heritage's blob ids alone: fetch the contents first (they ask for an agreement) "
                "and add them as a column."
                if BLOB_COLUMN in names
                else ""
            )
            raise ConfigError(f"{where} has no column for content ({', '.join(names)}); name it in `columns`.{blobs}")
        return found

    def entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        """List the rows of this rank."""
        return without_excluded(self._entries(rank, world_size), self.exclude)

    def _entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        wanted = {FILES_COLUMN, *self.columns.values(), *(name for names in COLUMNS.values() for name in names)}
        for file in self.files:
            is_parquet = file.name.lower().endswith(PARQUET)
            rows = partial(_parquet_rows, wanted) if is_parquet else _json_rows
            try:
                for number, row in rows(file, rank, world_size):
                    yield from self._files_of(row, f"{Path(file.name).name}:{number}")
            except Exception as error:  # pyarrow, zlib, zstandard, fsspec: each has errors of its own
                if file.is_remote and not isinstance(error, pa.ArrowInvalid):
                    raise
                if rank_of(file.name, world_size) == rank:
                    where = Path(file.name).name
                    yield Entry(where, self.repository, "damaged_table", f"{type(error).__name__}: {error}"[:200])

    def _files_of(self, row: Any, where: str) -> Iterator[Entry]:
        if isinstance(row, str):
            yield Entry(where, self.repository, row)
            return
        if not isinstance(row, dict):
            yield Entry(where, self.repository, "bad_row", f"{type(row).__name__} instead of an object")
            return
        nested = row.get(FILES_COLUMN)
        if not isinstance(nested, list) or "content" in self.columns:
            yield self._entry(row, where)
            return
        shared = {key: value for key, value in row.items() if key != FILES_COLUMN}
        known = {"repository_files": len(nested)}
        for number, one in enumerate(nested):
            place = f"{where}:{number}"
            if isinstance(one, dict):
                yield self._entry(shared | one, place, known)
            else:
                yield Entry(place, self.repository, "bad_row", f"{type(one).__name__} instead of an object")

    def _entry(self, row: dict[str, Any], where: str, of_repository: Mapping[str, Any] | None = None) -> Entry:
        try:
            names = self._names_in(list(row), where)
        except ConfigError:
            return Entry(where, self.repository, "no_content", ", ".join(row)[:200])
        content = row[names["content"]]
        path = str(row.get(names.get("path", "")) or where)
        repository = str(row.get(names.get("repository", "")) or self.repository)
        try:
            content = content.encode("utf-8") if isinstance(content, str) else content
        except UnicodeEncodeError:
            return Entry(path, repository, "invalid_unicode", "a lone surrogate")
        if not isinstance(content, bytes):
            return Entry(path, repository, "no_content", type(content).__name__)
        known = {ours: row[names[ours]] for ours in ("language", "license", "stars", "forks", "date") if ours in names}
        known = {ours: _plain(ours, value) for ours, value in known.items() if value not in (None, "", [])}
        known |= of_repository or {}
        problem = path_problem(path)
        return Entry(path, repository, problem, size=len(content), known=known, read=Content(content))


def _plain(ours: str, value: Any) -> Any:
    """Return a value of a row as our columns have it."""
    if ours in ("stars", "forks"):
        return int(value) if isinstance(value, int | float) and value == value else 0
    if ours == "license" and isinstance(value, list):
        # What was found in a repository; which of them holds for a file is not known, so that all must be permissive.
        return all_of(str(one) for one in value)
    if ours == "date":
        return value.isoformat() if hasattr(value, "isoformat") else str(value)
    return str(value)


def _parquet_rows(wanted: Collection[str], file: TableFile, rank: int, world_size: int) -> Iterator[tuple[int, Any]]:
    import pyarrow.parquet as pq

    with file.open() as opened, pq.ParquetFile(opened) as table:
        columns = [name for name in table.schema_arrow.names if name in wanted]
        number = 0
        for group in range(table.metadata.num_row_groups):
            if rank_of(f"{file.name}#{group}", world_size) == rank:
                at = number
                for batch in table.iter_batches(ROWS_OF_A_BATCH, row_groups=[group], columns=columns):
                    for row in batch.to_pylist():
                        yield at, row
                        at += 1
            number += table.metadata.row_group(group).num_rows


def _json_rows(file: TableFile, rank: int, world_size: int) -> Iterator[tuple[int, Any]]:
    with file.open() as opened, decompressed(opened) as lines:
        number = 0
        while line := lines.readline(MAX_LINE_BYTES):
            is_whole = line.endswith(b"\n") or len(line) < MAX_LINE_BYTES
            while not is_whole and not line.endswith(b"\n") and (line := lines.readline(MAX_LINE_BYTES)):
                pass
            if number % world_size == rank:
                if not is_whole:
                    yield number, "row_too_large"
                elif line.strip():
                    yield number, _parsed(line)
            number += 1


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return "bad_json"
