"""Section 3.2: recipes as arguments of a trainer. One flat dataclass per kind of training.

Each is our keys over the library's own arguments, so any key of TrainingArguments, SFTConfig or DPOConfig can be
written too where it acts (library_keys says which do).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from transformers import TrainingArguments
from trl import DPOConfig, SFTConfig

from recipes.running.recipe_keys import DistillKeys, DPOKeys, PretrainKeys, SFTKeys
from recipes.running.recipe_loading import RecipeError

# TRL's preference losses that read label_smoothing; its sigmoid does not, unlike that of earlier versions.
SMOOTHED_LOSSES = frozenset({"exo_pair", "robust", "aot", "aot_unpaired"})


# What a launch file of accelerate can spread a single row or a single layer over.
_WITHIN_A_ROW = {"CP": "context parallelism", "SP": "sequence parallelism", "TP": "tensor parallelism"}


def _refuse_parallelism() -> None:
    """Refuse what would read a row's documents as one, or count its processes as so many batches.

    Raises:
        RecipeError: names it and the line of the launch file.
    """
    for short, name in _WITHIN_A_ROW.items():
        size = int(os.environ.get(f"PARALLELISM_CONFIG_{short}_SIZE") or 1)
        if size > 1:
            raise RecipeError(
                f"The launch file of accelerate asks for {name} over {size} devices, which is not supported: rows hold "
                "documents that must not attend to each other, and the batch is counted by processes. Set "
                f"parallelism_config_{short.lower()}_size: 1; FSDP2 (recipes/accelerate_configs/) and "
                "activation_checkpointing: true make room for long rows."
            )


def _apply_common_defaults(arguments: PretrainArguments | SFTArguments | DPOArguments | DistillArguments) -> None:
    """Set values that all three kinds share but that TRL or Trainer defaults otherwise."""
    _refuse_parallelism()
    launched_with = os.environ.get("ACCELERATE_MIXED_PRECISION")
    if launched_with not in (None, "bf16" if arguments.bf16 else "no"):
        # accelerate's would win, without a word.
        arguments.refuse(
            "bf16",
            f"the launch file of accelerate says mixed_precision: {launched_with}",
            "Make them agree: mixed_precision: bf16 and bf16: true, or no and false.",
        )
    arguments.train_sampling_strategy = "sequential"
    arguments.remove_unused_columns = False
    arguments.ignore_data_skip = False
    # Trainer would otherwise call a packed row's labels by another name.
    arguments.label_names = ["labels"]
    # It would hide a loss that is not finite; the step guard looks at each step once, not at each micro-batch.
    arguments.logging_nan_inf_filter = False


@dataclass
class PretrainArguments(PretrainKeys, TrainingArguments):
    """Keys of recipes/pretrain.py: Table 1 and the objectives."""

    def __post_init__(self) -> None:
        self.expand_paths()
        super().__post_init__()
        _apply_common_defaults(self)
        self.finish()


@dataclass
class DistillArguments(DistillKeys, TrainingArguments):
    """Keys of recipes/distill."""

    def __post_init__(self) -> None:
        self.expand_paths()
        super().__post_init__()
        _apply_common_defaults(self)
        self.finish()


@dataclass
class SFTArguments(SFTKeys, SFTConfig):
    """Keys of recipes/sft.py."""

    def __post_init__(self) -> None:
        self.expand_paths()
        self.dataset_kwargs = {"skip_prepare_dataset": True}
        self.packing, self.assistant_only_loss = False, False  # done by chat_rows.py, before TRL sees the rows
        self.max_length = self.sequence_length
        super().__post_init__()
        _apply_common_defaults(self)
        self.finish()


@dataclass
class DPOArguments(DPOKeys, DPOConfig):
    """Keys of recipes/dpo.py."""

    def __post_init__(self) -> None:
        self.expand_paths()
        self.max_length = self.sequence_length
        super().__post_init__()
        _apply_common_defaults(self)
        losses = {str(loss) for loss in self.loss_type}
        if self.label_smoothing and not losses & SMOOTHED_LOSSES:
            self.refuse(
                "label_smoothing",
                f"loss_type {', '.join(sorted(losses))} does not use it",
                f"These do: {', '.join(sorted(SMOOTHED_LOSSES))}.",
            )
        self.finish()
