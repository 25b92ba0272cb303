"""Section 2.1, near-deduplication: what is compared: MinHash signatures over runs of five tokens of code.

A token is a name or number as a whole, or one other sign; white space only separates. Case, digits and operators count,
other than in datatrove's own signatures, which lower-case, drop punctuation and write every number as 0: to them files
that differ in their constants are the same.

The 256 minima of a file's hashed runs are rensa's (Rust).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from datasets_builders.curation.tokens import mix, powers_of, token_hashes

NUM_PERMUTATIONS = 256  # StarCoder
TOKENS_OF_A_RUN = 5  # StarCoder, StarCoder2
# 25 bands of 10 rows: equal weight on missed and false candidates at Jaccard 0.7 (datasketch's optimum for 256).
NUM_BANDS, ROWS_OF_A_BAND = 25, 10
SEED = 1

_POSITIONS = np.array(
    [0xA24BAED4963EE407, 0x9FB21C651E98DF25, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9]
)
_POSITIONS = _POSITIONS.astype(np.uint64)


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
        found = np.sort(mix(runs))
    # What np.unique gives, whose table of hashes takes longer than to sort.
    return found[np.concatenate(([True], found[1:] != found[:-1]))]


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
        _, weights = powers_of(ROWS_OF_A_BAND + 1)
        return mix((bands * weights[1 : ROWS_OF_A_BAND + 1]).sum(axis=2, dtype=np.uint64))
