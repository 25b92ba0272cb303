"""Sections 2.1 and 2.2.1: file-level source code, from any source to deduplicated, decontaminated, sanitised rows."""

from typing import TYPE_CHECKING

from datasets_builders.building.description import CardParts
from datasets_builders.building.stages import Stage
from datasets_builders.building.tagging import is_tagging
from datasets_builders.curation.license_filter import license_of_card
from datasets_builders.curation.quality.language_limits import LanguageLimits, language_key
from datasets_builders.curation.sources_builder import SourcesBuilder
from datasets_builders.source_code.config import REPOSITORY_FILES, SourceCodeConfig
from datasets_builders.sources.code_reader import CodeReader

if TYPE_CHECKING:
    from datasets import Features


class SourceCodeBuilder(SourcesBuilder[SourceCodeConfig]):
    """Code files of any source.

    Source: paper 2.1 and 2.2.1; repositories are another builder's work.
    """

    name = "source_code"
    summary = "code files of folders, archives, git, tables or the Hub: curated and deduplicated"
    config_class = SourceCodeConfig
    text_column = "content"
    counted_column = "language"

    def stages(self) -> list[Stage]:
        """Read and filter each file; keep one of equal files, then the best of near-duplicates; score what is left."""
        config, curation = self.config, self.curation
        counts_files = REPOSITORY_FILES in config.quality_limits or is_tagging(config)
        return [
            Stage(
                "filter",
                [
                    CodeReader(self.sources, config.wanted_languages(), counts_files),
                    *curation.license(),
                    *curation.rules(),
                    *curation.sanitization(),
                    *curation.syntax(),
                    *curation.toxicity(),
                    *curation.metric_limits(),
                    *curation.quality(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
                before=curation.index_benchmarks,
            ),
            *curation.dedup_stages(then=[*curation.scores(), *curation.score_limits()]),
            *self._language_limits(),
        ]

    def _language_limits(self) -> list[Stage]:
        """Draw documents of languages of which there are too many, where the config says so."""
        limits = self.config.language_limits
        step = LanguageLimits(limits, self.config.seed)
        return [Stage("language_limits", [step], tasks=self.config.num_tasks, key=language_key)] if limits else []

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
                "commit": text,
                "repository_url": text,
                "is_fork": Value("bool"),
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
            | dict.fromkeys(self.config.score_columns, fraction)
        )

    def card(self) -> CardParts:
        """Return the card's text."""
        license, licenses = license_of_card(self.output_folder)
        return CardParts(
            title=f"Source code of {self.sources.title}",
            description=(
                f"Code files of {self.sources.title}, one per row, after the rules, a syntax check and exact and "
                "near-deduplication (sections 2.1 and 2.2.1 of arXiv 2503.17793). Decontaminated against: "
                f"{self.curation.inputs.decontaminated_against}."
            ),
            license=license,
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
                "stars": "of the repository; null, as the next five, where the source does not know",
                "forks": "of the repository",
                "date": "of the last change",
                "commit": "revision of the repository that the file was read at",
                "repository_url": "where the repository was cloned from",
                "is_fork": "whether the repository is a fork",
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
            }
            | self.curation.inputs.score_descriptions(),
            sections={"Licences": licenses},
        )
