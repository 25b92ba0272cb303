"""Intervals and tests against scipy and against figures worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from evals.report.statistics import (
    bootstrap_interval,
    difference_interval,
    mcnemar_exact,
    paired_bootstrap,
    paired_sign_flips,
    rate_interval,
    wilson_interval,
)


@pytest.mark.parametrize(("num_successes", "n"), [(0, 1), (0, 300), (12, 164), (150, 300), (164, 164)])
def test_wilson_equals_scipy(num_successes, n):
    expected = stats.binomtest(num_successes, n).proportion_ci(method="wilson")
    assert wilson_interval(num_successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (5, 0), (10, 2), (30, 31)])
def test_mcnemar_equals_the_binomial_test(first, second):
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar_exact(first, second) == pytest.approx(expected)


def test_mcnemar_by_hand():
    assert mcnemar_exact(5, 0) == pytest.approx(2 / 32)


def test_the_bootstrap_of_a_normal_sample_is_near_the_t_interval():
    values = np.random.default_rng(0).normal(-0.5, 1.0, 400)
    low, high = paired_bootstrap(values.tolist())
    expected = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=0.02)
    assert paired_bootstrap(values.tolist()) == (low, high)
    assert paired_bootstrap([0.0, 0.0]) == (0.0, 0.0)


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="3 successes of 2"):
        wilson_interval(3, 2)
    with pytest.raises(ValueError, match="at least one trial"):
        wilson_interval(0, 0)
    with pytest.raises(ValueError, match="at least one pair"):
        paired_bootstrap([])
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 0)
    with pytest.raises(ValueError, match="confidence is 1"):
        wilson_interval(1, 2, confidence=1)


def test_sign_flips_agree_with_mcnemar_on_independent_pairs():
    differences = [1.0] * 12 + [-1.0] * 4 + [0.0] * 50
    clusters = [str(number) for number in range(len(differences))]
    assert paired_sign_flips(differences, clusters) == pytest.approx(mcnemar_exact(12, 4), abs=0.01)
    assert paired_sign_flips([0.0, 0.0], ["a", "b"]) == 1.0


def test_equal_answers_are_not_taken_for_certainty():
    """Of three problems, all wrong: the bootstrap says 0 to 0."""
    assert rate_interval([0.0] * 3, list("abc")) == wilson_interval(0, 3)
    assert rate_interval([1.0] * 6, list("aabbcc")) == wilson_interval(3, 3), "two problems of a cluster are one trial"
    assert rate_interval([0.0, 1.0, 1.0], list("aaa")) == (0.0, 1.0), "one cluster says nothing of others"
    assert rate_interval([0.0, 1.0], list("ab")) == bootstrap_interval([0.0, 1.0], list("ab"))


@pytest.mark.parametrize(
    ("difference", "low", "high"), [(0.0, -0.0602, 0.0602), (1.0, 0.8796, 1.0), (-1.0, -1.0, -0.8796)]
)
def test_a_difference_that_is_everywhere_the_same_has_tangos_interval(difference, low, high):
    names = [str(number) for number in range(60)]
    assert difference_interval([difference] * 60, names) == pytest.approx((low, high), abs=1e-4)
    assert difference_interval([0.0, *[difference] * 59], names) == pytest.approx(
        bootstrap_interval([0.0, *[difference] * 59], names) if difference else (low, high), abs=1e-4
    )


def test_no_difference_in_few_problems_is_no_proof_of_none():
    """How often the interval holds the truth, where two models differ on one problem in fifty."""
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        differences = generator.choice([-1.0, 0.0, 1.0], 20, p=[0.0, 0.98, 0.02]).tolist()
        low, high = difference_interval(differences, [str(number) for number in range(20)])
        held += low <= 0.02 <= high
    assert held / 400 > 0.93
