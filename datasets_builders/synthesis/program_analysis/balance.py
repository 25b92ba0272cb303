"""Section 2.4: no answer so common that guessing it pays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

MAX_ANSWER_FRACTION = 0.1


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
