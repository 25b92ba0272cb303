"""Section 3.2, Table 1: which window of which source comes at place i, as pure functions of i and the seed.

Nothing here has state: a run that resumes at any step, on any number of ranks, reads the windows it would have read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_MASK = (1 << 64) - 1
_FEISTEL_ROUNDS = 6


def largest_remainder(ratios: Sequence[float], total: int) -> list[int]:
    """Share `total` whole units out by ratio: every share within 1 of exact, and they sum to `total`.

    Args:
        ratios: sum to 1.
        total: units to share out.

    Returns:
        Units of each; ties go to the earlier.

    Source: Hamilton's method of apportionment.
    """
    exact = [ratio * total for ratio in ratios]
    # A hair above an exact share (0.94 * 0.7 * 1000 = 657.9999...) must not fall to the unit below it.
    shares = [math.floor(value + 1e-9) for value in exact]
    order = sorted(range(len(ratios)), key=lambda source: (shares[source] - exact[source], source))
    for source in order[: total - sum(shares)]:
        shares[source] += 1
    return shares


def _mix(value: int) -> int:
    """Apply splitmix64's finalizer: every bit of the input reaches every bit of the output."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def permuted(index: int, size: int, seed: int, epoch: int) -> int:
    """Return the place of `index` in a pseudorandom permutation of range(size), without an array of that size.

    A Feistel network over the next power of four, walked until it lands below `size` (four steps at most on average).

    Args:
        index: 0 to size - 1.
        size: length of the permutation.
        seed: with `epoch`, picks the permutation.
        epoch: pass over the source.

    Returns:
        A number in 0..size - 1; different for different `index`.
    """
    half_bits = max((size - 1).bit_length() + 1, 2) // 2
    half_mask = (1 << half_bits) - 1
    key = _mix(_mix(seed & _MASK) ^ epoch)
    while True:
        left, right = index >> half_bits, index & half_mask
        for round_number in range(_FEISTEL_ROUNDS):
            left, right = right, left ^ (_mix(key ^ (round_number << 56) ^ right) & half_mask)
        index = (left << half_bits) | right
        if index < size:
            return index


class BlockOrder:
    """Places 0..num_windows - 1 in blocks of `block_size`, each with exact counts per source, shuffled inside.

    Args:
        ratios: share of the windows of each source, summing to 1.
        num_windows: places in all; a last, shorter block is shared out by itself.
        block_size: windows per block.
        seed: of the order inside the blocks.

    Raises:
        ValueError: no windows, or no block.

    Source: paper Table 1 (the ratios); blocks are ours, so that a rare source comes in every block and not by chance.
    """

    def __init__(self, ratios: Sequence[float], num_windows: int, block_size: int, seed: int) -> None:
        if num_windows < 1 or block_size < 1:
            raise ValueError(f"num_windows is {num_windows} and block_size {block_size}: both must be at least 1.")
        self.num_windows, self.block_size, self.seed = num_windows, block_size, seed
        self.num_full_blocks, tail = divmod(num_windows, block_size)
        self.counts = largest_remainder(ratios, block_size)
        self.tail_counts = largest_remainder(ratios, tail)
        # Per instance, so that a dataset's blocks go when it does.
        self._block = lru_cache(maxsize=8)(self._compute_block)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_block"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._block = lru_cache(maxsize=8)(self._compute_block)

    def windows_of(self, source: int) -> int:
        """Return how many places a source has."""
        return self.num_full_blocks * self.counts[source] + self.tail_counts[source]

    def locate(self, place: int) -> tuple[int, int]:
        """Return the source at a place and how many places before it that source has had.

        Raises:
            IndexError: no such place.
        """
        if not 0 <= place < self.num_windows:
            raise IndexError(f"The plan has {self.num_windows} windows: there is no number {place}.")
        block, offset = divmod(place, self.block_size)
        sources, ranks = self._block(block)
        source = int(sources[offset])
        return source, block * self.counts[source] + int(ranks[offset])

    def _compute_block(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the sources of a block's places, and how often each place's source came before it in the block."""
        counts = self.counts if block < self.num_full_blocks else self.tail_counts
        generator = np.random.Generator(np.random.Philox(key=[self.seed & _MASK, block]))
        sources = generator.permutation(np.repeat(np.arange(len(counts)), counts))
        ranks = np.empty(len(sources), dtype=np.int64)
        for source, count in enumerate(counts):
            ranks[sources == source] = np.arange(count)
        return sources, ranks
