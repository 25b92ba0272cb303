"""Sections 2.1 and 2.3: how well a small model judges what it has not seen, beside what needs no model."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

NUM_RESAMPLES = 2000


def macro_f1(predicted: Sequence[int], true: Sequence[int], num_labels: int) -> float:
    """Return the mean F1 over the labels that occur among the true ones."""
    scores = []
    for label in range(num_labels):
        hits = sum(p == t == label for p, t in zip(predicted, true, strict=True))
        total = sum(p == label for p in predicted) + sum(t == label for t in true)
        if any(t == label for t in true):
            scores.append(2 * hits / total)
    return sum(scores) / len(scores)


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Spearman's rank correlation, 0 where a side does not vary."""
    from scipy.stats import spearmanr

    if min(len(set(first)), len(set(second))) < 2:
        return 0.0
    return float(spearmanr(first, second).statistic)


def bootstrap(measure: Callable[[Any, Any], float], first: Sequence[Any], second: Sequence[Any]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a measure of pairs, over resampled rows."""
    left, right = np.asarray(first), np.asarray(second)
    generator = np.random.default_rng(0)
    drawn = (generator.integers(0, len(left), len(left)) for _ in range(NUM_RESAMPLES))
    values = [measure(left[rows].tolist(), right[rows].tolist()) for rows in drawn]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def classification_figures(
    predicted: Sequence[int], true: Sequence[int], train: Sequence[int], num_labels: int
) -> dict[str, str]:
    """Return macro F1 and accuracy, beside always saying the commonest label of the training rows."""
    from evals.report.statistics import wilson_interval

    majority = Counter(train).most_common(1)[0][0]
    always = [majority] * len(true)
    num_right = sum(p == t for p, t in zip(predicted, true, strict=True))
    low, high = bootstrap(lambda p, t: macro_f1(p, t, num_labels), predicted, true)
    right_low, right_high = wilson_interval(num_right, len(true))
    return {
        "held-out macro F1": f"{macro_f1(predicted, true, num_labels):.3f} (95 % {low:.3f} to {high:.3f}); the "
        f"commonest label always: {macro_f1(always, true, num_labels):.3f}",
        "held-out accuracy": f"{num_right / len(true):.1%} (95 % {right_low:.1%} to {right_high:.1%}); the commonest "
        f"label always: {sum(t == majority for t in true) / len(true):.1%}",
    }


def regression_figures(predicted: Sequence[float], true: Sequence[float], train: Sequence[float]) -> dict[str, str]:
    """Return rank correlation and mean absolute error, beside always saying the median of the training rows."""
    low, high = bootstrap(spearman, predicted, true)
    error = sum(abs(p - t) for p, t in zip(predicted, true, strict=True)) / len(true)
    median = float(np.median(train))
    always = sum(abs(median - t) for t in true) / len(true)
    return {
        "held-out Spearman": f"{spearman(predicted, true):+.3f} (95 % {low:+.3f} to {high:+.3f}); one value always: 0",
        "held-out mean absolute error": f"{error:.4g}; the median always: {always:.4g}",
    }


def reward_figures(margins: Sequence[float], longer_is_chosen: Sequence[bool]) -> dict[str, str]:
    """Return how often the chosen answer gets more than the rejected one, beside taking the longer one."""
    from evals.report.statistics import wilson_interval

    num_right = sum(margin > 0 for margin in margins)
    low, high = wilson_interval(num_right, len(margins))
    loss = sum(math.log1p(math.exp(-min(max(margin, -50), 50))) for margin in margins) / len(margins)
    return {
        "held-out pairwise accuracy": f"{num_right / len(margins):.1%} (95 % {low:.1%} to {high:.1%}); a coin: 50.0%; "
        f"the longer answer: {sum(longer_is_chosen) / len(margins):.1%}",
        "held-out loss": f"{loss:.4f} nats; a coin: {math.log(2):.4f}",
    }
