"""Sections 2.1 and 2.2.1: file-level source code, from a folder to deduplicated, decontaminated, sanitised rows."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from datatrove.data import Document

from datasets_builders.building.builder import Builder, Stage
from datasets_builders.building.card import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Outcome, Removed
from datasets_builders.curation.code_steps import CodeRules, SyntaxCheck
from datasets_builders.curation.decontamination import BenchmarkIndex, Decontamination
from datasets_builders.curation.exact_dedup import ExactDedup
from datasets_builders.curation.folder_reader import FolderReader, folder_fingerprint
from datasets_builders.curation.near_dedup import THRESHOLD, NearDedup, SignatureWriter, find_clusters
from datasets_builders.curation.personal_data import Sanitising
from datasets_builders.curation.protected_data import ProtectedData
from datasets_builders.curation.rules import CODE_RULES, RuleLimits
from datasets_builders.source_code.folder import (
    FolderConfig,
    check_folder,
    exclusions,
    input_folder,
    license_name,
    repository_name,
)
from datasets_builders.source_code.languages import (
    TYPES,
    candidates_of_name,
    is_wanted,
    language_of,
    language_of_shebang,
    type_of_language,
)

if TYPE_CHECKING:
    from datasets import Features

ID_CHARACTERS = 32


def content_id(content: str) -> str:
    """Return the id of a file: the first 32 hex digits of the SHA-256 of its content.

    Source: ours.
    """
    return hashlib.sha256(content.encode("utf-8")).hexdigest()[:ID_CHARACTERS]


@dataclass
class SourceCodeConfig(FolderConfig):
    """Configuration of `source_code`.

    Source: ours.
    """

    language_types: list[str] = field(
        default_factory=lambda: ["programming", "markup"],
        metadata={"help": "of Linguist's: programming (with SQL), markup, data, prose"},
    )
    languages: list[str] = field(
        default_factory=list, metadata={"help": "only these, by Linguist's names; empty: all of language_types"}
    )

    rule_limits: dict[str, float] = field(
        default_factory=dict, metadata={"help": "instead of the defaults in curation/rules.py: {max_lines: 5000}"}
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
        default=THRESHOLD, metadata={"help": "least Jaccard similarity of files that are near-duplicates"}
    )
    skipped_rules: list[str] = field(default_factory=list, metadata={"help": "rules that are not applied"})

    def validate(self) -> None:
        """Check names."""
        super().validate()
        protected_data(self).check()
        if not 0 < self.near_dedup_threshold <= 1:
            raise ConfigError(f"near_dedup_threshold is {self.near_dedup_threshold}, but must be in (0, 1]")
        for kind, given, known in (
            ("rule_limits", self.rule_limits, vars(RuleLimits())),
            ("skipped_rules", self.skipped_rules, CODE_RULES),
        ):
            for name in given:
                if name not in known:
                    raise ConfigError(f"{kind}: unknown {name!r}; known: {', '.join(known)}")
        for name in self.language_types:
            if name not in TYPES:
                raise ConfigError(f"language_types: unknown {name!r}; known: {', '.join(TYPES)}")
        for name in self.languages:
            if type_of_language(name) is None:
                raise ConfigError(f"languages: Linguist knows no {name!r}; names are such as 'C++', 'C#', 'Shell'")


def protected_data(config: SourceCodeConfig) -> ProtectedData:
    """Return what the dataset is kept clear of."""
    return ProtectedData(config.decontaminate, config.decontaminate_with, config.benchmarks_dir)


class CodeReader(FolderReader):
    """Read the code files of a folder, removing what is no code, empty, binary, too large or unreadable.

    Source: paper 2.2.1; the limits are ours.
    """

    name = "read_code"

    def __init__(self, config: SourceCodeConfig, exclude: list[str]) -> None:
        super().__init__(input_folder(config), exclude, config.max_bytes)
        self.repository = repository_name(config)
        self.license = license_name(config)
        self.language_types, self.languages = config.language_types, config.languages

    def is_wanted(self, language: str) -> bool:
        """Return whether files of a language are read."""
        return is_wanted(language, self.language_types, self.languages)

    def kind_of(self, relative: str, head: bytes | None) -> str | None:
        """Return a language that the file may be of, or None."""
        if head is None:
            return next(filter(self.is_wanted, candidates_of_name(relative)), None)
        language = language_of_shebang(head.decode("utf-8", "replace"))
        return language if language and self.is_wanted(language) else None

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Read one file and fill in its columns."""
        for outcome in super().process(doc):
            if isinstance(outcome, Document):
                path = outcome.metadata["path"]
                language = language_of(path, outcome.text)
                if language is None:
                    yield Removed(outcome, "ambiguous_language", ", ".join(candidates_of_name(path)))
                    continue
                if not self.is_wanted(language):
                    yield Removed(outcome, "other_kind_of_file", language)
                    continue
                outcome.id = content_id(outcome.text)
                outcome.metadata = {
                    "path": path,
                    "repository": self.repository,
                    "language": language,
                    "license": self.license,
                }
            yield outcome


class SourceCodeBuilder(Builder):
    """Code files of a folder.

    Source: paper 2.1 and 2.2.1; repositories are another builder's work.
    """

    name = "source_code"
    summary = "code files of a folder: language, rules, decontamination, sanitising, exact and near-deduplication"
    config_class = SourceCodeConfig
    text_column = "content"
    counted_column = "language"

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, Value

        text, number, fraction = Value("string"), Value("int64"), Value("float64")
        return Features(
            {
                "id": text,
                "content": text,
                "path": text,
                "repository": text,
                "language": text,
                "license": text,
                "num_bytes": number,
                "num_lines": number,
                "comment_fraction": fraction,
                "error_fraction": fraction,
                "effective_lines": number,
                "num_functions": number,
                "max_nesting": number,
                "num_placeholders": number,
                "cluster_size": number,
            }
        )

    def stages(self) -> list[Stage]:
        """Read and filter each file; let equal files meet and keep one of each; then the best of near-duplicates."""
        folder = self.output_folder / ".build" / "stages" / "signatures"
        index = self.output_folder / ".build" / "stages" / "decontamination.npz"
        config = cast(SourceCodeConfig, self.config)
        reader = CodeReader(config, exclusions(config, self.output_folder))
        rules = CodeRules(RuleLimits(**config.rule_limits), config.skipped_rules)
        clean = [Decontamination(index)] if protected_data(config).names else []
        return [
            Stage(
                "filter",
                [reader, rules, Sanitising(), SyntaxCheck(), *clean],
                tasks=config.num_tasks,
                before=(lambda: self.benchmark_index.save(index)) if clean else None,
            ),
            Stage("deduplicate", [ExactDedup(), SignatureWriter(folder)], tasks=config.num_tasks),
            Stage(
                "near_deduplicate",
                [NearDedup(folder)],
                tasks=config.num_tasks,
                before=partial(find_clusters, folder, config.num_tasks, config.near_dedup_threshold),
            ),
        ]

    @cached_property
    def benchmark_index(self) -> BenchmarkIndex:
        """The texts that the dataset is kept clear of."""
        return protected_data(cast(SourceCodeConfig, self.config)).index()

    def check(self) -> None:
        """Raise `ConfigError` when there is no folder to read."""
        check_folder(cast(SourceCodeConfig, self.config), self.output_folder)

    def inputs(self) -> list[str]:
        """Return the folder and what is left out of it."""
        config = cast(SourceCodeConfig, self.config)
        return [
            f"{repository_name(config)}: {input_folder(config)}",
            f"left out: {', '.join(exclusions(config, self.output_folder))}",
            f"decontaminated against: {', '.join(protected_data(config).names) or 'nothing, as asked for'}",
        ]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the folder's names, sizes and times of change as a hash, and that of the protected texts.

        Raises:
            ConfigError: a benchmark that the config names cannot be read.
        """
        config = cast(SourceCodeConfig, self.config)
        found = folder_fingerprint(input_folder(config), exclusions(config, self.output_folder))
        return found | {"benchmarks_sha256": self.benchmark_index.sha256()}

    def card(self) -> CardParts:
        """Return the card's text."""
        config = cast(SourceCodeConfig, self.config)
        return CardParts(
            title=f"Source code of {repository_name(config)}",
            description=(
                f"Code files of {repository_name(config)}, one per row, after the rules, a syntax check and exact and "
                "near-deduplication (sections 2.1 and 2.2.1 of arXiv 2503.17793). Decontaminated against: "
                f"{', '.join(protected_data(config).names) or 'nothing, as the config asks for'}."
            ),
            license=license_name(config),
            tags=["code"],
            columns={
                "id": "first 32 hex digits of the SHA-256 of the file",
                "content": "the file; e-mail addresses, public IP addresses and secrets are placeholders",
                "path": "path below the input folder; of equal files the smallest",
                "repository": "name of the code base",
                "language": "programming language, by name, extension or first line",
                "license": "licence of the input (SPDX name)",
                "num_bytes": "size in UTF-8",
                "num_lines": "lines",
                "comment_fraction": "bytes in comments over all; null, as the next four, without a grammar",
                "error_fraction": "bytes that the grammar cannot understand over all",
                "effective_lines": "lines that are neither blank nor comment alone",
                "num_functions": "functions, methods and closures",
                "max_nesting": "blocks within blocks",
                "num_placeholders": "different values that were replaced",
                "cluster_size": "near-duplicates that this file stands for, itself included",
            },
        )
