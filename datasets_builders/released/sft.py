"""Section 3.2.3 (supervised fine-tuning): the SFT dataset, a chosen part of the question-answer pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from datasets_builders.building import BuilderConfig, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.released.figures import figures_section
from datasets_builders.released.selection import LimitKinds, SelectRows
from datasets_builders.released.shares import PREFERENCE_FRACTION, ShareOfQuestions
from datasets_builders.released.synthetic_qa import COLUMNS, question_features
from datasets_builders.synthesis.program_analysis.questions import KINDS

if TYPE_CHECKING:
    from datasets import Features


@dataclass
class SFTConfig(BuilderConfig):
    """Fields of `sft`."""

    input: str = field(default="", metadata={"help": "folder of a synthetic_qa dataset"})
    kinds: list[str] = field(default_factory=lambda: list(KINDS), metadata={"help": "kinds of questions to take"})
    max_rows: dict[str, int] = field(
        default_factory=dict, metadata={"help": "most training rows of a kind; a kind not named is taken whole"}
    )
    max_chars: int = field(default=6000, metadata={"help": "longest question and answer together, in characters"})
    preference_fraction: float = field(
        default=PREFERENCE_FRACTION,
        metadata={"help": "part of the functions whose training questions sft leaves to dpo; the same for both"},
    )

    def validate(self) -> None:
        """Check ranges and names of kinds."""
        super().validate()
        for name, kinds in (("kinds", self.kinds), ("max_rows", list(self.max_rows))):
            unknown = [kind for kind in kinds if kind not in KINDS]
            if unknown:
                raise ConfigError(f"{name} names {unknown[0]!r}, which is no kind; known: {', '.join(KINDS)}")
        if not self.kinds:
            raise ConfigError(f"kinds is empty; give some of {', '.join(KINDS)}")
        if self.max_chars < 1:
            raise ConfigError(f"max_chars is {self.max_chars}, but must be at least 1")
        if any(count < 0 for count in self.max_rows.values()):
            raise ConfigError(f"max_rows is {self.max_rows}, but its numbers must be at least 0")
        if not 0 <= self.preference_fraction <= 1:
            raise ConfigError(f"preference_fraction is {self.preference_fraction}, but must be from 0 to 1")


class SFTBuilder(DerivedBuilder[SFTConfig]):
    """Chat examples for supervised fine-tuning; the split of the input, by clusters of functions, is kept.

    Source: paper 3.2.3; the released schema; the choice of rows is ours.
    """

    name: ClassVar[str] = "sft"
    summary: ClassVar[str] = "chat examples with a split held out by function"
    config_class: ClassVar[type[BuilderConfig]] = SFTConfig
    input_builder: ClassVar[str] = "synthetic_qa"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "kind"

    @property
    def features(self) -> Features:
        """Columns of the dataset: those of its input."""
        return question_features()

    def stages(self) -> list[Stage]:
        """Choose questions by kind and length, then limit the number of each kind."""
        config = self.config
        return [
            Stage(
                "select",
                [
                    ReadRows(self.input_paths, id_column="mid", text_column=None),
                    SelectRows(config.kinds, config.max_chars),
                    ShareOfQuestions("sft", config.preference_fraction, config.seed),
                ],
                tasks=config.num_tasks,
            ),
            Stage("limit", [LimitKinds(config.max_rows)], tasks=1),
        ]

    @property
    def input_paths(self) -> list[str]:
        """The dataset of questions."""
        return [self.config.input]

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="SFT: chat examples with verified answers",
            description=_DESCRIPTION,
            license=self.license,
            columns=COLUMNS,
            tags=["code"],
            sections={"Figures": figures_section(self.output_folder)},
        )


_DESCRIPTION = """
A chat-formatted part of a SyntheticQA dataset: one question and one answer a row, in the schema of Ling-Coder-SFT.

The `validation` split holds out whole functions with their near-duplicates: no function and no cluster has rows in both
splits. Its `execution_prediction` rows (`code`, `call`, `answer`) are the held-out evaluation task. What is held out is
the questions: a model pre-trained on the files of the input has seen the functions themselves.
"""
