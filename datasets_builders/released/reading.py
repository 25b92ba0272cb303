"""Section 1 (released datasets): the rows of a dataset folder as the documents of a further builder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from datatrove.data import Document

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Outcome, Reader

_SHARD_NAME = re.compile(r"(?P<split>.+?)[_-]\d{5}[_-]of[_-]\d{5}\.parquet")


def shard_files(folder: Path) -> list[tuple[str, Path]]:
    """List the Parquet shards of a dataset folder with their splits, in order of name.

    Args:
        folder (`Path`): a folder with `data/train_00000_of_00001.parquet` and the like.

    Returns:
        `list[tuple[str, Path]]`: split and path.

    Raises:
        ConfigError: there are no such shards.

    Source: ours; the names are those of the released datasets.
    """
    shards = []
    for path in sorted((folder / "data").glob("*.parquet")):
        match = _SHARD_NAME.fullmatch(path.name)
        shards.append((match["split"] if match else "train", path))
    if not shards:
        raise ConfigError(
            f"input {folder} holds no data/*.parquet; give the output folder of another builder, and run that one first"
        )
    return shards


def folder_fingerprint(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each shard of a dataset folder, by file name.

    Source: ours.
    """
    fingerprints = {}
    for _, path in shard_files(folder):
        with path.open("rb") as shard:
            fingerprints[path.name] = hashlib.file_digest(shard, "sha256").hexdigest()
    return fingerprints


def input_license(folder: Path) -> str:
    """Return the licence that the card of a dataset folder states, "unknown" where there is none.

    Source: ours.
    """
    card = folder / "README.md"
    front = card.read_text(encoding="utf-8").split("---\n") if card.is_file() else []
    metadata = yaml.safe_load(front[1]) if len(front) > 2 else None
    if not isinstance(metadata, dict):
        return "unknown"
    return str(metadata.get("license_name") or metadata.get("license") or "unknown")


class ReadDatasetRows(Reader):
    """Reads the rows of dataset folders; rank r of n takes every n-th row.

    Args:
        folder (`Path` or `str`): the dataset folder.
        id_column (`str`): becomes the document's id.
        text_column (`str`, *optional*): becomes its text; `None` takes the text of the messages. All columns are
            metadata too, with the `split` from the file name.
        more_folders (`Sequence[str]`): read after it, as if they were one dataset.

    Source: ours.
    """

    name = "read_rows"

    def __init__(
        self,
        folder: Path | str,
        id_column: str = "id",
        text_column: str | None = "content",
        more_folders: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.folders, self.id_column, self.text_column = [str(folder), *more_folders], id_column, text_column

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        import pyarrow.parquet as parquet

        index = 0
        for split, path in (shard for folder in self.folders for shard in shard_files(Path(folder))):
            shard = parquet.ParquetFile(path)
            needed = {self.id_column, self.text_column or "messages"}
            missing = needed - set(shard.schema_arrow.names)
            if missing:
                raise ConfigError(f"{path} has no column {', '.join(sorted(missing))}; it is no input for this builder")
            for batch in shard.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    if index % world_size == rank:
                        yield self._document(row, split)
                    index += 1

    def _document(self, row: dict[str, Any], split: str) -> Document:
        if self.text_column is None:
            text = "\n\n".join(message["content"] for message in row["messages"])
        else:
            text = row.pop(self.text_column)
        return Document(text=text, id=row[self.id_column], metadata={**row, "split": split})

    def process(self, doc: Document) -> Iterator[Outcome]:
        yield doc
