"""Section 3.2: what all three kinds of training share: the loss, the log lines, the order of data and the schedule.

One loss everywhere: cross-entropy (or DPO's) through NormHead, plus balance and z-loss of the router. The first is
summed over the target tokens of a whole optimizer step, the z-loss over its real tokens. The balance loss is of each
micro-batch, averaged over the micro-batches by their share of the step's target tokens: a load is not linear in the
batch, so there a step of two micro-batches is not exactly one of twice the size.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.utils.data import Sampler, SequentialSampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recipes.reporting.devices import current_device_name, model_flops_utilization, peak_memory_bytes
from recipes.reporting.moe_metrics import StepStatistics, routing_health
from recipes.running.causal_models import is_ling
from recipes.running.checkpoints import load_optimizer_moments
from recipes.running.evaluation import HeldOutWatch
from recipes.running.plateau import PlateauSchedule, write_drops
from recipes.running.plateau_watch import PlateauWatch
from recipes.running.recipe_loading import RecipeError
from recipes.running.run_folder import (
    COMPLETE_MARKER,
    METRICS_FILE,
    read_marker,
    read_metrics,
    sizes_of_state,
    write_json,
)
from recipes.running.sharded_checkpoints import is_sharded, read_moments, read_weights, restore_settings, settings_of
from recipes.running.sharding import use_own_precision
from recipes.running.stopping import SignalWatch, disk_errors_named, remove_unmarked, strict_json
from recipes.running.task_evaluation import TaskWatch
from recipes.running.watched_steps import WatchedSteps

if TYPE_CHECKING:
    from transformers import Trainer as TrainerBase
    from transformers.trainer_utils import TrainOutput

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.held_out import HeldOutSource
    from recipes.running.resuming import RunStart
    from recipes.running.stage_keys import StageArguments
else:
    TrainerBase = object

# Figures of the clock and the machine: everything else in metrics.jsonl is equal in a resumed and an unbroken run.
TIMING_KEYS = ("tokens_per_second", "model_flops_utilization", "seconds", "peak_resident_bytes", "peak_gpu_bytes")


def truncate_metrics(path: Path, last_step: int) -> int:
    """Drop the log lines after a step, and a line cut short by a kill, so that a resumed run continues the file.

    Args:
        path: a metrics.jsonl; may be missing.
        last_step: the step of the checkpoint that is resumed.

    Returns:
        Number of lines kept.
    """
    if not path.is_file():
        return 0
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if record["step"] <= last_step:
            kept.append(line)
    temporary = path.with_suffix(".jsonl.tmp")
    temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    temporary.replace(path)
    return len(kept)


class _LogWhereSaved(TrainerCallback):
    """Logs at every step that is saved: otherwise the averages of a resumed run would start at another step."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Ask for a log line wherever a checkpoint is asked for."""
        if control.should_save:
            control.should_log = True
        return control


class _TellRoutingStep(TrainerCallback):
    """Tells the routers which step begins: a stochastic warm-up of the routing depends on it."""

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        """Note the step: this is called once per optimizer step, however many micro-batches it has."""
        getattr(model, "module", model).set_routing_step(state.global_step)


class _MarkComplete(TrainerCallback):
    """Marks a checkpoint as whole after its last file: one that a kill cut short is never resumed."""

    def __init__(self, trainer: LingTrainerMixin, start: RunStart) -> None:
        self.trainer = trainer
        self.start = start

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Write the marker, with what the run is, once all processes have written their files."""
        self.trainer.accelerator.wait_for_everyone()
        folder = Path(args.output_dir or ".") / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero and folder.is_dir():
            record = {"step": state.global_step, "run_id": self.start.run_id, "identity": self.start.identity}
            record |= {"file_bytes": sizes_of_state(folder), **self.trainer.marks_of_checkpoint()}
            with disk_errors_named(str(folder), folder.parent):
                write_json(folder / COMPLETE_MARKER, record)


def _marks_of_real_tokens(sample: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return -100 for padding and 0 for real tokens."""
    mask = sample.get("token_mask", sample.get("attention_mask"))
    return torch.zeros_like(sample["input_ids"]) if mask is None else torch.where(mask.bool(), 0, -100)


class LingTrainerMixin(WatchedSteps, TrainerBase):
    """Put before a Trainer class (transformers' or TRL's) to train a Ling model with the pinned losses.

    Keyword arguments beyond the Trainer's: `learning_rate_at`, a pure function from the step (0-based) to the learning
    rate; `flops_per_token`; `start`, of the run that its checkpoints belong to; `moments_from`, a folder whose
    optimizer moments are taken over; `held_out`, what the loss is measured on every `eval_every_steps`.

    Source: paper 3.2; the log lines are ours.
    """

    args: StageArguments
    model: BailingMoeForCausalLM

    def __init__(
        self,
        *args: Any,
        learning_rate_at: Callable[[int], float],
        flops_per_token: float,
        start: RunStart | None = None,
        moments_from: Path | None = None,
        held_out: Sequence[HeldOutSource] = (),
        **kwargs: Any,
    ) -> None:
        self.learning_rate_at = learning_rate_at
        self.flops_per_token = flops_per_token
        self.moments_from = moments_from
        self.statistics = StepStatistics()
        self._alarms: list[str] = []
        self.tokens_seen = 0
        self.num_dropped_since_log = 0
        self.num_tokens_in_step: torch.Tensor | None = None
        self.run_id = None if start is None else start.run_id
        self._last_log_time: float | None = None
        super().__init__(*args, **kwargs)
        use_own_precision(self.accelerator)
        self.has_own_losses = is_ling(self.model.config)
        self.has_adapter = hasattr(self.model, "merge_and_unload")
        # A step's loss is over all of its tokens, whatever the model's forward would do with that number.
        self.model_accepts_loss_kwargs = True
        if self.has_own_losses:
            self.model.config.output_router_logits = True
            self.add_callback(_TellRoutingStep())
        if self.args.freeze_router:
            self.model.freeze_router()
            self.router_aux_loss_coef = 0.0  # TRL adds the balance loss itself
        self.add_guard()
        if isinstance(learning_rate_at, PlateauSchedule):
            self.plateau_watch = PlateauWatch(self, learning_rate_at)
            self.add_callback(self.plateau_watch)
        self.held_out_watch = HeldOutWatch(self, held_out) if held_out else None
        self.task_watch = TaskWatch(self) if self.args.eval_tasks_every_steps else None
        for watch in (self.held_out_watch, self.task_watch):
            if watch is not None:
                self.add_callback(watch)
        self.add_callback(_LogWhereSaved())
        if start is not None:
            self.add_callback(_MarkComplete(self, start))

    # ---- order of data, optimizer, schedule

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        # The data plan fixes the order; position i is all that a checkpoint has to know.
        return SequentialSampler(cast(Sized, self.train_dataset if train_dataset is None else train_dataset))

    def _own_optimizer(self) -> torch.optim.Optimizer:
        """Return torch's optimizer, without accelerate's shell."""
        return cast(torch.optim.Optimizer, getattr(self.optimizer, "optimizer", self.optimizer))

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> torch.optim.lr_scheduler.LRScheduler:
        """Return a LambdaLR over the recipe's own schedule: its only state is the step.

        Trainer asks for it once the parameters are those that the optimizer will have, sharded or not: the moments of
        the stage before are taken over here.
        """
        if self.lr_scheduler is None:
            if self.moments_from is not None:
                load_optimizer_moments(self._own_optimizer(), self.moments_from, self.model)
            peak = self.args.learning_rate
            chosen = cast(torch.optim.Optimizer, optimizer or self.optimizer)
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                chosen, lambda step: self.learning_rate_at(step) / peak
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load a checkpoint's weights.

        They are saved under the released names, expert by expert, and Trainer would load what fits the runtime's names
        and leave the experts as they are, with no more than a warning.
        """
        if self.has_adapter:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        if is_sharded(Path(resume_from_checkpoint)):
            read_weights(self.model, Path(resume_from_checkpoint))
            return
        if self.is_fsdp_enabled:
            raise RecipeError(
                f"resume_from: {resume_from_checkpoint} is not in shards, but this run is sharded. Continue it as it "
                "was launched, or init_from its model."
            )
        if not self.has_own_losses:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        saved = cast(
            "BailingMoeForCausalLM", type(self.model).from_pretrained(resume_from_checkpoint, dtype=self.model.dtype)
        )
        self.model.load_state_dict(saved.state_dict(), strict=True)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Load moments and step from a checkpoint; rates, decay and betas are the recipe's.

        Where nothing was changed they are equal. A checkpoint's own would win over a changed recipe without a word.
        """
        if checkpoint is None:
            return
        optimizer = self._own_optimizer()
        settings = settings_of(optimizer)
        scheduler = cast(torch.optim.lr_scheduler.LambdaLR, self.lr_scheduler)
        if is_sharded(Path(checkpoint)):
            read_moments(self.model, optimizer, Path(checkpoint))
            scheduler.load_state_dict(torch.load(Path(checkpoint) / "scheduler.pt", weights_only=True))
        else:
            super()._load_optimizer_and_scheduler(checkpoint)
        peak = self.args.learning_rate
        scheduler.base_lrs = [peak for _ in scheduler.base_lrs]
        rate = peak * scheduler.lr_lambdas[0](scheduler.last_epoch)
        restore_settings(optimizer, [{**own, "initial_lr": peak, "lr": rate} for own in settings])
        scheduler._last_lr = [rate for _ in scheduler.base_lrs]

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save a checkpoint; one of the same step that lies there is no longer whole from here on."""
        if self.is_world_process_zero():
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            (folder / COMPLETE_MARKER).unlink(missing_ok=True)
        with disk_errors_named(f"checkpoint-{self.state.global_step}", Path(self.args.output_dir)):
            try:
                super()._save_checkpoint(model, trial)
                self._save_settings_beside_shards()
            except Exception:
                if self.is_world_process_zero():
                    remove_unmarked(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")
                raise

    def _save_settings_beside_shards(self) -> None:
        """Write configuration and tokenizer beside sharded weights, so that a model can be made of them alone."""
        folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
        if self.is_world_process_zero() and is_sharded(folder):
            self.model.config.save_pretrained(folder)
            if self.processing_class is not None:
                self.processing_class.save_pretrained(folder)

    def marks_of_checkpoint(self) -> dict[str, Any]:
        """Return what a checkpoint remembers, the state of a schedule that drops on a plateau included."""
        marks = super().marks_of_checkpoint()
        if self.plateau_watch is not None:
            marks["plateau"] = self.plateau_watch.schedule.state()
        if self.held_out_watch is not None:
            marks["held_out_step"] = self.held_out_watch.measured_step
        if self.task_watch is not None:
            marks["tasks_step"] = self.task_watch.asked_step
        return marks

    def restore_marks(self, marker: dict[str, Any]) -> None:
        """Take over what a checkpoint remembers."""
        super().restore_marks(marker)
        if self.held_out_watch is not None:
            self.held_out_watch.measured_step = marker.get("held_out_step")
        if self.task_watch is not None:
            self.task_watch.asked_step = marker.get("tasks_step")
        if self.plateau_watch is not None and "plateau" in marker:
            self.plateau_watch.schedule.restore(marker["plateau"])
            if self.is_world_process_zero():
                write_drops(Path(self.args.output_dir), self.plateau_watch.schedule.drops)

    # ---- loss

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        """Return the micro-batches of a step and its target tokens, as Trainer does; also count its real tokens."""
        samples, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.num_tokens_in_step = None
        if self.has_own_losses and samples and all("input_ids" in sample for sample in samples):
            # Trainer's own count, over processes and devices, of what is not padding.
            real = [{"labels": marks, "shift_labels": marks} for marks in map(_marks_of_real_tokens, samples)]
            self.num_tokens_in_step = cast("torch.Tensor", self._get_num_items_in_batch(real, device))
        return samples, num_items

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the model's own loss of one micro-batch, scaled so that a step's gradient is right when accumulated.

        Args:
            model: the model, wrapped or not.
            inputs: input_ids and labels (batch, seq), attention_mask or position_ids.
            return_outputs: also give the model's output.
            num_items_in_batch: target tokens of the whole optimizer step over all processes; None outside of training.

        Returns:
            The loss, or (loss, outputs).
        """
        if not self.has_own_losses:
            return self._plain_loss(model, inputs, return_outputs, num_items_in_batch)
        inputs = {**inputs, "use_cache": False, "output_router_logits": True}
        num_tokens = None if num_items_in_batch is None else self.num_tokens_in_step
        outputs = model(**inputs, num_items_in_batch=num_items_in_batch, num_tokens_in_batch=num_tokens)
        loss = outputs.loss
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            # The loss is this process's share of the whole step, and DDP averages gradients over processes.
            loss = loss * self.accelerator.num_processes
        if self.model.training:
            if num_items_in_batch is None:
                share = self._equal_share()
                cross_entropy = outputs.ce_loss * share
            else:
                share = (inputs["labels"][:, 1:] != -100).sum() / num_items_in_batch
                cross_entropy = outputs.ce_loss
            self.add_step_loss(cross_entropy)
            self._add_routing(outputs, share)
        return (loss, outputs) if return_outputs else loss

    def add_step_loss(self, loss: torch.Tensor) -> None:
        """Add this process's and micro-batch's share of a step's loss, without the router's."""
        self.statistics.add(loss=loss)
        if self.plateau_watch is not None:
            self.plateau_watch.add(loss)

    def _plain_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool, num_items_in_batch: Any) -> Any:
        """Return the cross-entropy of a model of another architecture, over the same tokens as a Ling model's."""
        labels = inputs["labels"]
        # What tells real tokens apart is for the routers of Ling models alone.
        given = {key: value for key, value in inputs.items() if key not in ("labels", "token_mask")}
        outputs = model(**given, use_cache=False)
        targets = labels[:, 1:].flatten()
        logits = outputs.logits[:, :-1].flatten(0, 1).float()
        num_targets = (targets != -100).sum() if num_items_in_batch is None else num_items_in_batch
        loss = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum") / num_targets
        if self.model.training:
            # As if it were one layer of one expert, which every token goes to.
            num_tokens = (targets != -100).sum() + (
                (inputs["position_ids"] == 0)[:, :-1].flatten() & (targets != -100)
            ).sum()
            self.add_step_loss(loss)
            self.statistics.add(assignments=num_tokens.view(1, 1), entropy_sums=torch.zeros(1))
        if num_items_in_batch is not None and self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _add_routing(self, outputs: Any, share: torch.Tensor) -> None:
        """Add the router losses, weighted as in the loss, and what the routers did with the real tokens."""
        share = share.to(outputs.aux_loss.device)
        z_share = self._share_of_tokens(outputs, share)
        self.statistics.add(
            balance_loss=outputs.aux_loss * share,
            z_loss=outputs.z_loss * z_share,
            layer_losses=outputs.router_layer_losses * torch.stack([share, z_share])[:, None],
            assignments=outputs.expert_assignments,
            entropy_sums=outputs.router_entropy_sums,
        )

    def _share_of_tokens(self, outputs: Any, otherwise: torch.Tensor) -> torch.Tensor:
        """Return a micro-batch's share of the real tokens of its step."""
        assignments = outputs.expert_assignments
        if self.num_tokens_in_step is None or assignments.numel() == 0:
            return otherwise
        num_tokens = assignments[0].sum() / self.model.config.num_experts_per_tok
        return num_tokens / self.num_tokens_in_step.to(num_tokens.device)

    # ---- evaluation

    def held_out_sums(self, inputs: dict[str, Any]) -> dict[str, torch.Tensor]:
        """Return sums over a held-out batch, of this process alone; the model is in evaluation mode.

        Args:
            inputs: as for `compute_loss`.

        Returns:
            `loss`, summed cross-entropy, and `count`, the predicted tokens that it is summed over.
        """
        count = (inputs["labels"][:, 1:] != -100).sum()
        if not self.has_own_losses:
            mean = self._plain_loss(self.model, inputs, False, None)
            return {
                "loss": torch.where(count > 0, mean * count, 0.0),
                "count": count,
            }  # the mean of none is not a number
        return {"loss": self.model(**inputs, use_cache=False, num_items_in_batch=1).ce_loss, "count": count}

    def _equal_share(self) -> torch.Tensor:
        """Return a micro-batch's share of a step where all count alike: what is logged is summed over processes too."""
        return torch.tensor(1.0 / (self.current_gradient_accumulation_steps * self.accelerator.num_processes))

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return the FLOPs of one micro-batch; Trainer's own estimate counts every expert: six times too much."""
        return int(inputs["input_ids"].numel() * self.flops_per_token)

    # ---- log lines

    def train(self, resume_from_checkpoint: str | None = None, **kwargs: Any) -> TrainOutput:  # type: ignore[override]
        """Run Trainer's loop, after metrics.jsonl has been brought back to the step that is resumed."""
        path = Path(self.args.output_dir) / METRICS_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        last_step = 0
        if resume_from_checkpoint is not None:
            marker = read_marker(Path(resume_from_checkpoint))
            last_step = int(marker["step"])
            self.restore_marks(marker)
        if self.is_world_process_zero():
            truncate_metrics(path, last_step)
            lines = read_metrics(path.parent)
            self.tokens_seen = int(lines[-1]["tokens_seen"]) if lines else 0
        self._last_log_time = time.perf_counter()
        with SignalWatch() as self.signals:
            return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def log(self, logs: dict[str, Any], start_time: float | None = None) -> None:
        """Turn Trainer's log line into ours and append it to metrics.jsonl; other lines pass unchanged."""
        if "learning_rate" in logs and self.statistics:
            record = self._training_record(logs)
            if self.is_world_process_zero():
                output_dir = Path(self.args.output_dir)
                with (
                    disk_errors_named(METRICS_FILE, output_dir),
                    (output_dir / METRICS_FILE).open("a", encoding="utf-8") as file,
                ):
                    file.write(json.dumps(record, allow_nan=False) + "\n")
            logs.update(self._console_figures(record))
        super().log(logs, start_time)

    def _training_record(self, logs: dict[str, Any]) -> dict[str, Any]:
        now = time.perf_counter()
        seconds = now - (self._last_log_time or now)
        self._last_log_time = now
        experts_per_token = self.model.config.num_experts_per_tok if self.has_own_losses else 1
        totals = self.statistics.totals(self.accelerator, experts_per_token)
        num_all_steps = self.state.global_step - self._previous_logged_step()
        num_steps = num_all_steps - self.num_dropped_since_log
        self.num_dropped_since_log = 0
        self.tokens_seen += totals.num_tokens
        rate = totals.num_tokens / max(seconds, 1e-9)
        record: dict[str, Any] = {"step": self.state.global_step, "tokens_seen": self.tokens_seen}
        # Steps whose update was left out have no figures; a line of such steps alone has null.
        figures = {"total_loss": logs.pop("loss") * num_all_steps, **totals.values}
        record.update({name: total / num_steps if num_steps else None for name, total in figures.items()})
        record["learning_rate"] = logs["learning_rate"]
        record["grad_norm"] = logs.get("grad_norm")
        if self.has_own_losses:
            health = routing_health(totals, num_steps, self.args.routing_alarm)
            record.update(health)
            self._tell_alarms(cast("list[str]", health["routing_alarms"]))
        record.update(self._extra_record())
        record["tokens_per_second"] = round(rate, 1)
        per_device = rate / self.accelerator.num_processes
        record["model_flops_utilization"] = model_flops_utilization(
            per_device, self.flops_per_token, current_device_name()
        )
        record["seconds"] = round(seconds, 3)
        record.update(peak_memory_bytes())
        self._logged_step = self.state.global_step
        self.statistics.reset()
        return cast(dict[str, Any], strict_json(record))

    def _tell_alarms(self, alarms: list[str]) -> None:
        """Print alarms of the routing when others come up than at the log line before, and when they end."""
        if alarms != self._alarms and self.is_world_process_zero():
            text = "; ".join(alarms) or "over"
            print(f"routing alarm at step {self.state.global_step}: {text}", flush=True)
        self._alarms = alarms

    def _previous_logged_step(self) -> int:
        # A resumed run starts at a saved step, and every saved step was logged.
        return getattr(self, "_logged_step", self._initial_global_step)

    def _extra_record(self) -> dict[str, Any]:
        """Return the figures of one kind of training only; DPO's rewards for example."""
        return {}

    def _console_figures(self, record: dict[str, Any]) -> dict[str, Any]:
        names = ("loss", "balance_loss", "z_loss", "tokens_seen", "tokens_per_second", "model_flops_utilization")
        figures = {name: record[name] for name in names if name in record}
        figures["expert_load_max_over_mean"] = record.get("worst_load_max_over_mean")
        figures["dead_experts"] = record.get("num_dead_experts")
        return {name: figure for name, figure in figures.items() if figure is not None}
