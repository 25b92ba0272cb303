"""Sections 2.1 and 2.2.1: what a user may set for source code, and for its files one by one."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from datasets_builders.building.errors import ConfigError
from datasets_builders.curation.decontamination.protected_data import ProtectedData
from datasets_builders.curation.deduplication.near import THRESHOLD
from datasets_builders.curation.quality.scorers import read_scorers
from datasets_builders.curation.rules.code_rules import CODE_RULES, RuleLimits
from datasets_builders.curation.sanitization.toxicity import ToxicityLimits
from datasets_builders.languages.detection import TYPES, language_named, type_of_language
from datasets_builders.languages.tie_break import check_tie_break
from datasets_builders.sources.folder_config import FolderConfig
from datasets_builders.sources.licenses import LICENSE_TYPES, spdx_expression
from datasets_builders.sources.opening import FORMS

REPOSITORY_FILES = "repository_files"  # limited like a column; counted for that alone


@dataclass
class CodeCorpusConfig(FolderConfig):
    """Fields of the builders that curate code of any sources.

    Source: ours.
    """

    sources: list[str] = field(default_factory=list, metadata={"help": f"instead of input_dir, each one of: {FORMS}"})
    columns: dict[str, str] = field(
        default_factory=dict, metadata={"help": "of tables, where they are named otherwise: {content: body}"}
    )
    opt_out_file: str = field(
        default="", metadata={"help": "text file of repositories (owner/name) and owners whose files are removed"}
    )
    license_types: list[str] = field(
        default_factory=lambda: ["permissive", "no_license"],
        metadata={"help": "of permissive, non_permissive, no_license: what is kept"},
    )
    allowed_licenses: list[str] = field(
        default_factory=list, metadata={"help": "SPDX names that are kept whatever their type: [MPL-2.0]"}
    )
    language_types: list[str] = field(
        default_factory=lambda: ["programming", "markup"],
        metadata={"help": "of Linguist's: programming (with SQL), markup, data, prose"},
    )
    languages: list[str] = field(
        default_factory=list, metadata={"help": "only these, by Linguist's names; empty: all of language_types"}
    )
    language_tie_break: str = field(
        default="", metadata={"help": "magika: asked where the rules leave several languages; empty: such files end"}
    )

    rule_limits: dict[str, float] = field(
        default_factory=dict,
        metadata={"help": "instead of the defaults of curation/rules: {max_lines: 5000}"},
    )
    decontaminate: list[str] = field(
        default_factory=lambda: ["all"],
        metadata={"help": "benchmarks whose texts must not be in the data: all, names, or [] for none"},
    )
    decontaminate_with: list[str] = field(
        default_factory=list, metadata={"help": "further files of texts, PATH:COLUMN (.jsonl, .json, .parquet)"}
    )
    benchmarks_dir: str = field(
        default="", metadata={"help": "folder with the benchmarks' files; empty: LING_BENCHMARKS_DIR, else the Hub"}
    )
    near_dedup_threshold: float = field(
        default=THRESHOLD, metadata={"help": "least Jaccard similarity of near-duplicates"}
    )
    scorers: list[dict[str, Any]] = field(
        default_factory=list,
        metadata={"help": "models that fill columns of scores: [{kind: perplexity, model: PATH}]; see the README"},
    )
    quality_limits: dict[str, list[float]] = field(
        default_factory=dict,
        metadata={"help": "high-quality filter, column: [least, most], such as {comment_fraction: [0.01, 0.8]}"},
    )
    quality_model: str = field(default="", metadata={"help": "folder that train-quality-model made; fills `quality`"})
    min_quality: float = field(default=0.0, metadata={"help": "with quality_model: files below are removed"})
    toxicity_words: list[str] = field(
        default_factory=list, metadata={"help": "files with a toxic word or phrase per line, for comments and strings"}
    )
    toxicity_model: str = field(default="", metadata={"help": "fastText classifier of comments and strings"})
    toxicity_labels: list[str] = field(
        default_factory=list, metadata={"help": "labels of toxicity_model that mean toxic: [toxic]"}
    )
    toxicity_limits: dict[str, float] = field(
        default_factory=dict, metadata={"help": "{hits: 3, fraction: 0.01, probability: 0.5}: what a file must reach"}
    )
    skipped_rules: list[str] = field(default_factory=list, metadata={"help": "rules that are not applied"})

    # Before the names of the columns of scores: in rows of many files they are means.
    score_prefix: ClassVar[str] = ""
    limited_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def judges_toxicity(self) -> bool:
        """Whether comments and strings are looked at."""
        return bool(self.toxicity_words or self.toxicity_model)

    def validate(self) -> None:
        """Check names."""
        super().validate()
        protected_data(self).check()
        if not 0 < self.near_dedup_threshold <= 1:
            raise ConfigError(f"near_dedup_threshold is {self.near_dedup_threshold}, but must be in (0, 1]")
        for kind, given, known in (
            ("rule_limits", self.rule_limits, vars(RuleLimits())),
            ("toxicity_limits", self.toxicity_limits, vars(ToxicityLimits())),
            ("skipped_rules", self.skipped_rules, CODE_RULES),
        ):
            for name in given:
                if name not in known:
                    raise ConfigError(f"{kind}: unknown {name!r}; known: {', '.join(known)}")
        ToxicityLimits(**self.toxicity_limits).check()
        if bool(self.toxicity_model) != bool(self.toxicity_labels):
            raise ConfigError("toxicity_model and toxicity_labels belong together: name the model and its toxic labels")
        if self.sources and (self.input_dir or self.repository):
            raise ConfigError("sources and input_dir (or repository) are both set; put the folder among the sources")
        if self.min_quality and not self.quality_model:
            raise ConfigError(f"min_quality is {self.min_quality}, but no quality_model is set to compare with it")
        limited_columns = [*self.limited_columns, *self.score_columns]
        for name, limits in self.quality_limits.items():
            if name not in limited_columns:
                raise ConfigError(f"quality_limits: unknown column {name!r}; known: {', '.join(limited_columns)}")
            if len(limits) != 2 or not limits[0] <= limits[1]:
                raise ConfigError(f"quality_limits: {name} is {limits}, but must be [least, most]")
        if self.columns and not self.sources:
            raise ConfigError("columns are those of tables among the sources, of which there are none")
        for name in self.license_types:
            if name not in LICENSE_TYPES:
                raise ConfigError(f"license_types: unknown {name!r}; known: {', '.join(LICENSE_TYPES)}")
        for name in self.allowed_licenses:
            if spdx_expression(name) != name:
                raise ConfigError(f"allowed_licenses: {name!r} is no SPDX name, such as MPL-2.0 or GPL-3.0-only")
        if self.language_tie_break:
            check_tie_break(self.language_tie_break)
        for name in self.language_types:
            if name not in TYPES:
                raise ConfigError(f"language_types: unknown {name!r}; known: {', '.join(TYPES)}")
        for name in self.languages:
            if type_of_language(name) is None:
                near = language_named(name)
                hint = f"did you mean {near!r}?" if near else "names are such as 'C++', 'C#', 'Shell'"
                raise ConfigError(f"languages: Linguist knows no {name!r}; {hint}")

    @property
    def score_columns(self) -> list[str]:
        """Columns that the scorers fill."""
        return [f"{self.score_prefix}{column}" for one in read_scorers(self.scorers) for column in one.columns]


@dataclass
class SourceCodeConfig(CodeCorpusConfig):
    """Configuration of `source_code`.

    Source: ours.
    """

    limited_columns: ClassVar[tuple[str, ...]] = (
        *("comment_fraction", "error_fraction", "effective_lines", "num_functions", "max_nesting"),
        *("num_bytes", "num_lines", "stars", "forks", REPOSITORY_FILES),
    )


def protected_data(config: CodeCorpusConfig) -> ProtectedData:
    """Return what the dataset is kept clear of."""
    return ProtectedData(config.decontaminate, config.decontaminate_with, config.benchmarks_dir)
