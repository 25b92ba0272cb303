"""Section 3.2.3: semantic deduplication: of rows that mean the same, by an encoder that the user names, one stays.

Rows are embedded and put into cells of like embeddings (spherical k-means); within a cell a row goes when its cosine
similarity to one that stays reaches the threshold. Compared is with rows that stay, so that a chain of likenesses does
not join what is not alike, and of each group one is left: those before it in the order of ids. A pair that falls into
two cells is not found: the price for n * sqrt(n) comparisons in place of n * n.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from datatrove.data import Document
from numpy.typing import NDArray

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.intermediate import DEFAULT_SPLIT, document_of, values_of
from datasets_builders.building.steps import Arity, Merged, Outcome, Step, name_of
from datasets_builders.curation.quality.model_source import ModelSource

if TYPE_CHECKING:
    from datasets_builders.curation.deduplication.text_encoder import TextEncoder

ROWS_PER_CELL = 1_000
MAX_SAMPLE = 100_000
ITERATIONS = 10
BLOCK_ROWS = 8_192


class SemanticDedup(Step):
    """Merge rows that mean the same into the first of them; validation rows stay before training rows. One task.

    Memory: two bytes a number of each embedding, 0.8 GB for a million rows of 384.

    Args:
        source (`ModelSource`): the encoder.
        threshold (`float`): cosine similarity from which on two rows mean the same.
        max_tokens (`int`): of the beginning of a row that is embedded.
        seed (`int`): chooses the first centres of the cells.

    Source: SemDeDup (arXiv 2303.09540); comparing with what stays is ours.
    """

    name = "semantic_dedup"
    arity: Arity = "n:1"
    is_filter = True
    batch_size = 256

    def __init__(self, source: ModelSource, threshold: float, max_tokens: int, seed: int) -> None:
        super().__init__()
        self.source, self.threshold, self.max_tokens, self.seed = source, threshold, max_tokens, seed
        self._encoder: TextEncoder | None = None

    def begin(self, rank: int, world_size: int) -> None:
        """Load the encoder and start without rows."""
        from datasets_builders.curation.deduplication.text_encoder import TextEncoder

        self._encoder = TextEncoder(self.source, self.max_tokens)
        self._documents = DiskSort(itemgetter(0), self.runs_folder)
        self._ids: list[str] = []
        self._is_training: list[bool] = []
        self._parts: list[NDArray[np.float16]] = []

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Embed a batch and keep it until all are known."""
        assert self._encoder is not None
        self._parts.append(self._encoder.embeddings([doc.text for doc in docs]).astype(np.float16))
        for doc in docs:
            self._ids.append(doc.id)
            self._is_training.append(doc.metadata.get("split", DEFAULT_SPLIT) == DEFAULT_SPLIT)
            self._documents.add(values_of(doc))
        return [() for _ in docs]

    def finish(self) -> Iterator[Outcome]:
        """Give the rows that stay, in the order of ids, and merge the others into them."""
        if not self._ids:
            return
        ids = np.array(self._ids)
        order = np.lexsort((ids, np.array(self._is_training)))
        places = duplicates(np.concatenate(self._parts)[order], self.threshold, self.seed)
        winner = {str(ids[order[place]]): str(ids[order[other]]) for place, other in places.items()}
        stays = {*winner.values()}
        names = {doc.id: name_of(doc) for doc in map(document_of, self._documents) if doc.id in stays}
        for doc in map(document_of, self._documents):
            into = winner.get(doc.id)
            yield doc if into is None else Merged(doc, into, "same_meaning", names[into])

    def end(self) -> None:
        """Drop the encoder and the rows."""
        self._encoder = None
        self._documents.close()


def duplicates(embeddings: NDArray[np.float16], threshold: float, seed: int) -> dict[int, int]:
    """Return the places of rows that mean the same as one before them that stays, with the place of that one.

    Args:
        embeddings: of norm 1, (rows, numbers); earlier rows stay.
        threshold: cosine similarity.
        seed: chooses the first centres of the cells.
    """
    cells = cells_of(embeddings, seed)
    found: dict[int, int] = {}
    order = np.argsort(cells, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(cells[order])) + 1):
        vectors = embeddings[places].astype(np.float32)
        kept: list[int] = []
        for start in range(0, len(places), BLOCK_ROWS):
            block = vectors[start : start + BLOCK_ROWS]
            with_kept = block @ vectors[kept].T if kept else np.empty((len(block), 0), np.float32)
            within = block @ block.T
            num_before = len(kept)
            for row in range(len(block)):
                near = np.flatnonzero(with_kept[row] >= threshold)
                if not len(near):
                    own = np.array(kept[num_before:], int) - start
                    near = own[within[row, own] >= threshold] + start if len(own) else near
                    first = int(near[0]) if len(near) else None
                else:
                    first = kept[int(near[0])]
                if first is None:
                    kept.append(start + row)
                else:
                    found[int(places[start + row])] = int(places[first])
    return found


def cells_of(embeddings: NDArray[np.float16], seed: int) -> NDArray[np.int64]:
    """Return the cell of each row, (rows,): of about a thousand rows each, by spherical k-means on a sample."""
    num_rows = len(embeddings)
    num_cells = max(1, num_rows // ROWS_PER_CELL)
    if num_cells == 1:
        return np.zeros(num_rows, np.int64)
    draw = np.random.default_rng(seed)
    sample = embeddings[np.sort(draw.permutation(num_rows)[:MAX_SAMPLE])].astype(np.float32)
    centers = sample[np.sort(draw.permutation(len(sample))[:num_cells])]
    for _ in range(ITERATIONS):
        nearest = _nearest(sample, centers)
        sums = np.zeros_like(centers)
        np.add.at(sums, nearest, sample)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centers = np.where(norms > 0, sums / np.maximum(norms, 1e-12), centers)
    return _nearest(embeddings, centers)


def _nearest(vectors: NDArray[np.float16] | NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.int64]:
    parts: Sequence[NDArray[np.int64]] = [
        (vectors[at : at + BLOCK_ROWS].astype(np.float32) @ centers.T).argmax(axis=1)
        for at in range(0, len(vectors), BLOCK_ROWS)
    ]
    return np.concatenate(parts)
