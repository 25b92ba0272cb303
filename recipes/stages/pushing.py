"""Section 3.2: checkpoints on the Hub while a run goes on: each at the branch of its step, pushed in the background.

A push that fails costs the run nothing: it is noted in `events.jsonl`, and training goes on. What is pushed is linked
into a folder of its own first, so that a checkpoint may be deleted meanwhile.
"""

from __future__ import annotations

import copy
import os
import queue
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from recipes.running.run_folder import append_event
from recipes.running.sharded_checkpoints import is_sharded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

STAGING_FOLDER = ".pushing"


class CheckpointPusher(TrainerCallback):
    """Pushes each checkpoint of a run as a model, on a thread of its own.

    Args:
        repository: ORG/NAME.
        stage: name of the stage, for the cards.
        run_id: of the run, for the events.
        model: whose configuration goes with the weights.
        tokenizer: goes with them too.
    """

    def __init__(
        self, repository: str, *, stage: str, run_id: str, model: Any, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self.repository = repository
        self.stage = stage
        self.run_id = run_id
        self.model = model
        self.tokenizer = tokenizer
        self._waiting: queue.Queue[tuple[Path, Path, int]] = queue.Queue()
        # A daemon: a run that is told to end does not wait for the network.
        threading.Thread(target=self._push_all, name="pushing", daemon=True).start()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Put what was saved aside, for the thread."""
        output_dir = Path(args.output_dir or ".")
        checkpoint = output_dir / f"checkpoint-{state.global_step}"
        if not state.is_world_process_zero:
            return
        if is_sharded(checkpoint):
            append_event(
                output_dir,
                "not_pushed",
                run_id=self.run_id,
                step=state.global_step,
                reason="it is in shards: merge it with `python -m recipes average --last 1`",
            )
            return
        staged = self._stage(checkpoint, state)
        self._waiting.put((output_dir, staged, state.global_step))

    def wait(self) -> None:
        """Wait until all that was saved has been pushed, or has failed to be."""
        self._waiting.join()

    def _stage(self, checkpoint: Path, state: TrainerState) -> Path:
        from modeling_ling.export import write_settings

        staged = checkpoint.parent / STAGING_FOLDER / f"step-{state.global_step:09d}"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        for path in checkpoint.glob("*.safetensors*"):
            os.link(path, staged / path.name)
        config = copy.deepcopy(self.model.config)
        config.output_router_logits, config.router_warmup_steps = False, 0
        write_settings(config, self.tokenizer, staged, self.model.generation_config)
        (staged / "README.md").write_text(
            "---\nlibrary_name: transformers\npipeline_tag: text-generation\nlicense: mit\n"
            "tags: [bailing_moe, mixture-of-experts, code, ling-coder-recipes]\n---\n\n"
            f"# {self.stage}, step {state.global_step:,} of {state.max_steps:,}\n\n"
            "A checkpoint of a run that was still going on. The finished model, with its card, is on `main` once there "
            "is one.\n",
            encoding="utf-8",
        )
        return staged

    def _push_all(self) -> None:
        from modeling_ling.publishing import publish_folder

        while True:
            output_dir, staged, step = self._waiting.get()
            try:
                publish_folder(staged, self.repository, kind="model", revision=staged.name)
                append_event(output_dir, "pushed", run_id=self.run_id, step=step, revision=staged.name)
            except Exception as error:  # whatever it is, the run is worth more
                print(f"checkpoint-{step} was not pushed: {error}", flush=True)
                append_event(output_dir, "not_pushed", run_id=self.run_id, step=step, reason=str(error))
            finally:
                shutil.rmtree(staged, ignore_errors=True)
                self._waiting.task_done()


__all__ = ["STAGING_FOLDER", "CheckpointPusher"]
