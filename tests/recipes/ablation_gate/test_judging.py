"""The judge of the ablation gate: what pairs of runs can tell, and what they cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recipes.ablation_gate.judging import APPROVE, NOT_ENOUGH_EVIDENCE, REJECT, Measure, judge

NUM_ITEMS = 400


def measure(gain: float, run_spread: float, num_pairs: int = 4, name: str = "loss", seed: int | None = None) -> Measure:
    """Differences with a gain, which each pair of runs shifts for all items alike: by chance where a seed is given."""
    generator = np.random.default_rng(seed or 0)
    shifts = np.linspace(-run_spread, run_spread, num_pairs)[:, None] if num_pairs > 1 else np.zeros((1, 1))
    if seed is not None:
        shifts = generator.normal(0, run_spread, (num_pairs, 1))
    items = generator.normal(0, 0.1, (1, NUM_ITEMS))
    return Measure(name, "nats", 2.0, 2.0 - gain, gain + shifts + items)


@pytest.mark.parametrize(
    ("gain", "run_spread", "num_pairs", "expected"),
    [
        (0.1, 0.01, 4, APPROVE),
        (-0.1, 0.01, 4, REJECT),
        (0.0, 0.01, 4, NOT_ENOUGH_EVIDENCE),
        (0.1, 0.01, 1, NOT_ENOUGH_EVIDENCE),  # a lucky seed looks just so
        (0.1, 0.2, 4, NOT_ENOUGH_EVIDENCE),  # thousands of items do not make up for four pairs
    ],
)
def test_verdict(gain: float, run_spread: float, num_pairs: int, expected: str) -> None:
    assert judge([measure(gain, run_spread, num_pairs)]).verdict == expected


def test_runs_that_differ_by_chance_are_seldom_approved() -> None:
    """Items alone would call nearly all of these significant: every item of a run is shifted alike."""
    verdicts = [judge([measure(0.0, 0.05, seed=seed)]) for seed in range(60)]
    by_items = [verdict.measures[0].items_p < 0.05 for verdict in verdicts]
    assert sum(by_items) > 30
    assert sum(verdict.is_approval for verdict in verdicts) <= 3


def test_identical_groups_are_not_enough_evidence() -> None:
    same = Measure("humaneval", "share", 0.0, 0.0, np.zeros((4, 20)))
    verdict = judge([same])
    assert verdict.verdict == NOT_ENOUGH_EVIDENCE
    assert verdict.measures[0].p == 1.0


def test_one_problem_won_by_every_run_is_not_enough_evidence() -> None:
    """The runs agree to the last digit, so Student's test is sure; the items say that it is one problem of twenty."""
    differences = np.zeros((4, 20))
    differences[:, 3] = 1.0
    assert judge([Measure("humaneval", "share", 0.1, 0.15, differences)]).verdict == NOT_ENOUGH_EVIDENCE


def test_measures_that_contradict_each_other_are_not_enough_evidence() -> None:
    verdict = judge([measure(0.1, 0.01, name="code"), measure(-0.1, 0.01, name="math")])
    assert verdict.verdict == NOT_ENOUGH_EVIDENCE
    assert "better on code, but worse on math" in verdict.reason


def test_more_measures_need_stronger_evidence() -> None:
    alone = judge([measure(0.1, 0.04)])
    others = [measure(0.0, 0.04, name=str(number)) for number in range(15)]
    among_others = judge([measure(0.1, 0.04), *others])
    assert alone.is_approval
    assert not among_others.is_approval


def test_one_pair_has_no_interval() -> None:
    result = judge([measure(0.1, 0.01, num_pairs=1)]).measures[0]
    assert math.isinf(result.interval[1])
    assert math.isinf(result.detectable)


@pytest.mark.parametrize("differences", [np.full((2, 3), math.nan), np.zeros((2, 0)), np.zeros(3)])
def test_what_cannot_be_judged_is_refused(differences: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite differences"):
        judge([Measure("loss", "nats", 0.0, 0.0, differences)])
