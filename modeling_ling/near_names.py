"""The name that was probably meant: what others call so, one with the same words, or nearly its letters."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

# Names of one thing in other programs, as words, and ours, the first of which that is known is meant.
OtherNames = Iterable[tuple[str, Sequence[str]]]


def nearest_name(name: str, known: Sequence[str], other_names: OtherNames = ()) -> str | None:
    """Return the known name that was probably meant, or None.

    Args:
        name (`str`): as it was typed.
        known (sequence of `str`): to choose from, words joined by `_`.
        other_names: what other programs call some of them.
    """
    for theirs, ours in other_names:
        if name.lower() in theirs.split() and (meant := next((each for each in ours if each in known), None)):
            return meant
    words = set(name.lower().split("_"))
    related = [each for each in known if words <= set(each.split("_")) or set(each.split("_")) <= words]
    near = difflib.get_close_matches(name, related or known, n=1, cutoff=0.0 if related else 0.6)
    return near[0] if near else None
