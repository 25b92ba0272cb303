"""Section 3.2.4: what a judge's verdicts say of two models, and what they say of the judge.

A pair whose two orders disagree is a tie, and counted. A pair without a verdict is left out of every rate: taken for a
tie, or for a loss, it would move the score by the judge's fault.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean, median
from typing import Any

from evals.judging.judge import Judgment
from evals.judging.verdicts import LOST, MALFORMED, NO_VERDICT, TIED, WON, is_consistent, position_of
from evals.report.statistics import (
    difference_interval,
    mcnemar_exact,
    paired_sign_flips,
    rate_interval,
    wilson_interval,
)

ABOUT_EQUAL = 0.1  # lengths that differ by no more than this share of the longer one
VALUES = {WON: 1.0, TIED: 0.5, LOST: 0.0}


def summarize(judgments: Sequence[Judgment]) -> dict[str, Any]:
    """Return the figures of a comparison.

    Returns:
        counts and rates of won, tied and lost pairs with intervals; the win rate with ties as halves; a sign test of
        won against lost (by clusters where questions belong together); the share of pairs whose orders disagree and
        which place the judge leans to there; lengths, and whether the longer answer is preferred. Rates are None where
        no pair was judged.
    """
    judged = [judgment for judgment in judgments if judgment.outcome in VALUES]
    counts = Counter(judgment.outcome for judgment in judgments)
    asked = [judgment for judgment in judged if judgment.asked]
    figures: dict[str, Any] = {
        "n": len(judged),
        "counts": {name: counts[name] for name in (WON, TIED, LOST)},
        "left_out": {name: counts[name] for name in (MALFORMED, NO_VERDICT) if counts[name]},
        "equal_answers": len(judged) - len(asked),
        "asked_more_than_once": sum(_most_attempts(judgment) > 1 for judgment in judgments),
        "rates": {name: _rate(judged, _is(name)) for name in VALUES},
        "win_rate": _rate(judged, lambda judgment: VALUES[judgment.outcome]),
        "test": _test(judged),
        "order": _order(asked),
        "length": _length(judged),
    }
    return figures


def _is(outcome: str) -> Callable[[Judgment], float]:
    return lambda judgment: float(judgment.outcome == outcome)


def _most_attempts(judgment: Judgment) -> int:
    return max(judgment.in_order.attempts, judgment.swapped.attempts)


def _rate(judgments: Sequence[Judgment], value: Callable[[Judgment], float]) -> dict[str, Any] | None:
    if not judgments:
        return None
    values = [value(judgment) for judgment in judgments]
    clusters = [judgment.pair.cluster for judgment in judgments]
    if len(set(clusters)) == len(clusters) and set(values) <= {0.0, 1.0}:
        interval = wilson_interval(int(sum(values)), len(values))
    else:
        interval = rate_interval(values, clusters)
    return {"value": mean(values), "interval": list(interval)}


def _test(judged: Sequence[Judgment]) -> dict[str, Any] | None:
    """Return whether won and lost pairs could be a coin's, and the interval of their difference."""
    if not judged:
        return None
    differences = [2 * VALUES[judgment.outcome] - 1 for judgment in judged]
    clusters = [judgment.pair.cluster for judgment in judged]
    single = len(set(clusters)) == len(clusters)
    won, lost = differences.count(1.0), differences.count(-1.0)
    return {
        "method": "sign test" if single else "sign flips of clusters",
        "p": mcnemar_exact(lost, won) if single else paired_sign_flips(differences, clusters),
        "difference": mean(differences),
        "interval": list(difference_interval(differences, clusters)),
    }


def _order(asked: Sequence[Judgment]) -> dict[str, Any] | None:
    """Return how often a verdict did not survive the swap of places, and whether one place is preferred then."""
    if not asked:
        return None
    verdicts = [(judgment.in_order.verdict, judgment.swapped.verdict) for judgment in asked]
    inconsistent = [pair for pair in verdicts if not is_consistent(*pair)]
    leans = Counter(position_of(*pair) for pair in inconsistent)
    first, second = leans["first shown"], leans["second shown"]
    low, high = wilson_interval(len(inconsistent), len(asked))
    return {
        "n": len(asked),
        "inconsistent": len(inconsistent),
        "share": {"value": len(inconsistent) / len(asked), "interval": [low, high]},
        "first_shown_preferred": first,
        "second_shown_preferred": second,
        "p": mcnemar_exact(first, second),
    }


def _length(judged: Sequence[Judgment]) -> dict[str, Any] | None:
    """Return lengths in characters, how often the longer answer is preferred, and the win rate by which is longer."""
    if not judged:
        return None
    lengths = [(len(judgment.pair.first), len(judgment.pair.second)) for judgment in judged]
    groups: dict[str, list[Judgment]] = {"second longer": [], "about equal": [], "first longer": []}
    longer_won = longer_lost = 0
    for judgment, (first, second) in zip(judged, lengths, strict=True):
        near = abs(first - second) <= ABOUT_EQUAL * max(first, second)
        groups["about equal" if near else "second longer" if second > first else "first longer"].append(judgment)
        if first != second and judgment.outcome != TIED:
            has_longer_won = (second > first) == (judgment.outcome == WON)
            longer_won, longer_lost = longer_won + has_longer_won, longer_lost + (not has_longer_won)
    decided = longer_won + longer_lost
    rate = {"value": longer_won / decided, "interval": list(wilson_interval(longer_won, decided))} if decided else None
    return {
        "mean": [mean(values) for values in zip(*lengths, strict=True)],
        "median": [median(values) for values in zip(*lengths, strict=True)],
        "longer_preferred": rate,
        "decided": decided,
        "p": mcnemar_exact(longer_won, longer_lost),
        "win_rate_by_length": {
            name: {"n": len(members), "rate": _rate(members, lambda judgment: VALUES[judgment.outcome])}
            for name, members in groups.items()
        },
    }


def summary_lines(figures: dict[str, Any], first: str, second: str, judge: str) -> list[str]:
    """Return the figures in sentences."""
    left_out = ", ".join(f"{number} {name}" for name, number in figures["left_out"].items())
    if not figures["n"]:
        return [f"{judge} judged no pair of {first} and {second}; left out: {left_out or 'nothing'}"]
    counts, test, length = figures["counts"], figures["test"], figures["length"]
    low, high = (f"{100 * end:+.1f}" for end in test["interval"])
    rates = ", ".join(f"{name} {_percent(figures['rates'][name])}" for name in VALUES)
    lines = [
        f"{second} against {first}, judged by {judge}: {counts[WON]:,} won, {counts[TIED]:,} tied, "
        f"{counts[LOST]:,} lost of {figures['n']:,} pairs",
        f"{rates}; ties as halves: {_percent(figures['win_rate'])}; won minus lost "
        f"{100 * test['difference']:+.1f} points (95 % {low} to {high}), {test['method']} p={test['p']:.3g}",
    ]
    if order := figures["order"]:
        lines.append(
            f"orders: {order['inconsistent']:,} of {order['n']:,} pairs were judged differently when swapped "
            f"({_percent(order['share'])}) and are ties; there the answer shown first was preferred "
            f"{order['first_shown_preferred']:,} times, the one shown second {order['second_shown_preferred']:,} times "
            f"(p={order['p']:.3g})"
        )
    rate = length["longer_preferred"]
    longer = "no pair was decided"
    if rate:
        longer = f"the longer one won {_percent(rate)} of {length['decided']:,} decided pairs (p={length['p']:.3g})"
    groups = ", ".join(
        f"{name}: {_percent(group['rate'])} of {group['n']:,}"
        for name, group in length["win_rate_by_length"].items()
        if group["n"]
    )
    lines.append(
        f"length: {length['mean'][0]:,.0f} and {length['mean'][1]:,.0f} characters in the mean; {longer}; "
        f"ties as halves by length: {groups}"
    )
    notes = [f"{figures['equal_answers']:,} pairs of equal answers, not asked"] * bool(figures["equal_answers"])
    notes += [f"left out: {left_out}"] * bool(left_out)
    notes += [f"{figures['asked_more_than_once']:,} asked more than once"] * bool(figures["asked_more_than_once"])
    return lines + ["; ".join(notes)] * bool(notes)


def _percent(rate: dict[str, Any]) -> str:
    low, high = rate["interval"]
    return f"{100 * rate['value']:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
