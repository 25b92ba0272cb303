"""Section 2.3.3: Markdown files, scored for code relevance and educational value before they are curated."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from datatrove.data import Document

from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.code_related.config import TextFilesConfig
from datasets_builders.code_related.text_files import FILE_COLUMNS, MeasureText, file_features
from datasets_builders.curation.license_filter import license_of_card
from datasets_builders.curation.sources_builder import SourcesBuilder
from datasets_builders.languages.detection import WantedLanguages
from datasets_builders.sources.code_reader import CodeReader

if TYPE_CHECKING:
    from datasets import Features

MARKDOWN = WantedLanguages(("prose",), ("Markdown",))
READMES = ("all", "none", "only")


@dataclass
class MarkdownConfig(TextFilesConfig):
    """Fields of `markdown`."""

    readmes: str = field(
        default="all", metadata={"help": "which READMEs are kept: all, none, or only them and nothing else"}
    )

    def validate(self) -> None:
        """Check names."""
        super().validate()
        if self.readmes not in READMES:
            raise ConfigError(f"readmes is {self.readmes!r}, but must be one of {', '.join(READMES)}")


class SelectReadmes(Step):
    """Tell READMEs from other files, and keep those that are wanted.

    Args:
        readmes (`str`): all, none or only.
    """

    name = "select_readmes"

    def __init__(self, readmes: str) -> None:
        super().__init__()
        self.readmes = readmes

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a wanted file."""
        # README.md, readme.markdown, README.zh-CN.md, README_de.md
        is_readme = PurePosixPath(doc.metadata["path"]).name.lower().startswith("readme")
        doc.metadata["is_readme"] = is_readme
        if is_readme and self.readmes == "none":
            yield Removed(doc, "readme")
        elif not is_readme and self.readmes == "only":
            yield Removed(doc, "not_a_readme")
        else:
            yield doc


class MarkdownBuilder(SourcesBuilder[MarkdownConfig]):
    """Markdown files of any source, each byte of those that stay as it was but for placeholders.

    Source: paper 2.3.3.
    """

    name = "markdown"
    summary = "Markdown files, scored for code relevance and educational value"
    config_class = MarkdownConfig
    counted_column = "repository"

    def stages(self) -> list[Stage]:
        """Score each file and filter by score and rules; keep one of equal, then the best of near-equal texts."""
        config, curation = self.config, self.curation
        return [
            Stage(
                "filter",
                [
                    CodeReader(self.sources, MARKDOWN),
                    *curation.license(),
                    SelectReadmes(config.readmes),
                    MeasureText(),
                    *curation.metric_limits(),
                    # Before the rules, as in the paper: what is not about code is not looked at further.
                    *curation.quality(),
                    *curation.scores(),
                    *curation.score_limits(),
                    *curation.text_rules(),
                    *curation.sanitization(),
                    *curation.toxicity(),
                    *curation.decontamination(),
                ],
                tasks=config.num_tasks,
                before=curation.index_benchmarks,
            ),
            *curation.dedup_stages(),
        ]

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, Value

        scores = dict.fromkeys(self.config.score_columns, Value("float64"))
        return Features(file_features() | {"is_readme": Value("bool")} | scores)

    def card(self) -> CardParts:
        """Return the card's text."""
        license, licenses = license_of_card(self.output_folder)
        scored = (
            ""
            if self.config.scorers or self.config.quality_model
            else (" No scorer was set: neither code relevance nor educational value was judged.")
        )
        return CardParts(
            title=f"Markdown of {self.sources.title}",
            description=(
                f"Markdown files of {self.sources.title}, one per row (section 2.3.3 of arXiv 2503.17793); front "
                f"matter, HTML, tables and fences are as their authors wrote them.{scored} Decontaminated against: "
                f"{self.curation.inputs.decontaminated_against}."
            ),
            license=license,
            tags=["code", "markdown"],
            columns=FILE_COLUMNS
            | {"is_readme": "whether the file is a README"}
            | self.curation.inputs.score_descriptions(),
            sections={"Licences": licenses},
        )
