"""Section 2.4: no answer so common that guessing it pays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

MAX_ANSWER_FRACTION = 0.1
Row = TypeVar("Row")


def capped(answers: Sequence[str], max_fraction: float = MAX_ANSWER_FRACTION) -> list[bool]:
    """Say which rows to keep so that no answer makes up more than a fraction of what is kept.

    The first rows of an answer are kept, so the caller's order decides which go. One row of each answer always stays:
    with fewer than 1 / max_fraction different answers the bound cannot be met.

    Args:
        answers (`Sequence[str]`): the answer of each row.
        max_fraction (`float`): the bound.

    Returns:
        `list[bool]`: whether each row stays.
    """
    counts = Counter(answers)
    cap = max(counts.values(), default=0)
    # Lowering the cap lowers the total too, so the largest cap that holds is searched from above.
    while cap > 1 and cap > max_fraction * sum(min(count, cap) for count in counts.values()):
        cap -= 1
    seen: Counter[str] = Counter()
    keep = []
    for answer in answers:
        seen[answer] += 1
        keep.append(seen[answer] <= cap)
    return keep


def capped_part(
    rows: Sequence[Row], is_in_part: Callable[[Row], bool], max_fraction: float
) -> tuple[list[Row], list[Row]]:
    """Leave out rows of a part until it makes up no more than a fraction of what is kept.

    Args:
        rows (`Sequence`): all rows; the first of the part are kept.
        is_in_part (`Callable`): says whether a row belongs to the part.
        max_fraction (`float`): the bound; 1 keeps all.

    Returns:
        Two lists: what is kept and what is left out, in order.
    """
    in_part = [is_in_part(row) for row in rows]
    num_others = len(rows) - sum(in_part)
    # part / (part + others) <= fraction.
    room = len(rows) if max_fraction >= 1 else int(max_fraction * num_others / (1 - max_fraction))
    kept: list[Row] = []
    left_out: list[Row] = []
    for row, is_part in zip(rows, in_part, strict=True):
        room -= is_part
        (left_out if is_part and room < 0 else kept).append(row)
    return kept, left_out
