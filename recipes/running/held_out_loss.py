"""Section 3.2.1: the loss over held-out rows of each source, every so many steps, on all processes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recipes.running.plateau import PlateauSchedule
from recipes.running.plateau_watch import note_drop

if TYPE_CHECKING:
    from recipes.data.held_out import HeldOutRows
    from recipes.running.step_guard import GuardedSteps


class HeldOutLoss(TrainerCallback):
    """Measures, has it logged, and shows it to a schedule that drops by it.

    Args:
        trainer: whose model is measured.
        rows: held out.
        every_steps: steps from one measurement to the next; the last step is measured too.
        schedule: the run's learning rate.

    Attributes:
        latest: what was measured after the last log line: for the next one.
    """

    def __init__(self, trainer: GuardedSteps, rows: HeldOutRows, every_steps: int, schedule: object) -> None:
        self.trainer, self.rows, self.every_steps = trainer, rows, every_steps
        self.schedule = schedule if isinstance(schedule, PlateauSchedule) else None
        self.latest: dict[str, Any] = {}

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Measure where it is time; this comes before a checkpoint of the step."""
        if state.global_step % self.every_steps and state.global_step != state.max_steps:
            return control
        losses = self.measure()
        shares = dict(zip(self.rows.names, self.rows.shares, strict=True))
        loss = sum(shares[name] * value for name, value in losses.items())
        self.latest = {"held_out_loss": loss, "held_out_losses": losses}
        control.should_log = True
        schedule = self.schedule
        if schedule is not None and schedule.rule is not None and schedule.rule.watches == "validation_loss":
            note_drop(self.trainer, schedule, schedule.observe(loss, state.global_step))
        return control

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return the mean cross-entropy per target token of each source, equal on all processes."""
        accelerator, model = self.trainer.accelerator, self.trainer.model_wrapped
        was_training = model.training
        model.eval()
        sums = torch.zeros((len(self.rows.names), 2), dtype=torch.float64, device=accelerator.device)
        world, rank = accelerator.num_processes, accelerator.process_index
        # All processes go through the model equally often, since sharded weights are gathered by all together.
        for turn in range(-(-len(self.rows) // world)):
            place = turn * world + rank
            row = self.rows[min(place, len(self.rows) - 1)]
            batch = {key: row[key][None].to(accelerator.device) for key in ("input_ids", "position_ids", "labels")}
            loss = model(**batch, use_cache=False).loss
            num_targets = (batch["labels"][:, 1:] != -100).sum()
            if place < len(self.rows):
                sums[row["source"], 0] += loss.double() * num_targets
                sums[row["source"], 1] += num_targets
        model.train(was_training)
        if world > 1:
            sums = accelerator.reduce(sums)
        return {
            name: total / max(count, 1.0) for name, (total, count) in zip(self.rows.names, sums.tolist(), strict=True)
        }
