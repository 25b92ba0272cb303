"""Section 2.3.3: the steps from notebook files to scripts, or to text, code and output in turn."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.code_related.notebooks.languages import language_of_notebook
from datasets_builders.code_related.notebooks.notebook import Notebook, NotebookError, read_notebook
from datasets_builders.code_related.notebooks.rendering import STARCODER_MARKERS, render_script, render_structured
from datasets_builders.code_related.notebooks.rules import NotebookRules
from datasets_builders.code_related.text_files import COLUMNS_OF_SOURCES
from datasets_builders.curation.syntax.prose import PROSE
from datasets_builders.sources.entry import Entry
from datasets_builders.sources.reader import SourceReader

EXTENSION = ".ipynb"
CHECKPOINTS = ".ipynb_checkpoints"


class NotebookReader(SourceReader):
    """Read the notebook files of sources; copies that Jupyter keeps of them are none."""

    name = "read_notebooks"

    def kind_of(self, entry: Entry, head: bytes | None) -> str | None:
        """Return "notebook" for a notebook."""
        is_notebook = entry.path.lower().endswith(EXTENSION) and CHECKPOINTS not in entry.path.split("/")
        return "notebook" if is_notebook else None


class RenderNotebooks(Step):
    """Turn the text of a notebook file into that of its cells.

    Args:
        rules (`NotebookRules`): which notebooks and what of them is kept.
        form (`str`): script or structured.
        style (`str`): of structured notebooks: markdown or starcoder.
        languages: the only ones that are kept; empty for all.
        finds_prose (`bool`): whether structured notebooks get their texts for `Toxicity`; those of a script are found
            by the syntax check.

    Source: StarCoder2 2.4.
    """

    name = "render_notebooks"
    libraries = ("orjson",)

    def __init__(
        self, rules: NotebookRules, form: str, style: str, languages: Collection[str] = (), finds_prose: bool = False
    ) -> None:
        super().__init__()
        self.rules, self.form, self.style = rules, form, style
        self.languages, self.finds_prose = frozenset(languages), finds_prose

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give the rendered notebook, or the reason for which there is none."""
        try:
            notebook = read_notebook(doc.text)
        except NotebookError as error:
            yield Removed(doc, error.reason, str(error))
            return
        if broken := self.rules.broken_by(notebook):
            yield Removed(doc, *broken)
            return
        language = language_of_notebook(notebook)
        if language is None or (self.languages and language not in self.languages):
            yield Removed(doc, "other_language" if language else "unknown_language", language or _names_of(notebook))
            return
        notebook = self.rules.without_templates(notebook)
        limits = self.rules.rendering
        if self.form == "script":
            text = render_script(notebook, language, limits)
        else:
            text = render_structured(notebook, language, limits, self.style)
        if marker := self._marker_in(notebook):
            yield Removed(doc, "holds_marker", marker)
        elif not text.strip():
            yield Removed(doc, "no_pairs" if self.form == "structured" else "no_code", "nothing was left")
        elif not self.rules.min_chars <= len(text) <= self.rules.max_chars:
            yield Removed(doc, "length", f"{len(text)} characters")
        else:
            doc.text, doc.id = text, content_id(text)
            known = dict.fromkeys(COLUMNS_OF_SOURCES) | doc.metadata
            known |= {"language": language, "form": self.form}
            known |= {"num_cells": len(notebook.cells), "num_code_cells": len(notebook.code_cells)}
            if self.finds_prose:
                known[PROSE] = [cell.source for cell in notebook.cells if cell.kind == "markdown"]
            doc.metadata = known
            yield doc

    def _marker_in(self, notebook: Notebook) -> str:
        """Return a mark of the style that stands in the notebook itself, where it could pass for one of ours."""
        if (self.form, self.style) != ("structured", "starcoder"):
            return ""
        texts = [text for cell in notebook.cells for text in (cell.source, *cell.outputs)]
        return next((marker for marker in STARCODER_MARKERS for text in texts if marker in text), "")


def _names_of(notebook: Notebook) -> str:
    return ", ".join(notebook.language_names)[:100] or "no metadata"
