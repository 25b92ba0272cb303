"""Section 3.2.1: losses, on all processes alike, shown to a schedule that drops on a plateau."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recipes.running.plateau import Drop, PlateauSchedule, write_drops
from recipes.running.run_folder import append_event

if TYPE_CHECKING:
    from recipes.running.step_guard import GuardedSteps


class PlateauWatch(TrainerCallback):
    """Adds up the cross-entropy of a step over micro-batches and processes, and drops the learning rate by it.

    Args:
        trainer: whose steps these are.
        schedule: decides.
    """

    def __init__(self, trainer: GuardedSteps, schedule: PlateauSchedule) -> None:
        self.trainer, self.schedule = trainer, schedule
        self._step_loss: torch.Tensor | None = None

    def add(self, loss: torch.Tensor) -> None:
        """Add this process's share of a step's cross-entropy."""
        loss = loss.detach().double()
        self._step_loss = loss if self._step_loss is None else self._step_loss + loss

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begin at zero."""
        self._step_loss = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Show the step's loss to the schedule; this comes before a checkpoint of the step."""
        rule = self.schedule.rule
        if self._step_loss is None or rule is None or rule.watches != "train_loss":
            return
        loss = self._step_loss
        if self.trainer.accelerator.num_processes > 1:
            loss = self.trainer.accelerator.reduce(loss)
        note_drop(self.trainer, self.schedule, self.schedule.observe(float(loss), state.global_step))


def show_validation_loss(trainer: GuardedSteps, schedule: PlateauSchedule, loss: float, step: int) -> None:
    """Show the loss of an evaluation to a schedule that watches it.

    Args:
        trainer: whose run this is.
        schedule: decides.
        loss: of the held-out data, equal on all processes.
        step: steps done so far.
    """
    if schedule.rule is not None and schedule.rule.watches == "validation_loss":
        note_drop(trainer, schedule, schedule.observe(loss, step))


def note_drop(trainer: GuardedSteps, schedule: PlateauSchedule, drop: Drop | None) -> None:
    """Say and write down that the learning rate drops."""
    if drop is None or not trainer.is_world_process_zero():
        return
    output_dir = Path(trainer.args.output_dir)
    append_event(output_dir, "learning_rate_drop", run_id=trainer.run_id, **asdict(drop))
    write_drops(output_dir, schedule.drops)
    name = "loss" if schedule.rule is None or schedule.rule.watches == "train_loss" else "validation loss"
    print(
        f"The {name} stays at {drop.loss:.4f}, its lowest was {drop.lowest:.4f}: from step {drop.step} on the learning "
        f"rate is {drop.learning_rate:g}.",
        flush=True,
    )
