"""Section 4 in the course of section 3.2: the model of a step, exported and asked tasks by a process of its own.

Training waits for the answers, for a time that the recipe states, so that two of them never share a GPU at work.
Whatever becomes of them, training goes on; what failed is an event.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recipes.running.evaluation import append_record
from recipes.running.run_folder import TASKS_FOLDER, TASKS_KIND, append_event
from recipes.running.sharding import gather_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.running.watched_steps import WatchedSteps

LAST_LINES = 5
_POLL_SECONDS = 0.2


class TaskWatch(TrainerCallback):
    """Asks the model tasks of evals every so many steps, and after the last.

    Args:
        trainer: whose model it is.
    """

    def __init__(self, trainer: WatchedSteps) -> None:
        self.trainer = trainer
        # Of the last model that was asked; a checkpoint remembers it.
        self.asked_step: int | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask the model of a checkpoint that was saved when the run was told to stop."""
        if state.global_step:
            self._ask_if_due(state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ask the model of a step; this comes before a checkpoint of the step. A run that is to stop does so first."""
        if not self.trainer.stop_signal:
            self._ask_if_due(state)

    def _ask_if_due(self, state: TrainerState) -> None:
        step = state.global_step
        is_due = step % self.trainer.args.eval_tasks_every_steps == 0 or step == state.max_steps
        if is_due and step != self.asked_step:
            self._ask(step)

    def _ask(self, step: int) -> None:
        started = time.perf_counter()
        trainer = self.trainer
        self.asked_step = step
        state_dict = None
        if trainer.is_fsdp_enabled:
            state_dict = gather_weights(trainer.model_wrapped, keep=trainer.is_world_process_zero())
        scores: dict[str, dict[str, Any]] = {}
        if trainer.is_world_process_zero():
            output_dir = Path(trainer.args.output_dir)
            folder = output_dir / TASKS_FOLDER / f"step-{step}"
            try:
                scores = self._scores(folder, state_dict)
            except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
                reason = str(error) or type(error).__name__
                append_event(output_dir, "eval_tasks_failed", run_id=trainer.run_id, step=step, reason=reason)
                print(f"warning: eval_tasks at step {step}: {reason}. Training goes on.", flush=True)
        trainer.accelerator.wait_for_everyone()
        seconds = time.perf_counter() - started
        trainer.leave_out_seconds(seconds)
        if not trainer.is_world_process_zero() or not scores:
            return
        record = {"kind": TASKS_KIND, "step": step, "tasks": scores, "seconds": round(seconds, 3)}
        append_record(Path(trainer.args.output_dir), record)
        values = {f"eval_{name}": score["value"] for name, score in scores.items() if score["value"] is not None}
        trainer.log_evaluation(values)

    def _scores(self, folder: Path, state_dict: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
        """Export the model, ask it, and read the scores that `evals run` wrote.

        Raises:
            RuntimeError: it failed, or took longer than it may.
        """
        from recipes.running.causal_models import save_model

        trainer, settings = self.trainer, self.trainer.args
        shutil.rmtree(folder, ignore_errors=True)
        model = cast("BailingMoeForCausalLM", trainer.accelerator.unwrap_model(trainer.model))
        tokenizer = cast(Any, trainer.processing_class)
        try:
            with _settings_kept(model):
                save_model(model, tokenizer, folder / "model", state_dict)
            command = [sys.executable, "-m", "evals", "run", "--model", str(folder / "model")]
            command += ["--tasks", ",".join(settings.eval_tasks), "--output", str(folder / "answers")]
            command += ["--base"] if settings.kind == "pretrain" else []
            command += ["--held-out", settings.eval_tasks_held_out] if settings.eval_tasks_held_out else []
            if settings.eval_tasks_limit is not None:
                command += ["--limit", str(settings.eval_tasks_limit)]
            self._run(command, folder / "log.txt", 60 * settings.eval_tasks_minutes)
        finally:
            shutil.rmtree(folder / "model", ignore_errors=True)
        results = json.loads((folder / "answers" / "results.json").read_text(encoding="utf-8"))
        wanted = ("metric", "value", "n", "interval")
        return {name: {key: task.get(key) for key in wanted} for name, task in results["tasks"].items()}

    def _run(self, command: list[str], log: Path, seconds: float) -> None:
        if self.trainer.accelerator.device.type == "cuda":
            import torch

            torch.cuda.empty_cache()
        launched = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in launched and not name.startswith(("ACCELERATE_", "FSDP_", "TORCHELASTIC_"))
        }
        with log.open("w", encoding="utf-8") as file:
            # A session of its own, so that what it starts itself can be ended with it.
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True
            )
            deadline = time.monotonic() + seconds
            try:
                while process.poll() is None and time.monotonic() < deadline and not self._is_stopped():
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
            finally:
                ended = process.poll()
                if ended is None:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if ended is None:
            why = "the run is to stop" if self._is_stopped() else f"no answer within {seconds / 60:g} minutes"
            raise RuntimeError(why)
        if ended:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-LAST_LINES:]
            raise RuntimeError(f"evals run ended with {ended}: {' | '.join(lines)}")

    def _is_stopped(self) -> bool:
        return self.trainer.signals is not None and bool(self.trainer.signals.received)


@contextmanager
def _settings_kept(model: BailingMoeForCausalLM) -> Iterator[None]:
    """Give a model its configuration back after an export, which sets what a finished model has."""
    kept = copy.deepcopy(vars(model.config)), copy.deepcopy(vars(model.generation_config))
    try:
        yield
    finally:
        for settings, values in zip((model.config, model.generation_config), kept, strict=True):
            vars(settings).clear()
            vars(settings).update(values)


__all__ = ["TaskWatch"]
