"""Section 3.2, Table 1: the learning rates at both ends of each stage, and the shape in between."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.reporting.plan_command import whole_plan
from recipes.running.recipe_loading import RecipeError
from recipes.running.schedules import (
    DECAY_SHAPES,
    FALLING_SCHEDULES,
    build_schedule,
    inverse_sqrt_pinned,
    milestones_in_steps,
    warmup_in_steps,
)

STEPS = 1000
TINY = Path(__file__).resolve().parents[3] / "recipes" / "configs" / "tiny" / "stage1.yaml"
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


@pytest.mark.parametrize("shape", sorted(DECAY_SHAPES))
def test_wsd_stays_and_then_falls_to_its_floor(shape: str) -> None:
    multiplier = build_schedule(
        "wsd",
        learning_rate=1e-3,
        min_learning_rate=1e-5,
        num_steps=1100,
        warmup_steps=100,
        decay_fraction=0.25,
        decay_shape=shape,
    )
    rates = [multiplier(step) for step in range(1100)]
    assert rates[100:850] == [1.0] * 750
    assert all(later < earlier for earlier, later in pairwise(rates[849:]))
    assert rates[-1] == pytest.approx(0.01)
    assert multiplier(99) < 1.0


@pytest.mark.parametrize(("value", "steps"), [(0, 0), (0.1, 10), (0.101, 11), (0.07, 7), (1, 1), (25.0, 25)])
def test_a_warmup_below_1_is_a_share_of_all_steps(value: float, steps: int) -> None:
    assert warmup_in_steps(value, 100) == steps


@pytest.mark.parametrize("value", [-1, -0.1, 2.5])
def test_a_warmup_that_is_neither_a_share_nor_a_number_of_steps_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="below 1 a share"):
        warmup_in_steps(value, 100)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("multi_step_constant", {"learning_rates": [1.0, 0.5], "milestones": [100]}, "step 100, never comes"),
        ("multi_step_constant", {"learning_rates": [1.0, 0.5], "milestones": [5], "warmup_steps": 5}, "lies within"),
        ("wsd", {"decay_fraction": 0.0}, "decay_fraction is 0.0"),
        ("wsd", {"decay_shape": "steep"}, "'steep' does not exist"),
        ("cosine", {"warmup_steps": 100}, "must lie between 0 and num_steps"),
    ],
)
def test_what_would_never_come_is_refused(name: str, arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_schedule(name, learning_rate=1.0, num_steps=100, **arguments)


# What a recipe says beside learning_rate: 3e-4, and the key that its refusal names, or the learning rates at the first,
# the middle and the last of 8 steps.
RECIPES = [
    ("schedule: cosine", [3e-4, 1.1668e-4, 0.0]),
    ("schedule: cosine\nwarmup_steps: 0.1", [1.5e-4, 1.5e-4, 0.0]),
    ("schedule: cosine\nwarmup_steps: 0.5", [6e-5, 3e-4, 0.0]),
    ("schedule: cosine\nwarmup_steps: 2.5", "warmup_steps is 2.5"),
    ("schedule: cosine\nwarmup_steps: 8", "warmup_steps is 8"),
    ("schedule: constant\nmin_learning_rate: 1e-5", "min_learning_rate: 1e-05 .* does nothing in schedule constant"),
    ("schedule: cosine\nlearning_rates: [3e-4, 1e-4]", "learning_rates: .* does nothing in schedule cosine"),
    ("schedule: cosine\nmilestones_tokens: [1024]", "milestones_tokens: .* does nothing in schedule cosine"),
    ("schedule: cosine\ntimescale_fraction: 0.1", "timescale_fraction: .* inverse_sqrt_pinned"),
    ("schedule: inverse_sqrt_pure\nmin_learning_rate: 3e-6\ntimescale_fraction: 0.1", "timescale_fraction"),
    ("schedule: cosine\ndecay_fraction: 0.1", "decay_fraction: .* wsd"),
    ("schedule: cosine\ndrop_on: train_loss", "drop_on: .* multi_step_constant"),
    ("schedule: wsd\ndecay_fraction: 0.5\nmin_learning_rate: 1e-4", [3e-4, 2e-4, 1e-4]),
    ("schedule: multi_step_constant", "learning_rates: .* two levels"),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]", "need 1 milestones"),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\nmilestones_tokens: [2048]", [3e-4, 1e-4, 1e-4]),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\nmilestones_tokens: [4096]", "step 8, never comes"),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\nmin_learning_rate: 1e-5", "min_learning_rate"),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\ndrop_on: train_loss", [3e-4, 3e-4, 3e-4]),
    ("schedule: multi_step_constant\ndrop_on: train_loss\nplateau_factor: 0.5\nmin_learning_rate: 1e-4", [3e-4] * 3),
    ("schedule: multi_step_constant\ndrop_on: train_loss\nplateau_factor: 0.5", "min_learning_rate is 0.0"),
    (
        "schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\ndrop_on: train_loss\nmilestones_tokens: [2048]",
        "milestones_tokens: .* does nothing with drop_on train_loss",
    ),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\nplateau_patience: 9", "plateau_patience: .*tokens"),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\ndrop_on: recorded", "recorded_drops"),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\ndrop_on: validation_loss", "has to be measured"),
    (
        "schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\ndrop_on: validation_loss\n"
        "eval_every_steps: 5\neval_data: held_out\nplateau_patience: 2",
        [3e-4, 3e-4, 3e-4],
    ),
    (
        "schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\ndrop_on: validation_loss\n"
        "eval_every_steps: 5\neval_data: held_out\nplateau_window_steps: 2",
        "plateau_window_steps: .* does nothing with drop_on validation_loss",
    ),
    ("schedule: multi_step_constant\nlearning_rates: [3e-4, 1e-4]\ndrop_on: often", "drop_on: 'often'"),
]


@pytest.mark.parametrize(("lines", "expected"), RECIPES)
def test_every_key_of_a_schedule_acts_or_is_refused(lines: str, expected: str | list[float], tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "recipe: pretrain\nlearning_rate: 3e-4\nsequence_length: 64\nglobal_batch_tokens: 512\ntrain_tokens: 4096\n"
        f"per_device_train_batch_size: 2\nmixture: {{ratios: {{code: 0.7, math: 0.3}}}}\nfim_sources: []\nfim_rate: 0\n"
        f"{lines}\n"
    )
    if isinstance(expected, str):
        with pytest.raises(RecipeError, match=expected):
            whole_plan(str(path))
        return
    plan, learning_rate_at = whole_plan(str(path))
    assert [learning_rate_at(step) for step in (0, 4, 7)] == pytest.approx(expected, rel=1e-3)
    assert plan.num_steps == 8


def test_a_schedule_on_the_command_line_goes_without_the_recipes_keys_of_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan, learning_rate_at = whole_plan(str(TINY), ["--schedule", "cosine", "--warmup_steps", "0.1"])
    assert plan.num_steps == 384
    # The thirty-ninth step ends the warm-up of a tenth.
    assert learning_rate_at(38) < learning_rate_at(39) == 3e-3
    assert "without its learning_rates, milestones_tokens" in capsys.readouterr().err
