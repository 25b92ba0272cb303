"""Section 3.2.3: supervised fine-tuning on packed conversations, with the loss on the assistant's words only.

The trainer is TRL's; the loss is the model's own (NormHead, balance and z-loss), which TRL's fused head would bypass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from recipes.stages.chat_stage import ChatStage

if TYPE_CHECKING:
    import torch
    from torch.utils.data import Dataset
    from transformers import PreTrainedTokenizerBase

    from datasets_builders.tokenized.chat_rows import OverLength
    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.chat_rows import ChatSettings
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import SFTArguments
    from recipes.running.trainer import LingTrainerMixin


def collate_rows(rows: Sequence[dict[str, Any]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Pad packed rows to the longest of the batch; the padding is a document of its own, without loss.

    Args:
        rows: input_ids, labels, position_ids of one length each.
        pad_token_id: fills input_ids.

    Returns:
        The three as int64 tensors of shape (rows, longest), and `token_mask`, false on padding.
    """
    import numpy as np
    import torch

    from recipes.data.chat_rows import IGNORED_LABEL

    lengths = [len(row["input_ids"]) for row in rows]
    shape = (len(rows), max(lengths))
    batch = {"input_ids": np.full(shape, pad_token_id), "labels": np.full(shape, IGNORED_LABEL)}
    batch["position_ids"] = np.zeros(shape, dtype=np.int64)
    for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        for name, values in batch.items():
            values[number, :length] = row[name]
        batch["position_ids"][number, length:] = np.arange(shape[1] - length)
    token_mask = np.arange(shape[1]) < np.array(lengths)[:, None]
    return {name: torch.from_numpy(values) for name, values in {**batch, "token_mask": token_mask}.items()}


def make_sft_trainer(
    model: BailingMoeForCausalLM,
    settings: SFTArguments,
    rows: Dataset[dict[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    **ours: Any,
) -> LingTrainerMixin:
    """Return TRL's SFTTrainer with Ling's losses.

    Args:
        model: in training mode.
        settings: SFTArguments.
        rows: packed, in training order.
        tokenizer: pads.
        **ours: keyword arguments of LingTrainerMixin.

    Source: paper 3.2.3.
    """
    import functools

    from datasets import Dataset as TableDataset
    from trl import SFTTrainer
    from trl.trainer import sft_trainer

    from recipes.objectives.norm_head import norm_head_instead_of_fused_head
    from recipes.running.trainer import LingTrainerMixin

    class LingSFTTrainer(LingTrainerMixin, SFTTrainer):
        """SFTTrainer that trains through the model's own forward and writes no card of TRL's into checkpoints."""

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """Do nothing: the card is made at the end, from the run."""

    with norm_head_instead_of_fused_head(sft_trainer):
        trainer = LingSFTTrainer(
            model=model,
            args=settings,
            # TRL looks at the columns of a table; the rows themselves are read from memory maps.
            train_dataset=TableDataset.from_list([{name: list(values) for name, values in rows[0].items()}]),
            data_collator=functools.partial(collate_rows, pad_token_id=tokenizer.pad_token_id),
            processing_class=tokenizer,
            **ours,
        )
    trainer.train_dataset = rows
    trainer.model_accepts_loss_kwargs = True
    return trainer


class SFTStage(ChatStage["SFTArguments"]):
    """Supervised fine-tuning: whole conversations packed into rows, in another order each epoch."""

    kind = "sft"
    stated_rows = "conversations that the recipe states, at most a row each: packing takes fewer steps"

    @classmethod
    def arguments_class(cls) -> type[Any]:
        """Return SFTArguments."""
        from recipes.running.arguments import SFTArguments

        return SFTArguments

    def chat_settings(self) -> ChatSettings:
        """Return how the rows are read, with what becomes of long conversations."""
        over_length: OverLength = "split" if self.settings.over_length == "split" else "drop"
        return replace(super().chat_settings(), over_length=over_length)

    def plan(self) -> StagePlan:
        """Return the plan; without the data the number of steps stays open."""
        plan = self.start_chat_plan()
        if self.rows is None:
            return plan
        stores = self.rows.stores
        kept, num_rows = sum(int(store.description["num_kept"]) for store in stores), sum(map(len, stores))
        padding = 1 - sum(store.num_tokens for store in stores) / (num_rows * self.settings.sequence_length)
        epochs = int(self.settings.num_train_epochs)
        plan.notes.append(f"{kept:,} conversations in {num_rows:,} rows, {padding:.1%} of them empty; {epochs} epochs")
        plan.notes += self.removal_lines()
        return plan

    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the first rows, decoded; what carries no loss stands in brackets."""
        from recipes.data.show_batch import describe_batch

        places = range(min(self.settings.per_device_train_batch_size, len(self.read_rows)))
        return describe_batch([self.read_rows[place] for place in places], tokenizer)

    def make_trainer(
        self, model: BailingMoeForCausalLM, tokenizer: PreTrainedTokenizerBase, **ours: Any
    ) -> LingTrainerMixin:
        """Return TRL's SFTTrainer with Ling's losses."""
        return make_sft_trainer(model, self.settings, self.read_rows, tokenizer, **ours)

    def facts(self) -> dict[str, Any]:
        """Return the counts of conversations, of what was removed, and of rows."""
        return {**super().facts(), "packed rows over all epochs": len(self.read_rows)}
