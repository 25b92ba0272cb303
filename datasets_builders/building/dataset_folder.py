"""Section 1 (released datasets): the rows of a built dataset, for the builder, card or check that reads them."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from datatrove.data import Document

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import digest, file_sha256
from datasets_builders.building.intermediate import DEFAULT_SPLIT
from datasets_builders.building.steps import Outcome, Reader

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData

ROWS_PER_BATCH = 256  # with their texts, which may be long
VALUES_PER_BATCH = 1 << 14
UNKNOWN_LICENSE = "unknown"
_SHARD_NAME = re.compile(r"(?P<split>.+?)[_-]\d{5}[_-]of[_-]\d{5}(?:\.(?P<label>[^.]+))?\.parquet")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say which shard it is that pyarrow cannot read."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowInvalid as error:
        words = " ".join(str(error).split())
        raise ConfigError(f"{path} is damaged or not whole ({words}): build or download it again") from error


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a dataset, with what its name tells: the split, and the label of its language."""

    split: str
    path: Path
    label: str = ""

    @property
    def num_rows(self) -> int:
        """Rows, as the file's footer states them."""
        return self._footer.num_rows

    @cached_property
    def _footer(self) -> "FileMetaData":
        import pyarrow.parquet as pq

        with _readable(self.path):
            return pq.read_metadata(self.path)

    @property
    def num_bytes(self) -> int:
        """Bytes of the rows, as the file's footer states them, before compression."""
        metadata = self._footer
        return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        import pyarrow.parquet as pq

        with _readable(self.path):
            return pq.read_schema(self.path).names

    def batches(
        self, columns: Sequence[str] | None = None, batch_rows: int = ROWS_PER_BATCH
    ) -> Iterator["pa.RecordBatch"]:
        """Give the rows, some at a time.

        Args:
            columns (sequence of `str`, *optional*): those that are read; all by default.
            batch_rows (`int`): at most so many rows at once.

        Raises:
            ConfigError: the shard has no such column, or cannot be read.
        """
        import pyarrow.parquet as pq

        with _readable(self.path), pq.ParquetFile(self.path) as shard:
            known = shard.schema_arrow.names
            if missing := sorted(set(columns or ()) - set(known)):
                raise ConfigError(f"{self.path} has no column {', '.join(missing)}; it has {', '.join(known)}")
            yield from shard.iter_batches(batch_rows, columns=None if columns is None else list(columns))

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Give each row as column to value; see `batches`."""
        for batch in self.batches(columns):
            yield from batch.to_pylist()

    def rows_at(self, places: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Give rows by their numbers, which rise, reading the row groups that hold any."""
        import pyarrow.parquet as pq

        with _readable(self.path), pq.ParquetFile(self.path) as shard:
            start = 0
            for group in range(shard.num_row_groups):
                end = start + shard.metadata.row_group(group).num_rows
                inside = [place - start for place in places if start <= place < end]
                if inside:
                    yield from shard.read_row_group(group).take(inside).to_pylist()
                start = end


class DatasetFolder:
    """A built dataset: a folder with `data/train_00000_of_00001.parquet` and the like, and a card.

    Args:
        path (`Path` or `str`): the folder; a leading `~` is the home.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser()

    def _files(self) -> list[Path]:
        files = sorted((self.path / "data").glob("*.parquet"))
        if not files:
            raise ConfigError(
                f"{self.path} holds no data/*.parquet; give the output folder of a builder, and run that one first"
            )
        return files

    @property
    def shards(self) -> list[Shard]:
        """The shards in order of name.

        Raises:
            ConfigError: there are none.
        """
        shards = []
        for path in self._files():
            name = _SHARD_NAME.fullmatch(path.name)
            shards.append(Shard(name["split"], path, name["label"] or "") if name else Shard(DEFAULT_SPLIT, path))
        return shards

    def check(self) -> None:
        """Raise `ConfigError` when there are no shards."""
        self._files()

    @property
    def splits(self) -> list[str]:
        """Names of the splits, sorted."""
        return sorted({shard.split for shard in self.shards})

    @property
    def columns(self) -> list[str]:
        """Names of the columns, as the first shard has them."""
        return self.shards[0].columns

    def shards_of(self, split: str | None) -> list[Shard]:
        """Return the shards of a split; of all splits for None."""
        return [shard for shard in self.shards if split in (None, shard.split)]

    def batches(
        self,
        columns: Sequence[str] | None = None,
        split: str | None = None,
        batch_rows: int = ROWS_PER_BATCH,
    ) -> Iterator["pa.RecordBatch"]:
        """Give the rows of the dataset or of one split, some at a time; see `Shard.batches`."""
        for shard in self.shards_of(split):
            yield from shard.batches(columns, batch_rows)

    def rows(self, columns: Sequence[str] | None = None, split: str | None = None) -> Iterator[dict[str, Any]]:
        """Give the rows of the dataset or of one split, each as column to value; see `Shard.batches`."""
        for shard in self.shards_of(split):
            yield from shard.rows(columns)

    def counts(self, column: str, split: str | None = None) -> dict[Any, int]:
        """Return the values of a column with how many rows have each, the most frequent first; each of a list."""
        import pyarrow as pa
        import pyarrow.compute as pc

        counts: Counter[Any] = Counter()
        for batch in self.batches([column], split, VALUES_PER_BATCH):
            values = batch.column(0)
            values = pc.list_flatten(values) if pa.types.is_list(values.type) else values
            counts.update({found["values"]: found["counts"] for found in pc.value_counts(values).to_pylist()})
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0] is None, item[0])))

    @property
    def license(self) -> str:
        """The licence that the card states, "unknown" where there is none."""
        card = self.path / "README.md"
        front = card.read_text(encoding="utf-8").split("---\n") if card.is_file() else []
        metadata = yaml.safe_load(front[1]) if len(front) > 2 else None
        if not isinstance(metadata, dict):
            return UNKNOWN_LICENSE
        return str(metadata.get("license_name") or metadata.get("license") or UNKNOWN_LICENSE)

    def fingerprint(self) -> dict[str, str]:
        """Return the SHA-256 of each shard by its path in `data/`."""
        data = self.path / "data"
        return {shard.path.relative_to(data).as_posix(): file_sha256(shard.path) for shard in self.shards}

    def digest(self) -> str:
        """Return a short hash of all shards: of two datasets with the same one, the rows are the same."""
        return digest(list(self.fingerprint().values()))


class ReadRows(Reader):
    """Read the rows of dataset folders, as if they were one dataset; rank r of n takes every n-th row.

    Args:
        folders (sequence of `Path` or `str`): the datasets.
        id_column (`str`): becomes the document's id.
        text_column (`str`, *optional*): becomes its text; `None` takes the text of the messages.
        columns (sequence of `str`, *optional*): become its metadata, beside the `split`; all but the text by default.
    """

    name = "read_rows"

    def __init__(
        self,
        folders: Sequence[Path | str],
        id_column: str = "id",
        text_column: str | None = "content",
        columns: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.folders = [str(folder) for folder in folders]
        self.id_column, self.text_column, self.columns = id_column, text_column, columns

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """Give the rows of this rank."""
        needed = [self.id_column, self.text_column or "messages"]
        wanted = None if self.columns is None else list(dict.fromkeys([*needed, *self.columns]))
        number = 0
        for shard in (shard for folder in self.folders for shard in DatasetFolder(folder).shards):
            if missing := sorted(set(needed) - set(shard.columns)):
                raise ConfigError(f"{shard.path} has no column {', '.join(missing)}; it is no input for this builder")
            for row in shard.rows(wanted):
                if number % world_size == rank:
                    yield self._document(row, shard.split)
                number += 1

    def _document(self, row: dict[str, Any], split: str) -> Document:
        if self.text_column is None:
            text = "\n\n".join(message["content"] for message in row["messages"])
        else:
            text = row.pop(self.text_column)
        identifier = row[self.id_column]
        if self.columns is not None:
            row = {name: row[name] for name in self.columns}
        return Document(text=text, id=identifier, metadata={**row, "split": split})

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass the row on."""
        yield doc
