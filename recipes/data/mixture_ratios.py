"""Section 3.2, Table 1: the sources of a mixture and their ratios at both levels, checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_RATIO_TOLERANCE = 1e-6


@dataclass(frozen=True)
class MixtureSource:
    """One source of the mixture.

    Args:
        name: as it is reported.
        paths: its `.ds` files, read as one.
        group: code, natural_language or math, or what else `group_ratios` names.
        ratio: share within its group; a group's ratios sum to 1.
        is_code: whether fill-in-the-middle applies to it.
    """

    name: str
    paths: tuple[Path, ...]
    group: str
    ratio: float
    is_code: bool = False


def global_ratios(sources: Sequence[MixtureSource], group_ratios: Mapping[str, float]) -> list[float]:
    """Multiply both levels of Table 1.

    Args:
        sources: with ratios within their groups.
        group_ratios: group's name to share of all tokens.

    Returns:
        The share of all tokens of each source, in their order.

    Raises:
        ValueError: ratios of a level do not sum to 1, a ratio is negative, a name is twice, or a group does not exist
            or has no source.

    Source: paper Table 1.
    """
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Two sources of the mixture are named {name!r}: give each its own name.")
    unknown = sorted({source.group for source in sources} - set(group_ratios))
    if unknown:
        raise ValueError(f"Groups {unknown} have sources but no ratio: the groups with one are {sorted(group_ratios)}.")
    _check_sum("The group ratios", group_ratios)
    for group, share in group_ratios.items():
        within = {source.name: source.ratio for source in sources if source.group == group}
        if within:
            _check_sum(f"The ratios within {group!r}", within)
        elif share > 0:
            raise ValueError(f"Group {group!r} has a ratio of {share} but no source: add one, or set its ratio to 0.")
    return [group_ratios[source.group] * source.ratio for source in sources]


def _check_sum(what: str, ratios: Mapping[str, float]) -> None:
    negative = {name: ratio for name, ratio in ratios.items() if ratio < 0}
    if negative:
        raise ValueError(f"{what} must not be negative: {negative}.")
    total = sum(ratios.values())
    if abs(total - 1.0) > _RATIO_TOLERANCE:
        raise ValueError(f"{what} sum to {total:.6g}, not to 1: {dict(ratios)}.")
