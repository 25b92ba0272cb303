"""Sections 2.1 and 2.2.1: file-level source code, from any source to deduplicated, decontaminated, sanitised rows."""

from typing import TYPE_CHECKING

from datasets_builders.building.card import CardParts
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Step
from datasets_builders.curation.deduplication.exact import ExactDedup
from datasets_builders.curation.quality.limits import QualityLimits
from datasets_builders.curation.syntax.steps import SyntaxCheck
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.source_code.corpus import CodeCorpusBuilder
from datasets_builders.source_code.reader import CodeReader

if TYPE_CHECKING:
    from datasets import Features


class SourceCodeBuilder(CodeCorpusBuilder):
    """Code files of any source.

    Source: paper 2.1 and 2.2.1; repositories are another builder's work.
    """

    name = "source_code"
    summary = "code files of folders, archives, git, tables or the Hub: curated and deduplicated"
    config_class = SourceCodeConfig

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
            | dict.fromkeys(self.code.score_columns, fraction)
        )

    def stages(self) -> list[Stage]:
        """Read and filter each file; keep one of equal files, then the best of near-duplicates; score what is left."""
        config = self.code
        limits = self._limits(of_scores=False)
        signatures, near_deduplicate = self.near_deduplication(config.num_tasks)
        steps = [CodeReader(config, self.sources), *self.curation(limits, SyntaxCheck(config.judges_toxicity))]
        return [
            Stage("filter", steps, tasks=config.num_tasks, before=self.prepare_curation()),
            Stage("deduplicate", [ExactDedup(), signatures], tasks=config.num_tasks),
            self._scored(near_deduplicate),
        ]

    def _scored(self, stage: Stage) -> Stage:
        """Return the last stage with the scores behind it: dear ones, for files that have no duplicates any more."""
        stage.pipeline += [*self.scoring(), *self._limits(of_scores=True)]
        return stage

    def _limits(self, of_scores: bool) -> list[Step]:
        scores = self.code.score_columns
        limits = {name: one for name, one in self.code.quality_limits.items() if (name in scores) == of_scores}
        return [QualityLimits(limits, "score_limits" if of_scores else QualityLimits.name)] if limits else []

    def card(self) -> CardParts:
        """Return the card's text."""
        license, licenses = self.license_of_card()
        return CardParts(
            title=f"Source code of {self.title}",
            description=(
                f"Code files of {self.title}, one per row, after the rules, a syntax check and exact and "
                "near-deduplication (sections 2.1 and 2.2.1 of arXiv 2503.17793). Decontaminated against: "
                f"{self.clean_of or 'nothing, as the config asks for'}."
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
            }
            | self.score_descriptions(),
            sections={"Licences": licenses},
        )
