"""Section 2.1, Figure 2: what a user may set for each box of the curation; a builder's config mixes the groups in.

A group is a dataclass with its own `validate`. A config names those that it has, the last one first in `--help`:

    class WebPagesConfig(NearDedupFields, DecontaminationFields, ToxicityFields, TextRuleFields, SourcesFields): ...
"""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

from datasets_builders.building.config import BuilderConfig, ConfigPerLanguageFields
from datasets_builders.building.errors import ConfigError
from datasets_builders.curation.decontamination.protected_data import ProtectedData
from datasets_builders.curation.deduplication.near import THRESHOLD
from datasets_builders.curation.quality.scorers import read_scorers
from datasets_builders.curation.rules.code_rules import CODE_RULES, RuleLimits
from datasets_builders.curation.rules.text_rules import TEXT_RULES, TextLimits
from datasets_builders.curation.sanitization.toxicity import ToxicityLimits
from datasets_builders.languages.detection import TYPES, WantedLanguages, language_named, type_of_language
from datasets_builders.languages.tie_break import check_tie_break
from datasets_builders.sources.licenses import LICENSE_TYPES, spdx_expression


@dataclass
class LicenseFields(BuilderConfig):
    """Which licences are kept."""

    license_types: list[str] = field(
        default_factory=lambda: ["permissive", "no_license"],
        metadata={"help": "which types are kept: permissive, non_permissive, no_license"},
    )
    allowed_licenses: list[str] = field(
        default_factory=list, metadata={"help": "SPDX names that are kept whatever their type, such as [MPL-2.0]"}
    )

    def validate(self) -> None:
        """Check names."""
        super().validate()
        _check_known("license_types", self.license_types, LICENSE_TYPES)
        for name in self.allowed_licenses:
            if spdx_expression(name) != name:
                raise ConfigError(f"allowed_licenses: {name!r} is no SPDX name, such as MPL-2.0 or GPL-3.0-only")


@dataclass
class LanguageFields(ConfigPerLanguageFields):
    """Which languages are kept."""

    language_types: list[str] = field(
        default_factory=lambda: ["programming", "markup"],
        metadata={"help": "which of Linguist's types are kept: programming (with SQL), markup, data, prose"},
    )
    languages: list[str] = field(
        default_factory=list,
        metadata={"help": "the only languages that are kept, by Linguist's names; empty: all of language_types"},
    )
    language_tie_break: str = field(
        default="",
        metadata={
            "help": "what is asked where the rules leave several languages: magika; empty: such files are removed"
        },
    )

    def validate(self) -> None:
        """Check names."""
        super().validate()
        if self.language_tie_break:
            check_tie_break(self.language_tie_break)
        _check_known("language_types", self.language_types, TYPES)
        for name in self.languages:
            if type_of_language(name) is None:
                near = language_named(name)
                hint = f"did you mean {near!r}?" if near else "names are such as 'C++', 'C#', 'Shell'"
                raise ConfigError(f"languages: Linguist knows no {name!r}; {hint}")

    def wanted_languages(self) -> WantedLanguages:
        """Return what is read."""
        return WantedLanguages(tuple(self.language_types), tuple(self.languages), self.language_tie_break)


@dataclass
class RuleFields(BuilderConfig):
    """The rules for code: which are applied, and their limits."""

    rule_limits: dict[str, float] = field(
        default_factory=dict,
        metadata={"help": "limits of rules instead of their defaults, such as {max_lines: 5000}"},
    )
    skipped_rules: list[str] = field(default_factory=list, metadata={"help": "names of rules that are not applied"})

    known_rules: ClassVar[Collection[str]] = CODE_RULES
    limits_class: ClassVar[type[RuleLimits]] = RuleLimits

    def validate(self) -> None:
        """Check names."""
        super().validate()
        _check_known("rule_limits", self.rule_limits, [limit.name for limit in fields(self.limits_class)])
        _check_known("skipped_rules", self.skipped_rules, self.known_rules)

    def limits_of_code(self) -> RuleLimits:
        """Return the limits of the rules."""
        return RuleLimits(**_any(self.rule_limits))


@dataclass
class TextRuleFields(RuleFields):
    """The rules for text: which are applied, and their limits."""

    known_rules: ClassVar[Collection[str]] = TEXT_RULES
    limits_class: ClassVar[type[RuleLimits]] = TextLimits

    def limits_of_text(self) -> TextLimits:
        """Return the limits of the rules."""
        return TextLimits(**_any(self.rule_limits))


@dataclass
class ToxicityFields(BuilderConfig):
    """What counts as toxic; nothing does by default."""

    toxicity_words: list[str] = field(
        default_factory=list, metadata={"help": "files with a toxic word or phrase per line, for comments and strings"}
    )
    toxicity_model: str = field(default="", metadata={"help": "fastText classifier of comments and strings"})
    toxicity_labels: list[str] = field(
        default_factory=list, metadata={"help": "labels of toxicity_model that mean toxic, such as [toxic]"}
    )
    toxicity_limits: dict[str, float] = field(
        default_factory=dict,
        metadata={"help": "what a file must reach to be removed, such as {hits: 3, fraction: 0.01, probability: 0.5}"},
    )

    @property
    def judges_toxicity(self) -> bool:
        """Whether comments and strings are looked at."""
        return bool(self.toxicity_words or self.toxicity_model)

    @property
    def word_list_paths(self) -> list[Path]:
        """The lists of toxic words."""
        return [Path(name).expanduser() for name in self.toxicity_words]

    @property
    def toxicity_model_path(self) -> Path | None:
        """The classifier."""
        return Path(self.toxicity_model).expanduser() if self.toxicity_model else None

    def validate(self) -> None:
        """Check names and ranges, and that a model has its labels."""
        super().validate()
        _check_known("toxicity_limits", self.toxicity_limits, [limit.name for limit in fields(ToxicityLimits)])
        ToxicityLimits(**self.toxicity_limits).check()
        if bool(self.toxicity_model) != bool(self.toxicity_labels):
            raise ConfigError("toxicity_model and toxicity_labels belong together: name the model and its toxic labels")


@dataclass
class QualityFields(BuilderConfig):
    """What high quality is: limits on columns, a quality model, further scorers."""

    scorers: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={
            "help": "models that fill columns of scores, such as [{kind: perplexity, model: PATH}]; see the README"
        },
    )
    quality_limits: dict[str, list[float]] = field(
        default_factory=dict,
        metadata={"help": "column to [minimum, maximum] of what is kept, such as {comment_fraction: [0.01, 0.8]}"},
    )
    quality_model: str = field(default="", metadata={"help": "folder that train-quality-model made; fills `quality`"})
    min_quality: float = field(default=0.0, metadata={"help": "score of quality_model below which files are removed"})

    # Before the names of the columns of scores: in rows of many files they are means.
    score_prefix: ClassVar[str] = ""
    limited_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def score_columns(self) -> list[str]:
        """Columns that the scorers fill."""
        return [f"{self.score_prefix}{column}" for scorer in read_scorers(self.scorers) for column in scorer.columns]

    @property
    def quality_model_path(self) -> Path | None:
        """The folder of the quality model."""
        return Path(self.quality_model).expanduser() if self.quality_model else None

    def validate(self) -> None:
        """Check the scorers, and the columns and order of the limits."""
        super().validate()
        if self.min_quality and not self.quality_model:
            raise ConfigError(f"min_quality is {self.min_quality}, but no quality_model is set to compare with it")
        limited_columns = [*self.limited_columns, *self.score_columns]
        for name, limits in self.quality_limits.items():
            if name not in limited_columns:
                raise ConfigError(f"quality_limits: unknown column {name!r}; known: {', '.join(limited_columns)}")
            if len(limits) != 2 or not limits[0] <= limits[1]:
                raise ConfigError(f"quality_limits: {name} is {limits}, but must be [minimum, maximum]")


@dataclass
class DecontaminationFields(BuilderConfig):
    """What the dataset is kept clear of."""

    decontaminate: list[str] = field(
        default_factory=lambda: ["all"],
        metadata={"help": "benchmarks whose texts must not be in the data: all, names, or [] for none"},
    )
    decontaminate_with: list[str] = field(
        default_factory=list,
        metadata={"help": "further files of texts that must not be in the data, PATH:COLUMN (.jsonl, .json, .parquet)"},
    )
    benchmarks_dir: str = field(
        default="", metadata={"help": "folder with the benchmarks' files; empty: LING_BENCHMARKS_DIR, else the Hub"}
    )

    def validate(self) -> None:
        """Check names."""
        super().validate()
        self.protected_data().check()

    def protected_data(self) -> ProtectedData:
        """Return the benchmarks and files."""
        return ProtectedData(self.decontaminate, self.decontaminate_with, self.benchmarks_dir)


@dataclass
class NearDedupFields(BuilderConfig):
    """What near-duplicates are."""

    near_dedup_threshold: float = field(
        default=THRESHOLD, metadata={"help": "smallest Jaccard similarity of near-duplicates"}
    )
    released_before: list[str] = field(
        default_factory=list,
        metadata={
            "help": "older datasets, folders or hf://datasets/ORG/NAME: what equals their rows, or nearly, is left out"
        },
    )

    def validate(self) -> None:
        """Check the range."""
        super().validate()
        if not 0 < self.near_dedup_threshold <= 1:
            raise ConfigError(f"near_dedup_threshold is {self.near_dedup_threshold}, but must be in (0, 1]")


@dataclass
class SemanticDedupFields(BuilderConfig):
    """What is the same in meaning; nothing is compared by default."""

    semantic_encoder: str = field(
        default="",
        metadata={"help": "encoder of texts, a folder or ORG/NAME, for deduplication by meaning; empty: none"},
    )
    semantic_encoder_revision: str = field(default="", metadata={"help": "revision of an encoder on the Hub"})
    semantic_threshold: float = field(
        default=0.95, metadata={"help": "cosine similarity from which on two rows mean the same"}
    )
    semantic_max_tokens: int = field(
        default=512, metadata={"help": "tokens of the beginning of a row that are embedded"}
    )

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        if not 0 < self.semantic_threshold <= 1:
            raise ConfigError(f"semantic_threshold is {self.semantic_threshold}, but must be in (0, 1]")
        if self.semantic_max_tokens < 2:
            raise ConfigError(f"semantic_max_tokens is {self.semantic_max_tokens}, but must be at least 2")


def _check_known(name: str, given: Collection[str], known: Collection[str]) -> None:
    for value in given:
        if value not in known:
            raise ConfigError(f"{name}: unknown {value!r}; known: {', '.join(known)}")


def _any(limits: dict[str, float]) -> dict[str, Any]:
    """Return limits as arguments: those that count are whole numbers, which YAML may write either way."""
    return dict(limits)
