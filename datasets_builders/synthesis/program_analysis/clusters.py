"""Sections 2.4 and 3.2.3: which functions are alike, and which are held out for evaluation.

A question about a near-copy of a training function measures memory. So functions are split, not questions, and
functions that are alike, or that appear in each other's programs, go to the same side.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import keyword
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets_builders.curation.deduplication.components import components
from datasets_builders.curation.deduplication.near import THRESHOLD
from datasets_builders.curation.deduplication.signatures import band_hashes, candidate_pairs, ngram_hashes, signatures
from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.other_languages.alike import normalized
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample

# Signatures only propose pairs, which are then compared exactly: these bands propose all but surely those that are as
# similar as the threshold.
NUM_BANDS, BAND_ROWS = 32, 2
_KNOWN_NAMES = frozenset(keyword.kwlist) | frozenset(dir(builtins)) | {"_"}


def code_ngrams(function: str, name_blind: bool = False) -> NDArray[np.uint64]:
    """Return the hashes of the token 5-grams of a function without its name, docstring, comments and layout.

    Args:
        function (`str`): source text of one function.
        name_blind (`bool`): names other than keywords and built-ins are told apart by the order in which they come
            alone, so that a copy under other names is a copy.

    Returns:
        `np.ndarray`: different hashes, sorted; at least one.

    Source: StarCoder2 2.1 for the 5-grams; leaving out name and docstring is ours.
    """
    return _hashed(_tokens(function), name_blind)


def _tokens(function: str) -> list[str]:
    """Return the tokens of a function; its own name is `_`."""
    node = ast.parse(function).body[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    name = node.name
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(part) is not None:
            part.body = part.body[1:] or [ast.Pass()]
    return [token if token != name else "_" for token in re.findall(r"\w+|[^\w\s]", ast.unparse(node))]


def _hashed(tokens: Sequence[str], name_blind: bool) -> NDArray[np.uint64]:
    if name_blind:
        numbers: dict[str, str] = {}
        tokens = [
            token
            if token in _KNOWN_NAMES or not token.isidentifier()
            else numbers.setdefault(token, f"name{len(numbers)}")
            for token in tokens
        ]
    return ngram_hashes(" ".join(tokens).encode())


def cluster_functions(samples: Sequence[FunctionSample | ProgramSample]) -> list[int]:
    """Group functions that are near-duplicates or part of one another's programs.

    Args:
        samples: the functions, of any language.

    Returns:
        `list[int]`: for each function the index of the first function of its cluster.

    Source: StarCoder2 2.1 for the threshold; joining a function with its helpers is ours.
    """
    places = {(sample.path, sample.name): index for index, sample in enumerate(samples)}
    with_helpers = [
        (index, places[sample.path, helper])
        for index, sample in enumerate(samples)
        for helper in sample.helpers
        if (sample.path, helper) in places
    ]
    # The tokens of other languages are blind to names in any case.
    tokens = [
        (_tokens(sample.function), True) if isinstance(sample, FunctionSample) else (normalized(sample).split(), False)
        for sample in samples
    ]
    alike = [
        pair
        for name_blind in (False, True)
        for pair in _similar_pairs([_hashed(parts, name_blind and has_names) for parts, has_names in tokens])
    ]
    labels = components(len(samples), [*alike, *with_helpers])
    first_of_label = np.unique(labels, return_index=True)[1]
    return first_of_label[labels].tolist()


def _similar_pairs(ngrams: Sequence[NDArray[np.uint64]]) -> Iterator[tuple[int, int]]:
    hashes = band_hashes(signatures(ngrams), NUM_BANDS, BAND_ROWS)
    pairs = np.concatenate([candidate_pairs(hashes[:, band]) for band in range(NUM_BANDS)])
    for first, second in np.unique(pairs, axis=0).tolist():
        num_shared = len(np.intersect1d(ngrams[first], ngrams[second], assume_unique=True))
        if num_shared >= THRESHOLD * (len(ngrams[first]) + len(ngrams[second]) - num_shared):
            yield first, second


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
