"""Section 3.2: a trainer that is measured on the way: what its watches need of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import Trainer

from recipes.running.step_guard import GuardedSteps

if TYPE_CHECKING:
    import torch
    from torch import nn

    from recipes.running.plateau_watch import PlateauWatch


class WatchedSteps(GuardedSteps):
    """A trainer on which held-out data and tasks are measured between steps.

    Attributes:
        plateau_watch: what drops the learning rate by a loss, None for a schedule that does not.
    """

    model: nn.Module
    plateau_watch: PlateauWatch | None = None
    _last_log_time: float | None = None

    if TYPE_CHECKING:

        def held_out_sums(self, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
            """Return sums over a held-out batch and the `count` that divides them; each kind of training has its own.

            Args:
                inputs: as for `compute_loss`.
            """

    def log_evaluation(self, figures: dict[str, float]) -> None:
        """Show figures of an evaluation on the console and to trackers; figures of training stay where they are."""
        should_log = self.control.should_log
        # Not through TRL's log, which would empty what it has gathered since its last line.
        Trainer.log(self, {name: round(value, 6) for name, value in figures.items()})
        # Any line counts as the one that was asked for.
        self.control.should_log = should_log

    def leave_out_seconds(self, seconds: float) -> None:
        """Keep time that was not spent on training out of the tokens per second."""
        if self._last_log_time is not None:
            self._last_log_time += seconds
