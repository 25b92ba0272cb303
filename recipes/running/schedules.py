"""Section 3.2, Table 1: the learning-rate schedules, as pure functions of the step.

The paper names multi-step constant (stage 1), cosine (stage 2, SFT, DPO) and "inverse square root" (annealing), with
the two ends of each. It does not give warmup, milestones or the inverse square root's constants. HF's `inverse_sqrt`
has no floor and at its defaults ends 46 times above Table 1's 1.4e-6, so three readings are offered here: pinned at
both ends with a free time constant (the default), the pure law with the one constant that hits both ends, and 1-sqrt.

A step is counted from 0; the last step that trains is `num_steps - 1` and has exactly the final learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

LearningRate = Callable[[int], float]

# Of the inverse square root's time scale over the stage's steps: half of the fall is done after 3 % of the stage.
DEFAULT_TIMESCALE_FRACTION = 0.01
DEFAULT_DECAY_FRACTION = 0.2
# Progress of a fall, 0..1, to the weight of its beginning.
DECAY_SHAPES: dict[str, Callable[[float], float]] = {
    "1-sqrt": lambda progress: 1.0 - math.sqrt(progress),
    "linear": lambda progress: 1.0 - progress,
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
}


def with_warmup(schedule: LearningRate, warmup_steps: int, peak: float) -> LearningRate:
    """Put a linear rise before a schedule, which then starts at its own step 0.

    Args:
        schedule: the schedule after the warmup.
        warmup_steps: steps of rise; step `warmup_steps` has the full peak, step 0 already more than zero.
        peak: the learning rate the rise ends in.

    Returns:
        The learning rate by step.

    Source: paper 3.2 (100 steps in SFT, 150 in DPO); the linear shape is ours.
    """
    if warmup_steps == 0:
        return schedule

    def learning_rate(step: int) -> float:
        if step < warmup_steps:
            return peak * (step + 1) / (warmup_steps + 1)
        return schedule(step - warmup_steps)

    return learning_rate


def _falling(shape: Callable[[float], float], lr: float, min_lr: float, num_steps: int) -> LearningRate:
    """Return a curve from `lr` at step 0 to `min_lr` at the last; `shape` maps progress 0..1 to weight 1..0."""
    if not 0 <= min_lr <= lr:
        raise ValueError(f"min_learning_rate is {min_lr}: it must lie between 0 and learning_rate, {lr}.")
    if num_steps < 1:
        raise ValueError(f"The schedule has {num_steps} steps: it needs at least 1 after the warmup.")
    last = max(num_steps - 1, 1)

    def learning_rate(step: int) -> float:
        progress = min(max(step / last, 0.0), 1.0)
        # The ends are returned as they were written, not as rounding leaves them.
        if progress in (0.0, 1.0):
            return lr if progress == 0.0 else min_lr
        weight = shape(progress)
        return lr * weight + min_lr * (1.0 - weight)

    return learning_rate


def constant(lr: float) -> LearningRate:
    """Return the schedule that never moves."""
    return lambda step: lr


def cosine_with_floor(lr: float, min_lr: float, num_steps: int) -> LearningRate:
    """Return half a cosine from `lr` to `min_lr`.

    Args:
        lr: learning rate of step 0.
        min_lr: learning rate of step `num_steps - 1` and after.
        num_steps: length of the fall.

    Raises:
        ValueError: the ends are in the wrong order, or there are no steps.

    Source: paper Table 1, stage 2 (1.4e-4 to 1.1e-4).
    """
    return _falling(DECAY_SHAPES["cosine"], lr, min_lr, num_steps)


def multi_step_constant(lrs: Sequence[float], milestones: Sequence[int]) -> LearningRate:
    """Return a staircase: `lrs[k]` from step `milestones[k-1]` on.

    Args:
        lrs: the levels, first to last.
        milestones: the steps at which the next level begins, rising; one fewer than levels.

    Raises:
        ValueError: counts do not fit, milestones do not rise, or a level is not above zero.

    Source: paper Table 1, stage 1 (3e-4 to 1.5e-4, dropped on a plateau); the milestones are ours.
    """
    if len(milestones) != len(lrs) - 1:
        raise ValueError(
            f"{len(lrs)} learning rates need {len(lrs) - 1} milestones, {len(milestones)} were given: {milestones}."
        )
    if any(later <= earlier for earlier, later in zip((0, *milestones), milestones, strict=False)):
        raise ValueError(f"Milestones must rise from above 0: {list(milestones)}.")
    if any(lr <= 0 for lr in lrs):
        raise ValueError(f"Every level of a multi-step schedule must be above 0: {list(lrs)}.")
    return lambda step: lrs[sum(step >= milestone for milestone in milestones)]


def milestones_in_steps(milestones_tokens: Sequence[int], tokens_per_step: int) -> list[int]:
    """Return milestones given in tokens as the first step at which so many tokens have been seen."""
    return [math.ceil(tokens / tokens_per_step) for tokens in milestones_tokens]


def inverse_sqrt_pinned(
    lr: float, min_lr: float, num_steps: int, timescale_fraction: float = DEFAULT_TIMESCALE_FRACTION
) -> LearningRate:
    """Return a + b / sqrt(1 + t / tau), with a and b such that both ends are exact.

    Args:
        lr: learning rate of step 0.
        min_lr: learning rate of step `num_steps - 1` and after.
        num_steps: length of the fall.
        timescale_fraction: tau over the length; smaller falls faster.

    Raises:
        ValueError: the ends are in the wrong order, there are no steps, or the fraction is not above zero.

    Source: paper Table 1, annealing (1.4e-4 to 1.4e-6, "rapidly"); the time constant and the offset are ours.
    """
    if timescale_fraction <= 0:
        raise ValueError(f"timescale_fraction is {timescale_fraction}: it must be above 0 (0.01 is the default).")
    last = 1.0 / math.sqrt(1.0 + 1.0 / timescale_fraction)

    def shape(progress: float) -> float:
        return (1.0 / math.sqrt(1.0 + progress / timescale_fraction) - last) / (1.0 - last)

    return _falling(shape, lr, min_lr, num_steps)


def inverse_sqrt_pure(lr: float, min_lr: float, num_steps: int) -> LearningRate:
    """Return lr / sqrt(1 + t / tau) with the one tau that ends in `min_lr`.

    Table 1's fall by 100 makes tau a 9,999th of the stage: half of the learning rate is gone after 3 of 10,000 steps.

    Raises:
        ValueError: the ends are in the wrong order, the last is not above zero, or there are no steps.

    Source: paper Table 1, annealing, read literally.
    """
    if min_lr <= 0:
        raise ValueError(f"min_learning_rate is {min_lr}: the pure inverse square root never reaches 0.")
    if min_lr == lr:
        return constant(lr)
    timescale_fraction = 1.0 / ((lr / min_lr) ** 2 - 1.0)
    return inverse_sqrt_pinned(lr, min_lr, num_steps, timescale_fraction)


def one_minus_sqrt(lr: float, min_lr: float, num_steps: int) -> LearningRate:
    """Return the fall by 1 - sqrt(progress), the slowest of the three readings of "inverse square root".

    Raises:
        ValueError: the ends are in the wrong order, or there are no steps.

    Source: paper Table 1, annealing; this reading is ours.
    """
    return _falling(DECAY_SHAPES["1-sqrt"], lr, min_lr, num_steps)


def warmup_stable_decay(
    lr: float,
    min_lr: float,
    num_steps: int,
    decay_fraction: float = DEFAULT_DECAY_FRACTION,
    decay_shape: str = "1-sqrt",
) -> LearningRate:
    """Return a plateau at `lr` and a fall to `min_lr` over the last part of the stage.

    Args:
        lr: learning rate of the plateau.
        min_lr: learning rate of step `num_steps - 1` and after.
        num_steps: length of both.
        decay_fraction: share of the steps that fall.
        decay_shape: of DECAY_SHAPES.

    Raises:
        ValueError: the ends are in the wrong order, there are no steps, or the fraction or the shape cannot be.

    Source: ours, an alternative to Table 1's schedules; Hu et al. (2404.06395) name it WSD.
    """
    if not 0 < decay_fraction <= 1:
        raise ValueError(f"decay_fraction is {decay_fraction}: it is a share of the stage, above 0 and at most 1.")
    if decay_shape not in DECAY_SHAPES:
        raise ValueError(f"decay_shape {decay_shape!r} does not exist. Choose one of: {', '.join(DECAY_SHAPES)}.")
    num_falling = max(1, round(decay_fraction * num_steps))
    # The fall begins at the plateau's last step, from which its first step is already away.
    fall = _falling(DECAY_SHAPES[decay_shape], lr, min_lr, num_falling + 1)
    return lambda step: fall(max(step - (num_steps - 1 - num_falling), 0))


def levels_by_factor(lr: float, min_lr: float, factor: float) -> tuple[float, ...]:
    """Return the levels of a staircase: each the one before times `factor`, the last `min_lr`.

    Raises:
        ValueError: the factor is not between 0 and 1, or `min_lr` not above 0 and below `lr`.
    """
    if not 0 < factor < 1:
        raise ValueError(f"plateau_factor is {factor}: it must lie between 0 and 1.")
    if not 0 < min_lr < lr:
        raise ValueError(f"min_learning_rate is {min_lr}: with plateau_factor it must lie between 0 and {lr}.")
    levels = [lr]
    while levels[-1] * factor > min_lr * (1 + 1e-9):
        levels.append(levels[-1] * factor)
    return (*levels, min_lr)


def warmup_in_steps(warmup_steps: float, num_steps: int) -> int:
    """Return a warmup as a number of steps: below 1 it is a share of all steps, rounded up, as in transformers 5.

    Raises:
        ValueError: neither a share nor a whole number.
    """
    if 0 < warmup_steps < 1:
        return math.ceil(warmup_steps * num_steps - 1e-9)
    if warmup_steps < 0 or warmup_steps != int(warmup_steps):
        raise ValueError(f"warmup_steps is {warmup_steps}: it is a number of steps, or below 1 a share of all steps.")
    return int(warmup_steps)


FALLING_SCHEDULES: dict[str, Callable[..., LearningRate]] = {
    "cosine": cosine_with_floor,
    "cosine_with_floor": cosine_with_floor,
    "inverse_sqrt_pinned": inverse_sqrt_pinned,
    "inverse_sqrt_pure": inverse_sqrt_pure,
    "one_minus_sqrt": one_minus_sqrt,
}
SCHEDULE_NAMES = ("constant", "multi_step_constant", *FALLING_SCHEDULES, "wsd")
# Keys that act in some schedules only; in others a recipe that sets them is refused.
SCHEDULE_KEYS: dict[str, tuple[str, ...]] = {
    "min_learning_rate": (*FALLING_SCHEDULES, "wsd", "multi_step_constant"),
    "timescale_fraction": ("inverse_sqrt_pinned",),
    "decay_fraction": ("wsd",),
    "decay_shape": ("wsd",),
    **dict.fromkeys(
        (
            *("learning_rates", "milestones_tokens", "drop_on", "recorded_drops", "plateau_window_steps"),
            *("plateau_patience", "plateau_min_improvement", "plateau_factor"),
        ),
        ("multi_step_constant",),
    ),
}


# What brings the next level of multi_step_constant, and the keys that belong to some of it only.
DROPS_ON = ("tokens", "train_loss", "validation_loss", "recorded")
KEYS_OF_DROPS: dict[str, tuple[str, ...]] = {
    "milestones_tokens": ("tokens",),
    # Each evaluation is a measurement of its own: what lies between two of them is eval_every_steps.
    "plateau_window_steps": ("train_loss",),
    **dict.fromkeys(("plateau_patience", "plateau_min_improvement"), ("train_loss", "validation_loss")),
    "plateau_factor": ("train_loss", "validation_loss", "recorded"),
    "recorded_drops": ("recorded",),
}


def keys_of_others(keys: Iterable[str], schedule: str | None = None, drop_on: str | None = None) -> list[str]:
    """Return those keys that belong to other schedules, or to other ways of dropping, than the ones that are named."""
    named = ((schedule, SCHEDULE_KEYS), (drop_on, KEYS_OF_DROPS))
    return [
        key
        for key in keys
        if any(name is not None and key in table and name not in table[key] for name, table in named)
    ]


def build_schedule(
    name: str,
    *,
    learning_rate: float,
    num_steps: int,
    min_learning_rate: float = 0.0,
    warmup_steps: int = 0,
    learning_rates: Sequence[float] = (),
    milestones: Sequence[int] = (),
    timescale_fraction: float = DEFAULT_TIMESCALE_FRACTION,
    decay_fraction: float = DEFAULT_DECAY_FRACTION,
    decay_shape: str = "1-sqrt",
) -> LearningRate:
    """Build the multiplier of `learning_rate` by step, as torch's LambdaLR wants it.

    Args:
        name: one of SCHEDULE_NAMES.
        learning_rate: the base that the optimizer holds.
        num_steps: optimizer steps of the whole stage, warmup included.
        min_learning_rate: where a falling schedule ends.
        warmup_steps: steps of linear rise before it.
        learning_rates: the levels of multi_step_constant; the first must be `learning_rate`.
        milestones: the steps at which multi_step_constant goes to its next level, counted from the stage's step 0.
        timescale_fraction: of inverse_sqrt_pinned.
        decay_fraction: of wsd: share of the steps after the warmup that fall.
        decay_shape: of wsd.

    Returns:
        Step to multiplier; learning rate of a step = multiplier * learning_rate.

    Raises:
        ValueError: unknown name, or arguments that do not fit it.

    Source: paper Table 1; the names are ours.
    """
    if learning_rate <= 0:
        raise ValueError(f"learning_rate is {learning_rate}: it must be above 0.")
    if not 0 <= warmup_steps < num_steps:
        raise ValueError(f"warmup_steps is {warmup_steps}: it must lie between 0 and num_steps, {num_steps}.")
    if name == "constant":
        schedule = constant(learning_rate)
    elif name == "multi_step_constant":
        levels = tuple(learning_rates) or (learning_rate,)
        if levels[0] != learning_rate:
            raise ValueError(
                f"learning_rates starts with {levels[0]}, learning_rate is {learning_rate}: make them one."
            )
        if milestones and milestones[0] <= warmup_steps:
            raise ValueError(f"The first milestone, step {milestones[0]}, lies within the {warmup_steps} warmup steps.")
        if milestones and milestones[-1] >= num_steps:
            raise ValueError(f"The last milestone, step {milestones[-1]}, never comes: there are {num_steps} steps.")
        schedule = multi_step_constant(levels, [milestone - warmup_steps for milestone in milestones])
    elif name in FALLING_SCHEDULES:
        extra = {"timescale_fraction": timescale_fraction} if name == "inverse_sqrt_pinned" else {}
        schedule = FALLING_SCHEDULES[name](learning_rate, min_learning_rate, num_steps - warmup_steps, **extra)
    elif name == "wsd":
        schedule = warmup_stable_decay(
            learning_rate, min_learning_rate, num_steps - warmup_steps, decay_fraction, decay_shape
        )
    else:
        raise ValueError(f"Schedule {name!r} does not exist. Choose one of: {', '.join(SCHEDULE_NAMES)}.")
    warmed = with_warmup(schedule, warmup_steps, learning_rate)
    return lambda step: warmed(step) / learning_rate
