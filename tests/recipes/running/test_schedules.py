"""Section 3.2, Table 1: the learning rates at both ends of each stage, and the shape in between."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.running.schedules import FALLING_SCHEDULES, build_schedule, inverse_sqrt_pinned, milestones_in_steps

STEPS = 1000
# name, learning rate, final learning rate: Table 1.
TABLE_1 = [
    ("cosine", 1.4e-4, 1.1e-4),
    ("cosine_with_floor", 1.4e-4, 1.1e-4),
    ("inverse_sqrt_pinned", 1.4e-4, 1.4e-6),
    ("inverse_sqrt_pure", 1.4e-4, 1.4e-6),
    ("one_minus_sqrt", 1.4e-4, 1.4e-6),
]


@pytest.mark.parametrize(("name", "start", "end"), TABLE_1)
def test_a_falling_schedule_has_exactly_table_1s_ends(name: str, start: float, end: float) -> None:
    multiplier = build_schedule(name, learning_rate=start, min_learning_rate=end, num_steps=STEPS)
    assert multiplier(0) * start == pytest.approx(start, rel=1e-12)
    assert multiplier(STEPS - 1) * start == pytest.approx(end, rel=1e-12)
    assert multiplier(10 * STEPS) * start == pytest.approx(end, rel=1e-12)


def test_stage_1_falls_in_steps_from_3e_4_to_1_5e_4() -> None:
    levels = [3e-4, 2.1e-4, 1.5e-4]
    multiplier = build_schedule(
        "multi_step_constant", learning_rate=3e-4, learning_rates=levels, milestones=[400, 700], num_steps=STEPS
    )
    rates = [multiplier(step) * 3e-4 for step in (0, 399, 400, 699, 700, STEPS - 1)]
    assert rates == pytest.approx([3e-4, 3e-4, 2.1e-4, 2.1e-4, 1.5e-4, 1.5e-4], rel=1e-12)


def test_warmup_ends_in_the_full_learning_rate_and_begins_above_zero() -> None:
    multiplier = build_schedule("cosine", learning_rate=4e-5, num_steps=STEPS, warmup_steps=100)
    rises = [multiplier(step) for step in range(101)]
    assert rises[0] > 0
    assert rises[100] == 1.0
    assert all(later > earlier for earlier, later in pairwise(rises))
    assert multiplier(STEPS - 1) == 0.0


def test_milestones_count_from_the_start_of_the_stage_with_warmup_too() -> None:
    multiplier = build_schedule(
        "multi_step_constant",
        learning_rate=3e-4,
        learning_rates=[3e-4, 1.5e-4],
        milestones=[50],
        num_steps=100,
        warmup_steps=10,
    )
    assert (multiplier(49), multiplier(50)) == (1.0, 0.5)


def test_milestones_in_tokens_take_effect_at_the_first_step_that_has_seen_them() -> None:
    assert milestones_in_steps([1000, 1001, 2048], tokens_per_step=1000) == [1, 2, 3]


def test_the_inverse_square_root_falls_rapidly_by_its_time_constant() -> None:
    # Half of the fall at 3 % of the stage for a hundredth: 1/sqrt(1 + x) is about one half at x = 3.
    rates = inverse_sqrt_pinned(1.4e-4, 1.4e-6, 10_001, timescale_fraction=0.01)
    half = next(step for step in range(10_001) if rates(step) < 0.7e-4)
    assert 200 < half < 300
    slower = inverse_sqrt_pinned(1.4e-4, 1.4e-6, 10_001, timescale_fraction=0.1)
    assert slower(half) > rates(half)


@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from(sorted(FALLING_SCHEDULES)), steps=st.integers(2, 5000), floor=st.floats(0.001, 1.0))
def test_a_falling_schedule_never_rises_and_stays_between_its_ends(name: str, steps: int, floor: float) -> None:
    multiplier = build_schedule(name, learning_rate=1e-3, min_learning_rate=floor * 1e-3, num_steps=steps)
    values = [multiplier(step) for step in range(0, steps, max(steps // 50, 1))]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(values))
    assert all(floor - 1e-9 <= value <= 1.0 + 1e-12 for value in values)


def test_a_schedule_drives_lambda_lr() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.4e-4)
    multiplier = build_schedule("cosine", learning_rate=1.4e-4, min_learning_rate=1.1e-4, num_steps=10)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, multiplier)
    seen = []
    for _ in range(10):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert (seen[0], seen[-1]) == pytest.approx((1.4e-4, 1.1e-4), rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "linear"}, "does not exist. Choose one of: constant"),
        ({"name": "cosine", "min_learning_rate": 2e-3}, "must lie between 0 and learning_rate"),
        ({"name": "cosine", "warmup_steps": 100}, "between 0 and num_steps, 100"),
        ({"name": "inverse_sqrt_pure"}, "never reaches 0"),
        ({"name": "inverse_sqrt_pinned", "timescale_fraction": 0.0}, "must be above 0"),
        ({"name": "multi_step_constant", "learning_rates": [1e-3, 5e-4]}, "2 learning rates need 1 milestones"),
        ({"name": "multi_step_constant", "learning_rates": [2e-3], "milestones": []}, "make them one"),
        (
            {"name": "multi_step_constant", "learning_rates": [1e-3, 5e-4, 1e-4], "milestones": [9, 9]},
            "must rise from above 0",
        ),
    ],
)
def test_a_schedule_that_does_not_fit_says_what_is_wrong(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_schedule(learning_rate=1e-3, num_steps=100, **arguments)
