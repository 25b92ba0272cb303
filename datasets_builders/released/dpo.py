"""Section 3.2.4 (direct preference optimization): the DPO dataset, pairs told apart by execution."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import DatasetFolder, ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.released.length_bias import NO_LIMITS, BalanceLengths, length_figures
from datasets_builders.released.preferences import MakePairs, VerifyPairs
from datasets_builders.released.shares import PREFERENCE_FRACTION, KeepApart, ShareOfQuestions, TrainedPrompts
from datasets_builders.synthesis.program_analysis.observation import DRIVER

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "mid": "content hash of the pair, 32 hex digits",
    "prompt": "the question",
    "chosen": "an answer that running showed to be right",
    "rejected": "an answer that running showed to be wrong",
    "kind": "execution_prediction, code_repair or docstring_to_code",
    "function": "name of the function asked about",
    "module": "its module",
    "cluster": "functions that are near-duplicates or parts of one another's programs share this id",
    "license": "licence of the file that the function stands in",
    "chosen_chars": "length of the chosen answer in characters",
    "rejected_chars": "length of the rejected answer in characters",
    "similarity": "edit similarity of the two answers: one minus the Levenshtein distance over the longer length",
    "parents": "mid of the question",
}


@dataclass
class DPOConfig(BuilderConfig):
    """Fields of `dpo`."""

    input: str = field(default="", metadata={"help": "folder of a synthetic_qa dataset"})
    isolation: str = field(default="auto", metadata={"help": "sandbox: auto, bubblewrap, namespaces or rlimits"})
    max_pairs_per_question: int = field(
        default=1, metadata={"help": "most wrong answers of a question that become pairs"}
    )
    max_chars: int = field(default=6000, metadata={"help": "longest prompt with one answer, in characters"})
    max_pair_similarity: float = field(
        default=0.9, metadata={"help": "edit similarity from which on two answers are too near to be a pair"}
    )
    chosen_longer_limits: list[float] = field(
        default_factory=lambda: list(NO_LIMITS),
        metadata={"help": "[least, most] part of the training pairs whose chosen answer is the longer one"},
    )
    preference_fraction: float = field(
        default=PREFERENCE_FRACTION,
        metadata={"help": "part of the functions whose training questions sft leaves to dpo; the same for both"},
    )
    disjoint_from: list[str] = field(
        default_factory=list, metadata={"help": "folders of datasets with whose training prompts no pair may share"}
    )

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        for name in ("max_pairs_per_question", "max_chars"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if not 0 < self.max_pair_similarity <= 1:
            raise ConfigError(f"max_pair_similarity is {self.max_pair_similarity}, but must be above 0 and at most 1")
        if not 0 <= self.preference_fraction <= 1:
            raise ConfigError(f"preference_fraction is {self.preference_fraction}, but must be from 0 to 1")
        limits = self.chosen_longer_limits
        if len(limits) != 2 or not 0 <= limits[0] <= limits[1] <= 1:
            raise ConfigError(
                f"chosen_longer_limits is {limits}, but must be [least, most] with 0 <= least <= most <= 1"
            )


class DPOBuilder(DerivedBuilder[DPOConfig]):
    """Preference pairs of a right and a wrong answer, both verified by running them.

    Source: paper 3.2.4 and the released schema; execution in place of a reward model is ours.
    """

    name: ClassVar[str] = "dpo"
    summary: ClassVar[str] = "preference pairs, chosen verified right and rejected verified wrong"
    config_class: ClassVar[type[BuilderConfig]] = DPOConfig
    input_builder: ClassVar[str] = "synthetic_qa"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "kind"

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, List, Value

        text = Value("string")
        others = {"parents": List(text), "similarity": Value("float64")}
        others |= dict.fromkeys(("chosen_chars", "rejected_chars"), Value("int64"))
        return Features({name: others.get(name, text) for name in COLUMNS})

    def stages(self) -> list[Stage]:
        """Make pairs of the questions that fine-tuning leaves, run both sides of each, balance their lengths."""
        config = self.config
        return [
            Stage(
                "pairs",
                [
                    ReadRows(self.input_paths, id_column="mid", text_column=None),
                    ShareOfQuestions("dpo", config.preference_fraction, config.seed),
                    MakePairs(config.max_pairs_per_question, config.max_chars, config.max_pair_similarity),
                    *([KeepApart(self._trained_file)] if config.disjoint_from else []),
                    VerifyPairs(config.isolation),
                ],
                tasks=config.num_tasks,
                before=self._index_trained_prompts,
            ),
            Stage("balance", [BalanceLengths(config.chosen_longer_limits, config.seed)], tasks=1),
        ]

    @property
    def _trained_file(self) -> Path:
        return self.output_folder / ".build" / "stages" / "trained_prompts.npz"

    def _index_trained_prompts(self) -> None:
        if self.config.disjoint_from:
            TrainedPrompts.of(self.config.disjoint_from).save(self._trained_file)

    def check(self) -> None:
        """Raise `ConfigError` when a dataset is not named, or holds no shards."""
        super().check()
        for folder in self.config.disjoint_from:
            DatasetFolder(folder).check()

    @property
    def input_paths(self) -> list[str]:
        """The dataset of questions."""
        return [self.config.input]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the inputs, and the program that runs in the sandbox."""
        apart = [DatasetFolder(folder).fingerprint() for folder in self.config.disjoint_from]
        return super().input_fingerprint() | {"sandbox_program": DRIVER, "disjoint_from": apart}

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="DPO: preference pairs verified by execution",
            description=_DESCRIPTION,
            license=self.license,
            columns=COLUMNS,
            tags=["code", "dpo"],
            usage=_USAGE,
            sections={"Figures": length_figures(self.output_folder)},
        )


_USAGE = """
pairs = dataset["train"].select_columns(["prompt", "chosen", "rejected"])  # for DPOTrainer of TRL and recipes/dpo.py
"""

_DESCRIPTION = """
Preference pairs in the schema of Ling-Coder-DPO. The chosen answer was seen to be right and the rejected one to be
wrong, by running both in a sandbox when the questions were made and once more when the pairs were.

- `execution_prediction`: chosen is the value that the call returned; rejected is what a faulty version of the function
  returned for the same call, or another value that this function returns for other arguments.
- `code_repair` and `docstring_to_code`: chosen is the author's function, which passes the check; rejected is a faulty
  version, which fails it.

Two answers as near as `max_pair_similarity` are no pair, nor is a value of another type where the code makes the type
plain. The splits are those of the input: functions and their near-duplicates are never on both sides. The training
pairs are about functions of which `sft` asks nothing: each builder takes whole clusters, by the same hash.
"""
