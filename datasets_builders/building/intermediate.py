"""Documents between two stages: JSON lines under `.build/stages/<stage>/<bucket>/<rank>.jsonl`, renamed when whole."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from datatrove.data import Document

from datasets_builders.building.atomic import temporary_name
from datasets_builders.building.document_step import Documents, DocumentStep
from datasets_builders.building.json_lines import of_line, to_line
from datasets_builders.building.language_configs import DEFAULT_SPLIT, bucket_name, config_of

MAX_OPEN_FILES = 200  # of one rank; systems give a process 1,024


def number_of(key: str, num_buckets: int) -> int:
    """Return the bucket of a key: stable between runs and machines, unlike `hash`."""
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big") % num_buckets


def document_id(doc: Document) -> str:
    """Return the id: the default key by which documents are spread over the ranks of the next stage."""
    return doc.id


def values_of(doc: Document) -> list[Any]:
    """Return a document as the JSON in which it is kept."""
    return [doc.id, doc.text, doc.metadata]


def document_of(values: list[Any]) -> Document:
    """Return the document that `values_of` made values of."""
    identifier, text, metadata = values
    return Document(text=text, id=identifier, metadata=metadata)


class ByKey:
    """Spread documents over the ranks of the next stage: equal keys meet in one rank."""

    def __init__(self, num_buckets: int, key: Callable[[Document], str] = document_id) -> None:
        self.num_buckets = num_buckets
        self.key = key

    def __call__(self, doc: Document) -> str:
        """Return the rank of a document."""
        return f"{number_of(self.key(doc), self.num_buckets):05d}"


class ByShard:
    """Spread documents over the shards of the finished dataset: by config, by split, then by id.

    Args:
        num_shards (`int`): of the train split.
        config_column (`str`, *optional*): whose values are configs of the dataset.
    """

    def __init__(self, num_shards: int, config_column: str | None = None) -> None:
        self.num_shards = num_shards
        self.config_column = config_column

    def __call__(self, doc: Document) -> str:
        """Return the shard of a document."""
        split = doc.metadata.get("split", DEFAULT_SPLIT)
        num_shards = self.num_shards if split == DEFAULT_SPLIT else 1
        config = config_of(doc.metadata.get(self.config_column)) if self.config_column else None
        return bucket_name(config, split, number_of(doc.id, num_shards))


class StageWriter(DocumentStep):
    """Write, as the last step of a stage, documents to one file per bucket, of which few are open at once."""

    name = "stage_writer"
    type = "WRITER"

    def __init__(self, folder: Path, bucket_of: Callable[[Document], str]) -> None:
        super().__init__()
        self.folder = str(folder)
        self.bucket_of = bucket_of

    def pass_on(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Documents:
        """Write all documents, then rename the files of this rank."""
        paths: dict[str, Path] = {}
        files: dict[str, IO[bytes]] = {}  # those that are open, the one that was written to last at the end
        try:
            for doc in data or ():
                bucket = self.bucket_of(doc)
                file = files.pop(bucket, None)
                if file is None:
                    if len(files) >= MAX_OPEN_FILES:
                        files.pop(next(iter(files))).close()
                    file = self._opened(bucket, rank, paths)
                files[bucket] = file
                file.write(to_line(values_of(doc)))
                yield doc
            for file in files.values():
                file.close()
            for path in paths.values():
                temporary_name(path).replace(path)
        finally:
            _close_and_remove(files.values(), paths.values())

    def _opened(self, bucket: str, rank: int, paths: dict[str, Path]) -> IO[bytes]:
        """Open the file of a bucket: anew for the first time, at its end after that."""
        if bucket in paths:
            return temporary_name(paths[bucket]).open("ab")
        path = paths[bucket] = Path(self.folder) / bucket / f"{rank:05d}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        return temporary_name(path).open("wb")


def _close_and_remove(files: Iterable[IO[bytes]], paths: Iterable[Path]) -> None:
    """Drop what was not renamed. Closing flushes, which fails again on a full disk: the first error is the one told."""
    for file in files:
        with suppress(OSError):
            file.close()
    for path in paths:
        temporary_name(path).unlink(missing_ok=True)


class StageReader(DocumentStep):
    """Read, as the first step of a later stage, documents in the order of the ranks that wrote them.

    Args:
        folder (`Path`): of the stage before.
        buckets (sequence of sequences of `str`): those that each rank reads.
    """

    name = "stage_reader"
    type = "READER"

    def __init__(self, folder: Path, buckets: Sequence[Sequence[str]]) -> None:
        super().__init__()
        self.folder = str(folder)
        self.buckets = buckets

    def weight(self, rank: int, world_size: int) -> int:
        """Return the bytes of a rank."""
        return sum(path.stat().st_size for path in self._files(rank))

    def _files(self, rank: int) -> list[Path]:
        folders = [Path(self.folder) / bucket for bucket in self.buckets[rank]]
        return [path for folder in folders for path in sorted(folder.glob("*.jsonl"))]

    def pass_on(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Documents:
        """Give the documents of the buckets of a rank."""
        for path in self._files(rank):
            with path.open("rb") as lines:
                yield from map(document_of, map(of_line, lines))
