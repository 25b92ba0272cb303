"""Section 3.2: items laid into rows of one length."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable


def best_fit(lengths: Iterable[int], capacity: int) -> list[list[int]]:
    """Lay items into as few bins as best fit, largest first, finds; no item is split.

    Args:
        lengths: of the items, each at most `capacity`.
        capacity: of a bin.

    Returns:
        The item numbers of each bin.

    Raises:
        ValueError: an item is longer than a bin.

    Source: best-fit decreasing, as Ding et al. (2404.10830) use it for language models.
    """
    sizes = list(lengths)
    bins: list[list[int]] = []
    # Rooms of open bins in rising order; `open_bins[room]` is a heap, so equal rooms are used in the order of opening.
    rooms: list[int] = []
    open_bins: dict[int, list[int]] = {}
    for item in sorted(range(len(sizes)), key=lambda item: (-sizes[item], item)):
        size = sizes[item]
        if size > capacity:
            raise ValueError(f"Item {item} has {size} tokens: it does not fit into a window of {capacity}.")
        position = bisect_left(rooms, size)
        if position == len(rooms):
            bins.append([item])
            number, room = len(bins) - 1, capacity - size
        else:
            old_room = rooms[position]
            number = heapq.heappop(open_bins[old_room])
            if not open_bins[old_room]:
                del open_bins[old_room], rooms[position]
            bins[number].append(item)
            room = old_room - size
        if room > 0:
            if room not in open_bins:
                open_bins[room] = []
                insort(rooms, room)
            heapq.heappush(open_bins[room], number)
    return bins
