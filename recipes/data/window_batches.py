"""Section 3.2: packed windows as rows of a batch, made together: one call of numpy for all rows where one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from recipes.data.packing import PackedWindows

IGNORED_LABEL = -100
# Windows that are located ahead, in one go.
LOCATED_AHEAD = 4096
Located = tuple[PackedWindows, int]


def window_batch(chosen: Sequence[Located]) -> dict[str, torch.Tensor]:
    """Return windows of one length as a batch.

    Args:
        chosen: packed windows and the number of one of them, for each row.

    Returns:
        `input_ids`, `position_ids` (from 0 in every chunk, and in the padding) and `labels`, each (rows, seq_length)
        int64; labels equal the ids, -100 on padding and on every chunk's first token, since the model shifts them and a
        chunk must not be predicted from the one before it. `token_mask`: bool of that shape, false on padding.
    """
    rows, length = len(chosen), chosen[0][0].seq_length
    input_ids = np.empty((rows, length), dtype=np.int64)
    for row, (windows, number) in enumerate(chosen):
        input_ids[row] = windows.ids(number)
    ends_of_rows = [windows.chunk_ends(number) for windows, number in chosen]
    counts = np.array([len(ends) for ends in ends_of_rows])
    ends = np.concatenate(ends_of_rows).astype(np.int64)
    real_tokens = ends[np.cumsum(counts) - 1][:, None]
    ends += np.repeat(np.arange(0, rows * length, length), counts)
    # Chunks begin where a row does, and where one ends; the padding behind the last counts as a chunk: nothing attends
    # to it or is predicted from it.
    begins = np.zeros(rows * length + 1, dtype=bool)
    begins[0 : rows * length : length] = True
    begins[ends] = True
    starts = np.flatnonzero(begins[:-1])
    position_ids = np.arange(rows * length)
    position_ids -= np.repeat(starts, np.diff(starts, append=rows * length))
    token_mask = np.arange(length) < real_tokens
    labels = input_ids.copy()
    labels.reshape(-1)[starts] = IGNORED_LABEL
    if not token_mask.all():
        labels[~token_mask] = IGNORED_LABEL
    return {
        "input_ids": torch.from_numpy(input_ids),
        "position_ids": torch.from_numpy(position_ids.reshape(rows, length)),
        "labels": torch.from_numpy(labels),
        "token_mask": torch.from_numpy(token_mask),
    }


def window_row(windows: PackedWindows, number: int) -> dict[str, Any]:
    """Return one packed window: a row of `window_batch`."""
    return {name: values[0] for name, values in window_batch([(windows, number)]).items()}


class Lookahead:
    """Locates places of a stage, many at a time: a process reads batches that lie at equal distances.

    Args:
        locate: what stands at each of many places.
        num_places: of the stage.
    """

    def __init__(self, locate: Callable[[np.ndarray], list[Located]], num_places: int) -> None:
        self._locate, self._num_places = locate, num_places
        self._known: dict[int, Located] = {}
        self._last = self._distance = 0

    def __call__(self, places: Sequence[int]) -> list[Located]:
        """Return what stands at the places of a batch."""
        distance = places[0] - self._last
        is_regular = distance == self._distance and distance > 0
        self._last, self._distance = places[0], distance
        try:
            return [self._known[place] for place in places]
        except KeyError:
            pass
        wanted = np.asarray(places)
        if is_regular:
            batches = max(1, LOCATED_AHEAD // len(places))
            wanted = (wanted + distance * np.arange(batches)[:, None]).reshape(-1)
            wanted = wanted[wanted < self._num_places]
        located = self._locate(wanted)
        if is_regular:
            self._known = dict(zip(wanted.tolist(), located, strict=True))
        return located[: len(places)]
