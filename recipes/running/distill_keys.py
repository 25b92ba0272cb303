"""Sections 2.1 and 2.3: the keys of recipes/distill: models that judge texts."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import ClassVar

from recipes.running.stage_keys import StageArguments

CLASSIFICATION, REGRESSION, REWARD, CHAIN = TASKS = ("classification", "regression", "reward", "chain")
# Keys that do nothing in another task than these.
_TASKS_OF_KEY = {
    **dict.fromkeys(("text_column", "label_column"), (CLASSIFICATION, REGRESSION)),
    **dict.fromkeys(("prompt_column", "chosen_column", "rejected_column"), (REWARD,)),
    **dict.fromkeys(("prompt_file", "prompt_columns", "chain_column", "verdict_column"), (CHAIN,)),
    **dict.fromkeys(("validation_share", "max_new_tokens"), (CHAIN,)),
}


@dataclass
class DistillKeys(StageArguments):
    """Keys of recipes/distill: models that judge texts."""

    kind: ClassVar[str] = "distill"

    output_dir: str = field(default="outputs/judge", metadata={"help": "the run's folder, a model folder at the end"})
    init_from: str = field(default="", metadata={"help": "model that gets the head: a folder, or org/name[@revision]"})
    tokenizer: str = field(default="", metadata={"help": "by default init_from's"})
    task: str = field(
        default="classification",
        metadata={
            "help": "classification (of labels), regression (of a number), reward (of pairs, Bradley-Terry), or chain: "
            "a causal model that writes its reasoning and then true or false"
        },
    )
    dataset: str = field(default="", metadata={"help": "folder, file (.jsonl, .json, .parquet) or org/name[@revision]"})
    datasets: list[str] = field(
        default_factory=list, metadata={"help": "instead of dataset: several of them, with the same columns"}
    )
    dataset_split: str = field(default="train", metadata={"help": "split of the datasets"})
    text_column: str = field(default="content", metadata={"help": "column of the texts"})
    label_column: str = field(default="label", metadata={"help": "column of the labels, or of the numbers"})
    prompt_column: str = field(default="prompt", metadata={"help": "of pairs: column of what was asked"})
    chosen_column: str = field(default="chosen", metadata={"help": "of pairs: column of the better answer"})
    rejected_column: str = field(default="rejected", metadata={"help": "of pairs: column of the worse answer"})
    prompt_file: str = field(
        default="", metadata={"help": "of chains: what is asked, with prompt_columns behind dollar signs; consistency"}
    )
    prompt_columns: list[str] = field(
        default_factory=lambda: ["code", "comment"],
        metadata={"help": "of chains: columns of the texts that are judged; equal first ones stay on one side"},
    )
    chain_column: str = field(default="chain", metadata={"help": "of chains: column of the teacher's reasoning"})
    verdict_column: str = field(default="verdict", metadata={"help": "of chains: column of the teacher's verdict"})
    validation_share: float = field(
        default=0.0, metadata={"help": "of chains: share of the rows by which the threshold is chosen"}
    )
    max_new_tokens: int = field(default=512, metadata={"help": "of chains: tokens that the model may reason with"})
    max_samples: int | None = field(default=None, metadata={"help": "first rows of each dataset, for a trial"})
    held_out_share: float = field(
        default=0.1, metadata={"help": "share of the rows that are measured with, by a hash of their text"}
    )
    group_column: str = field(
        default="",
        metadata={
            "help": "column of what rows have in common (a repository; of a URL it is the site): rows of one group are "
            "all trained on, or all measured with, and held_out_share is one of groups"
        },
    )
    num_train_epochs: float = field(default=3.0, metadata={"help": "passes over the rows"})
    global_batch_rows: int = field(default=32, metadata={"help": "rows, or pairs, of one step over all devices"})
    learning_rate: float = field(default=2e-5, metadata={"help": "at its highest"})
    weight_decay: float = field(default=0.01, metadata={"help": "weight decay of AdamW; norms are left out"})
    logging_steps: float = field(default=10, metadata={"help": "steps between lines of metrics.jsonl"})
    save_total_limit: int | None = field(default=2, metadata={"help": "how many checkpoints are kept"})
    report_to: str | None = field(default="none", metadata={"help": "metrics go to: none, tensorboard, trackio, wandb"})

    @property
    def dataset_names(self) -> list[str]:
        """The dataset, or the datasets."""
        return self.datasets or [self.dataset]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the task reads."""
        if self.task == CHAIN:
            return *self.prompt_columns, self.chain_column, self.verdict_column
        if self.task == REWARD:
            return self.prompt_column, self.chosen_column, self.rejected_column
        return self.text_column, self.label_column

    def finish(self) -> None:
        """Check the values and derive what follows from them."""
        if not self.init_from:
            self.refuse("init_from", "a model to begin with is wanted", "google-bert/bert-base-uncased, for example.")
        self.tokenizer = self.tokenizer or self.init_from
        self.check_stage()
        if self.task not in TASKS:
            self.refuse("task", f"it must be one of {', '.join(TASKS)}", "Choose one of them.")
        self._refuse_keys_of_other_tasks()
        if not all(self.dataset_names):
            self.refuse("dataset", "the rows to learn from are wanted", "Name a file, a folder or org/name.")
        if not 0 < self.held_out_share < 1:
            self.refuse("held_out_share", "it must lie between 0 and 1", "0.1 is usual.")
        if not 0 <= self.validation_share < 1 - self.held_out_share:
            self.refuse("validation_share", "rows to train on must be left beside it", "0.125 is the paper's.")
        if not self.prompt_columns:
            self.refuse("prompt_columns", "at least one column is judged", "[code, comment] is the default.")
        if self.task == CHAIN and not 0 < self.max_new_tokens < self.sequence_length:
            self.refuse("max_new_tokens", f"a chain fits into sequence_length, {self.sequence_length}", "Lower it.")
        if self.num_train_epochs < 1 or self.num_train_epochs != int(self.num_train_epochs):
            self.refuse("num_train_epochs", "whole passes over the data are wanted", "Write 1 or more.")
        if self.init_optimizer:
            self.refuse("init_optimizer", "what it begins with was no stage of ours", "Set it to false.")
        self.derive_accumulation("global_batch_rows", self.global_batch_rows)

    def _refuse_keys_of_other_tasks(self) -> None:
        for item in fields(self):
            tasks = _TASKS_OF_KEY.get(item.name, TASKS)
            default = item.default if item.default_factory is MISSING else item.default_factory()
            if self.task not in tasks and getattr(self, item.name) != default:
                self.refuse(item.name, f"it does nothing in task: {self.task}", "Remove it.")
