"""Section 3.2.3: supervised fine-tuning on packed conversations, with the loss on the assistant's words only.

The trainer is TRL's; the loss is the model's own (NormHead, balance and z-loss), which TRL's fused head would bypass.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.running.recipe_loading import RecipeError
from recipes.stages.stage import Stage

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.chat_data import EncodedConversation, Removals
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import SFTArguments
    from recipes.running.trainer import LingTrainerMixin


def collate_rows(rows: Sequence[dict[str, Sequence[int]]], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Pad packed rows to the longest of the batch; the padding is a document of its own, without loss.

    Args:
        rows: input_ids, labels, position_ids of one length each.
        pad_token_id: fills input_ids.

    Returns:
        The three as int64 tensors of shape (rows, longest).
    """
    import torch

    from recipes.data.chat_data import IGNORED_LABEL

    width = max(len(row["input_ids"]) for row in rows)
    batch: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "position_ids": []}
    for row in rows:
        missing = width - len(row["input_ids"])
        batch["input_ids"].append([*row["input_ids"], *[pad_token_id] * missing])
        batch["labels"].append([*row["labels"], *[IGNORED_LABEL] * missing])
        batch["position_ids"].append([*row["position_ids"], *range(missing)])
    return {name: torch.tensor(values) for name, values in batch.items()}


def make_sft_trainer(
    model: BailingMoeForCausalLM,
    settings: SFTArguments,
    rows: list[dict[str, list[int]]],
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

    from datasets import Dataset
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
            train_dataset=Dataset.from_list(rows),
            data_collator=functools.partial(collate_rows, pad_token_id=tokenizer.pad_token_id),
            processing_class=tokenizer,
            **ours,
        )
    trainer.model_accepts_loss_kwargs = True
    return trainer


class SFTStage(Stage["SFTArguments"]):
    """Supervised fine-tuning: whole conversations packed into rows, shuffled anew for each epoch."""

    kind = "sft"
    steps_depend_on_data = True
    conversations: Sequence[EncodedConversation] | None = None
    removals: Removals
    rows: list[dict[str, list[int]]]

    @classmethod
    def arguments_class(cls) -> type[Any]:
        """Return SFTArguments."""
        from recipes.running.arguments import SFTArguments

        return SFTArguments

    def has_data(self) -> bool:
        """Whether the dataset is a folder here, so that its rows can be counted."""
        return Path(self.settings.dataset).is_dir()

    def read_data(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Encode the conversations and pack them, in the order of all epochs."""
        from recipes.data.chat_data import encode_conversations, packed_epochs, read_rows

        settings = self.settings
        rows = islice(read_rows(settings.dataset, settings.dataset_split), settings.max_samples)
        conversations, self.removals = encode_conversations(rows, tokenizer, settings.sequence_length)
        if not conversations:
            raise RecipeError(
                f"dataset: {settings.dataset} has no conversation to train on ({self.removals.describe()}). Raise "
                "sequence_length or give another dataset."
            )
        self.conversations = conversations
        self.rows = packed_epochs(
            conversations,
            settings.sequence_length,
            int(settings.num_train_epochs),
            settings.batch_rows_per_step,
            settings.seed,
        )
        settings.max_steps = len(self.rows) // settings.batch_rows_per_step

    def plan(self) -> StagePlan:
        """Return the plan; without the data the number of steps stays open."""
        from recipes.data.packing import best_fit
        from recipes.reporting.planning import SourcePlan, start_plan
        from recipes.running.checkpoints import geometry_for_plan

        settings = self.settings
        plan = start_plan(settings, self.kind, geometry_for_plan(settings))
        if self.conversations is None:
            plan.notes.append(f"steps depend on the data: {settings.dataset} is not built yet")
            return plan
        epochs = int(settings.num_train_epochs)
        lengths = [len(item.input_ids) for item in self.conversations]
        num_rows = len(best_fit(lengths, settings.sequence_length))
        plan.sources = [SourcePlan("sft", 1.0, sum(lengths) * epochs, sum(lengths))]
        padding = 1 - sum(lengths) / (num_rows * settings.sequence_length)
        plan.notes.append(
            f"{len(lengths):,} conversations in {num_rows:,} rows, {padding:.1%} of them empty; {epochs} epochs"
        )
        plan.notes.append(self.removals.describe())
        return plan

    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the first rows, decoded; what carries no loss stands in brackets."""
        from recipes.data.show_batch import describe_batch

        return describe_batch(self.rows[: self.settings.per_device_train_batch_size], tokenizer)

    def data_fingerprint(self) -> str:
        """Return a hash of all rows in their order and of the rows of a step."""
        from recipes.data.chat_data import fingerprint

        return fingerprint([row["input_ids"] for row in self.rows], self.settings.batch_rows_per_step)

    def make_trainer(
        self, model: BailingMoeForCausalLM, tokenizer: PreTrainedTokenizerBase, **ours: Any
    ) -> LingTrainerMixin:
        """Return TRL's SFTTrainer with Ling's losses."""
        return make_sft_trainer(model, self.settings, self.rows, tokenizer, **ours)

    def consumed_tokens(self, num_steps: int) -> dict[str, int]:
        """Count the tokens of the rows of the first steps."""
        rows = self.rows[: num_steps * self.settings.batch_rows_per_step]
        return {"sft": sum(len(row["input_ids"]) for row in rows)}

    def facts(self) -> dict[str, Any]:
        """Return the counts of conversations, of what was removed, and of rows."""
        return {
            "conversations": len(self.conversations or ()),
            "removed": self.removals.describe(),
            "packed rows over all epochs": len(self.rows),
        }
