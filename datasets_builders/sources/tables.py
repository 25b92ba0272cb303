"""Section 2.1: files that lie as rows in Parquet, JSON Lines or CSV, of any columns: the Stack's (v1 to v3), our own.

A row is a file, or a repository with a list `files` of them. A file whose repository cannot be named is never put
together with others.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.csv_rows import names_in
from datasets_builders.sources.entry import Content, Entry, Source, path_problem, without_excluded
from datasets_builders.sources.license_files import Licenses
from datasets_builders.sources.lines import Unreadable, WatchedFile, lines_of
from datasets_builders.sources.row_values import CONVERSIONS, text_of
from datasets_builders.sources.table_rows import TableFile, rows_of

# Our name -> theirs, the first that a table has: our own datasets, the Stack (v1), v2, v3, GitHub Code. A dot leads
# into a struct.
COLUMNS = {
    "content": ("content", "code", "text"),
    "path": ("path", "max_stars_repo_path", "file_path", "filename"),
    "repository": ("repository", "repo_name", "max_stars_repo_name", "repo", "repo_path"),
    "language": ("language", "lang", "programming_language"),
    "license": ("license", "detected_licenses", "max_stars_repo_licenses", "licenses"),
    "stars": ("stars", "star_events_count", "max_stars_count", "github_metadata.stars"),
    "forks": ("forks", "fork_events_count", "max_forks_count", "github_metadata.forks"),
    "date": ("date", "revision_date", "committer_date", "visit_date", "max_stars_repo_stars_event_max_datetime"),
    "commit": ("commit", "commit_id", "revision_id", "max_stars_repo_head_hexsha"),
    "repository_url": ("repository_url", "repo_url"),
    "is_fork": ("is_fork", "github_metadata.is_fork"),
}
FILES_COLUMN = "files"  # of the Stack v2 and v3: a row per repository
# Of a file among `files`; what says so of the repository around it is not the file's.
OWN_COLUMNS = ("content", "path")
OTHER_PATH_COLUMNS = ("name",)
BLOB_COLUMN = "blob_id"


class _Place:
    """Where a row stands, `name:12`; put together when it is asked for, since to number a line may mean to count."""

    def __init__(self, around: "str | _Place", number: object) -> None:
        self._around, self._number = around, number

    def __str__(self) -> str:
        return f"{self._around}:{self._number}"


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
        self._path_column = ""  # of a table with a repository per row
        self._needs_names = False
        self._theirs = {ours: (self.columns[ours],) if ours in self.columns else COLUMNS[ours] for ours in COLUMNS}

    def licenses(self) -> Licenses:
        """Return the licence as given; rows may state their own."""
        return Licenses({"": self._license}) if self._license else Licenses()

    def fingerprint(self) -> dict[str, Any]:
        """Return names, sizes and times of change, or revisions."""
        return {"table": self.repository, "files": [file.identity for file in self.files]}

    def describe(self) -> str:
        """Return the name and the number of files."""
        paths = f", paths of files from column {self._path_column!r}" if self._path_column else ""
        return f"{self.repository}: {len(self.files)} table files, {self.files[0].name} first{paths}"

    def check(self) -> None:
        """Raise `ConfigError` when the first table lacks its columns; a damaged one is passed over, but not all."""
        for file in self.files:
            if not (file.is_parquet or file.is_csv):
                return
            try:
                columns = _columns_of(file)
            except ConfigError:
                if file is self.files[-1]:
                    raise
                continue
            self._check_columns(columns, file.name)
            return

    def _check_columns(self, columns: Sequence[str], where: str) -> None:
        nested = [name.removeprefix(f"{FILES_COLUMN}.") for name in columns if name.startswith(f"{FILES_COLUMN}.")]
        of_files = nested if self._has_files(columns) else columns
        for ours, theirs in self.columns.items():
            if theirs not in columns and theirs not in nested:
                shown = ", ".join([*columns])
                raise ConfigError(f"columns: {where} has no column {theirs!r} for {ours}; it has {shown}")
        if of_files is nested:
            self._path_column = _first((*self._theirs["path"], *OTHER_PATH_COLUMNS), nested) or "its place in the row"
        if not _first(self._theirs["content"], of_files):
            shown = ", ".join(of_files)
            raise ConfigError(f"{where} has no column for content ({shown}); name it in `columns`.{_blobs(of_files)}")
        if of_files is nested and not _first(self._theirs["repository"], columns):
            raise ConfigError(
                f"{where} has a repository per row, and no column with its name ({', '.join(columns)}): "
                "name it in `columns`, {repository: COLUMN}"
            )

    def check_repositories(self) -> None:
        """Raise `ConfigError` where rows do not name their repositories; a line that does not is one of its own.

        All files of such a table would become one repository.
        """
        self._needs_names = True
        for file in self.files[:1]:
            if (file.is_parquet or file.is_csv) and not _first(self._theirs["repository"], _columns_of(file)):
                raise ConfigError(
                    f"{file.name} does not say which repository a row is of, so that all would become one; name "
                    "the column in `columns`, {repository: COLUMN}, or give each repository as a source of its own"
                )

    def _has_files(self, columns: Sequence[str]) -> bool:
        """Return whether a row is a repository: where `columns` names the content, it may stand in the row itself."""
        return FILES_COLUMN in columns and self.columns.get("content") not in columns

    def entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        """List the rows of this rank."""
        return without_excluded(self._entries(rank, world_size), self.exclude)

    def _entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        wanted = {FILES_COLUMN, *(name.partition(".")[0] for names in self._theirs.values() for name in names)}
        for file in self.files:
            name = Path(file.name).name
            for number, row in rows_of(file, wanted, rank, world_size):
                where = _Place(name, number)
                if isinstance(row, Unreadable):
                    is_whole = row.problem == "damaged_table"
                    yield Entry(name if is_whole else str(where), self.repository, row.problem, row.detail)
                    continue
                try:
                    found = list(self._files_of(row, where))
                except Exception as error:  # whatever a row may hold, it costs no other row
                    found = [Entry(str(where), self.repository, "bad_row", f"{type(error).__name__}: {error}"[:200])]
                yield from found

    def _files_of(self, row: Any, where: _Place) -> Iterator[Entry]:
        if not isinstance(row, dict):
            yield Entry(str(where), self.repository, "bad_row", f"{type(row).__name__} instead of an object")
            return
        nested = row.get(FILES_COLUMN)
        if not isinstance(nested, list) or not self._has_files(list(row)):
            yield self._entry(row, where, self._names_in(row))
            return
        shared = _flat({key: value for key, value in row.items() if key != FILES_COLUMN})
        for ours in OWN_COLUMNS:
            shared = {key: value for key, value in shared.items() if key not in self._theirs[ours]}
        known = {"repository_files": len(nested)}
        for number, file in enumerate(nested):
            place = _Place(where, number)
            if isinstance(file, dict):
                names = self._names_in(shared | _flat(file))
                own_path = _first(OTHER_PATH_COLUMNS, file) if "path" not in names else None
                yield self._entry(shared | file, place, names | ({"path": own_path} if own_path else {}), where, known)
            else:
                yield Entry(str(place), self.repository, "bad_row", f"{type(file).__name__} instead of an object")

    def _names_in(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return our name to the row's, for the columns that it has."""
        found = {ours: _first(theirs, _flat(row)) for ours, theirs in self._theirs.items()}
        return {ours: name for ours, name in found.items() if name}

    def _entry(
        self,
        row: Mapping[str, Any],
        where: _Place,
        names: Mapping[str, str],
        row_of_repository: _Place | None = None,
        of_repository: Mapping[str, Any] | None = None,
    ) -> Entry:
        values = _flat(row)
        if "content" not in names:
            return Entry(str(where), self.repository, "no_content", ", ".join(map(str, values))[:200])
        path, done_to_path = text_of(values.get(names.get("path", "")))
        repository, done_to_repository = text_of(values.get(names.get("repository", "")))
        changes = [("path", done_to_path), ("repository", done_to_repository)]
        path = path or str(where)
        if not repository:
            # A row that could name its repository and does not is one of its own: it belongs to none that is known.
            is_alone = row_of_repository or "repository" in names or self._needs_names
            repository = f"{self.repository}/{row_of_repository or where}" if is_alone else self.repository
        content = values[names["content"]]
        try:
            content = content.encode("utf-8") if isinstance(content, str) else content
        except UnicodeEncodeError:
            return Entry(path, repository, "invalid_unicode", "a lone surrogate")
        if not isinstance(content, bytes):
            return Entry(path, repository, "no_content", type(content).__name__)
        known: dict[str, Any] = {}
        for ours, convert in CONVERSIONS.items():
            if ours in names:
                value, done = convert(values[names[ours]])
                changes.append((ours, done))
                if value is not None and value != "":
                    known[ours] = value
        return Entry(
            path,
            repository,
            path_problem(path),
            size=len(content),
            known=known | dict(of_repository or {}),
            read=Content(content),
            mended=tuple(f"{ours}_{done}" for ours, done in changes if done),
        )


def _columns_of(file: TableFile) -> list[str]:
    """Return the names of a table's columns, with those inside structs and lists of structs behind a dot."""
    if file.is_csv:
        with WatchedFile(file.open()) as watched:
            line = next(lines_of(watched, file.name), b"")
        return names_in(line, file.name) if isinstance(line, bytes) else []
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with file.open() as opened:
            schema = pq.ParquetFile(opened).schema_arrow
    except Exception as error:
        raise ConfigError(f"{file.name} cannot be read as Parquet: {error}") from None
    names = []
    for column in schema:
        kind = column.type.value_type if pa.types.is_list(column.type) else column.type
        inner = [field.name for field in kind.fields] if pa.types.is_struct(kind) else []
        names += [column.name, *(f"{column.name}.{name}" for name in inner)]
    return names


def _first(wanted: Sequence[str], names: Collection[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with what stands in its structs beside it, behind a dot."""
    inner = {
        f"{key}.{name}": value
        for key, struct in row.items()
        if isinstance(struct, dict)
        for name, value in struct.items()
    }
    return inner | dict(row)


def _blobs(columns: Collection[str]) -> str:
    if BLOB_COLUMN not in columns:
        return ""
    return (
        " It gives Software Heritage's blob ids alone: fetch the contents first (they ask for an agreement) "
        "and add them as a column."
    )
