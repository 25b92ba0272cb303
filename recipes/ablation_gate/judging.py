"""Section 2.1: whether the experimental group does better than the control group, as far as the runs can tell.

Two things are drawn by chance: the items that are scored, and what a run reads in which order. Many items make the
first small and leave the second as it is: two runs on data of equal worth differ on thousands of documents alike. So a
measure speaks only where both tests do: Student's over the pairs of runs, and sign flips over the items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

APPROVE, REJECT, NOT_ENOUGH_EVIDENCE = "approve", "reject", "not_enough_evidence"
ALPHA = 0.05
POWER = 0.8


@dataclass(frozen=True)
class Measure:
    """What pairs of runs scored on the same items.

    Args:
        name: such as held_out/code or humaneval.
        unit: of the differences.
        control, experiment: means over everything, for the reader.
        differences: (num_pairs, num_items); above 0 where the experiment did better.
        clusters: of the items, where several belong together; each is its own by default.
    """

    name: str
    unit: str
    control: float
    experiment: float
    differences: NDArray[np.float64]
    clusters: Sequence[str] | None = None


@dataclass(frozen=True)
class MeasureResult:
    """What a measure says.

    Attributes:
        difference: mean; above 0 where the experiment did better.
        interval: of it, 95 %, over the pairs of runs; infinite for a single pair.
        spread: standard deviation of the difference between pairs of runs.
        pairs_p, items_p: two-sided p-values of the two tests; p is the larger.
        adjusted_p: p after Holm's correction for all measures.
        says: better, worse or nothing.
        detectable: the difference that these runs would have found with a chance of 80 %.
    """

    name: str
    unit: str
    num_pairs: int
    num_items: int
    control: float
    experiment: float
    difference: float
    interval: tuple[float, float]
    spread: float
    pairs_p: float
    items_p: float
    p: float
    adjusted_p: float
    says: str
    detectable: float


@dataclass(frozen=True)
class Verdict:
    """approve, reject or not_enough_evidence, with the reason in words and what each measure says."""

    verdict: str
    reason: str
    measures: tuple[MeasureResult, ...]

    @property
    def is_approval(self) -> bool:
        """Whether the candidate was approved."""
        return self.verdict == APPROVE


def judge(measures: Sequence[Measure], alpha: float = ALPHA) -> Verdict:
    """Return the verdict on a candidate.

    Approved is what does better on at least one measure and worse on none; rejected, what does worse on one and better
    on none. Where measures contradict each other, or nothing can be told, there is not enough evidence.

    Args:
        measures: at least one.
        alpha: chance that data of equal worth change any verdict, two-sided, over all measures.

    Raises:
        ValueError: nothing was measured, or a difference is not finite.

    Source: paper 2.1 (better than the control group); the tests are ours.
    """
    from evals.report.statistics import holm_adjust

    if not measures:
        raise ValueError("nothing was measured: give held-out data or benchmarks")
    tested = [_tested(measure) for measure in measures]
    adjusted = holm_adjust([facts["p"] for facts in tested])
    results = []
    for facts, adjusted_p in zip(tested, adjusted, strict=True):
        says = "nothing"
        if adjusted_p < alpha:
            says = "better" if facts["difference"] > 0 else "worse"
        results.append(MeasureResult(**facts, adjusted_p=adjusted_p, says=says))
    return Verdict(*_decided(results), tuple(results))


def _decided(results: Sequence[MeasureResult]) -> tuple[str, str]:
    better = [result.name for result in results if result.says == "better"]
    worse = [result.name for result in results if result.says == "worse"]
    if better and not worse:
        return APPROVE, f"better on {', '.join(better)}, worse on nothing"
    if worse and not better:
        return REJECT, f"worse on {', '.join(worse)}, better on nothing"
    if better:
        return NOT_ENOUGH_EVIDENCE, f"better on {', '.join(better)}, but worse on {', '.join(worse)}"
    if max(result.num_pairs for result in results) < 2:
        return NOT_ENOUGH_EVIDENCE, "one pair of runs does not tell the data's part from chance's: give more seeds"
    return NOT_ENOUGH_EVIDENCE, "no difference that chance would not make as well"


def _tested(measure: Measure) -> dict[str, Any]:
    from evals.report.statistics import paired_sign_flips

    values = np.asarray(measure.differences, dtype=np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"{measure.name}: finite differences of shape (pairs, items) are wanted, not {values.shape}")
    num_pairs, num_items = values.shape
    of_pairs, of_items = values.mean(axis=1), values.mean(axis=0)
    difference = float(values.mean())
    spread = float(of_pairs.std(ddof=1)) if num_pairs > 1 else math.nan
    pairs_p, margin, detectable = _students_test(difference, spread, num_pairs)
    clusters = list(measure.clusters) if measure.clusters is not None else [str(item) for item in range(num_items)]
    items_p = paired_sign_flips(of_items.tolist(), clusters) if of_items.any() else 1.0
    return {
        "name": measure.name,
        "unit": measure.unit,
        "num_pairs": num_pairs,
        "num_items": num_items,
        "control": measure.control,
        "experiment": measure.experiment,
        "difference": difference,
        "interval": (difference - margin, difference + margin),
        "spread": spread,
        "pairs_p": pairs_p,
        "items_p": items_p,
        "p": max(pairs_p, items_p),
        "detectable": detectable,
    }


def _students_test(difference: float, spread: float, num_pairs: int) -> tuple[float, float, float]:
    """Return the two-sided p-value of a mean over pairs, half its 95 % interval, and the difference found at POWER."""
    from scipy import stats

    if num_pairs < 2:
        return 1.0, math.inf, math.inf
    error = spread / math.sqrt(num_pairs)
    degrees = num_pairs - 1
    margin = float(stats.t.ppf(1 - ALPHA / 2, degrees)) * error
    # The usual approximation: the critical value, and the quantile of the power beyond it.
    detectable = margin + float(stats.t.ppf(POWER, degrees)) * error
    if error == 0:
        return (1.0 if difference == 0 else 0.0), 0.0, 0.0
    return float(2 * stats.t.sf(abs(difference) / error, degrees)), margin, detectable


__all__ = ["ALPHA", "APPROVE", "NOT_ENOUGH_EVIDENCE", "REJECT", "Measure", "MeasureResult", "Verdict", "judge"]
