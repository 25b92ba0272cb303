"""Sections 2.1 and 2.2: what builders of source code share: their sources, and the curation of each file."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from datasets_builders.building.builder import Builder
from datasets_builders.building.card import LARGEST_COUNT_TABLE, SEVERAL_LICENSES
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import file_sha256
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Step
from datasets_builders.curation.decontamination.benchmark_index import BenchmarkIndex, Decontamination
from datasets_builders.curation.deduplication.near import NearDedup, SignatureWriter, find_clusters
from datasets_builders.curation.license_filter import LicenseFilter
from datasets_builders.curation.quality.quality_model import QualityScore, read_description
from datasets_builders.curation.quality.scorers import ModelScores, Scorer, read_scorers, scorers_fingerprint
from datasets_builders.curation.rules.code_rules import RuleLimits
from datasets_builders.curation.rules.steps import CodeRules
from datasets_builders.curation.sanitization.personal_data import Sanitising
from datasets_builders.curation.sanitization.toxicity import Toxicity, ToxicityLimits
from datasets_builders.languages.detection import languages_of_type
from datasets_builders.source_code.config import CodeCorpusConfig, protected_data
from datasets_builders.sources.entry import Source
from datasets_builders.sources.folder_config import (
    ALWAYS_EXCLUDED,
    check_folder,
    exclusions,
    folder_source,
    repository_name,
)
from datasets_builders.sources.folders import FolderSource
from datasets_builders.sources.licenses import license_type
from datasets_builders.sources.opening import open_sources


class CodeCorpusBuilder(Builder):
    """Base of the builders that read and curate code files of any sources."""

    text_column = "content"
    counted_column = "language"

    @property
    def code(self) -> CodeCorpusConfig:
        """The config, by its own type."""
        return cast(CodeCorpusConfig, self.config)

    @property
    def stage_folder(self) -> Path:
        """Where stages keep what they leave for the next one."""
        return self.output_folder / ".build" / "stages"

    def curation(self, after_syntax: list[Step], syntax: Step) -> list[Step]:
        """Return the steps of Figure 2 that judge one file at a time, behind the reader.

        Args:
            after_syntax: steps between the syntax check and the quality model.
            syntax: the syntax check.
        """
        config = self.code
        model = Path(config.quality_model).expanduser()
        return [
            LicenseFilter(config.license_types, config.allowed_licenses),
            CodeRules(RuleLimits(**config.rule_limits), config.skipped_rules),
            Sanitising(),
            syntax,
            *self._toxicity(),
            *after_syntax,
            *([QualityScore(model, config.min_quality)] if config.quality_model else []),
            *([Decontamination(self._index_file)] if protected_data(config).names else []),
        ]

    def _toxicity(self) -> list[Step]:
        config = self.code
        if not config.judges_toxicity:
            return []
        model = Path(config.toxicity_model).expanduser() if config.toxicity_model else None
        limits = ToxicityLimits(**config.toxicity_limits)
        return [Toxicity(self._word_lists, model, config.toxicity_labels, limits, languages_of_type("prose"))]

    @property
    def _word_lists(self) -> list[Path]:
        return [Path(one).expanduser() for one in self.code.toxicity_words]

    @property
    def _index_file(self) -> Path:
        return self.stage_folder / "decontamination.npz"

    def prepare_curation(self) -> Callable[[], None] | None:
        """Return what must run before the stage with `curation`, or None."""
        if not protected_data(self.code).names:
            return None
        return lambda: self.benchmark_index.save(self._index_file)

    def near_deduplication(self, num_tasks: int, batch_size: int = SignatureWriter.batch_size) -> tuple[Step, Stage]:
        """Return the last step of the stage before, and the stage that keeps the best of near-duplicates."""
        folder, threshold = self.stage_folder / "signatures", self.code.near_dedup_threshold
        return SignatureWriter(folder, batch_size), Stage(
            "near_deduplicate",
            [NearDedup(folder)],
            tasks=num_tasks,
            before=lambda: find_clusters(folder, num_tasks, threshold),
        )

    @cached_property
    def scorers(self) -> list[Scorer]:
        """The models that score files, found."""
        return [Scorer.found(one) for one in read_scorers(self.code.scorers)]

    def scoring(self) -> list[Step]:
        """Return the steps by which models score files."""
        return [ModelScores(one) for one in self.scorers]

    def score_descriptions(self) -> dict[str, str]:
        """Return the columns of scores with what they hold, for the card."""
        told = [one.describe() for one in self.scorers for _ in one.fields.columns]
        return dict(zip(self.code.score_columns, told, strict=True))

    @cached_property
    def benchmark_index(self) -> BenchmarkIndex:
        """The texts that the dataset is kept clear of."""
        return protected_data(self.code).index()

    def check(self) -> None:
        """Raise `ConfigError` when there is nothing to read, or nothing to score with."""
        config = self.code
        self.scoring()  # finding the models finds what is missing
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
        config = self.code
        if not config.sources:
            return [folder_source(config, self.output_folder)]
        return open_sources(config.sources, self.left_out, config.max_bytes, config.columns, config.license)

    @property
    def left_out(self) -> list[str]:
        """Patterns of what is not read."""
        config = self.code
        return [*ALWAYS_EXCLUDED, *config.exclude] if config.sources else exclusions(config, self.output_folder)

    @property
    def title(self) -> str:
        """What the data are called on the card."""
        if not self.code.sources:
            return repository_name(self.code)
        return self.sources[0].repository if len(self.sources) == 1 else f"{len(self.sources)} sources"

    @property
    def clean_of(self) -> str:
        """What the data were decontaminated against, for the card."""
        return ", ".join(protected_data(self.code).names)

    def inputs(self) -> list[str]:
        """Return the sources, what is left out of them, and what is kept out."""
        return [
            *(source.describe() for source in self.sources),
            f"left out: {', '.join(self.left_out)}",
            f"decontaminated against: {self.clean_of or 'nothing, as asked for'}",
        ]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return what identifies the sources, the lists and the model, and the protected texts, as hashes.

        Raises:
            ConfigError: a benchmark that the config names cannot be read.
        """
        config = self.code
        found: dict[str, Any] = {"sources": [source.fingerprint() for source in self.sources]}
        if config.opt_out_file:
            found["opt_out_sha256"] = file_sha256(Path(config.opt_out_file).expanduser())
        if config.language_tie_break:
            found[config.language_tie_break] = version(config.language_tie_break)
        if config.toxicity_words:
            found["toxicity_words_sha256"] = [file_sha256(path) for path in self._word_lists]
        if config.toxicity_model:
            found["toxicity_model_sha256"] = file_sha256(Path(config.toxicity_model).expanduser())
        if config.quality_model:
            found["quality_model_sha256"] = read_description(Path(config.quality_model).expanduser()).sha256
        scores = {"scorers": scorers_fingerprint(self.scorers)} if self.scorers else {}
        return found | {"benchmarks_sha256": self.benchmark_index.sha256()} | scores

    def license_of_card(self) -> tuple[str, str]:
        """Return the licence of all rows, `SEVERAL_LICENSES` for several, and a table of licences as Markdown."""
        licenses = count_values(self.output_folder / "data", "license")
        return next(iter(licenses)) if len(licenses) == 1 else SEVERAL_LICENSES, licence_table(licenses)


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
    lines = ["| licence | type | rows |", "| --- | --- | ---: |"]
    shown = list(licenses.items())[:LARGEST_COUNT_TABLE]
    lines += [f"| {name} | {license_type(name)} | {count:,} |" for name, count in shown]
    rest = len(licenses) - len(shown)
    return "\n".join(lines) + (f"\n\nand {rest} more" if rest else "")
