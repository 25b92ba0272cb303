"""Section 2.1: new data deduplicated against what was released before: rows of older datasets win every cluster.

Their texts get signatures beside those of the new documents, and are preferred to any of them; so a new document that
equals an older row, or nearly does, is merged into it, and the older row itself is not written again.

The signatures of a folder are kept in its `.build/signatures/`, under the content of its shards and what they were made
with, and the next build takes them from there; those of a dataset on the Hub are made each time.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import content_id, digest, file_sha256
from datasets_builders.curation import tokens
from datasets_builders.curation.deduplication import signature_files
from datasets_builders.curation.deduplication import signatures as signatures_module
from datasets_builders.curation.deduplication.near import MIN_BYTES, RELEASED, SignatureWriter, compared_part
from datasets_builders.curation.deduplication.signature_files import (
    SignatureFileWriter,
    has_signatures,
    share_signatures,
)
from datasets_builders.curation.deduplication.signatures import bands_for, ngram_hashes_of_each, signatures
from datasets_builders.sources.hub import SCHEME, hub_tables
from datasets_builders.sources.table_rows import TableFile, local_table, rows_of

TEXT_COLUMNS = ("content", "text")
ID_COLUMNS = ("id", "mid", "content_id", "blob_id")
PREFERRED = 2**62  # stars of what was released
_MADE_BY = (tokens, signature_files, signatures_module)


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
    compared_from: str = "",
) -> None:
    """Write the signatures of older datasets beside those of the new documents, each dataset as a rank of its own.

    Args:
        folder (`Path`): where `SignatureWriter` wrote.
        datasets: see `released_tables`.
        first_rank (`int`): behind those of the new documents.
        threshold (`float`): that of `find_clusters`.
        batch_size (`int`): rows at once.
        compared_from (`str`): as of `SignatureWriter`.
    """
    for number, address in enumerate(datasets):
        rank = first_rank + number
        if has_signatures(folder, f"{rank:05d}"):
            continue  # in a run that continues
        kept = (
            None
            if address.startswith(SCHEME)
            else _Kept(DatasetFolder(address), address, bands_for(threshold), compared_from)
        )
        if kept and kept.put_into(folder, rank):
            continue
        # A tagged dataset, which may be published, tells it: where a folder lies is nobody's business.
        shown = address if address.startswith(SCHEME) else Path(address).name
        writer = SignatureFileWriter(folder, rank, bands_for(threshold))
        try:
            texts = _texts(address)
            while batch := list(islice(texts, batch_size)):
                raws = [compared_part(text, compared_from).encode("utf-8", "replace") for _, text in batch]
                names = [f"{name} of {shown}" for name, _ in batch]
                members = [[RELEASED + name, PREFERRED, 0, "", address, name] for name in names]
                writer.add(signatures(ngram_hashes_of_each(raws)), members)
            writer.finish()
        finally:
            writer.close()
        if kept:
            kept.take_from(folder, rank)


class _Kept:
    """Signatures of an older dataset, kept in its folder.

    Args:
        dataset (`DatasetFolder`): the older dataset.
        address (`str`): as the config has it; it stands in the files.
        bands (pair of `int`): those of the threshold.
        compared_from (`str`): as of `SignatureWriter`.
    """

    def __init__(self, dataset: DatasetFolder, address: str, bands: tuple[int, int], compared_from: str) -> None:
        self.folder = dataset.path / ".build" / "signatures"
        self.content = digest([[shard.path.name, file_sha256(shard.path)] for shard in dataset.shards])[:16]
        sources = [Path(__file__), *(Path(str(module.__file__)) for module in _MADE_BY)]
        made_by = [file_sha256(source) for source in sources]
        made_with = digest([address, bands, made_by, version("rensa"), TEXT_COLUMNS, ID_COLUMNS, compared_from])[:16]
        self.name = f"{self.content}-{made_with}"

    def put_into(self, folder: Path, rank: int) -> bool:
        """Put them beside those of a build, as a rank of it; return False where there are none."""
        if not has_signatures(self.folder, self.name):
            return False
        with suppress(OSError):  # damaged or going away: they are made anew
            share_signatures(self.folder, self.name, folder, f"{rank:05d}")
        return has_signatures(folder, f"{rank:05d}")

    def take_from(self, folder: Path, rank: int) -> None:
        """Keep what a build made, and drop what was made of other shards; what cannot be written to keeps nothing."""
        with suppress(OSError):
            for path in self.folder.glob("*"):
                if not path.name.startswith(self.content):
                    path.unlink(missing_ok=True)
            share_signatures(folder, f"{rank:05d}", self.folder, self.name)


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
