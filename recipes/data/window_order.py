"""Section 3.2, Table 1: which window of which source comes at place i, as pure functions of i and the seed.

Nothing here has state: a run that resumes at any step, on any number of ranks, reads the windows it would have read.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_MASK = (1 << 64) - 1
_FEISTEL_ROUNDS = 6
# Windows that are spread out together: a tenth of a second, which 65,536 windows of 4,096 tokens outlast by far.
SPAN_WINDOWS = 65_536
# Shares as whole numbers: 2**-40 of a stage of a million windows is a millionth of a window.
_SHARE_UNITS = 1 << 40


def share_out_cumulated(ratios: Sequence[float], total: int, given: Sequence[int]) -> list[int]:
    """Share out the first `total` units of a sequence of which `given` are out already: nothing is taken back.

    Each source is within 1 of its exact share, by largest remainder, wherever that is possible with what was given. It
    can only be impossible for shares below two units per step of `total`, and is then off by less than 2.

    A hair above an exact share (0.94 * 0.7 * 1000 = 657.9999...) does not fall to the unit below it.

    Args:
        ratios: sum to 1.
        total: units from the beginning on, at least the sum of `given`.
        given: units of each so far.

    Returns:
        Units of each from the beginning on.

    Source: Hamilton's method of apportionment, over cumulated totals.
    """
    exact = [ratio * total for ratio in ratios]
    shares = [max(math.floor(value + 1e-9), before) for value, before in zip(exact, given, strict=True)]
    missing = total - sum(shares)
    by_need = sorted(range(len(ratios)), key=lambda source: (shares[source] - exact[source], source))
    for source in by_need[: max(missing, 0)]:
        shares[source] += 1
    while missing < 0:
        source = max(
            (source for source in by_need if shares[source] > given[source]),
            key=lambda source: (shares[source] - exact[source], source),
        )
        shares[source] -= 1
        missing += 1
    return shares


def spread_evenly(
    weights: Sequence[int], before: Sequence[int], after: Sequence[int] | None, num_places: int
) -> np.ndarray | None:
    """Return an order of sources in which each is within one place of its share over every prefix.

    Unit k of a source with share w may come from place floor(k / w) on and must have come by place ceil((k + 1) / w);
    taking the unit that is due first meets all of these wherever they can be met. They always can with nothing before
    and nothing asked for at the end.

    Args:
        weights: of each source; its share is its weight over their sum.
        before: units of each source that came earlier; the first place is the one behind them.
        after: units of each source that are to be out at the end; None leaves that open.
        num_places: length of the order.

    Returns:
        Source numbers of shape (num_places,), int32; None where no order is so even.

    Source: R. Tijdeman's chairman assignment (1980), as earliest-deadline-first scheduling.
    """
    total, start = sum(weights), sum(before)
    order = np.empty(num_places, dtype=np.int32)
    placed, last = list(before), [math.inf] * len(weights) if after is None else list(after)
    waiting = [
        (placed[source] * total // weight, source)
        for source, weight in enumerate(weights)
        if weight and placed[source] < last[source]
    ]
    heapq.heapify(waiting)
    ready: list[tuple[int, int]] = []
    for place in range(start, start + num_places):
        while waiting and waiting[0][0] <= place:
            source = heapq.heappop(waiting)[1]
            heapq.heappush(ready, (-(-(placed[source] + 1) * total // weights[source]), source))
        if not ready or ready[0][0] <= place:
            return None
        source = heapq.heappop(ready)[1]
        order[place - start] = source
        placed[source] += 1
        if placed[source] < last[source]:
            heapq.heappush(waiting, (placed[source] * total // weights[source], source))
    return order


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


def permuted_all(indices: np.ndarray, size: int, seed: int, epoch: int) -> np.ndarray:
    """Return `permuted` of many indices at once.

    Args:
        indices: int64, each 0 to size - 1.
        size, seed, epoch: as there.
    """
    half_bits = max((size - 1).bit_length() + 1, 2) // 2
    half_mask = np.uint64((1 << half_bits) - 1)
    key = _mix(_mix(seed & _MASK) ^ epoch)
    found = indices.astype(np.uint64)
    walking = np.arange(len(found))
    while len(walking):
        left, right = found[walking] >> np.uint64(half_bits), found[walking] & half_mask
        for round_number in range(_FEISTEL_ROUNDS):
            mixed = _mix_all(np.uint64(key ^ (round_number << 56)) ^ right)
            left, right = right, left ^ (mixed & half_mask)
        found[walking] = (left << np.uint64(half_bits)) | right
        walking = walking[found[walking] >= size]
    return found.astype(np.int64)


def _mix_all(values: np.ndarray) -> np.ndarray:
    """Return `_mix` of many values: products of uint64 keep their low bits, as there."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


class BlockOrder:
    """Places 0..num_windows - 1: at the end of every block each source is within one window of its share.

    Counts are cumulated over the stage: what a block's rounding leaves goes to a later one, and a source of less than a
    window a block has its turn. Inside a block the order is shuffled: which rank reads which source is chance.

    Args:
        ratios: share of the windows of each source, summing to 1.
        num_windows: places in all.
        block_size: windows per block, such as those of one optimizer step.
        seed: of the order inside the blocks.

    Raises:
        ValueError: no windows, or no block.

    Source: paper Table 1 (the ratios); cumulated counts and blocks are ours.
    """

    def __init__(self, ratios: Sequence[float], num_windows: int, block_size: int, seed: int) -> None:
        if num_windows < 1 or block_size < 1:
            raise ValueError(f"num_windows is {num_windows} and block_size {block_size}: both must be at least 1.")
        self.num_windows, self.block_size, self.seed = num_windows, block_size, seed
        # Whole blocks that are laid out together.
        self.span_size = block_size * max(1, SPAN_WINDOWS // block_size)
        self._weights = [round(ratio * _SHARE_UNITS) for ratio in ratios]
        self._given = [[0] * len(ratios)]
        for end in (*range(self.span_size, num_windows, self.span_size), num_windows):
            self._given.append(share_out_cumulated(ratios, end, self._given[-1]))
        if num_windows <= self.span_size:
            # Where the counts nearest to the shares cannot be reached evenly, others within a window of them are.
            self._given[1] = np.bincount(self._evenly(0), minlength=len(ratios)).tolist()
        self._span = lru_cache(maxsize=4)(self._compute_span)

    def __getstate__(self) -> dict[str, object]:
        return {key: value for key, value in self.__dict__.items() if key != "_span"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        # Per instance, so that a dataset's spans go when it does.
        self._span = lru_cache(maxsize=4)(self._compute_span)

    def windows_of(self, source: int) -> int:
        """Return how many places a source has."""
        return self._given[-1][source]

    def locate(self, place: int) -> tuple[int, int]:
        """Return the source at a place and how many places before it that source has had.

        Raises:
            IndexError: no such place.
        """
        if not 0 <= place < self.num_windows:
            raise IndexError(f"The plan has {self.num_windows} windows: there is no number {place}.")
        span, offset = divmod(place, self.span_size)
        sources, ranks = self._span(span)
        source = int(sources[offset])
        return source, self._given[span][source] + int(ranks[offset])

    def locate_all(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `locate` of many places: sources, and how many places before each its source has had."""
        spans, offsets = np.divmod(places, self.span_size)
        sources, ordinals = np.empty(len(places), dtype=np.int64), np.empty(len(places), dtype=np.int64)
        for span in np.unique(spans).tolist():
            chosen = spans == span
            of_span, ranks = self._span(span)
            sources[chosen] = of_span[offsets[chosen]]
            ordinals[chosen] = np.array(self._given[span])[sources[chosen]] + ranks[offsets[chosen]]
        return sources, ordinals

    def windows_before(self, place: int) -> list[int]:
        """Return how many of the places before one each source has.

        Args:
            place: 0 to num_windows.
        """
        span, offset = divmod(place, self.span_size)
        counts = np.array(self._given[span])
        if offset:
            counts = counts + np.bincount(self._span(span)[0][:offset], minlength=len(counts))
        return [int(count) for count in counts]

    def _compute_span(self, span: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the sources of a span's places, and how often each place's source came before it in the span."""
        sources = self._evenly(span)
        first_block = span * (self.span_size // self.block_size)
        for number, start in enumerate(range(0, len(sources), self.block_size)):
            generator = np.random.Generator(np.random.Philox(key=[self.seed & _MASK, first_block + number]))
            generator.shuffle(sources[start : start + self.block_size])
        ranks = np.empty(len(sources), dtype=np.int64)
        for source in range(len(self._weights)):
            chosen = sources == source
            ranks[chosen] = np.arange(np.count_nonzero(chosen))
        return sources, ranks

    def _evenly(self, span: int) -> np.ndarray:
        """Return the sources of a span's places before the blocks are shuffled."""
        before, after = self._given[span], self._given[span + 1]
        counts = [last - first for first, last in zip(before, after, strict=True)]
        nothing, num_places = [0] * len(counts), sum(counts)
        order = spread_evenly(self._weights, before, after, num_places)
        if order is None and num_places == self.num_windows:
            order = spread_evenly(self._weights, nothing, None, num_places)
        elif order is None:
            # Even between the counts at the span's ends, which are themselves within one: less than two in all.
            order = spread_evenly(counts, nothing, None, num_places)
        assert order is not None
        return order
