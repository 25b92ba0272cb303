"""Documents between two stages: JSON lines under `.build/stages/<stage>/<bucket>/<rank>.jsonl`, renamed when whole."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from datasets_builders.building.atomic import temporary_name
from datasets_builders.building.json_lines import of_line, to_line

DEFAULT_SPLIT = "train"


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
    """Spread documents over the shards of the finished dataset: by split, then by id."""

    def __init__(self, num_shards: int) -> None:
        self.num_shards = num_shards

    def __call__(self, doc: Document) -> str:
        """Return the shard of a document."""
        split = doc.metadata.get("split", DEFAULT_SPLIT)
        num_shards = self.num_shards if split == DEFAULT_SPLIT else 1
        return f"{split}-{number_of(doc.id, num_shards):05d}"


class StageWriter(PipelineStep):
    """Write, as the last step of a stage, documents to one file per bucket."""

    name = "stage_writer"
    type = "WRITER"

    def __init__(self, folder: Path, bucket_of: Callable[[Document], str]) -> None:
        super().__init__()
        self.folder = str(folder)
        self.bucket_of = bucket_of

    def run(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write all documents, then rename the files of this rank."""
        files: dict[str, IO[bytes]] = {}
        try:
            for doc in data or ():
                bucket = self.bucket_of(doc)
                if bucket not in files:
                    path = self._path(bucket, rank)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    files[bucket] = temporary_name(path).open("wb")
                files[bucket].write(to_line(values_of(doc)))
                yield doc
            for file in files.values():
                file.close()
            for bucket in files:
                path = self._path(bucket, rank)
                temporary_name(path).replace(path)
        finally:
            _close_and_remove({self._path(bucket, rank): file for bucket, file in files.items()})

    def _path(self, bucket: str, rank: int) -> Path:
        return Path(self.folder) / bucket / f"{rank:05d}.jsonl"


def _close_and_remove(files: dict[Path, IO[bytes]]) -> None:
    """Drop what was not renamed. Closing flushes, which fails again on a full disk: the first error is the one told."""
    for path, file in files.items():
        try:
            file.close()
        except OSError:
            continue
        finally:
            temporary_name(path).unlink(missing_ok=True)


class StageReader(PipelineStep):
    """Read, as the first step of a later stage, one bucket's documents in the order of the ranks that wrote them."""

    name = "stage_reader"
    type = "READER"

    def __init__(self, folder: Path, buckets: list[str]) -> None:
        super().__init__()
        self.folder = str(folder)
        self.buckets = buckets

    def weight(self, rank: int, world_size: int) -> int:
        """Return the bytes of a rank."""
        return sum(path.stat().st_size for path in (Path(self.folder) / self.buckets[rank]).glob("*.jsonl"))

    def run(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Give the documents of bucket number `rank`."""
        for path in sorted((Path(self.folder) / self.buckets[rank]).glob("*.jsonl")):
            with path.open("rb") as lines:
                yield from map(document_of, map(of_line, lines))
