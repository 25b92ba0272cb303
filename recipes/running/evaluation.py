"""Section 3.2: the held-out loss, measured in the course of a run, which goes on as if it had not been.

A figure is a sum over real tokens, or pairs, divided once: never a mean of means. Batches are cut from a source by the
number of their first row and handed out to the processes in turn; their sums are added in the order of the batches, so
that the figure is the same for any number of processes and any micro-batch of the training.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recipes.running.plateau_watch import show_validation_loss
from recipes.running.run_folder import EVALUATION_KIND, METRICS_FILE
from recipes.running.stopping import disk_errors_named, strict_json

if TYPE_CHECKING:
    from recipes.data.held_out import HeldOutSource
    from recipes.running.watched_steps import WatchedSteps


class HeldOutWatch(TrainerCallback):
    """Measures the held-out loss before the first step, every so many steps, and after the last.

    Args:
        trainer: whose model it is.
        sources: that are measured.
    """

    def __init__(self, trainer: WatchedSteps, sources: Sequence[HeldOutSource]) -> None:
        self.trainer, self.sources = trainer, tuple(sources)
        # Of the last measurement; a checkpoint remembers it.
        self.measured_step: int | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Measure where a run starts, unless the run that is continued has done so."""
        self._measure_if_due(state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Measure after a step; this comes before a checkpoint of the step. A run that is to stop does so first."""
        if not self.trainer.stop_signal:
            self._measure_if_due(state)

    def _measure_if_due(self, state: TrainerState) -> None:
        step = state.global_step
        is_due = step % self.trainer.args.eval_every_steps == 0 or step == state.max_steps
        if is_due and step != self.measured_step:
            self._measure(step)

    def _measure(self, step: int) -> None:
        started = time.perf_counter()
        trainer = self.trainer
        figures = measure(trainer, self.sources, trainer.args.eval_batch_rows)
        self.measured_step = step
        seconds = time.perf_counter() - started
        trainer.leave_out_seconds(seconds)
        record = {"kind": EVALUATION_KIND, "step": step, **figures, "seconds": round(seconds, 3)}
        if trainer.is_world_process_zero():
            append_record(Path(trainer.args.output_dir), record)
        trainer.log_evaluation(
            {"eval_loss": figures["loss"]}
            | {
                f"eval_{name}_{figure}": value
                for name, values in figures["sources"].items()
                for figure, value in values.items()
                if figure != "count"
            }
        )
        if trainer.plateau_watch is not None:
            show_validation_loss(trainer, trainer.plateau_watch.schedule, figures["loss"], step)


def append_record(output_dir: Path, record: dict[str, Any]) -> None:
    """Add a line of its own kind to metrics.jsonl."""
    with (
        disk_errors_named(METRICS_FILE, output_dir),
        (output_dir / METRICS_FILE).open("a", encoding="utf-8") as file,
    ):
        file.write(json.dumps(strict_json(record), allow_nan=False) + "\n")


def measure(trainer: WatchedSteps, sources: Sequence[HeldOutSource], batch_rows: int) -> dict[str, Any]:
    """Return the held-out figures of a model as it is.

    Args:
        trainer: with the model, wrapped for its processes or alone.
        sources: that are measured.
        batch_rows: rows that go through the model at once.

    Returns:
        `loss`, over all sources, by their shares of the training data or, where these are not known, over all that is
        predicted; `sources`: by name the loss and the other figures of the kind of training, and `count`, of what they
        are means of: predicted tokens, or pairs. Equal on all processes.
    """
    was_training = trainer.model.training
    devices = [trainer.accelerator.device] if trainer.accelerator.device.type == "cuda" else []
    trainer.model.eval()
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            totals = {source.name: _totals(trainer, source, batch_rows) for source in sources}
    finally:
        trainer.model.train(was_training)
    if devices:
        # What training reserves next does not fit into the pieces that these batches leave.
        torch.cuda.empty_cache()
    means = {name: _means(values) for name, values in totals.items()}
    counts = {source.name: totals[source.name]["count"] if source.share is None else 0.0 for source in sources}
    shares = {source.name: source.share or 0.0 for source in sources}
    weights = counts if any(counts.values()) else shares
    loss = math.fsum(weights[name] * values["loss"] for name, values in means.items() if weights[name])
    return {"loss": _quotient(loss, math.fsum(weights.values())), "sources": means}


def _totals(trainer: WatchedSteps, source: HeldOutSource, batch_rows: int) -> dict[str, float]:
    """Return the sums of a source over all processes."""
    num_batches = -(-source.num_rows // batch_rows)
    process, num_processes = trainer.accelerator.process_index, trainer.accelerator.num_processes
    table: torch.Tensor | None = None
    names: list[str] = []
    # All processes go through the model equally often, since a sharded one needs them all: some repeat the first batch.
    for turn in range(-(-num_batches // num_processes)):
        number = turn * num_processes + process
        is_own = number < num_batches
        first = (number if is_own else 0) * batch_rows
        rows = [source.row(place) for place in range(first, min(first + batch_rows, source.num_rows))]
        sums = trainer.held_out_sums(trainer._prepare_inputs(trainer.data_collator(rows)))
        if table is None:
            names = list(sums)
            table = torch.zeros(num_batches, len(names), dtype=torch.float64, device=trainer.accelerator.device)
        if is_own:
            table[number] = torch.stack(
                [value.detach().double().reshape(()).to(table.device) for value in sums.values()]
            )
    assert table is not None
    if num_processes > 1:
        # Each row is another process's and 0 here: the sum is exact.
        torch.distributed.all_reduce(table)
    columns = table.T.tolist()
    return {name: math.fsum(column) for name, column in zip(names, columns, strict=True)}


def _means(totals: dict[str, float]) -> dict[str, Any]:
    means = {name: _quotient(total, totals["count"]) for name, total in totals.items() if name != "count"}
    return {**means, "count": int(totals["count"])}


def _quotient(total: float, count: float) -> float:
    return total / count if count else math.nan


__all__ = ["HeldOutWatch", "append_record", "measure"]
