"""Section 3.2.1: stage 1's learning rate drops when the loss stops falling: the rule, and a schedule to be replayed.

The paper drops it "when the training loss reaches a plateau or the validation loss stops decreasing for several
consecutive iterations", and gives neither window nor patience. A drop takes effect two steps after the one that showed
it, so that it is a function of the step by the time it is asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recipes.running.run_folder import DROPS_FILE
from recipes.running.schedules import levels_by_factor, multi_step_constant, with_warmup


@dataclass(frozen=True)
class PlateauRule:
    """When a loss counts as no longer falling.

    Args:
        window_steps: steps whose losses are averaged; 1 where each value is a measurement of its own.
        patience: windows in a row without a new low before the learning rate drops.
        min_improvement: a low is new where it is below the last by this share of it.
        watches: train_loss, of each step, or validation_loss, of each evaluation.

    Raises:
        ValueError: a value out of its limits.
    """

    window_steps: int = 100
    patience: int = 3
    min_improvement: float = 0.001
    watches: str = "train_loss"

    def __post_init__(self) -> None:
        if self.window_steps < 1 or self.patience < 1:
            raise ValueError("plateau_window_steps and plateau_patience must be at least 1.")
        if not 0 <= self.min_improvement < 1:
            raise ValueError(f"plateau_min_improvement is {self.min_improvement}: it is a share, 0 to below 1.")


@dataclass(frozen=True)
class Drop:
    """One drop of the learning rate.

    Attributes:
        step: the first, from 0, that trains with the lower rate.
        learning_rate: from then on.
        loss: of the last window.
        lowest: the low that it did not beat.
    """

    step: int
    learning_rate: float
    loss: float | None = None
    lowest: float | None = None


class PlateauSchedule:
    """Levels of a learning rate that go down one by one, by a rule or as written down.

    Args:
        levels: first to last.
        warmup_steps: of a linear rise before; losses of these steps are not looked at.
        rule: when to drop; None for a schedule that is given.
        drops: those that are given.

    Raises:
        ValueError: levels or drops that cannot be.

    Source: paper 3.2.1; the rule's numbers are ours.
    """

    def __init__(
        self, levels: Sequence[float], warmup_steps: int, rule: PlateauRule | None, drops: Sequence[Drop] = ()
    ) -> None:
        if len(levels) < 2:
            raise ValueError("A learning rate that drops needs two levels or more in learning_rates.")
        if len(drops) >= len(levels):
            raise ValueError(f"{len(drops)} drops need {len(drops) + 1} learning rates, there are {len(levels)}.")
        self.levels, self.warmup_steps, self.rule = tuple(levels), warmup_steps, rule
        self.drops = list(drops)
        self._losses: list[float] = []
        self._lowest = math.inf
        self._num_bad = 0

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, as far as drops are known."""
        used = self.levels[: len(self.drops) + 1]
        schedule = multi_step_constant(used, [drop.step - self.warmup_steps for drop in self.drops])
        return with_warmup(schedule, self.warmup_steps, self.levels[0])(step)

    def observe(self, loss: float, step: int) -> Drop | None:
        """Take note of the loss of a step, or of a measurement after it.

        Args:
            loss: equal on all processes; one that is not finite is passed over.
            step: steps done so far.

        Returns:
            The drop that follows from it, or None.
        """
        is_last = len(self.drops) + 1 == len(self.levels)
        if self.rule is None or is_last or step <= self.warmup_steps or not math.isfinite(loss):
            return None
        self._losses.append(loss)
        if len(self._losses) < self.rule.window_steps:
            return None
        mean = math.fsum(self._losses) / len(self._losses)
        self._losses = []
        if mean < self._lowest - self.rule.min_improvement * abs(self._lowest if self._lowest < math.inf else 0.0):
            self._lowest, self._num_bad = mean, 0
            return None
        self._num_bad += 1
        if self._num_bad < self.rule.patience:
            return None
        self._num_bad = 0
        drop = Drop(step + 1, self.levels[len(self.drops) + 1], mean, self._lowest)
        self.drops.append(drop)
        return drop

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint has to remember, as JSON values."""
        return {
            "drops": [asdict(drop) for drop in self.drops],
            "losses": self._losses,
            "lowest": self._lowest if math.isfinite(self._lowest) else None,
            "num_bad": self._num_bad,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what a checkpoint remembers; drops that were given stay."""
        if self.rule is None:
            return
        self.drops = [Drop(**drop) for drop in state["drops"]]
        self._losses = list(state["losses"])
        self._lowest = math.inf if state["lowest"] is None else state["lowest"]
        self._num_bad = state["num_bad"]


def write_drops(output_dir: Path, drops: Sequence[Drop]) -> None:
    """Write all drops of a run, which another run can take as given: `drop_on: recorded`."""
    temporary = output_dir / f"{DROPS_FILE}.partial"
    temporary.write_text("".join(json.dumps(asdict(drop)) + "\n" for drop in drops), encoding="utf-8")
    temporary.replace(output_dir / DROPS_FILE)


def read_drops(path: Path) -> list[Drop]:
    """Return the drops that a run wrote down.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    try:
        return [Drop(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"recorded_drops: {path} cannot be read as the drops of a run: {error}") from error


__all__ = [
    "Drop",
    "PlateauRule",
    "PlateauSchedule",
    "levels_by_factor",
    "read_drops",
    "write_drops",
]
