"""Section 2.3.1: tables of web pages as Markdown's."""

from __future__ import annotations

from itertools import chain
from typing import Any

from datasets_builders.code_related.web_pages.escaping import escaped_in_lines, escaped_start
from datasets_builders.code_related.web_pages.marks import OPEN_BLOCK
from datasets_builders.code_related.web_pages.page_tokens import BLOCKS, text_between, tokens_of

# Tables that hold data: no table inside, no layout.
TABLES = "table:not(:has(table)):not([role=presentation])"
MAX_CELLS = 2000
MAX_CELL_TAGS = 2 * MAX_CELLS  # closed: cells, rows, head and body
MAX_CELL_CHARS = 400


def table_of(element: Any) -> tuple[str, int] | None:
    """Return a table as Markdown, or None for one column, one row, or cells that are whole texts or hold blocks.

    Args:
        element (`ElementNode`): one that `TABLES` matches.
    """
    html = element.inner_html
    if OPEN_BLOCK in html or html.count("</t") > MAX_CELL_TAGS:
        return None
    rows = _rows(html)
    width = max(map(len, rows), default=0)
    if len(rows) < 2 or width < 2 or sum(map(len, rows)) > MAX_CELLS:
        return None
    if sum(map(bool, chain.from_iterable(rows))) < len(rows):
        return None
    padded = [row + [""] * (width - len(row)) for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in padded]
    text = escaped_in_lines("\n".join([lines[0], "|" + " --- |" * width, *lines[1:]]))
    caption = element.query_selector("caption") if "<caption" in html else None
    title = " ".join(caption.text.split()) if caption is not None else ""
    return f"{escaped_start(escaped_in_lines(title))}\n\n{text}" if title else text, 0


def _rows(html: str) -> list[list[str]]:
    """Return the cells of rows that have some; none of a table that has a whole text in a cell."""
    rows: list[list[str]] = []
    parts: list[str] = []  # of the cell that is open
    is_cell = False
    for close, tag, _, raw_text in tokens_of(html):
        if tag == "td" or tag == "th":
            if close:
                cell = " ".join(text_between("".join(parts)).split())
                if len(cell) > MAX_CELL_CHARS:
                    return []
                if rows:
                    rows[-1].append(cell.replace("|", "\\|") if "|" in cell else cell)
                is_cell = False
            else:
                parts = [raw_text]
                is_cell = True
        elif is_cell:
            if tag in BLOCKS:
                parts.append(" ")
            if raw_text:
                parts.append(raw_text)
        elif tag == "tr" and not close:
            rows.append([])
    return [row for row in rows if row]
