"""Section 2.4.1: how near the nearest other instruction is, and the filter by that distance.

Magpie compares sentence embeddings; these are TF-IDF vectors of words, pairs of words and pairs of Chinese characters,
which need no model and tell instructions apart that differ in the one word that matters.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

import numpy as np
from datatrove.data import Document
from numpy.typing import NDArray

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.steps import Arity, Merged, Outcome, Step, name_of

NUM_FEATURES = 1 << 20
MAX_BLOCK_ROWS, MAX_BLOCK_VALUES = 512, 20_000_000  # of the products of some texts with all: some 240 MB
MAX_DOCUMENT_FRACTION = 0.2  # a feature of more texts than this, where there are many, tells nothing apart
MIN_TEXTS_OF_FREQUENT = 200
_TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]")


def _features(text: str) -> Counter[int]:
    tokens = _TOKEN.findall(text.casefold())
    found = Counter(map(_feature, tokens))
    found.update(_feature(f"{first}\0{second}") for first, second in pairwise(tokens))
    return found


def _feature(token: str) -> int:
    return zlib.crc32(token.encode("utf-8", "surrogatepass")) % NUM_FEATURES


def _vectors(texts: Sequence[str]) -> Any:
    """Return the TF-IDF vectors of texts, rows of length 1, as a sparse matrix (texts, features)."""
    from scipy.sparse import csr_matrix

    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        for feature, count in sorted(_features(text).items()):
            rows.append(row)
            columns.append(feature)
            counts.append(1 + np.log(count))
    used, places = np.unique(np.asarray(columns, np.int64), return_inverse=True)
    shape = (len(texts), max(len(used), 1))
    frequency = np.bincount(places, minlength=shape[1])
    weight = np.log((1 + len(texts)) / (1 + frequency)) + 1
    if len(texts) >= MIN_TEXTS_OF_FREQUENT:
        weight[frequency > MAX_DOCUMENT_FRACTION * len(texts)] = 0
    values = np.asarray(counts) * weight[places]
    lengths = np.sqrt(np.bincount(np.asarray(rows, np.int64), values**2, minlength=len(texts)))
    lengths[lengths == 0] = 1
    values /= lengths[np.asarray(rows, np.int64)]
    return csr_matrix((values, (rows, places)), shape=shape)


def nearest(texts: Sequence[str], threshold: float) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
    """Return how far the nearest other text is from each, and the pairs that are nearer than a threshold.

    Args:
        texts: to compare with each other; the time grows with their square, over the words that they share.
        threshold (`float`): of the cosine distance.

    Returns:
        distances (texts,), 1 where no word is shared; pairs (later, earlier), sorted.
    """
    distances = np.ones(len(texts))
    pairs: list[tuple[int, int]] = []
    if len(texts) < 2:
        return distances, pairs
    vectors = _vectors(texts)
    transposed = vectors.T.tocsc()
    block_rows = max(1, min(MAX_BLOCK_ROWS, MAX_BLOCK_VALUES // len(texts)))
    for start in range(0, len(texts), block_rows):
        similar = (vectors[start : start + block_rows] @ transposed).tocoo()
        rows, others = similar.row + start, similar.col
        apart = rows != others
        rows, others, similarity = rows[apart], others[apart], similar.data[apart]
        np.minimum.at(distances, rows, 1 - similarity)
        close = (1 - similarity < threshold) & (others < rows)
        pairs += zip(rows[close].tolist(), others[close].tolist(), strict=True)
    return np.asarray(np.round(np.clip(distances, 0, 1), 4), np.float64), sorted(pairs)


class NeighborFilter(Step):
    """Merge an instruction into an earlier one that is nearer than a distance; note the distance to the nearest.

    Instructions of one group are compared, in the order of their ids: give its stage a key by which a group meets in
    one rank. A group is held in memory, and the time grows with its square.

    Args:
        min_distance (`float`): least cosine distance; 0 compares none, and the distance stays unknown.
        group_columns: of the metadata; instructions that differ in them are not compared.

    Source: Magpie's minimum neighbor distance; vectors and order are ours.
    """

    name = "neighbors"
    arity: Arity = "n:1"
    libraries = ("scipy",)

    def __init__(self, min_distance: float, group_columns: Sequence[str] = ()) -> None:
        super().__init__()
        self.min_distance, self.group_columns = min_distance, tuple(group_columns)

    def group_of(self, doc: Document) -> str:
        """Return what a document must share with those that it is compared with; the key of the stage."""
        return "\0".join(str(doc.metadata.get(column)) for column in self.group_columns)

    def begin(self, rank: int, world_size: int) -> None:
        """Start without documents."""
        self._documents = DiskSort(itemgetter(0, 1), self.runs_folder)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Keep the document until its group is complete."""
        self._documents.add([self.group_of(doc), doc.id, values_of(doc)])
        return ()

    def finish(self) -> Iterator[Outcome]:
        """Give the documents of each group."""
        for _, members in groupby(self._documents, itemgetter(0)):
            docs = [document_of(values) for _, _, values in members]
            if not self.min_distance:
                yield from docs
                continue
            distances, pairs = nearest([doc.text for doc in docs], self.min_distance)
            earlier: dict[int, list[int]] = {}
            for later, other in pairs:
                earlier.setdefault(later, []).append(other)
            kept: set[int] = set()
            for number, doc in enumerate(docs):
                doc.metadata["min_neighbor_distance"] = float(distances[number])
                winner = next((other for other in earlier.get(number, ()) if other in kept), None)
                if winner is None:
                    kept.add(number)
                    yield doc
                else:
                    yield Merged(doc, docs[winner].id, "near_neighbor", name_of(docs[winner]))

    def end(self) -> None:
        """Let go of the documents."""
        self._documents.close()
