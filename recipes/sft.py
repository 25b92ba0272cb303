"""Section 3.2.3: supervised fine-tuning on packed conversations, with the loss on the assistant's words only.

    accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/sft.py \
        --config recipes/configs/tiny/sft.yaml [--field value]

The trainer is TRL's; the loss is the model's own (NormHead, balance and z-loss), which TRL's fused head would bypass.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Run as a script, this file's own folder comes first on sys.path, and not the repository's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recipes.running.recipe_loading import RecipeError, parse_recipe, quiet_environment

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.chat_data import EncodedConversation, Removals
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import SFTArguments
    from recipes.running.trainer import LingTrainerMixin


def encode_dataset(
    arguments: SFTArguments, tokenizer: PreTrainedTokenizerBase
) -> tuple[list[EncodedConversation], Removals]:
    """Return the stage's conversations as tokens, and what had to be removed.

    Args:
        arguments: SFTArguments.
        tokenizer: with the chat template.

    Returns:
        (conversations, Removals).

    Raises:
        RecipeError: no dataset, or nothing of it can be trained on.

    Source: paper 2.5.
    """
    from recipes.data.chat_data import encode_conversations, read_rows

    rows = islice(read_rows(arguments.dataset, arguments.dataset_split), arguments.max_samples)
    conversations, removals = encode_conversations(rows, tokenizer, arguments.sequence_length)
    if not conversations:
        raise RecipeError(
            f"dataset: {arguments.dataset} has no conversation to train on ({removals.describe()}). Raise "
            "sequence_length or give another dataset."
        )
    return conversations, removals


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


def plan_stage(
    arguments: SFTArguments,
    conversations: Sequence[EncodedConversation] | None = None,
    removals: Removals | None = None,
) -> StagePlan:
    """Return what the recipe is going to do.

    Args:
        arguments: SFTArguments.
        conversations: encoded; None leaves the number of steps open.
        removals: of the encoding.

    Returns:
        A StagePlan.

    Source: paper 3.2.3.
    """
    from recipes.data.packing import best_fit
    from recipes.reporting.planning import SourcePlan, start_plan
    from recipes.running.checkpoints import geometry_for_plan

    plan = start_plan(arguments, "sft", geometry_for_plan(arguments))
    epochs = int(arguments.num_train_epochs)
    if conversations is None:
        plan.notes.append(f"steps depend on the data: {arguments.dataset} is not built yet")
        return plan
    lengths = [len(item.input_ids) for item in conversations]
    num_rows = len(best_fit(lengths, arguments.sequence_length))
    arguments.max_steps = -(-num_rows * epochs // plan.rows_per_step)
    plan.sources = [SourcePlan("sft", 1.0, sum(lengths) * epochs, sum(lengths))]
    padding = 1 - sum(lengths) / (num_rows * arguments.sequence_length)
    plan.notes.append(
        f"{len(lengths):,} conversations in {num_rows:,} rows, {padding:.1%} of them empty; {epochs} epochs"
    )
    if removals is not None:
        plan.notes.append(removals.describe())
    return plan


def make_trainer(
    model: BailingMoeForCausalLM,
    arguments: SFTArguments,
    rows: list[dict[str, list[int]]],
    tokenizer: PreTrainedTokenizerBase,
    **ours: Any,
) -> LingTrainerMixin:
    """Return TRL's SFTTrainer with Ling's losses.

    Args:
        model: a BailingMoeForCausalLM.
        arguments: SFTArguments.
        rows: packed, in training order.
        tokenizer: pads.
        **ours: keyword arguments of LingTrainerMixin.

    Returns:
        The trainer.

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
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            data_collator=functools.partial(collate_rows, pad_token_id=tokenizer.pad_token_id),
            processing_class=tokenizer,
            **ours,
        )
    trainer.model_accepts_loss_kwargs = True
    return trainer


def main(arguments: Sequence[str] | None = None) -> None:
    """Run supervised fine-tuning.

    Args:
        arguments: the command line without the program's name; sys.argv's by default.

    Raises:
        RecipeError: the recipe cannot be run as written.

    Source: paper 3.2.3.
    """
    from recipes.running.arguments import SFTArguments

    settings = parse_recipe(SFTArguments, arguments)
    import torch

    from recipes.data.chat_data import fingerprint, packed_epochs
    from recipes.data.show_batch import describe_batch
    from recipes.reporting.planning import complete_plan
    from recipes.running.checkpoints import load_model, load_tokenizer, resolve_resume
    from recipes.stages.course import (
        announce,
        is_main_process,
        model_overrides,
        moments_folder,
        prepare_console,
        run_stage,
    )

    if settings.dry_run and not Path(settings.dataset).is_dir():
        announce(settings, plan_stage(settings))
        return
    tokenizer = load_tokenizer(settings.tokenizer)
    conversations, removals = encode_dataset(settings, tokenizer)
    plan = plan_stage(settings, conversations, removals)
    learning_rate_at = complete_plan(plan, settings, settings.max_steps)
    if announce(settings, plan):
        return
    rows = packed_epochs(
        conversations, settings.sequence_length, int(settings.num_train_epochs), plan.rows_per_step, settings.seed
    )
    if settings.show_batch:
        if is_main_process(settings):
            print(describe_batch(rows[: settings.per_device_train_batch_size], tokenizer))
        return
    data_fingerprint = fingerprint([row["input_ids"] for row in rows], plan.rows_per_step)
    resume = resolve_resume(settings.resume_from, Path(settings.output_dir), data_fingerprint)
    moments = moments_folder(settings)
    model = load_model(settings.init_from, tokenizer, torch.float32, settings.seed, model_overrides(settings))
    prepare_console(settings)
    trainer = make_trainer(
        model,
        settings,
        rows,
        tokenizer,
        learning_rate_at=learning_rate_at,
        flops_per_token=plan.flops_per_token,
        data_fingerprint=data_fingerprint,
        moments_from=moments if resume is None else None,
    )
    facts = {
        "data fingerprint": data_fingerprint,
        "conversations": len(conversations),
        "removed": removals.describe(),
        "packed rows over all epochs": len(rows),
    }
    consumed = {"sft": sum(len(row["input_ids"]) for row in rows)}
    run_stage(trainer, settings, tokenizer, plan, resume, consumed, facts)


if __name__ == "__main__":
    quiet_environment()
    try:
        main()
    except RecipeError as problem:
        from recipes.stages.course import exit_with_message

        exit_with_message(problem)
