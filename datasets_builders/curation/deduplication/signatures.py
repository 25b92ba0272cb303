"""Section 2.1, near-deduplication: what is compared: MinHash signatures over token 5-grams.

A token is a name or number as a whole, or one other sign; white space only separates. Case, digits and operators count,
other than in datatrove's own signatures, which lower-case, drop punctuation and write every number as 0: to them files
that differ in their constants are the same.

The 256 minima of a file's hashed n-grams are rensa's (Rust).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from datasets_builders.curation.tokens import mix, powers_of, tokens_with_starts

NUM_PERMUTATIONS = 256  # StarCoder
NGRAM_TOKENS = 5  # StarCoder, StarCoder2
# 25 bands of 10 rows: equal weight on missed and false candidates at Jaccard 0.7 (datasketch's optimum for 256).
NUM_BANDS, BAND_ROWS = 25, 10
SEED = 1
# Of texts whose tokens are found at once: arrays that the processor's cache holds, and few calls for small files.
JOINED_BYTES = 1 << 16

_POSITIONS = np.array(
    [0xA24BAED4963EE407, 0x9FB21C651E98DF25, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9]
)
_POSITIONS = _POSITIONS.astype(np.uint64)


def ngram_hashes(raw: bytes) -> NDArray[np.uint64]:
    """Return the different hashes of a text's token 5-grams, sorted; a shorter text is one n-gram.

    Source: StarCoder's 5-grams; the tokens are ours.
    """
    return ngram_hashes_of_each([raw])[0]


def ngram_hashes_of_each(raws: Sequence[bytes]) -> list[NDArray[np.uint64]]:
    """Return the n-grams of each text, as `ngram_hashes` does, in fewer calls.

    Args:
        raws: the texts; small ones are joined until there are `JOINED_BYTES`.
    """
    found: list[NDArray[np.uint64]] = []
    start = size = 0
    for end, raw in enumerate(raws, 1):
        size += len(raw)
        if size >= JOINED_BYTES or end == len(raws):
            found += _ngrams_of_joined(raws[start:end])
            start, size = end, 0
    return found


def _ngrams_of_joined(raws: Sequence[bytes]) -> Iterator[NDArray[np.uint64]]:
    tokens, starts = tokens_with_starts(b" ".join(raws))
    begins = np.cumsum([0, *(len(raw) + 1 for raw in raws)])
    edges = np.searchsorted(starts, begins).tolist()  # the first token of each text, and the end
    with np.errstate(over="ignore"):
        terms = [tokens * position for position in _POSITIONS]
        sums = np.zeros(max(0, len(tokens) - NGRAM_TOKENS + 1), np.uint64)
        for place, term in enumerate(terms):
            sums += term[place : place + len(sums)]
        mixed = mix(sums)
        for first, last in pairwise(edges):
            if last - first >= NGRAM_TOKENS:
                yield _different(np.sort(mixed[first : last - NGRAM_TOKENS + 1]))
            elif last > first:
                few = [term[first + place] for place, term in enumerate(terms[: last - first])]
                yield mix(np.array(few).sum(keepdims=True))
            else:
                yield np.empty(0, np.uint64)


def _different(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return what np.unique gives of sorted values; its table of hashes takes longer than to sort."""
    return values[np.concatenate(([True], values[1:] != values[:-1]))]


def signatures(ngrams: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint32]:
    """Return MinHash signatures, (texts, 256); of a text without tokens all ones.

    The share of equal places of two signatures estimates the Jaccard similarity of the two sets of n-grams, with a
    standard error of at most 0.031.

    Args:
        ngrams: of each text, as of `ngram_hashes`.

    Source: Broder (1997); 256 permutations: StarCoder.
    """
    from rensa import RMinHash

    offsets = np.concatenate(([0], np.cumsum([len(hashes) for hashes in ngrams]))).astype(np.uint64)
    flat = np.concatenate(ngrams) if ngrams else np.empty(0, np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, NUM_PERMUTATIONS, SEED)
    return np.array(matrix.to_rows(), np.uint32).reshape(len(ngrams), NUM_PERMUTATIONS)


def bands_for(threshold: float) -> tuple[int, int]:
    """Return (bands, rows) by which pairs are found that are as similar as a threshold.

    The bands are as long as they may be for a pair exactly at the threshold to share one more often than not: 25 of 10
    at 0.7, which serve every higher threshold too, 51 of 5 at 0.5.
    """
    if threshold >= 0.7:
        return NUM_BANDS, BAND_ROWS
    rows = BAND_ROWS
    while rows > 1 and (1 - threshold**rows) ** (NUM_PERMUTATIONS // rows) > 0.5:
        rows -= 1
    return NUM_PERMUTATIONS // rows, rows


def band_hashes(
    found: NDArray[np.uint32], num_bands: int = NUM_BANDS, band_rows: int = BAND_ROWS
) -> NDArray[np.uint64]:
    """Return a hash per band of each signature, (texts, bands): two texts are candidates where one is equal.

    Source: locality-sensitive hashing, Leskovec et al., Mining of Massive Datasets, 3.4.
    """
    bands = found[:, : num_bands * band_rows].reshape(len(found), num_bands, band_rows).astype(np.uint64)
    with np.errstate(over="ignore"):
        _, weights = powers_of(band_rows + 1)
        return mix((bands * weights[1 : band_rows + 1]).sum(axis=2, dtype=np.uint64))


def candidate_pairs(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the pairs of texts with equal hashes of one band, (pairs, 2), the smaller number first.

    Each text is paired with the one before it and with the first of its like.

    Args:
        hashes: of one band of each text, (texts,).
    """
    rows = np.argsort(hashes, kind="stable")
    is_same = hashes[rows[1:]] == hashes[rows[:-1]]
    same = np.flatnonzero(is_same) + 1
    is_start = np.concatenate(([True], ~is_same))[: len(rows)]
    first = np.maximum.accumulate(np.where(is_start, np.arange(len(rows)), 0))[same]
    pairs = np.concatenate([np.stack((rows[same - 1], rows[same]), 1), np.stack((rows[first], rows[same]), 1)])
    # A pair as one number sorts much faster than as two.
    codes = np.unique(pairs.min(axis=1) * len(rows) + pairs.max(axis=1))
    return np.stack(np.divmod(codes, max(len(rows), 1)), 1)
