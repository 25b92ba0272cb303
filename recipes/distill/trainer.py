"""Sections 2.1 and 2.3: the losses of judges: cross-entropy, squared error, and Bradley-Terry for pairs."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import Trainer

from recipes.running.distill_keys import CLASSIFICATION, REGRESSION
from recipes.running.trainer import LingTrainerMixin


def judge_losses(logits: torch.Tensor, labels: torch.Tensor, task: str) -> torch.Tensor:
    """Return the loss of each row, or pair.

    Args:
        logits: (rows, labels); of pairs all chosen rows, then all rejected ones.
        labels: (rows,).
        task: of `distill_keys.TASKS`.

    Source: Bradley and Terry (1952): the chosen one wins with the sigmoid of the difference.
    """
    logits = logits.float()
    if task == CLASSIFICATION:
        return functional.cross_entropy(logits, labels.long(), reduction="none")
    if task == REGRESSION:
        return functional.mse_loss(logits[:, 0], labels, reduction="none")
    chosen, rejected = logits[:, 0].chunk(2)
    return -functional.logsigmoid(chosen - rejected)


class ChainTrainer(LingTrainerMixin, Trainer):
    """Trainer with the loss on the answers of rows side by side."""


class DistillTrainer(LingTrainerMixin, Trainer):
    """Trainer with the loss of a judge, a mean over the rows of a whole step."""

    def __init__(self, *args: Any, task: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task = task
        self.has_own_losses = False
        self.model.config.output_router_logits = False

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return this process's and micro-batch's share of the step's loss; see `LingTrainerMixin.compute_loss`."""
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        loss = judge_losses(outputs.logits, inputs["labels"], self.task).sum() / self.args.batch_rows_per_step
        if self.model.training:
            self.add_step_loss(loss)
            num_tokens = inputs["attention_mask"].sum().view(1, 1)
            self.statistics.add(assignments=num_tokens, entropy_sums=torch.zeros(1))
        loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


def make_distill_trainer(**arguments: Any) -> DistillTrainer:
    """Return the trainer; see `DistillTrainer`."""
    return DistillTrainer(**arguments)
