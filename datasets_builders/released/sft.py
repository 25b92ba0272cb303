"""Section 3.2.3 (supervised fine-tuning): the SFT dataset: questions of ours and conversations of other datasets.

Read top to bottom: rows are read in any format, brought into one, chosen, deduplicated, and balanced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from datatrove.data import Document

from datasets_builders.building import BuildResult, CardParts, ConfigError, Stage
from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.building.rows_page import NUM_SAMPLES, write_rows_page
from datasets_builders.curation.config import (
    DecontaminationFields,
    NearDedupFields,
    QualityFields,
    SemanticDedupFields,
    ToxicityFields,
)
from datasets_builders.curation.pipeline import Curation
from datasets_builders.released.chat_normalization import CONVERSATION, ReadConversations, chat_columns
from datasets_builders.released.figures import figures_section, ratio_section
from datasets_builders.released.pictures import pictures_section
from datasets_builders.released.row_sources import CATEGORIES, ReadDatasets, RowSource, read_sources
from datasets_builders.released.selection import Balance, Quotas, SelectRows
from datasets_builders.released.shares import PREFERENCE_FRACTION, ShareOfQuestions
from datasets_builders.released.synthetic_qa import COLUMNS as QUESTION_COLUMNS
from datasets_builders.released.synthetic_qa import question_features
from datasets_builders.synthesis.program_analysis.questions import KINDS

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = QUESTION_COLUMNS | {
    "mid": "content hash of the row, 32 hex digits",
    "messages": "turns of user and assistant, a system prompt before them or none",
    "tags": "the kind of question, or what the source says",
    "kind": f"{CONVERSATION} for rows of other datasets, else the kind of question; the columns of questions are empty "
    "in conversations",
    "license": "licence of the file that the function stands in, or of the source",
    "parents": "id of the row in its source; of questions id of the function and of its file",
    "source": "name of the dataset that the row is from",
    "category": "code, general or math",
    "num_turns": "answers",
    "prompt_chars": "characters of all that is not an answer",
    "answer_chars": "characters of the answers",
    "cluster_size": "near-duplicates that this conversation stands for, itself included",
    "split": "train or validation",
}

# Drawn by value in the card.
DRAWN_COLUMNS = ("kind", "category", "source", "languages", "tags")


@dataclass
class SFTConfig(SemanticDedupFields, NearDedupFields, DecontaminationFields, QualityFields, ToxicityFields):
    """Fields of `sft`."""

    input: str = field(default="", metadata={"help": "folder of a synthetic_qa dataset; may be empty with sources"})
    sources: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={
            "help": "other datasets, such as [{dataset: ORG/NAME, category: math, max_rows: 1000}]; see the README"
        },
    )
    kinds: list[str] = field(default_factory=lambda: list(KINDS), metadata={"help": "kinds of questions to take"})
    max_rows: dict[str, int] = field(
        default_factory=dict, metadata={"help": "most training rows of a kind; a kind not named is taken whole"}
    )
    max_chars: int = field(default=6000, metadata={"help": "longest row, all messages together, in characters"})
    ratio: dict[str, float] = field(
        default_factory=lambda: dict(zip(CATEGORIES, (3.0, 1.0, 1.0), strict=True)),
        metadata={"help": "ratio of the training rows of code, general and math; {} keeps all"},
    )
    language_rows: dict[str, int] = field(
        default_factory=dict, metadata={"help": "most training rows of a programming language"}
    )
    tag_rows: dict[str, int] = field(default_factory=dict, metadata={"help": "most training rows of a tag"})
    max_language_fraction: float = field(
        default=1.0, metadata={"help": "largest part of the training rows that one programming language may be"}
    )
    max_tag_fraction: float = field(
        default=1.0, metadata={"help": "largest part of the training rows that one tag may be"}
    )
    max_answers_per_prompt: int = field(
        default=0, metadata={"help": "most training rows that ask the same; 0 for no limit"}
    )
    source_validation_fraction: float = field(
        default=0.0, metadata={"help": "part of the rows of sources that goes into validation"}
    )
    preference_fraction: float = field(
        default=PREFERENCE_FRACTION,
        metadata={"help": "part of the functions whose training questions sft leaves to dpo; the same for both"},
    )

    limited_columns: ClassVar[tuple[str, ...]] = ("num_turns", "prompt_chars", "answer_chars")

    def validate(self) -> None:
        """Check ranges and names."""
        super().validate()
        read_sources(self.sources)
        for name, kinds in (("kinds", self.kinds), ("max_rows", list(self.max_rows))):
            unknown = [kind for kind in kinds if kind not in KINDS]
            if unknown:
                raise ConfigError(f"{name} names {unknown[0]!r}, which is no kind; known: {', '.join(KINDS)}")
        if not self.kinds:
            raise ConfigError(f"kinds is empty; give some of {', '.join(KINDS)}")
        if self.max_chars < 1:
            raise ConfigError(f"max_chars is {self.max_chars}, but must be at least 1")
        if self.max_answers_per_prompt < 0:
            raise ConfigError(f"max_answers_per_prompt is {self.max_answers_per_prompt}, but must be at least 0")
        for name in ("max_rows", "language_rows", "tag_rows", "ratio"):
            if any(count < 0 for count in getattr(self, name).values()):
                raise ConfigError(f"{name} is {getattr(self, name)}, but its numbers must be at least 0")
        if unknown := sorted(set(self.ratio) - set(CATEGORIES)):
            raise ConfigError(f"ratio names {unknown[0]!r}; categories are {', '.join(CATEGORIES)}")
        for name in ("max_language_fraction", "max_tag_fraction"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be above 0 and at most 1")
        for name in ("preference_fraction", "source_validation_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be from 0 to 1")

    def quotas(self) -> Quotas:
        """Return the limits of the balance."""
        sources = {source.name: source.max_rows for source in read_sources(self.sources) if source.max_rows}
        return Quotas(
            sources=sources,
            kinds=self.max_rows,
            languages=self.language_rows,
            tags=self.tag_rows,
            max_language_fraction=self.max_language_fraction,
            max_tag_fraction=self.max_tag_fraction,
            max_answers_per_prompt=self.max_answers_per_prompt,
            ratio=self.ratio,
        )


class SFTBuilder(DerivedBuilder[SFTConfig]):
    """Chat examples for supervised fine-tuning; the split of the questions, by clusters of functions, is kept.

    Source: paper 3.2.3 for sources, their ratio and the order of the filters; the released schema.
    """

    name: ClassVar[str] = "sft"
    summary: ClassVar[str] = "chat examples of code, general language and math, with a held-out split"
    config_class: ClassVar[type[BuilderConfig]] = SFTConfig
    input_builder: ClassVar[str] = "synthetic_qa"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "kind"

    def __init__(self, config: SFTConfig) -> None:
        super().__init__(config)
        # Questions are decontaminated where they are made: without other datasets there is nothing to compare.
        compared = config if config.sources else replace(config, decontaminate=[], decontaminate_with=[])
        self.curation = Curation(compared, self.output_folder)

    @cached_property
    def sources(self) -> list[RowSource]:
        """The other datasets."""
        return read_sources(self.config.sources)

    @property
    def features(self) -> Features:
        """Columns of the dataset: those of questions, then those of conversations and the scores."""
        from datasets import Features, Value

        text, number, fraction = Value("string"), Value("int64"), Value("float64")
        columns = dict(question_features()) | {"source": text, "category": text}
        columns |= dict.fromkeys(("num_turns", "prompt_chars", "answer_chars", "cluster_size"), number)
        return Features(columns | {"split": text} | dict.fromkeys(self.config.score_columns, fraction))

    def stages(self) -> list[Stage]:
        """Read rows into one form and choose; keep one of equal, alike and like-meaning rows; score and balance."""
        config = self.config
        curation = self.curation.of(CONVERSATION)
        empty = {name: empty_value(kind) for name, kind in question_features().items()}
        held_out, finds_prose = config.source_validation_fraction, config.judges_toxicity
        reads = ReadConversations(self.sources, empty, held_out, config.seed, finds_prose)
        empty |= dict.fromkeys(config.score_columns)  # questions are not scored
        return [
            Stage(
                "read",
                [
                    ReadDatasets(self.input_paths, self.sources, CONVERSATION, _Complete(config.input, empty)),
                    reads.only_for(CONVERSATION),
                    SelectRows(config.kinds, config.max_chars),
                    ShareOfQuestions("sft", config.preference_fraction, config.seed),
                    *curation.toxicity(),
                    *curation.metric_limits(),
                    *curation.quality(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
                before=self.curation.index_benchmarks,
            ),
            Stage("deduplicate", [*self.curation.exact_dedup(), *curation.signatures()], tasks=config.num_tasks),
            Stage(
                "near_deduplicate",
                [*curation.near_dedup(), *curation.scores(), *curation.score_limits()],
                tasks=config.num_tasks,
                before=self.curation.find_clusters,
            ),
            Stage("balance", [*curation.semantic_dedup(), Balance(config.quotas(), config.seed)], tasks=1),
        ]

    @property
    def input_paths(self) -> list[str]:
        """The dataset of questions, where there is one."""
        return [self.config.input] if self.config.input or not self.config.sources else []

    @property
    def license(self) -> str:
        """The licence that the config states, else the licences of all inputs together, as an SPDX expression."""
        if self.config.license:
            return self.config.license
        stated = {dataset.license for dataset in self.input_datasets}
        return " AND ".join(sorted(stated | {source.license_of_dataset for source in self.sources}))

    def check(self) -> None:
        """Raise `ConfigError` when an input is not named or holds no rows, or nothing to score with is there."""
        if self.config.input or not self.config.sources:
            super().check()
        for source in self.sources:
            _ = source.files
        self.curation.inputs.check()

    def inputs(self) -> list[str]:
        """Return a line per dataset, and what is kept out."""
        lines = [f"dataset {path}" for path in self.input_paths]
        lines += [f"dataset {source.name} ({source.category}, {source.license_of_dataset})" for source in self.sources]
        return lines + (self.curation.inputs.describe() if self.sources else [])

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the inputs' shards, what identifies the sources, and lists, models and benchmarks."""
        shards = super().input_fingerprint() if self.input_paths else {}
        return shards | self.curation.inputs.fingerprint() | {"sources": [source.identity() for source in self.sources]}

    @property
    def card_title(self) -> str:
        """The heading of the card."""
        return "SFT: chat examples with verified answers" if not self.sources else "SFT: chat examples"

    def run(self) -> BuildResult:
        """Build the dataset and write a page of its rows beside it."""
        result = super().run()
        write_rows_page(
            DatasetFolder(self.output_folder), num_rows=NUM_SAMPLES, title=self.card_title, seed=self.config.seed
        )
        return result

    def card(self) -> CardParts:
        """Return the card's text."""
        compared = self.curation.inputs.decontaminated_against if self.sources else "what their builder names"
        return CardParts(
            title=self.card_title,
            description=f"{_DESCRIPTION}\nDecontaminated against: {compared}.",
            license=self.license,
            columns=COLUMNS | self.curation.inputs.score_descriptions(),
            tags=["code"],
            usage=_USAGE,
            sections={
                "Figures": figures_section(self.output_folder),
                "Sources and their ratio": ratio_section(self.output_folder, self.config.ratio),
                "In pictures": pictures_section(self.output_folder, DRAWN_COLUMNS),
            },
        )


def empty_value(kind: Any) -> Any:
    """Return what a column of questions holds in rows that are none: no text, no items, null for a number."""
    dtype = getattr(kind, "dtype", "")
    return [] if not dtype or dtype == "list" else "" if dtype == "string" else None


class _Complete:
    """Adds to a question the columns that conversations have.

    Args:
        folder (`str`): of the questions; its name is the source.
        empty: columns of questions that an older dataset may lack, with what they hold then.
    """

    def __init__(self, folder: str, empty: Mapping[str, Any]) -> None:
        self.source, self.empty = Path(folder).name, dict(empty)

    def __call__(self, doc: Document) -> None:
        doc.metadata = self.empty | doc.metadata
        doc.metadata |= {"source": self.source, "category": "code", "cluster_size": 1}
        doc.metadata |= chat_columns(doc.metadata["messages"])


_USAGE = """
chats = dataset["train"].select_columns(["messages"])  # all that SFTTrainer of TRL and recipes/sft.py need
python = dataset["train"].filter(lambda row: "Python" in row["languages"])
"""

_DESCRIPTION = """
Chat examples in the schema of Ling-Coder-SFT: questions about code whose answers were computed (a SyntheticQA dataset),
and conversations of other datasets, brought into one form, each with the name and licence of its source.

The `validation` split holds out whole functions with their near-duplicates: no function and no cluster has rows in both
splits. Its `execution_prediction` rows (`code`, `call`, `answer`) are the held-out evaluation task. What is held out is
the questions: a model pre-trained on the files of the input has seen the functions themselves. Functions that the `dpo`
builder asks about have no training rows here.
"""
