"""Section 2.3.1: tables of web pages as Markdown's."""

from __future__ import annotations

from html import unescape
from typing import Any

from datasets_builders.code_related.web_pages.marks import OPEN_BLOCK
from datasets_builders.code_related.web_pages.page_tokens import BLOCKS, tokens_of

# Tables that hold data: no table inside, no layout.
TABLES = "table:not(:has(table)):not([role=presentation])"
MAX_CELLS = 2000
_BLOCK_TAGS = ("<br", "<p", "<li", "<div", "<dt")  # what ends words in a cell
MAX_CELL_CHARS = 400


def table_of(element: Any) -> tuple[str, int] | None:
    """Return a table as Markdown, or None for one column, one row, or cells that are whole texts or hold blocks.

    Args:
        element (`ElementNode`): one that `TABLES` matches.
    """
    rows: list[list[str]] = []
    for part in element.query_selector_all("tr, td, th").values():
        if part.tag == "tr":
            rows.append([])
        elif rows:
            rows[-1].append(_cell(part))
    rows = [row for row in rows if row]
    width = max(map(len, rows), default=0)
    if len(rows) < 2 or width < 2 or sum(map(len, rows)) > MAX_CELLS:
        return None
    if any(len(cell) > MAX_CELL_CHARS or OPEN_BLOCK in cell for row in rows for cell in row):
        return None
    if sum(bool(cell) for row in rows for cell in row) < len(rows):
        return None
    padded = [row + [""] * (width - len(row)) for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in padded]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]]), 0


def _cell(element: Any) -> str:
    text = element.text
    if "<" in (html := element.inner_html) and any(map(html.__contains__, _BLOCK_TAGS)):
        parts = (unescape(raw_text) if not tag else " " * (tag in BLOCKS) for _, tag, _, raw_text in tokens_of(element))
        text = "".join(parts)
    return " ".join(text.split()).replace("|", "\\|")
