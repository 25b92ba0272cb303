"""Section 2.3.2: code-comment pairs, from any source to curated rows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.building.description import CardParts
from datasets_builders.building.stages import Stage
from datasets_builders.code_related.code_comment_pairs.steps import ExtractPairs, FillPairs, PairRules
from datasets_builders.curation.config import (
    DecontaminationFields,
    LanguageFields,
    LicenseFields,
    NearDedupFields,
    QualityFields,
    ToxicityFields,
)
from datasets_builders.curation.license_filter import license_of_card
from datasets_builders.curation.sources_builder import SourcesBuilder
from datasets_builders.sources.code_reader import CodeReader
from datasets_builders.sources.configured import SourcesFields

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "id": "first 32 hex digits of the SHA-256 of comment and code",
    "text": "the comment, an empty line, the code",
    "comment": "what the comment says, without the signs that make it one; placeholders as in source code",
    "code": "the definition without its comment and without the indentation of its first line",
    "kind": "function, method or class",
    "name": "of the definition",
    "language": "programming language",
    "path": "file in the repository",
    "repository": "name of the code base",
    "start_line": "first line of the definition in its file, from 1",
    "end_line": "last line of it",
    "comment_start": "first byte of the comment in the file",
    "comment_end": "byte behind its last",
    "num_code_lines": "lines of the code",
    "unknown_claims": "parameters that the comment documents and the code does not mention",
    "num_unknown_claims": "how many",
    "consistent": "whether a model found that the comment says what the code does; null without one",
    "license": "licence of the file, else of its repository (SPDX name)",
    "license_type": "permissive, non_permissive or no_license",
    "stars": "of the repository; null, as the next five, where the source does not know",
    "forks": "of the repository",
    "date": "of the last change",
    "commit": "revision of the repository that the file was read at",
    "repository_url": "where the repository was cloned from",
    "is_fork": "whether the repository is a fork",
    "num_bytes": "size of the text in UTF-8",
    "quality": "probability of high quality by the quality model; null without one",
    "num_placeholders": "different values that were replaced",
    "cluster_size": "near-duplicates that this pair stands for, itself included",
    "parents": "id of the file",
}
_NUMBERS = (
    *("start_line", "end_line", "comment_start", "comment_end", "num_code_lines", "stars", "forks", "num_bytes"),
    *("num_unknown_claims", "num_placeholders", "cluster_size"),
)


@dataclass
class CodeCommentPairsConfig(
    NearDedupFields,
    DecontaminationFields,
    QualityFields,
    ToxicityFields,
    LanguageFields,
    LicenseFields,
    SourcesFields,
):
    """Fields of `code_comment_pairs`."""

    limited_columns: ClassVar[tuple[str, ...]] = ("num_bytes", "num_code_lines", "num_unknown_claims", "stars", "forks")


class CodeCommentPairsBuilder(SourcesBuilder[CodeCommentPairsConfig]):
    """Functions, methods and classes with the comment that belongs to them.

    Source: paper 2.3.2, its first phase; the second labels the pairs by a model that `recipes.distill` trains.
    """

    name = "code_comment_pairs"
    summary = "functions, methods and classes with the comment that belongs to them"
    config_class = CodeCommentPairsConfig
    counted_column = "language"

    def stages(self) -> list[Stage]:
        """Read files, take out pairs and filter them; keep one of equal pairs, then the best of near-duplicates."""
        config, curation = self.config, self.curation
        return [
            Stage(
                "filter",
                [
                    CodeReader(self.sources, config.wanted_languages()),
                    *curation.license(),
                    ExtractPairs(),
                    PairRules(),
                    *curation.sanitization(),
                    FillPairs(),
                    *curation.toxicity(),
                    *curation.metric_limits(),
                    *curation.quality(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
                before=curation.index_benchmarks,
            ),
            *curation.dedup_stages(then=[*curation.scores(), *curation.score_limits()]),
        ]

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, List, Value

        types = dict.fromkeys(_NUMBERS, "int64") | {"quality": "float64", "is_fork": "bool", "consistent": "bool"}
        columns: dict[str, Any] = {name: Value(types.get(name, "string")) for name in COLUMNS}
        columns |= dict.fromkeys(("parents", "unknown_claims"), List(Value("string")))
        return Features(columns | dict.fromkeys(self.config.score_columns, Value("float64")))

    def card(self) -> CardParts:
        """Return the card's text."""
        license, licenses = license_of_card(self.output_folder)
        return CardParts(
            title=f"Code-comment pairs of {self.sources.title}",
            description=(
                f"Functions, methods and classes of {self.sources.title} with the docstring or comment that belongs to "
                "them, after the seven rules of section 2.3.2 of arXiv 2503.17793. Decontaminated against: "
                f"{self.curation.inputs.decontaminated_against}."
            ),
            license=license,
            tags=["code"],
            columns=COLUMNS | self.curation.inputs.score_descriptions(),
            sections={"Licences": licenses},
        )
