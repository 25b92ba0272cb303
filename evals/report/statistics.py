"""Intervals and paired tests, so that no number stands without its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np


def wilson_interval(num_successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a fraction.

    Args:
        num_successes (`int`): from 0 to n.
        n (`int`): independent trials, at least 1.
        confidence (`float`): between 0 and 1.

    Returns:
        (low, high), within 0 and 1.

    Raises:
        ValueError: a count or the confidence is out of range.

    Source: Wilson (1927).
    """
    if n < 1 or not 0 <= num_successes <= n:
        raise ValueError(
            f"{num_successes} successes of {n}: at least one trial is needed, and no more successes than that"
        )
    z = _quantile(confidence)
    centre = num_successes + z * z / 2
    spread = z * math.sqrt(num_successes * (n - num_successes) / n + z * z / 4)
    return max(0.0, (centre - spread) / (n + z * z)), min(1.0, (centre + spread) / (n + z * z))


def paired_bootstrap(
    differences: Sequence[float], confidence: float = 0.95, num_resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean of paired differences.

    Args:
        differences: one per item, ours minus theirs.
        num_resamples (`int`): more give steadier ends.
        seed (`int`): same seed, same interval.

    Returns:
        (low, high).

    Raises:
        ValueError: no differences, or the confidence is out of range.

    Source: Efron (1979).
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.size == 0:
        raise ValueError("no differences: at least one pair is needed")
    _quantile(confidence)
    generator = np.random.default_rng(seed)
    means = np.array([generator.choice(values, values.size).mean() for _ in range(num_resamples)])
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def standard_error(values: Sequence[float], clusters: Sequence[str]) -> float:
    """Return the standard error of a mean of values that belong together within clusters; NaN for a single cluster.

    With a value to each cluster it is the sample's standard deviation over the root of n.
    """
    mean = sum(values) / len(values)
    deviations = dict.fromkeys(clusters, 0.0)
    for value, cluster in zip(values, clusters, strict=True):
        deviations[cluster] += value - mean
    if len(deviations) < 2:
        return math.nan
    spread = sum(deviation**2 for deviation in deviations.values()) * len(deviations) / (len(deviations) - 1)
    return math.sqrt(spread) / len(values)


def bootstrap_interval(
    values: Sequence[float],
    clusters: Sequence[str],
    confidence: float = 0.95,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a mean whose values come in clusters that are drawn as wholes.

    One problem in ten languages is not ten independent problems: intervals that take it for that are too narrow.

    Args:
        values: one per item.
        clusters: of each item; all different gives the ordinary bootstrap.

    Returns:
        (low, high).

    Raises:
        ValueError: no values, or the confidence is out of range.

    Source: Miller (2024), arXiv 2411.00640, recommends clusters; the bootstrap over them is Field and Welsh (2007).
    """
    if not values:
        raise ValueError("no values: at least one is needed")
    _quantile(confidence)
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([names[cluster] for cluster in clusters])
    sums = np.bincount(index, weights=np.asarray(values, dtype=np.float64))
    sizes = np.bincount(index).astype(np.float64)
    generator = np.random.default_rng(seed)
    means = np.empty(num_resamples)
    for start in range(0, num_resamples, 500):  # in blocks, so that memory stays small
        drawn = generator.integers(0, len(names), (min(500, num_resamples - start), len(names)))
        means[start : start + len(drawn)] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def rate_interval(rates: Sequence[float], clusters: Sequence[str], confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a mean of rates of right answers, by the bootstrap over clusters where that has a width.

    Where every problem has the same rate, or all belong together, every resample has the same mean: an interval without
    width, which claims to know what three problems cannot tell. Then Wilson's counts each cluster as one trial.

    Args:
        rates: of each problem, within 0 and 1.
        clusters: of each problem.
        confidence (`float`): between 0 and 1.

    Returns:
        (low, high), within 0 and 1.
    """
    num_clusters, mean = len(set(clusters)), sum(rates) / len(rates)
    if num_clusters == 1 and 0 < mean < 1:
        return 0.0, 1.0
    if num_clusters > 1 and len(set(rates)) > 1:
        return bootstrap_interval(rates, clusters, confidence)
    return wilson_interval(round(mean * num_clusters), num_clusters, confidence)


def difference_interval(
    differences: Sequence[float], clusters: Sequence[str], confidence: float = 0.95
) -> tuple[float, float]:
    """Return the interval of a mean of paired differences, by the bootstrap over clusters where that has a width.

    Where no problem differs (or each by a whole right answer), the resamples all have the same mean. Then it is the
    score interval of paired proportions, with each cluster as one pair.

    Args:
        differences: of each problem, within -1 and 1.
        clusters: of each problem.
        confidence (`float`): between 0 and 1.

    Returns:
        (low, high), within -1 and 1.

    Source: Tango (1998), for no discordant pairs and for discordant pairs of one kind alone.
    """
    num_clusters, mean = len(set(clusters)), sum(differences) / len(differences)
    if num_clusters > 1 and len(set(differences)) > 1:
        return bootstrap_interval(differences, clusters, confidence)
    if mean not in (-1, 0, 1):
        return -1.0, 1.0
    width = _quantile(confidence) ** 2 / (num_clusters + _quantile(confidence) ** 2)
    if mean == 0:
        return -width, width
    return (1 - 2 * width, 1.0) if mean > 0 else (-1.0, 2 * width - 1)


def pass_at_k(n: int, num_right: int, k: int) -> float:
    """Return the unbiased estimate of the chance that one of k answers is right, from n answers.

    Raises:
        ValueError: k is above n or below 1, or more are right than there are.

    Source: Chen et al. (2021), arXiv 2107.03374: 1 - C(n - c, k) / C(n, k).
    """
    if not 1 <= k <= n or not 0 <= num_right <= n:
        raise ValueError(f"pass@{k} of {num_right} right answers among {n}: k from 1 to n, and no more right than n")
    return 1.0 - math.comb(n - num_right, k) / math.comb(n, k)


def mcnemar_exact(num_only_first: int, num_only_second: int) -> float:
    """Return the exact two-sided p-value that two models differ, from the items only one of them solves.

    Args:
        num_only_first, num_only_second (`int`): discordant pairs; both 0 gives 1.

    Raises:
        ValueError: a count is negative.

    Source: McNemar (1947), exact binomial form.
    """
    if min(num_only_first, num_only_second) < 0:
        raise ValueError(f"counts must not be negative: {num_only_first}, {num_only_second}")
    n, smaller = num_only_first + num_only_second, min(num_only_first, num_only_second)
    tail = sum(math.comb(n, i) for i in range(smaller + 1)) / 2**n
    return min(1.0, 2 * tail)


def paired_sign_flips(
    differences: Sequence[float], clusters: Sequence[str], num_resamples: int = 10_000, seed: int = 0
) -> float:
    """Return the two-sided p-value that a mean of paired differences is not zero, clusters flipped as wholes.

    Where the two models are alike, a cluster's difference is as likely to have the other sign. For one answer to each
    of independent problems this is McNemar's test by simulation.

    Args:
        differences: one per problem, the first's rate of right answers minus the second's.
        clusters: of each problem.

    Returns:
        A p-value above 0: the observed signs count as one of the resamples.

    Raises:
        ValueError: no differences.

    Source: Fisher's randomisation test, with clusters.
    """
    if not differences:
        raise ValueError("no differences: at least one pair is needed")
    names = {name: number for number, name in enumerate(dict.fromkeys(clusters))}
    index = np.array([names[cluster] for cluster in clusters])
    sums = np.bincount(index, weights=np.asarray(differences, dtype=np.float64))
    generator = np.random.default_rng(seed)
    as_far = 1
    for start in range(0, num_resamples, 500):
        signs = generator.integers(0, 2, (min(500, num_resamples - start), len(sums))) * 2 - 1
        as_far += int((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum())
    return as_far / (num_resamples + 1)


def holm_adjust(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for testing all of them: below 0.05 keeps the chance of any false alarm below 0.05.

    Args:
        p_values: of tests in any order, dependent or not.

    Raises:
        ValueError: one is not within 0 and 1.

    Source: Holm (1979).
    """
    if any(not 0 <= value <= 1 for value in p_values):
        raise ValueError(f"p-values must lie within 0 and 1: {list(p_values)}")
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}, but must lie between 0 and 1")
    return NormalDist().inv_cdf((1 + confidence) / 2)
