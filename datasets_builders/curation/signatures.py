"""Section 2.1, near-deduplication: what is compared: MinHash signatures over runs of five tokens of code.

A token is a name or number as a whole, or one other sign; white space only separates. Case, digits and operators count,
other than in datatrove's own signatures, which lower-case, drop punctuation and write every number as 0: to them files
that differ in their constants are the same.

Tokens and their runs are hashed by array operations over the bytes, since building a string per run is what takes the
time in other implementations; the 256 minima are rensa's (Rust).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

NUM_PERMUTATIONS = 256  # StarCoder
TOKENS_OF_A_RUN = 5  # StarCoder, StarCoder2
# 25 bands of 10 rows: equal weight on missed and false candidates at Jaccard 0.7 (datasketch's optimum for 256).
NUM_BANDS, ROWS_OF_A_BAND = 25, 10
SEED = 1

_SPACE, _WORD, _SIGN = 0, 1, 2
_CLASS = np.full(256, _SIGN, np.uint8)
_CLASS[[9, 10, 11, 12, 13, 32]] = _SPACE
_CLASS[[*range(48, 58), *range(65, 91), *range(97, 123), 95, *range(128, 256)]] = _WORD
# Odd, so that it has an inverse modulo 2**64: a token's hash does not depend on where in the file it stands.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(int(_BASE), -1, 1 << 64))
_POSITIONS = np.array(
    [0xA24BAED4963EE407, 0x9FB21C651E98DF25, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9]
)
_POSITIONS = _POSITIONS.astype(np.uint64)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each value with its bits spread over all of it (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def token_hashes(raw: bytes) -> NDArray[np.uint64]:
    """Return a hash per token of a text, in order.

    Args:
        raw (`bytes`): UTF-8; bytes of other scripts count as letters.

    Source: ours; Karp and Rabin's polynomial, by differences of prefix sums.
    """
    if not raw:
        return np.empty(0, np.uint64)
    data = np.frombuffer(raw, np.uint8)
    kinds = _CLASS[data]
    padded = np.concatenate(([_SPACE], kinds, [_SPACE]))
    inside_word = (padded[:-1] == _WORD) & (padded[1:] == _WORD)  # between byte i - 1 and byte i
    starts = np.flatnonzero((padded[1:-1] != _SPACE) & ~inside_word[:-1])
    ends = np.flatnonzero((padded[1:-1] != _SPACE) & ~inside_word[1:]) + 1
    with np.errstate(over="ignore"):
        powers, inverses = _powers(len(data) + 1)
        sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum((data + np.uint64(1)) * inverses[: len(data)])))
        return _mix((sums[ends] - sums[starts]) * powers[starts])


_cached_powers: list[NDArray[np.uint64]] = []


def _powers(count: int) -> Sequence[NDArray[np.uint64]]:
    """Return the powers of the base and of its inverse, `count` of them at least, computed once per process."""
    if not _cached_powers or len(_cached_powers[0]) < count:
        size = max(1 << 16, 1 << (count - 1).bit_length())
        _cached_powers[:] = [
            np.concatenate((np.ones(1, np.uint64), np.cumprod(np.full(size - 1, base)))) for base in (_BASE, _INVERSE)
        ]
    return _cached_powers


def run_hashes(raw: bytes) -> NDArray[np.uint64]:
    """Return the different hashes of a text's runs of five tokens; a shorter text is one run.

    Source: StarCoder's 5-grams; the tokens are ours.
    """
    tokens = token_hashes(raw)
    if len(tokens) == 0:
        return tokens
    length = min(TOKENS_OF_A_RUN, len(tokens))
    count = len(tokens) - length + 1
    with np.errstate(over="ignore"):
        runs = np.zeros(count, np.uint64)
        for place in range(length):
            runs += tokens[place : place + count] * _POSITIONS[place]
        return np.unique(_mix(runs))


def signatures(texts: Sequence[bytes]) -> NDArray[np.uint32]:
    """Return MinHash signatures, (texts, 256); of a text without tokens all ones.

    The share of equal places of two signatures estimates the Jaccard similarity of the two sets of runs, with a
    standard error of at most 0.031.

    Source: Broder (1997); 256 permutations: StarCoder.
    """
    from rensa import RMinHash

    sets = [run_hashes(text) for text in texts]
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in sets]))).astype(np.uint64)
    flat = np.concatenate(sets) if sets else np.empty(0, np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, NUM_PERMUTATIONS, SEED)
    return np.array(matrix.to_rows(), np.uint32).reshape(len(texts), NUM_PERMUTATIONS)


def band_hashes(found: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return a hash per band of each signature, (texts, 25): two texts are candidates where one is equal.

    Source: locality-sensitive hashing, Leskovec et al., Mining of Massive Datasets, 3.4.
    """
    bands = found[:, : NUM_BANDS * ROWS_OF_A_BAND].reshape(len(found), NUM_BANDS, ROWS_OF_A_BAND).astype(np.uint64)
    with np.errstate(over="ignore"):
        _, weights = _powers(ROWS_OF_A_BAND + 1)
        return _mix((bands * weights[1 : ROWS_OF_A_BAND + 1]).sum(axis=2, dtype=np.uint64))
