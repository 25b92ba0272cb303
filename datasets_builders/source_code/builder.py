"""Sections 2.1 and 2.2.1: file-level source code, from any source to deduplicated, decontaminated, sanitised rows."""

from collections import Counter
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from datasets_builders.building.builder import Builder, Stage
from datasets_builders.building.card import LARGEST_COUNT_TABLE, CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.state import file_sha256
from datasets_builders.curation.code_steps import CodeRules, QualityLimits, SyntaxCheck
from datasets_builders.curation.decontamination import BenchmarkIndex, Decontamination
from datasets_builders.curation.exact_dedup import ExactDedup
from datasets_builders.curation.licenses import LicenseFilter, license_type
from datasets_builders.curation.near_dedup import NearDedup, SignatureWriter, find_clusters
from datasets_builders.curation.personal_data import Sanitising
from datasets_builders.curation.quality_model import QualityScore, read_description
from datasets_builders.curation.rules import RuleLimits
from datasets_builders.source_code.config import SourceCodeConfig, protected_data
from datasets_builders.source_code.folder import (
    ALWAYS_EXCLUDED,
    check_folder,
    exclusions,
    folder_source,
    repository_name,
)
from datasets_builders.source_code.reader import CodeReader
from datasets_builders.sources.entry import Source
from datasets_builders.sources.folders import FolderSource
from datasets_builders.sources.opening import open_sources

if TYPE_CHECKING:
    from datasets import Features


class SourceCodeBuilder(Builder):
    """Code files of any source.

    Source: paper 2.1 and 2.2.1; repositories are another builder's work.
    """

    name = "source_code"
    summary = "code files of folders, archives, git, tables or the Hub: curated and deduplicated"
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
                "license_type": text,
                "encoding": text,
                "stars": number,
                "forks": number,
                "date": text,
                "num_bytes": number,
                "num_lines": number,
                "comment_fraction": fraction,
                "error_fraction": fraction,
                "effective_lines": number,
                "num_functions": number,
                "max_nesting": number,
                "quality": fraction,
                "num_placeholders": number,
                "cluster_size": number,
            }
        )

    def stages(self) -> list[Stage]:
        """Read and filter each file; let equal files meet and keep one of each; then the best of near-duplicates."""
        folder = self.output_folder / ".build" / "stages" / "signatures"
        index = self.output_folder / ".build" / "stages" / "decontamination.npz"
        config = cast(SourceCodeConfig, self.config)
        reader = CodeReader(config, self.sources)
        license = LicenseFilter(config.license_types, config.allowed_licenses)
        rules = CodeRules(RuleLimits(**config.rule_limits), config.skipped_rules)
        limits = [QualityLimits(config.quality_limits)] if config.quality_limits else []
        score = (
            [QualityScore(Path(config.quality_model).expanduser(), config.min_quality)] if config.quality_model else []
        )
        clean = [Decontamination(index)] if protected_data(config).names else []
        return [
            Stage(
                "filter",
                [reader, license, rules, Sanitising(), SyntaxCheck(), *limits, *score, *clean],
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
        """Raise `ConfigError` when there is nothing to read."""
        config = cast(SourceCodeConfig, self.config)
        if not config.sources:
            check_folder(config, self.output_folder)
        for source in self.sources:  # opening them finds what is missing
            if config.sources and isinstance(source, FolderSource):
                root = Path(source.root).resolve()
                if self.output_folder.resolve().is_relative_to(root):
                    raise ConfigError(f"output_dir {self.output_folder} lies inside the source {root}; name another")

    @cached_property
    def sources(self) -> list[Source]:
        """What is read: the config's sources, or its folder."""
        config = cast(SourceCodeConfig, self.config)
        if not config.sources:
            return [folder_source(config, self.output_folder)]
        return open_sources(config.sources, self.left_out, config.max_bytes, config.columns, config.license)

    @property
    def left_out(self) -> list[str]:
        """Patterns of what is not read."""
        config = cast(SourceCodeConfig, self.config)
        return [*ALWAYS_EXCLUDED, *config.exclude] if config.sources else exclusions(config, self.output_folder)

    @property
    def title(self) -> str:
        """What the data are called on the card."""
        config = cast(SourceCodeConfig, self.config)
        if not config.sources:
            return repository_name(config)
        return self.sources[0].repository if len(self.sources) == 1 else f"{len(self.sources)} sources"

    def inputs(self) -> list[str]:
        """Return the folder and what is left out of it."""
        config = cast(SourceCodeConfig, self.config)
        return [
            *(source.describe() for source in self.sources),
            f"left out: {', '.join(self.left_out)}",
            f"decontaminated against: {', '.join(protected_data(config).names) or 'nothing, as asked for'}",
        ]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the folder's names, sizes and times of change as a hash, and that of the protected texts.

        Raises:
            ConfigError: a benchmark that the config names cannot be read.
        """
        config = cast(SourceCodeConfig, self.config)
        found: dict[str, Any] = {"sources": [source.fingerprint() for source in self.sources]}
        if config.opt_out_file:
            found["opt_out_sha256"] = file_sha256(Path(config.opt_out_file).expanduser())
        if config.quality_model:
            found["quality_model_sha256"] = read_description(Path(config.quality_model).expanduser()).sha256
        return found | {"benchmarks_sha256": self.benchmark_index.sha256()}

    def card(self) -> CardParts:
        """Return the card's text."""
        config = cast(SourceCodeConfig, self.config)
        licenses = count_values(self.output_folder / "data", "license")
        return CardParts(
            title=f"Source code of {self.title}",
            description=(
                f"Code files of {self.title}, one per row, after the rules, a syntax check and exact and "
                "near-deduplication (sections 2.1 and 2.2.1 of arXiv 2503.17793). Decontaminated against: "
                f"{', '.join(protected_data(config).names) or 'nothing, as the config asks for'}."
            ),
            license=next(iter(licenses)) if len(licenses) == 1 else "other",
            tags=["code"],
            columns={
                "id": "first 32 hex digits of the SHA-256 of the file",
                "content": "the file; e-mail addresses, public IP addresses and secrets are placeholders",
                "path": "path in the repository; of equal files that of the best copy",
                "repository": "name of the code base",
                "language": "programming language, by name, extension, first line or content",
                "license": "licence of the file, else of its repository (SPDX name)",
                "license_type": "permissive, non_permissive or no_license",
                "encoding": "of the file as it was read",
                "stars": "of the repository; null, as the next two, where the source does not know",
                "forks": "of the repository",
                "date": "of the last change",
                "num_bytes": "size in UTF-8",
                "num_lines": "lines",
                "comment_fraction": "bytes in comments over all; null, as the next four, without a grammar",
                "error_fraction": "bytes that the grammar cannot understand over all",
                "effective_lines": "lines that are neither blank nor comment alone",
                "num_functions": "functions, methods and closures",
                "max_nesting": "blocks within blocks",
                "quality": "probability of high quality by the quality model; null without one",
                "num_placeholders": "different values that were replaced",
                "cluster_size": "near-duplicates that this file stands for, itself included",
            },
            sections={"Licences": licence_table(licenses)},
        )


def count_values(folder: Path, column: str) -> dict[str, int]:
    """Return the values of a column of the finished shards with their counts, most frequent first."""
    import pyarrow.parquet as pq

    counts: Counter[str] = Counter()
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as shard:
            for batch in shard.iter_batches(columns=[column]):
                counts.update(batch.column(0).to_pylist())
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def licence_table(licenses: Mapping[str, int]) -> str:
    """Return licences and their types as Markdown."""
    lines = ["| licence | type | files |", "| --- | --- | ---: |"]
    shown = list(licenses.items())[:LARGEST_COUNT_TABLE]
    lines += [f"| {name} | {license_type(name)} | {count:,} |" for name, count in shown]
    rest = len(licenses) - len(shown)
    return "\n".join(lines) + (f"\n\nand {rest} more" if rest else "")
