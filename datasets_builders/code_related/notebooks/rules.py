"""Section 2.3.3: which notebooks are kept, and what of their cells.

| preset | drops a notebook when | keeps of its cells | origin |
| --- | --- | --- | --- |
| starcoder2 | it has no code, or no language is known | all code and text | StarCoder2 2.4 |
| kaggle | also below 4 cells, or with a script of 100 characters or less | see below | StarCoder2 2.4, Kaggle |

`kaggle` leaves out magics and installs, lines of code above 600 characters, text after the last code, and the template
of a new notebook; it writes outputs of up to 600 characters and 5 lines as strings below the code. No preset keeps more
than 5,000,000 characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from datasets_builders.code_related.notebooks.notebook import Cell, Notebook
from datasets_builders.code_related.notebooks.rendering import RenderingLimits

# The first cell of a notebook that Kaggle or Colab made.
_TEMPLATES = re.compile(
    r"\s*#\s*this python 3 environment comes with many helpful analytics libraries|"
    r"\s*<a href=\"https://colab\.research\.google\.com/[^>]*>\s*<img [^>]*>\s*</a>\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class NotebookRules:
    """Limits of a notebook; lengths in characters.

    Args:
        min_cells (`int`): that hold text or code.
        min_chars, max_chars (`int`): of the rendered notebook.
        drops_templates (`bool`): whether cells that come with every new notebook are left out.
        rendering (`RenderingLimits`): what is kept of cells and outputs.
    """

    min_cells: int = 1
    min_chars: int = 1
    max_chars: int = 5_000_000
    drops_templates: bool = False
    rendering: RenderingLimits = field(default_factory=RenderingLimits)

    def with_output_chars(self, max_output_chars: int) -> NotebookRules:
        """Return the rules with outputs of at most so many characters."""
        limit = min(max_output_chars, self.rendering.max_output_chars)
        return replace(self, rendering=replace(self.rendering, max_output_chars=limit))

    def broken_by(self, notebook: Notebook) -> tuple[str, str] | None:
        """Return reason and detail for which a notebook is dropped before it is rendered, or None."""
        num_cells = sum(bool(cell.source.strip()) for cell in notebook.cells)
        if not any(cell.source.strip() for cell in notebook.code_cells):
            return "no_code", f"{len(notebook.cells)} cells"
        return ("few_cells", f"{num_cells}, limit {self.min_cells}") if num_cells < self.min_cells else None

    def without_templates(self, notebook: Notebook) -> Notebook:
        """Return a notebook without the cells that come with every new one."""
        if not self.drops_templates:
            return notebook
        return replace(notebook, cells=tuple(cell for cell in notebook.cells if not _is_template(cell)))


def _is_template(cell: Cell) -> bool:
    return bool(_TEMPLATES.match(cell.source))


PRESETS = {
    "starcoder2": NotebookRules(),
    "kaggle": NotebookRules(
        min_cells=4,
        min_chars=101,
        drops_templates=True,
        rendering=RenderingLimits(
            max_output_chars=600,
            max_output_lines=5,
            drops_magics=True,
            max_line_chars=600,
            shows_outputs=True,
            drops_last_text=True,
        ),
    ),
}
