"""Section 1, Figure 1a: the finished shards, `data/train_00000_of_00002.parquet`, named as the released ones."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datatrove.data import Document

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.errors import BuildError
from datasets_builders.building.intermediate import document_id, document_of, values_of
from datasets_builders.building.language_configs import PlannedShard
from datasets_builders.building.steps import Arity, Merged, Outcome, Removed, Step, name_of

# Row groups are what a streaming reader fetches at once and what the Hub's viewer shows a page from.
ROW_GROUP_ROWS = 1_000
ROW_GROUP_BYTES = 16 << 20
COMPRESSION = "zstd"
COMPRESSION_LEVEL = 3


def _content(doc: Document) -> tuple[str, str]:
    """Return what decides between equal ids, so that the order of arrival does not."""
    return doc.text, json.dumps(doc.metadata, sort_keys=True)


class ShardWriter(Step):
    """Write Parquet shards, their rows sorted by id. Rows with an id that is already there are merged.

    Args:
        data_folder (`Path`): where the shards go.
        shards (sequence of sequences of `PlannedShard`): what each rank writes.
        bucket_of (function): of a document; the buckets are those of the shards.
        schema (`pa.Schema`): of the rows, from `datasets.Features`.
        id_column, text_column (`str`): columns that hold the document's id and text; the others are its metadata.
    """

    name = "write"
    type = "WRITER"
    arity: Arity = "n:1"

    def __init__(
        self,
        data_folder: Path,
        shards: Sequence[Sequence[PlannedShard]],
        bucket_of: Callable[[Document], str],
        schema: pa.Schema,
        id_column: str,
        text_column: str | None,
    ) -> None:
        super().__init__()
        self.data_folder = str(data_folder)
        self.shards, self.bucket_of = shards, bucket_of
        self.schema = schema
        self.id_column = id_column
        self.text_column = text_column

    def begin(self, rank: int, world_size: int) -> None:
        """Start empty shards."""
        self._planned = self.shards[rank]
        self._numbers = {bucket: number for number, shard in enumerate(self._planned) for bucket in shard.buckets}
        self._documents = DiskSort(itemgetter(0, 1), self.runs_folder)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Keep the document until its shard is sorted; remove what cannot be text in a Parquet file."""
        row = self._row(doc)
        text = row.pop(self.text_column) if self.text_column else ""
        try:
            if not text.isascii():  # to ask is much faster than to encode
                text.encode("utf-8")
            json.dumps(row, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            return [Removed(doc, "invalid_unicode")]
        number = self._numbers[self.bucket_of(doc)] if len(self._planned) > 1 else 0
        self._documents.add([number, *values_of(doc)])
        return ()

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Answer without the safety net: a missing column is a defect of the builder, not of one document."""
        return [self.process(doc) for doc in docs]

    def finish(self) -> Iterable[Outcome]:
        """Write and pass on the documents of each shard, sorted."""
        by_number = groupby(self._documents, key=itemgetter(0))
        number, found = next(by_number, (None, iter(())))
        for place, shard in enumerate(self._planned):
            is_empty = number != place
            documents = () if is_empty else (document_of(values[1:]) for values in found)
            yield from self._write(Path(self.data_folder) / shard.place.path, documents)
            if not is_empty:
                number, found = next(by_number, (None, iter(())))

    def _write(self, path: Path, documents: Iterable[Document]) -> Iterator[Outcome]:
        with (
            written_whole(path) as temporary,
            pq.ParquetWriter(
                temporary,
                self.schema,
                compression=COMPRESSION,
                compression_level=COMPRESSION_LEVEL,
                write_page_index=True,
                # Pages end where the content says: of a changed dataset the Hub takes the changed pages alone.
                use_content_defined_chunking=True,
            ) as writer,
        ):
            group: list[dict[str, Any]] = []
            group_bytes = 0
            for identifier, same in groupby(documents, document_id):
                doc, *others = same
                if others:
                    doc, *others = sorted([doc, *others], key=_content)
                yield from (Merged(other, identifier, "same_id", name_of(doc)) for other in others)
                group.append(self._row(doc))
                group_bytes += len(doc.text)
                if len(group) >= ROW_GROUP_ROWS or group_bytes >= ROW_GROUP_BYTES:
                    writer.write_table(pa.Table.from_pylist(group, schema=self.schema))
                    group, group_bytes = [], 0
                yield doc
            if group:
                writer.write_table(pa.Table.from_pylist(group, schema=self.schema))

    def end(self) -> None:
        """Let go of the documents: they do not travel to the next rank."""
        self._documents.close()

    def _row(self, doc: Document) -> dict[str, Any]:
        row = {}
        for column in self.schema.names:
            if column == self.id_column:
                row[column] = doc.id
            elif column == self.text_column:
                row[column] = doc.text
            elif column in doc.metadata:
                row[column] = doc.metadata[column]
            else:
                raise BuildError(
                    f"document {doc.id} has no {column!r} in its metadata, which is a column of the dataset"
                )
        return row
