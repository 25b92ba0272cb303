"""Section 3.2: the last look before each update: are loss and gradient finite, was the run asked to stop?

All processes decide alike: what one of them saw is shared, in one small reduction per step.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recipes.running.run_folder import append_event, find_checkpoints
from recipes.running.stopping import RunInterruptedError, SignalWatch, TrainingStoppedError, describe_last

if TYPE_CHECKING:
    from transformers import Trainer as TrainerBase

    from recipes.reporting.moe_metrics import StepStatistics
    from recipes.running.stage_keys import StageArguments
else:
    TrainerBase = object


class _Guard(TrainerCallback):
    """Calls the trainer's guard at the places that Trainer gives."""

    def __init__(self, trainer: GuardedSteps) -> None:
        self.trainer = trainer

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.trainer.begin_step()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.trainer.check_step()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        if self.trainer.stop_signal:
            control.should_save = control.should_training_stop = True
        return control


class GuardedSteps(TrainerBase):
    """A trainer whose updates are finite, and that ends at a step's end when it is asked to.

    Attributes:
        stop_signal: the signal that ends the run after this step, 0 for none; equal on all processes.
        num_nonfinite_steps: updates that were left out in the run so far.
    """

    args: StageArguments
    statistics: StepStatistics
    num_dropped_since_log: int
    run_id: str | None
    signals: SignalWatch | None = None
    stop_signal = 0
    num_nonfinite_steps = 0

    def add_guard(self) -> None:
        """Begin to look at each step."""
        self.add_callback(_Guard(self))

    def begin_step(self) -> None:
        """Forget the step before."""
        self.statistics.begin_step()
        self._loss_before_step = self._tr_loss.clone()
        self._step_loss = torch.zeros_like(self._tr_loss)
        self._step_gradient_norm = torch.zeros_like(self._tr_loss)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
        """Add up the losses of the step's micro-batches."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._step_loss = self._step_loss + loss.to(self._step_loss.device)
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        value = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        self._step_gradient_norm = torch.as_tensor(value, device=self._tr_loss.device)
        return norm

    def check_step(self) -> None:
        """Look at the step before its update.

        Raises:
            TrainingStoppedError: loss or gradient are not finite, and the recipe says stop, or too many were.
        """
        is_bad = ~(torch.isfinite(self._step_loss) & torch.isfinite(self._step_gradient_norm))
        signal = 0 if self.signals is None else self.signals.received
        seen = torch.stack([is_bad.to(torch.float32), torch.full_like(is_bad, signal, dtype=torch.float32)])
        if self.accelerator.num_processes > 1:
            torch.distributed.all_reduce(seen, op=torch.distributed.ReduceOp.MAX)
        nonfinite, self.stop_signal = (int(value) for value in seen.tolist())
        if nonfinite:
            self._leave_out_update()

    def _leave_out_update(self) -> None:
        policy, step, output_dir = self.args.on_nonfinite, self.state.global_step + 1, Path(self.args.output_dir)
        what = (
            f"step {step}: loss {float(self._step_loss):.6g}, gradient norm {float(self._step_gradient_norm):.6g} "
            "on this process: not finite on one of them"
        )
        if self.is_world_process_zero():
            append_event(output_dir, "nonfinite", step=step, policy=policy, run_id=self.run_id)
        self.num_nonfinite_steps += 1
        if policy == "stop":
            raise TrainingStoppedError(
                f"{what}. Nothing was updated. {describe_last(output_dir)} Lower the learning rate "
                "(allow_changes: [learning_rate]), or write on_nonfinite: skip or rollback."
            )
        if self.num_nonfinite_steps > self.args.max_nonfinite_steps:
            raise TrainingStoppedError(
                f"{what}, and max_nonfinite_steps, {self.args.max_nonfinite_steps}, were left out before. "
                f"{describe_last(output_dir)}"
            )
        if policy == "rollback":
            self._roll_back(what, output_dir)
        for parameter in self.model_wrapped.parameters():
            parameter.grad = None  # optimizers leave a parameter without a gradient as it is, its moments too
        self.statistics.drop_step()
        self._tr_loss.copy_(self._loss_before_step)
        self.num_dropped_since_log += 1
        if self.is_world_process_zero():
            done = "weights and moments are the last checkpoint's" if policy == "rollback" else "the update is left out"
            print(f"{what}; {done}.", flush=True)

    def _roll_back(self, what: str, output_dir: Path) -> None:
        """Load weights and moments of the last whole checkpoint; step, learning rate and place in the data go on."""
        checkpoint = next(reversed(find_checkpoints(output_dir)), None)
        if checkpoint is None:
            raise TrainingStoppedError(f"{what}. There is no checkpoint to roll back to yet.")
        scheduler = cast(torch.optim.lr_scheduler.LRScheduler, self.lr_scheduler)
        place = scheduler.state_dict()
        rates = scheduler.get_last_lr()
        self._load_from_checkpoint(str(checkpoint), self.model_wrapped if self.is_fsdp_enabled else None)
        self._load_optimizer_and_scheduler(str(checkpoint))
        scheduler.load_state_dict(place)
        optimizer = cast(torch.optim.Optimizer, self.optimizer)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def raise_if_stopped(self) -> None:
        """Raise where a signal ended the run.

        Raises:
            RunInterruptedError: names the signal and the checkpoint.
        """
        if self.stop_signal:
            checkpoint = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            raise RunInterruptedError(self.stop_signal, checkpoint)

    # ---- what a checkpoint remembers

    def marks_of_checkpoint(self) -> dict[str, Any]:
        """Return what the marker of a checkpoint says besides what the run is."""
        return {"num_nonfinite_steps": self.num_nonfinite_steps, "stopped_by": self.stop_signal or None}

    def restore_marks(self, marker: dict[str, Any]) -> None:
        """Take over what the marker of the resumed checkpoint says."""
        self.num_nonfinite_steps = int(marker.get("num_nonfinite_steps", 0))
