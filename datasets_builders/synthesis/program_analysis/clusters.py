"""Section 2.4 and 3.2.3: which functions are alike, and which are held out for evaluation.

A question about a near-copy of a training function measures memory. So functions are split, not questions, and
functions that are alike, or that appear in each other's programs, go to the same side.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample

# StarCoder2 near-deduplication: token 5-grams, Jaccard 0.7. The signature is smaller than theirs (64 of 256): it only
# proposes pairs, which are then compared exactly. 32 bands of 2 rows propose a pair of similarity 0.7 all but surely.
N_GRAM_TOKENS = 5
JACCARD_THRESHOLD = 0.7
NUM_BANDS, ROWS_PER_BAND = 32, 2
_PRIME = np.uint64((1 << 61) - 1)


def code_shingles(function: str) -> frozenset[str]:
    """Return the token 5-grams of a function without its name, docstring, comments and layout.

    Args:
        function (`str`): source text of one function.

    Returns:
        `frozenset[str]`: at least one shingle.

    Source: StarCoder2 2.1 for the 5-grams; leaving out name and docstring is ours.
    """
    node = ast.parse(function).body[0]
    assert isinstance(node, ast.FunctionDef)
    name = node.name
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part) is not None:
            part.body = part.body[1:] or [ast.Pass()]
    tokens = [token if token != name else "_" for token in re.findall(r"\w+|[^\w\s]", ast.unparse(node))]
    width = min(N_GRAM_TOKENS, len(tokens))
    return frozenset(" ".join(tokens[start : start + width]) for start in range(len(tokens) - width + 1))


def _signatures(shingle_sets: Sequence[frozenset[str]]) -> np.ndarray:
    """Return MinHash signatures, uint64 of shape (functions, bands * rows)."""
    rng = np.random.default_rng(0)
    num_hashes = NUM_BANDS * ROWS_PER_BAND
    # Products of 31-bit factors stay below 2^62: no overflow.
    factors = rng.integers(1, 1 << 31, num_hashes, dtype=np.uint64)
    offsets = rng.integers(0, 1 << 61, num_hashes, dtype=np.uint64)
    signatures = np.empty((len(shingle_sets), num_hashes), dtype=np.uint64)
    for row, shingles in enumerate(shingle_sets):
        digests = (hashlib.blake2b(shingle.encode(), digest_size=8).digest() for shingle in shingles)
        hashes = np.array([int.from_bytes(digest, "big") >> 33 for digest in digests], dtype=np.uint64)
        signatures[row] = ((hashes[:, None] * factors[None, :] + offsets[None, :]) % _PRIME).min(axis=0)
    return signatures


class _UnionFind:
    """Groups of indices; the smallest index stands for its group."""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def find(self, index: int) -> int:
        while self.parent[index] != index:
            self.parent[index] = self.parent[self.parent[index]]
            index = self.parent[index]
        return index

    def union(self, first: int, second: int) -> None:
        first, second = sorted((self.find(first), self.find(second)))
        self.parent[second] = first


def cluster_functions(samples: Sequence[FunctionSample]) -> list[int]:
    """Group functions that are near-duplicates or part of one another's programs.

    Args:
        samples (`Sequence[FunctionSample]`): the functions.

    Returns:
        `list[int]`: for each function the index of the first function of its cluster.

    Source: StarCoder2 2.1 for the threshold; joining a function with its helpers is ours.
    """
    groups = _UnionFind(len(samples))
    shingle_sets = [code_shingles(sample.function) for sample in samples]
    for first, second in _candidate_pairs(shingle_sets):
        if groups.find(first) != groups.find(second):
            one, two = shingle_sets[first], shingle_sets[second]
            if len(one & two) >= JACCARD_THRESHOLD * len(one | two):
                groups.union(first, second)
    places = {(sample.path, sample.name): index for index, sample in enumerate(samples)}
    for index, sample in enumerate(samples):
        for helper in sample.helpers:
            if (sample.path, helper) in places:
                groups.union(index, places[sample.path, helper])
    return [groups.find(index) for index in range(len(samples))]


def _candidate_pairs(shingle_sets: Sequence[frozenset[str]]) -> Iterable[tuple[int, int]]:
    signatures = _signatures(shingle_sets)
    for band in range(NUM_BANDS):
        buckets: dict[bytes, int] = {}
        part = signatures[:, band * ROWS_PER_BAND : (band + 1) * ROWS_PER_BAND]
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
