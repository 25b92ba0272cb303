"""Sections 3.2.3 and 3.2.4: the rows of a dataset: a folder, a file, or a dataset on the Hub, whole or streamed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets_builders.tokenized.chat_rows import GROUP_ROWS, Row, UnreadableRow
from modeling_ling.hub_reading import hub_failure, read_failure
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_SUFFIXES = (".parquet",)
LINE_SUFFIXES = (".jsonl", ".jsonl.gz", ".ndjson")
JSON_SUFFIXES = (".json",)
SUFFIXES = (*TABLE_SUFFIXES, *LINE_SUFFIXES, *JSON_SUFFIXES)

Group = list[Row] | bytes


@dataclass(frozen=True)
class ChatSource:
    """A dataset that conversations or pairs are read from.

    Args:
        dataset: a folder, a file, or org/name[@revision].
        split: train or validation.
        streaming: read a dataset of the Hub as it comes, without a copy of it on disk.
        max_rows: read only the first.
    """

    dataset: str
    split: str = "train"
    streaming: bool = False
    max_rows: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is a folder or a file here."""
        return Path(self.dataset).exists()

    def identity(self) -> dict[str, Any]:
        """Return what names the content, without reading it: the files' sizes and times, or the commit on the Hub.

        Raises:
            RecipeError: no such dataset.
        """
        facts: dict[str, Any] = {"dataset": self.dataset, "split": self.split, "max_rows": self.max_rows}
        if not self.is_local:
            return facts | {"commit": _commit_of(self.dataset)}
        path = Path(self.dataset)
        files = sorted(path.glob("**/*.arrow")) if _is_saved(path) else self.files()
        states = [(str(file.relative_to(path.parent)), file.stat()) for file in files]
        return facts | {
            "dataset": str(path.resolve()),
            "files": [[name, state.st_size, state.st_mtime_ns] for name, state in states],
        }

    def files(self) -> list[Path]:
        """Return the files of the split of a folder, or the one file.

        Raises:
            RecipeError: none that can be read.
        """
        path = Path(self.dataset)
        if path.is_file():
            if not path.name.endswith(SUFFIXES):
                raise RecipeError(f"dataset: {path} is none of the files that are read: {', '.join(SUFFIXES)}.")
            return [path]
        known = [file for file in sorted([*path.glob("*"), *path.glob("data/*")]) if file.name.endswith(SUFFIXES)]
        # A builder's own notes lie beside its data.
        known = [
            file
            for file in known
            if file.suffix not in JSON_SUFFIXES or file.parent == path / "data" or not (path / "data").is_dir()
        ]
        named = [file for file in known if file.name.split(".")[0].split("-")[0].split("_")[0] == self.split]
        if named:
            return named
        splits = ("train", "test", "validation", "dev", "val")
        if known and self.split == "train" and not any(file.name.startswith(splits) for file in known):
            return known
        raise RecipeError(
            f"dataset: {self.dataset} has no data/{self.split}*.parquet and no {self.split}*.jsonl or .json. Build it "
            "first (python -m datasets_builders), or name a file."
        )

    def groups(self, group_rows: int = GROUP_ROWS) -> Iterator[Group]:
        """Yield the rows in groups: lists of rows, or tables as Arrow bytes, which cost this process nothing.

        Raises:
            RecipeError: the dataset cannot be read.
        """
        try:
            if not self.is_local:
                yield from _table_groups(self._hub_tables(group_rows), group_rows, self.max_rows)
            elif _is_saved(Path(self.dataset)):
                yield from _table_groups(self._saved_tables(group_rows), group_rows, self.max_rows)
            else:
                files = self.files()
                if all(file.name.endswith(TABLE_SUFFIXES) for file in files):
                    yield from _table_groups(_parquet_tables(files, group_rows), group_rows, self.max_rows)
                else:
                    rows = islice(_file_rows(files), self.max_rows)
                    while group := list(islice(rows, group_rows)):
                        yield group
        except RecipeError:
            raise
        except Exception as error:
            raise RecipeError(
                f"dataset: {self.dataset!r}, split {self.split!r}, cannot be read: {hub_failure(error) or error}"
            ) from error

    def _hub_tables(self, group_rows: int) -> Iterator[pa.Table]:
        from datasets import load_dataset

        from recipes.running.checkpoints import split_revision

        name, revision = split_revision(self.dataset)
        dataset = load_dataset(name, revision=revision, split=self.split, streaming=self.streaming)
        yield from dataset.with_format("arrow").iter(group_rows)

    def _saved_tables(self, group_rows: int) -> Iterator[pa.Table]:
        from datasets import DatasetDict, load_from_disk

        dataset = load_from_disk(self.dataset)
        if isinstance(dataset, DatasetDict):
            if self.split not in dataset:
                raise RecipeError(f"dataset: {self.dataset} has no split {self.split!r}; it has {', '.join(dataset)}.")
            dataset = dataset[self.split]
        yield from dataset.with_format("arrow").iter(group_rows)


def rows_of(group: Group) -> list[Row]:
    """Return the rows of a group that `ChatSource.groups` gave."""
    if isinstance(group, list):
        return group
    import pyarrow as pa

    with pa.ipc.open_stream(group) as reader:
        return reader.read_all().to_pylist()


def _is_saved(path: Path) -> bool:
    """Whether a folder was written by `save_to_disk`."""
    return (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file()


def _commit_of(dataset: str) -> str:
    from huggingface_hub import HfApi

    from recipes.running.checkpoints import split_revision

    name, revision = split_revision(dataset)
    try:
        return str(HfApi().dataset_info(name, revision=revision).sha)
    except Exception as error:
        from huggingface_hub import constants

        if constants.HF_HUB_OFFLINE:
            return f"offline {revision}"
        raise RecipeError(
            f"dataset: {dataset!r} is no folder or file here, and not to be had from the Hub: {read_failure(error)}"
        ) from error


def _parquet_tables(files: Iterable[Path], group_rows: int) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in files:
        with pq.ParquetFile(file) as reader:
            for batch in reader.iter_batches(group_rows):
                yield pa.Table.from_batches([batch])


def _table_groups(tables: Iterable[pa.Table], group_rows: int, max_rows: int | None) -> Iterator[Group]:
    """Give tables anew in groups of exactly `group_rows`, whatever the files' row groups are."""
    left = max_rows
    waiting: list[pa.Table] = []
    for table in tables:
        if left is not None:
            table = table.slice(0, left)
            left -= len(table)
        while (missing := group_rows - sum(map(len, waiting))) <= len(table):
            yield _as_group([*waiting, table.slice(0, missing)])
            waiting, table = [], table.slice(missing)
        if len(table):
            waiting.append(table)
        if left == 0:
            break
    if waiting:
        yield _as_group(waiting)


def _as_group(tables: list[pa.Table]) -> Group:
    import pyarrow as pa

    if all(table.schema.equals(tables[0].schema) for table in tables):
        return _as_bytes(pa.concat_tables(tables))
    # Files of one dataset may differ in their columns, or in the keys of their messages.
    return [row for table in tables for row in table.to_pylist()]


def _as_bytes(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _file_rows(files: Iterable[Path]) -> Iterator[Row]:
    for file in files:
        if file.name.endswith(TABLE_SUFFIXES):
            for table in _parquet_tables([file], GROUP_ROWS):
                yield from table.to_pylist()
        elif file.name.endswith(LINE_SUFFIXES):
            yield from _line_rows(file)
        else:
            yield from _json_rows(file)


def _line_rows(file: Path) -> Iterator[Row]:
    with gzip.open(file, "rb") if file.suffix == ".gz" else open(file, "rb") as lines:
        for line in lines:
            if line.strip():
                yield _row_of(line)


def _row_of(line: bytes) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return UnreadableRow("a line that is no JSON")
    return row if isinstance(row, dict) else UnreadableRow("a row that is no object")


def _json_rows(file: Path) -> Iterator[Row]:
    try:
        rows = json.loads(file.read_bytes())
    except ValueError:
        # Lines of JSON under the other name.
        yield from _line_rows(file)
        return
    if isinstance(rows, dict) and len(rows) == 1:
        rows = next(iter(rows.values()))
    if not isinstance(rows, list):
        raise RecipeError(f"dataset: {file} must hold a list of rows, or a row per line.")
    for row in rows:
        yield row if isinstance(row, dict) else UnreadableRow("a row that is no object")


__all__ = ["ChatSource", "Group", "rows_of"]
