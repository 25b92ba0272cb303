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
# Tokens that are made into batches in one go, and the rows from which on they are gathered file by file.
TOKENS_AHEAD = 1 << 16
MIN_GATHERED_ROWS = 16
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
    if rows < MIN_GATHERED_ROWS:
        for row, (windows, number) in enumerate(chosen):
            input_ids[row] = windows.ids(number)
        ends_of_rows = [windows.chunk_ends(number) for windows, number in chosen]
        counts = np.array([len(ends) for ends in ends_of_rows])
        ends = np.concatenate(ends_of_rows).astype(np.int64)
        real_tokens = ends[np.cumsum(counts) - 1]
        ends += np.repeat(np.arange(0, rows * length, length), counts)
    else:
        real_tokens, ends = _gather(chosen, input_ids)
    # Chunks begin where a row does, and where one ends; the padding behind the last counts as a chunk: nothing attends
    # to it or is predicted from it.
    begins = np.zeros(rows * length + 1, dtype=bool)
    begins[0 : rows * length : length] = True
    begins[ends] = True
    starts = np.flatnonzero(begins[:-1])
    position_ids = np.arange(rows * length)
    position_ids -= np.repeat(starts, np.diff(starts, append=rows * length))
    token_mask = np.arange(length) < real_tokens[:, None]
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


def _gather(chosen: Sequence[Located], input_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill in the ids of many windows, file by file: in short rows the calls take the time, not the tokens.

    Returns:
        Real tokens of each row, and where chunks end in all rows laid end to end, in no order.
    """
    length = input_ids.shape[1]
    by_file: dict[int, tuple[PackedWindows, list[int], list[int]]] = {}
    for row, (windows, number) in enumerate(chosen):
        _, rows, numbers = by_file.setdefault(id(windows), (windows, [], []))
        rows.append(row)
        numbers.append(number)
    real_tokens = np.empty(len(input_ids), dtype=np.int64)
    all_ends = []
    for windows, rows, numbers in by_file.values():
        places, wanted = np.array(rows), np.array(numbers)
        if len(by_file) == 1:
            np.copyto(input_ids, windows.ids_of_all(wanted))
        else:
            input_ids[places] = windows.ids_of_all(wanted)
        ends, counts = windows.chunk_ends_of_all(wanted)
        ends = ends.astype(np.int64)
        real_tokens[places] = ends[np.cumsum(counts) - 1]
        all_ends.append(ends + np.repeat(places * length, counts))
    return real_tokens, np.concatenate(all_ends)


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


class BatchesAhead:
    """Makes the batches of a stage, several of them at once where they are small.

    Args:
        locate: what stands at each of many places.
        num_places: of the stage.
        length: of a window, in tokens.
    """

    def __init__(self, locate: Callable[[np.ndarray], list[Located]], num_places: int, length: int) -> None:
        self._lookahead = Lookahead(locate, num_places)
        self._num_places, self._length = num_places, length
        self._made: dict[int, tuple[list[int], dict[str, torch.Tensor]]] = {}
        self._last = self._distance = 0

    def __call__(self, places: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the batch of some places; see `window_batch`."""
        places = list(places)
        first = places[0]
        distance = first - self._last
        is_regular = distance == self._distance and distance > 0
        self._last, self._distance = first, distance
        made_of, made = self._made.pop(first, (None, None))
        if made is not None and made_of == places:
            return made
        wanted, size = [places], len(places)
        # A worker's tensors go to another process, whole as they were made.
        if is_regular and torch.utils.data.get_worker_info() is None:
            ahead = TOKENS_AHEAD // (size * self._length)
            ahead = max(1, min(ahead, (self._num_places - 1 - max(places)) // distance + 1))
            wanted = (np.array(places) + distance * np.arange(ahead)[:, None]).tolist()
        made = window_batch(self._lookahead([place for batch in wanted for place in batch]))
        views = zip(*(values.split(size) for values in made.values()), strict=True)
        batches = [dict(zip(made, batch, strict=True)) for batch in views]
        self._made = {batch[0]: (batch, tensors) for batch, tensors in zip(wanted[1:], batches[1:], strict=True)}
        return batches[0]
