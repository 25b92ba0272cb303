"""Sections 2.4 and 3.2.3: which functions are alike, and which are held out for evaluation.

A question about a near-copy of a training function measures memory. So functions are split, not questions, and
functions that are alike, or that appear in each other's programs, go to the same side.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np

from datasets_builders.curation.deduplication.components import components
from datasets_builders.curation.deduplication.near import THRESHOLD
from datasets_builders.curation.deduplication.signatures import NGRAM_TOKENS
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample

# The signature is smaller than that of files (64 of 256): it only proposes pairs, which are then compared exactly. 32
# bands of 2 rows propose a pair of similarity 0.7 all but surely. That of files would give other splits.
NUM_BANDS, BAND_ROWS = 32, 2
_PRIME = np.uint64((1 << 61) - 1)


def code_ngrams(function: str) -> frozenset[str]:
    """Return the token 5-grams of a function without its name, docstring, comments and layout.

    Args:
        function (`str`): source text of one function.

    Returns:
        `frozenset[str]`: at least one.

    Source: StarCoder2 2.1 for the 5-grams; leaving out name and docstring is ours.
    """
    node = ast.parse(function).body[0]
    assert isinstance(node, ast.FunctionDef)
    name = node.name
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part) is not None:
            part.body = part.body[1:] or [ast.Pass()]
    tokens = [token if token != name else "_" for token in re.findall(r"\w+|[^\w\s]", ast.unparse(node))]
    width = min(NGRAM_TOKENS, len(tokens))
    return frozenset(" ".join(tokens[start : start + width]) for start in range(len(tokens) - width + 1))


def _signatures(ngram_sets: Sequence[frozenset[str]]) -> np.ndarray:
    """Return MinHash signatures, uint64 of shape (functions, bands * rows)."""
    rng = np.random.default_rng(0)
    num_hashes = NUM_BANDS * BAND_ROWS
    # Products of 31-bit factors stay below 2^62: no overflow.
    factors = rng.integers(1, 1 << 31, num_hashes, dtype=np.uint64)
    offsets = rng.integers(0, 1 << 61, num_hashes, dtype=np.uint64)
    signatures = np.empty((len(ngram_sets), num_hashes), dtype=np.uint64)
    for row, ngrams in enumerate(ngram_sets):
        digests = (hashlib.blake2b(ngram.encode(), digest_size=8).digest() for ngram in ngrams)
        hashes = np.array([int.from_bytes(digest, "big") >> 33 for digest in digests], dtype=np.uint64)
        signatures[row] = ((hashes[:, None] * factors[None, :] + offsets[None, :]) % _PRIME).min(axis=0)
    return signatures


def cluster_functions(samples: Sequence[FunctionSample]) -> list[int]:
    """Group functions that are near-duplicates or part of one another's programs.

    Args:
        samples (`Sequence[FunctionSample]`): the functions.

    Returns:
        `list[int]`: for each function the index of the first function of its cluster.

    Source: StarCoder2 2.1 for the threshold; joining a function with its helpers is ours.
    """
    ngram_sets = [code_ngrams(sample.function) for sample in samples]
    pairs = [pair for pair in _candidate_pairs(ngram_sets) if _is_similar(*(ngram_sets[index] for index in pair))]
    places = {(sample.path, sample.name): index for index, sample in enumerate(samples)}
    for index, sample in enumerate(samples):
        named = ((sample.path, helper) for helper in sample.helpers)
        pairs += [(index, places[helper]) for helper in named if helper in places]
    labels = components(len(samples), pairs)
    first_of_label = np.unique(labels, return_index=True)[1]
    return first_of_label[labels].tolist()


def _is_similar(first: frozenset[str], second: frozenset[str]) -> bool:
    return len(first & second) >= THRESHOLD * len(first | second)


def _candidate_pairs(ngram_sets: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    signatures = _signatures(ngram_sets)
    for band in range(NUM_BANDS):
        buckets: dict[bytes, int] = {}
        part = signatures[:, band * BAND_ROWS : (band + 1) * BAND_ROWS]
        for index, row in enumerate(part):
            # All members of a bucket are compared with the one before them: similar ones form a chain.
            key = row.tobytes()
            if key in buckets:
                yield buckets[key], index
            buckets[key] = index


def assign_splits(
    clusters: Sequence[int], keys: Sequence[str], weights: Sequence[int], fraction: float, minimum: int, seed: int
) -> list[str]:
    """Assign whole clusters to "train" or "validation".

    Clusters are taken in an order by hash until their weight reaches the wanted one; a cluster that would overshoot it
    by more than a quarter is passed over. Validation never takes more than half of the weight, and a single
    cluster is all training.

    Args:
        clusters (`Sequence[int]`): cluster of each function, as from `cluster_functions`.
        keys (`Sequence[str]`): a stable name of each function, which the order depends on.
        weights (`Sequence[int]`): number of verified calls of each function.
        fraction (`float`): part of the weight wanted in validation.
        minimum (`int`): weight wanted in validation where this is at most a fifth of all.
        seed (`int`): chooses the order.

    Returns:
        `list[str]`: "train" or "validation" for each function.

    Raises:
        ValueError: `fraction` is not between 0 and 0.5.
    """
    if not 0 <= fraction <= 0.5:
        raise ValueError(f"validation_fraction is {fraction}; give a number from 0 (no validation) to 0.5.")
    total = sum(weights)
    wanted = max(fraction * total, min(minimum, total / 5)) if fraction else 0.0
    members: dict[int, list[int]] = {}
    for index, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(index)

    def order(group: list[int]) -> bytes:
        return hashlib.sha256(f"{seed}\0{min(keys[index] for index in group)}".encode()).digest()

    splits = ["train"] * len(clusters)
    taken = 0
    for group in sorted(members.values(), key=order) if len(members) > 1 else []:
        weight = sum(weights[index] for index in group)
        if taken < wanted and taken + weight <= max(1.25 * wanted, 1):
            taken += weight
            for index in group:
                splits[index] = "validation"
    return splits
