"""Section 2.3.3: notebooks, from any source to curated rows: scripts, or text, code and output in turn."""

from typing import TYPE_CHECKING

from datasets_builders.building.description import CardParts
from datasets_builders.building.stages import Stage
from datasets_builders.code_related.notebooks.config import NotebooksConfig
from datasets_builders.code_related.notebooks.rules import PRESETS
from datasets_builders.code_related.notebooks.steps import NotebookReader, RenderNotebooks
from datasets_builders.code_related.text_files import FILE_COLUMNS, MeasureText, file_features
from datasets_builders.curation.license_filter import license_of_card
from datasets_builders.curation.sources_builder import SourcesBuilder

if TYPE_CHECKING:
    from datasets import Features


class NotebooksBuilder(SourcesBuilder[NotebooksConfig]):
    """Jupyter notebooks of any source.

    Source: paper 2.3.3, which follows StarCoder2 2.4.
    """

    name = "notebooks"
    summary = "Jupyter notebooks as scripts, or as text, code and output in turn"
    config_class = NotebooksConfig
    counted_column = "language"

    def stages(self) -> list[Stage]:
        """Read, render and filter each notebook; keep one of equal texts, then the best of near-duplicates."""
        config, curation = self.config, self.curation
        rules = PRESETS[config.preset].with_output_chars(config.max_output_chars)
        is_script = config.form == "script"
        finds_prose = config.judges_toxicity and not is_script
        return [
            Stage(
                "filter",
                [
                    NotebookReader(self.sources.opened, self.sources.max_bytes, self.sources.opt_outs),
                    *curation.license(),
                    RenderNotebooks(rules, config.form, config.structured_style, config.languages, finds_prose),
                    *curation.text_rules(),
                    *curation.sanitization(),
                    *(curation.syntax() if is_script else ()),
                    *curation.toxicity(),
                    MeasureText(),
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
        from datasets import Features, Value

        own = {"language": "string", "form": "string", "num_cells": "int64", "num_code_cells": "int64"}
        scores = dict.fromkeys(self.config.score_columns, Value("float64"))
        return Features(file_features() | {name: Value(kind) for name, kind in own.items()} | scores)

    def card(self) -> CardParts:
        """Return the card's text."""
        license, licenses = license_of_card(self.output_folder)
        forms = {
            "script": "Each is a script: code as it is, text as comments, lines for the notebook commented out.",
            "structured": "Each is text, code and the last output in turn.",
        }
        return CardParts(
            title=f"Notebooks of {self.sources.title}",
            description=(
                f"Jupyter notebooks of {self.sources.title}, one per row (section 2.3.3 of arXiv 2503.17793), by the "
                f"rules `{self.config.preset}`. {forms[self.config.form]} Decontaminated against: "
                f"{self.curation.inputs.decontaminated_against}."
            ),
            license=license,
            tags=["code", "jupyter-notebook"],
            columns=FILE_COLUMNS
            | {
                "language": "programming language of the code, by the notebook's metadata or else by its code",
                "form": "script or structured",
                "num_cells": "cells of the notebook",
                "num_code_cells": "cells of code",
            }
            | self.curation.inputs.score_descriptions(),
            sections={"Licences": licenses},
        )
