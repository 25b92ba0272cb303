"""Section 2.1: new data deduplicated against what was released before: rows of older datasets win every cluster.

Their texts get signatures beside those of the new documents, and are preferred to any of them; so a new document that
equals an older row, or nearly does, is merged into it, and the older row itself is not written again.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import content_id
from datasets_builders.curation.deduplication.near import MIN_BYTES, RELEASED, SignatureWriter
from datasets_builders.curation.deduplication.signature_files import SignatureFileWriter
from datasets_builders.curation.deduplication.signatures import bands_for, ngram_hashes, signatures
from datasets_builders.sources.hub import SCHEME, hub_tables
from datasets_builders.sources.table_rows import TableFile, local_table, rows_of

TEXT_COLUMNS = ("content", "text")
ID_COLUMNS = ("id", "mid", "content_id", "blob_id")
PREFERRED = 2**62  # stars of what was released


def released_tables(address: str) -> list[TableFile]:
    """Return the tables of an older dataset.

    Args:
        address (`str`): a folder that a builder made, or `hf://datasets/ORG/NAME[@REVISION][/PATTERN]`.

    Raises:
        ConfigError: there are none.
    """
    if address.startswith(SCHEME):
        return hub_tables(address)[1]
    return [local_table(shard.path) for shard in DatasetFolder(address).shards]


def write_released(
    folder: Path,
    datasets: Sequence[str],
    first_rank: int,
    threshold: float,
    batch_size: int = SignatureWriter.batch_size,
) -> None:
    """Write the signatures of older datasets beside those of the new documents, each dataset as a rank of its own.

    Args:
        folder (`Path`): where `SignatureWriter` wrote.
        datasets: see `released_tables`.
        first_rank (`int`): behind those of the new documents.
        threshold (`float`): that of `find_clusters`.
        batch_size (`int`): rows at once.
    """
    for number, address in enumerate(datasets):
        if (folder / f"{first_rank + number:05d}.jsonl").exists():
            continue  # in a run that continues
        # A tagged dataset, which may be published, tells it: where a folder lies is nobody's business.
        shown = address if address.startswith(SCHEME) else Path(address).name
        writer = SignatureFileWriter(folder, first_rank + number, bands_for(threshold))
        try:
            texts = _texts(address)
            while batch := list(islice(texts, batch_size)):
                raws = [text.encode("utf-8", "replace") for _, text in batch]
                members = [[f"{RELEASED}{name} of {shown}", PREFERRED, 0, "", address] for name, _ in batch]
                writer.add(signatures([ngram_hashes(raw) for raw in raws]), members)
            writer.finish()
        finally:
            writer.close()


def _texts(address: str) -> Iterator[tuple[str, str]]:
    """Give the rows of an older dataset: their ids, or those of their texts, and the texts."""
    for table in released_tables(address):
        for _, row in rows_of(table, (*ID_COLUMNS, *TEXT_COLUMNS), 0, 1):
            text = _first_text(row, TEXT_COLUMNS)
            if text is None:
                raise ConfigError(f"released_before: a row of {table.name} has no text in {' or '.join(TEXT_COLUMNS)}")
            if len(text.encode("utf-8", "replace")) >= MIN_BYTES:
                yield _first_text(row, ID_COLUMNS) or content_id(text), text


def _first_text(row: Any, columns: Sequence[str]) -> str | None:
    values = [row.get(column) for column in columns] if isinstance(row, dict) else []
    return next((value for value in values if isinstance(value, str)), None)
