"""Sections 3.2.3 and 3.2.4: rows of other datasets: folders, files, or datasets on the Hub, of any known format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from datatrove.data import Document

from datasets_builders.building.dataset_folder import DatasetFolder, ReadRows
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Outcome, Reader, Removed
from datasets_builders.building.strict_fields import checked_fields
from datasets_builders.sources.hub import SCHEME, hub_tables
from datasets_builders.sources.lines import LineNumber, Unreadable
from datasets_builders.sources.table_rows import TableFile, is_table, local_table, rows_of
from datasets_builders.tokenized.conversations import COLUMNS, KNOWN_PAIRS, RowFormat

CATEGORIES = ("code", "general", "math")
_SPLIT = re.compile(r"(train|test|validation|valid|val|dev|eval)(?![a-z0-9])")
_SHARD_NUMBER = re.compile(r"[-_]\d+(?:[-_]of[-_]\d+.*)?$")
UNKNOWN_LICENSE = "unknown"
# Columns that are read of a table, where it has them: of conversations and pairs, and what is told of them.
READ_COLUMNS = frozenset(
    (
        *COLUMNS,
        *(name for pair in KNOWN_PAIRS for name in pair),
        *("conversations", "input", "history", "tools", "candidates", "responses", "answers", "completions"),
        *("mid", "id", "tags", "languages", "language", "license", "check", "test", "function", "source", "scores"),
    )
)
_NOTES = frozenset({"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "config.json"})
ROW = "row"  # key under which a row travels to the step that reads it
_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*(@[\w.-]+)?(/.+)?")


@dataclass(frozen=True)
class RowSource:
    """A dataset that rows are taken from: an entry of `sources`.

    Args:
        dataset (`str`): a folder, a file, or ORG/NAME[@REVISION][/PATTERN] on the Hub.
        category (`str`): code, general or math: what its rows count as in the ratio.
        split (`str`): which files are read, where their names tell splits apart.
        fallback (`str`): folder or file that is read when the Hub cannot be reached.
        columns (dict): our names of columns (messages, prompt, completion, chosen, ...) to the dataset's.
        roles (dict): the dataset's names of roles to user, assistant or system.
        license (`str`): of rows that state none.
        max_rows (`int`): at most so many of its rows, a sample by hash; 0 for all.
        tags (list of `str`): of its rows, beside their own.
    """

    dataset: str = ""
    category: str = "code"
    split: str = "train"
    fallback: str = ""
    columns: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    license: str = ""
    max_rows: int = 0
    tags: list[str] = field(default_factory=list)

    @cached_property
    def name(self) -> str:
        """What the rows say of where they are from: a dataset's name, never the folders above it."""
        is_path = Path(self.dataset).expanduser().exists() or not _HUB_NAME.fullmatch(self.dataset)
        return Path(self.dataset).name if is_path else "/".join(self.dataset.split("@")[0].split("/")[:2])

    @cached_property
    def row_format(self) -> RowFormat:
        """Its names of columns and roles."""
        return RowFormat(self.columns, self.roles)

    def check(self, where: str) -> None:
        """Raise `ConfigError` for values that cannot be; the dataset is not looked at."""
        if not self.dataset:
            raise ConfigError(f"{where}: no dataset; name a folder, a file, or ORG/NAME on the Hub")
        if self.category not in CATEGORIES:
            raise ConfigError(f"{where}: category is {self.category!r}; known: {', '.join(CATEGORIES)}")
        if self.max_rows < 0:
            raise ConfigError(f"{where}: max_rows is {self.max_rows}, but must be at least 0")
        try:
            _ = self.row_format
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from None

    @cached_property
    def files(self) -> list[TableFile]:
        """The tables of its split; of a dataset on the Hub, pinned to the commit that it has now.

        Raises:
            ConfigError: it is nowhere, or has no rows of the split.
        """
        if Path(self.dataset).expanduser().exists():
            return self._local(Path(self.dataset).expanduser())
        if not _HUB_NAME.fullmatch(self.dataset):
            raise ConfigError(f"sources: nothing lies at {self.dataset}, and it is no ORG/NAME on the Hub")
        try:
            _, files = hub_tables(f"{SCHEME}{self.dataset}", _is_read)
        except ConfigError as error:
            if self.fallback:
                return self._local(Path(self.fallback).expanduser())
            raise ConfigError(
                f"sources: {self.dataset} is no folder here and cannot be had from the Hub ({error}). Check the name "
                "and HF_TOKEN, or give `fallback`, a folder or file with its rows"
            ) from None
        return self._of_split([(str(file.identity[0]), file) for file in files])

    def _local(self, path: Path) -> list[TableFile]:
        if path.is_file():
            if not _is_read(path.name):
                raise ConfigError(f"sources: {path} is none of these: .parquet, .jsonl, .json")
            return [local_table(path.absolute())]
        if not path.is_dir():
            raise ConfigError(f"sources: nothing lies at {path}")
        inside = path / "data" if (path / "data").is_dir() else path
        paths = [found for found in sorted(inside.glob("**/*")) if found.is_file() and _is_read(found.name)]
        if not paths:
            raise ConfigError(f"sources: {path} holds no .parquet, .jsonl or .json file")
        return self._of_split([(str(found.relative_to(inside)), local_table(found.absolute())) for found in paths])

    def _of_split(self, named: Sequence[tuple[str, TableFile]]) -> list[TableFile]:
        """Keep the files whose path tells the split; all where no path tells any."""
        # Beside tables, JSON is a note about them: dataset_infos.json and the like.
        tables = [(name, file) for name, file in named if is_table(name)]
        named = tables or [(name, file) for name, file in named if PurePosixPath(name).name not in _NOTES]
        splits = [_split_of(name) for name, _ in named]
        wanted = [file for split, (_, file) in zip(splits, named, strict=True) if split == self.split]
        if wanted:
            return wanted
        if any(splits):
            told = ", ".join(sorted({split for split in splits if split}))
            raise ConfigError(f"sources: {self.dataset} has no split {self.split!r}; its files tell {told}")
        return [file for _, file in named]

    @cached_property
    def license_of_dataset(self) -> str:
        """The licence that the config gives, else what the card of a folder states."""
        if self.license:
            return self.license
        folder = Path(self.dataset).expanduser()
        return DatasetFolder(folder).license if folder.is_dir() else UNKNOWN_LICENSE

    def identity(self) -> dict[str, Any]:
        """Return what changes when its rows do: sizes and times of files, or the commit on the Hub."""
        return {"dataset": self.name, "files": [file.identity for file in self.files]}


def _is_read(name: str) -> bool:
    return is_table(name) or name.lower().endswith(".json")


def _split_of(name: str) -> str:
    """Return the split that a file's path tells, empty for none: train-00000-of-00001.parquet, train/0.jsonl."""
    path = PurePosixPath(name)
    for part in (path.name.split(".")[0], *reversed(path.parent.parts)):
        told = _SHARD_NUMBER.sub("", part).lower()
        if _SPLIT.match(told):
            return told
    return ""


def read_sources(entries: Sequence[Mapping[str, Any]], where: str = "sources") -> list[RowSource]:
    """Return the entries of a config, checked.

    Raises:
        ConfigError: an unknown field, a wrong type or value, or a dataset that is named twice.
    """
    sources: list[RowSource] = []
    for number, entry in enumerate(entries):
        place = f"{where}, item {number}"
        source = RowSource(**checked_fields(RowSource, dict(entry), place))
        source.check(place)
        if any((other.dataset, other.split) == (source.dataset, source.split) for other in sources):
            raise ConfigError(f"{place}: {source.dataset} is named twice")
        sources.append(source)
    return sources


class ReadDatasets(Reader):
    """Read rows of datasets that a builder made, and rows of other datasets, which the next step reads.

    Args:
        folders: of datasets of questions, whose rows are documents as they are.
        sources: other datasets.
        kind (`str`): of the documents of other datasets, whose metadata holds the `row` and the number of its `source`.
        prepare (function): completes the metadata of a question's document.
    """

    name = "read_datasets"

    def __init__(
        self,
        folders: Sequence[str],
        sources: Sequence[RowSource],
        kind: str,
        prepare: Callable[[Document], None] | None = None,
    ) -> None:
        super().__init__()
        self.questions = ReadRows(folders, id_column="mid", text_column=None)
        self.sources, self.kind, self.prepare = list(sources), kind, prepare

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """Give the questions of this rank, then the rows of the other datasets."""
        for doc in self.questions.list_documents(rank, world_size):
            if self.prepare:
                self.prepare(doc)
            yield doc
        for place, source in enumerate(self.sources):
            for number, file in enumerate(source.files):
                for row_number, row in _rows(file, source, rank, world_size):
                    metadata = {"kind": self.kind, "source": source.name, "source_number": place, ROW: row}
                    yield Document("", f"{source.name}/{number}/{row_number}", metadata=metadata)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on what could be read."""
        row = doc.metadata.get(ROW, {})
        if isinstance(row, Unreadable):
            doc.metadata[ROW] = None
            yield Removed(doc, row.problem, row.detail)
        elif not isinstance(row, dict):
            yield Removed(doc, "row_is_no_object")
        else:
            yield doc


def _rows(file: TableFile, source: RowSource, rank: int, world_size: int) -> Iterator[tuple[LineNumber | int, Any]]:
    if file.name.lower().endswith(".json"):
        with file.open() as opened:
            raw = opened.read()
        try:
            rows = json.loads(raw)
        except (ValueError, RecursionError):
            # Lines of JSON under the other name.
            rows = [_parsed(line) for line in raw.splitlines() if line.strip()]
        if isinstance(rows, dict) and len(rows) == 1:
            rows = next(iter(rows.values()))
        rows = rows if isinstance(rows, list) else [rows]
        yield from ((number, row) for number, row in enumerate(rows) if number % world_size == rank)
        return
    yield from rows_of(file, READ_COLUMNS | {*source.columns.values()}, rank, world_size)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return Unreadable("bad_json", str(error)[:200])
