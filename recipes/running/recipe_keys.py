"""Section 3.2, Table 1: the keys of each kind of training, over those that all have: YAML key = field = CLI flag.

`arguments` puts each class over the library's own arguments to train with; `plan_settings` fills it without them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

from recipes.objectives.fim import check_layouts
from recipes.running.distill_keys import DistillKeys
from recipes.running.stage_keys import DATA_ROOT_PLACEHOLDER, StageArguments


@dataclass
class PretrainKeys(StageArguments):
    """Keys of recipes/pretrain.py: Table 1 and the objectives."""

    kind: ClassVar[str] = "pretrain"

    output_dir: str = field(
        default="outputs/pretrain", metadata={"help": "the run's folder, a model folder at the end"}
    )
    train_tokens: int = field(default=0, metadata={"help": "tokens of the stage; rounded up to whole steps"})
    global_batch_tokens: int = field(default=0, metadata={"help": "tokens of one optimizer step over all devices"})
    mixture: dict | str | None = field(
        default=None, metadata={"help": "Table 1's two-level shares; on the command line as JSON"}
    )
    corpus_tokens: dict | None = field(
        default=None, metadata={"help": "tokens of sources, for a plan while their files are not there"}
    )
    tokenized: str = field(
        default="{data_root}/datasets/tokenized", metadata={"help": "folder that `datasets_builders tokenized` wrote"}
    )
    source_datasets: list[str] = field(
        default_factory=list,
        metadata={"help": "datasets of the Hub, org/name, that the token files were made of: the card names them"},
    )
    max_epochs: float = field(
        default=4.0, metadata={"help": "stop before the first step if a source would be repeated more often"}
    )
    mixture_block_rows: int | None = field(
        default=None,
        metadata={
            "help": "rows shuffled among each other; every source's share holds at the end of each such block; null: "
            "the rows of a step"
        },
    )
    data_seed: int | None = field(default=0, metadata={"help": "seed of the mixture's order and of FIM"})
    fim_rate: float = field(default=0.5, metadata={"help": "share of the code documents with the FIM objective"})
    fim_layouts: dict | str | None = field(
        default_factory=lambda: {"psm": 0.5, "spm": 0.5},
        metadata={
            "help": "share of each layout among those: psm, spm, suffix_prefix_middle; on the command line as JSON"
        },
    )
    fim_sources: list[str] = field(
        default_factory=lambda: ["code.raw"], metadata={"help": "sources that get the FIM objective"}
    )
    lora_rank: int = field(
        default=0,
        metadata={"help": "train adapters of this rank beside all linear layers, merged at the end; 0: all weights"},
    )
    adam_beta2: float = field(default=0.95, metadata={"help": "decay of AdamW's second moment"})
    weight_decay: float = field(default=0.1, metadata={"help": "weight decay of AdamW; norms are left out"})
    logging_steps: float = field(default=10, metadata={"help": "steps between lines of metrics.jsonl"})
    save_total_limit: int | None = field(default=2, metadata={"help": "how many checkpoints are kept"})
    report_to: str | None = field(default="none", metadata={"help": "metrics go to: none, tensorboard, trackio, wandb"})

    @property
    def shares(self) -> dict[str, Any]:
        """Table 1's shares, once `finish` has checked them."""
        assert isinstance(self.mixture, dict)
        return self.mixture

    def finish(self) -> None:
        """Check the values and derive what follows from them."""
        self.check_stage()
        if isinstance(self.mixture, str):
            try:
                self.mixture = json.loads(self.mixture)
            except json.JSONDecodeError as error:
                self.refuse("mixture", f"on the command line it must be JSON ({error})", "Or write it in the recipe.")
        if not isinstance(self.mixture, dict):
            self.refuse("mixture", "the shares of the sources are wanted", "See recipes/configs/tiny/stage1.yaml.")
        if self.global_batch_tokens < self.sequence_length or self.global_batch_tokens % self.sequence_length:
            self.refuse(
                "global_batch_tokens",
                f"it must be a multiple of sequence_length, {self.sequence_length}",
                f"{max(1, round(self.global_batch_tokens / self.sequence_length)) * self.sequence_length} is near.",
            )
        if self.train_tokens < self.global_batch_tokens:
            self.refuse(
                "train_tokens", f"one step alone takes global_batch_tokens, {self.global_batch_tokens}", "Raise it."
            )
        if self.eval_every_steps and self.eval_data is None:
            self.refuse(
                "eval_data", "eval_every_steps is set", "Name token files that are not trained on: {code: a.ds}."
            )
        if self.eval_tasks and self.lora_rank:
            self.refuse("eval_tasks", "adapters are merged at the end only", "Run `python -m evals` on the result.")
        if self.lora_rank < 0:
            self.refuse("lora_rank", "it must be at least 0", "16 is usual; 0 trains all weights.")
        if not 0 <= self.fim_rate <= 1:
            self.refuse("fim_rate", "it must lie between 0 and 1", "0.5 is usual.")
        self.fim_layouts = self.mapping_of("fim_layouts")
        wrong = check_layouts(self.fim_layouts)
        if wrong:
            self.refuse("fim_layouts", wrong, "{psm: 0.5, spm: 0.5} is usual.")
        if self.mixture_block_rows is not None and self.mixture_block_rows < 1:
            self.refuse("mixture_block_rows", "a block has at least one row", "null takes the rows of a step.")
        for name in self.source_datasets:
            if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
                self.refuse("source_datasets", f"{name} is no org/name of the Hub", "Leave out what is not there.")
        if self.max_epochs <= 0:
            self.refuse("max_epochs", "it must be above 0", "1 forbids any repetition.")
        self.derive_accumulation("global_batch_tokens", self.global_batch_tokens // self.sequence_length)
        # 870B tokens are 51,856.04 steps of 2**24: the last of them needs a step too.
        self.max_steps = -(-self.train_tokens // self.global_batch_tokens)


@dataclass
class ChatKeys(StageArguments):
    """Keys of what recipes/sft.py and recipes/dpo.py read."""

    dataset: str = field(default="", metadata={"help": "folder, file (.jsonl, .json, .parquet) or org/name[@revision]"})
    datasets: dict | str | None = field(
        default=None,
        metadata={"help": "instead of dataset: several of them, each with its share of the tokens (3, 1, 1, say)"},
    )
    dataset_split: str = field(default="train", metadata={"help": "split of the datasets"})
    dataset_columns: dict | str | None = field(
        default=None,
        metadata={
            "help": "where a dataset names its columns otherwise: messages, prompt, completion, context (put behind "
            "the prompt), history (before it), chosen, rejected, system, role or content to its own name"
        },
    )
    dataset_roles: dict | str | None = field(
        default=None, metadata={"help": "a dataset's name of a role to user, assistant, system, tool or observation"}
    )
    dataset_streaming: bool = field(
        default=False, metadata={"help": "read datasets of the Hub as they come, without a copy on disk"}
    )
    corpus_samples: int | None = field(
        default=None,
        metadata={"help": "conversations, or pairs, of the dataset, for a plan while it is not there"},
    )
    max_samples: int | None = field(default=None, metadata={"help": "take only the first rows, for a trial"})

    def shares_of_datasets(self) -> dict[str, float]:
        """Return the datasets with their shares of the tokens; one alone has all."""
        if self.datasets is None:
            return {self.dataset: 1.0}
        wanted = self.mapping_of("datasets")
        if not wanted:
            self.refuse("datasets", "at least one dataset is wanted", "Write {org/name: 1}, or use dataset.")
        for name, share in wanted.items():
            if not isinstance(share, (int, float)) or isinstance(share, bool) or share <= 0:
                self.refuse("datasets", f"the share of {name} must be a number above 0", "Write {org/name: 3, ...}.")
        return {
            str(name).replace(DATA_ROOT_PLACEHOLDER, self.data_root): share / sum(wanted.values())
            for name, share in wanted.items()
        }

    def check_datasets(self) -> None:
        """Check the keys of the data."""
        self.shares_of_datasets()
        for key in ("dataset_columns", "dataset_roles"):
            if getattr(self, key) is not None:
                self.mapping_of(key)
        if self.max_samples is not None and self.max_samples < 1:
            self.refuse("max_samples", "it must be at least 1", "null takes all.")
        if self.corpus_samples is not None and self.corpus_samples < 1:
            self.refuse("corpus_samples", "it must be at least 1", "null leaves the plan open.")
        if self.num_train_epochs < 1 or self.num_train_epochs != int(self.num_train_epochs):
            self.refuse("num_train_epochs", "whole passes over the data are wanted", "Write 1 or more.")


@dataclass
class SFTKeys(ChatKeys):
    """Keys of recipes/sft.py."""

    kind: ClassVar[str] = "sft"

    output_dir: str = field(default="outputs/sft", metadata={"help": "the run's folder, a model folder at the end"})
    dataset: str = field(
        default="{data_root}/datasets/sft",
        metadata={"help": "folder, file (.jsonl, .json, .parquet) or org/name[@revision]"},
    )
    over_length: str = field(
        default="drop",
        metadata={"help": "conversations longer than sequence_length: drop, or split into rows of their own"},
    )
    global_batch_rows: int = field(default=8, metadata={"help": "packed rows of one optimizer step over all devices"})
    bf16: bool | None = field(default=False, metadata={"help": "mixed precision"})  # type: ignore[assignment]  # TRL widens it
    activation_checkpointing: bool | None = field(default=False, metadata={"help": "trade compute for memory"})
    adam_beta2: float = field(default=0.95, metadata={"help": "decay of AdamW's second moment"})
    weight_decay: float = field(default=0.1, metadata={"help": "weight decay of AdamW; norms are left out"})
    save_total_limit: int | None = field(default=2, metadata={"help": "how many checkpoints are kept"})
    report_to: str | None = field(default="none", metadata={"help": "metrics go to: none, tensorboard, trackio, wandb"})

    def finish(self) -> None:
        """Check the values and derive what follows from them."""
        self.check_stage()
        self.check_datasets()
        if self.over_length not in ("drop", "split"):
            self.refuse("over_length", "it must be drop or split", "drop leaves long conversations out.")
        self.derive_accumulation("global_batch_rows", self.global_batch_rows)


@dataclass
class DPOKeys(ChatKeys):
    """Keys of recipes/dpo.py."""

    kind: ClassVar[str] = "dpo"

    output_dir: str = field(default="outputs/dpo", metadata={"help": "the run's folder, a model folder at the end"})
    dataset: str = field(
        default="{data_root}/datasets/dpo",
        metadata={"help": "folder, file (.jsonl, .json, .parquet) or org/name[@revision]"},
    )
    global_batch_pairs: int = field(default=8, metadata={"help": "pairs of one optimizer step over all devices"})
    bf16: bool | None = field(default=False, metadata={"help": "mixed precision"})  # type: ignore[assignment]  # TRL widens it
    activation_checkpointing: bool | None = field(default=False, metadata={"help": "trade compute for memory"})
    adam_beta2: float = field(default=0.95, metadata={"help": "decay of AdamW's second moment"})
    save_total_limit: int | None = field(default=2, metadata={"help": "how many checkpoints are kept"})
    report_to: str | None = field(default="none", metadata={"help": "metrics go to: none, tensorboard, trackio, wandb"})

    def finish(self) -> None:
        """Check the values and derive what follows from them."""
        self.check_stage()
        self.check_datasets()
        if self.eval_every_steps and getattr(self, "precompute_ref_log_probs", False):
            self.refuse("eval_every_steps", "precompute_ref_log_probs keeps no reference model", "Set that to false.")
        self.derive_accumulation("global_batch_pairs", self.global_batch_pairs)


KEY_CLASSES: dict[str, type[PretrainKeys] | type[SFTKeys] | type[DPOKeys] | type[DistillKeys]] = {
    "distill": DistillKeys,
    "pretrain": PretrainKeys,
    "sft": SFTKeys,
    "dpo": DPOKeys,
}
