"""Section 2.1: what the curation reads beside documents: lists, models and benchmarks, each found once."""

from functools import cached_property
from importlib.metadata import version
from typing import Any

from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.identity import file_sha256
from datasets_builders.building.tagging import selected_from
from datasets_builders.curation.config import (
    DecontaminationFields,
    LanguageFields,
    NearDedupFields,
    QualityFields,
    SemanticDedupFields,
    ToxicityFields,
)
from datasets_builders.curation.decontamination.benchmark_index import BenchmarkIndex
from datasets_builders.curation.deduplication.released import released_tables
from datasets_builders.curation.quality.model_source import ModelSource, find_model
from datasets_builders.curation.quality.quality_model import read_description
from datasets_builders.curation.quality.scorers import Scorer, read_scorers, scorers_fingerprint
from datasets_builders.sources.table_rows import TableFile


class CurationInputs:
    """The lists, models and benchmarks that a config names.

    Args:
        config: of a builder; groups of fields that it does not have name nothing.
    """

    def __init__(self, config: BuilderConfig) -> None:
        self.config = config

    @cached_property
    def scorers(self) -> list[Scorer]:
        """The models that score documents.

        Raises:
            ConfigError: one is missing, or cannot score so.
        """
        entries = self.config.scorers if isinstance(self.config, QualityFields) else []
        return [Scorer.found(fields) for fields in read_scorers(entries)]

    @cached_property
    def encoder(self) -> ModelSource | None:
        """The encoder of deduplication by meaning; None where there is none.

        Raises:
            ConfigError: it is nowhere, or lacks weights or tokenizer.
        """
        config = self.config
        if not isinstance(config, SemanticDedupFields) or not config.semantic_encoder:
            return None
        return find_model(config.semantic_encoder, config.semantic_encoder_revision, "semantic_encoder")

    @property
    def protected_names(self) -> list[str]:
        """The benchmarks and files that the dataset is kept clear of."""
        return self.config.protected_data().names if isinstance(self.config, DecontaminationFields) else []

    @cached_property
    def benchmark_index(self) -> BenchmarkIndex:
        """Their texts.

        Raises:
            ConfigError: one cannot be read.
        """
        if isinstance(self.config, DecontaminationFields):
            return self.config.protected_data().index()
        return BenchmarkIndex.build({})

    def fingerprint(self) -> dict[str, Any]:
        """Return what identifies lists, models and benchmarks, as hashes.

        Raises:
            ConfigError: one of them cannot be read.
        """
        config, found = self.config, dict[str, Any]()
        if self.scorers:
            found["scorers"] = scorers_fingerprint(self.scorers)
        if self.encoder:
            found["semantic_encoder"] = self.encoder.identity()
        if self.released:
            found["released_before"] = [[table.identity for table in tables] for tables in self.released]
        if selected_from(config):  # all else was asked when its rows were tagged
            return found
        if isinstance(config, LanguageFields) and config.language_tie_break:
            found[config.language_tie_break] = version(config.language_tie_break)
        if isinstance(config, ToxicityFields):
            if config.toxicity_words:
                found["toxicity_words_sha256"] = [file_sha256(path) for path in config.word_list_paths]
            if config.toxicity_model_path:
                found["toxicity_model_sha256"] = file_sha256(config.toxicity_model_path)
        if isinstance(config, QualityFields) and config.quality_model_path:
            found["quality_model_sha256"] = read_description(config.quality_model_path).sha256
        return found | {"benchmarks_sha256": self.benchmark_index.sha256()}

    @cached_property
    def released(self) -> list[list[TableFile]]:
        """The tables of each of the older datasets that this one is deduplicated against.

        Raises:
            ConfigError: one has none.
        """
        config = self.config
        datasets = config.released_before if isinstance(config, NearDedupFields) else []
        return [released_tables(address) for address in datasets]

    def check(self) -> None:
        """Raise `ConfigError` when a scorer or the encoder cannot be used, or an older dataset is not there."""
        _ = self.scorers, self.encoder, self.released

    def describe(self) -> list[str]:
        """Return a line on what is kept out, for `--dry-run` and the card."""
        return [f"decontaminated against: {self.decontaminated_against}"]

    @property
    def decontaminated_against(self) -> str:
        """The benchmarks and files in words."""
        return ", ".join(self.protected_names) or "nothing, as the config asks for"

    def score_descriptions(self) -> dict[str, str]:
        """Return the columns of scores with what they hold, for the card."""
        columns = self.config.score_columns if isinstance(self.config, QualityFields) else []
        told = [scorer.describe() for scorer in self.scorers for _ in scorer.fields.columns]
        return dict(zip(columns, told, strict=True))
