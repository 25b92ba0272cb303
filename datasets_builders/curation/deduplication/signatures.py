"""Section 2.1, near-deduplication: what is compared: MinHash signatures over token 5-grams.

A token is a name or number as a whole, or one other sign; white space only separates. Case, digits and operators count,
other than in datatrove's own signatures, which lower-case, drop punctuation and write every number as 0: to them files
that differ in their constants are the same.

The 256 minima of a file's hashed n-grams are rensa's (Rust).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets_builders.curation.tokens import mix, powers_of, token_hashes

NUM_PERMUTATIONS = 256  # StarCoder
NGRAM_TOKENS = 5  # StarCoder, StarCoder2
# 25 bands of 10 rows: equal weight on missed and false candidates at Jaccard 0.7 (datasketch's optimum for 256).
NUM_BANDS, BAND_ROWS = 25, 10
SEED = 1

_POSITIONS = np.array(
    [0xA24BAED4963EE407, 0x9FB21C651E98DF25, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9]
)
_POSITIONS = _POSITIONS.astype(np.uint64)


def ngram_hashes(raw: bytes) -> NDArray[np.uint64]:
    """Return the different hashes of a text's token 5-grams, sorted; a shorter text is one n-gram.

    Source: StarCoder's 5-grams; the tokens are ours.
    """
    tokens = token_hashes(raw)
    if len(tokens) == 0:
        return tokens
    length = min(NGRAM_TOKENS, len(tokens))
    count = len(tokens) - length + 1
    with np.errstate(over="ignore"):
        ngrams = np.zeros(count, np.uint64)
        for place in range(length):
            ngrams += tokens[place : place + count] * _POSITIONS[place]
        found = np.sort(mix(ngrams))
    # What np.unique gives, whose table of hashes takes longer than to sort.
    return found[np.concatenate(([True], found[1:] != found[:-1]))]


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
