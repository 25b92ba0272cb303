"""One page, two outputs: a self-contained HTML file and a Markdown file with its pictures beside it.

Reports are lists of blocks (headings, paragraphs, tables, charts, code); every report of the project is written with
this page so that they look alike. Charts are drawn by matplotlib as SVG: no script, no font and no picture is fetched.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evals.report import charts
from evals.report.charts import Points

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2330; background: #fff; margin: 0; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid #dde2ea; }
h3 { font-size: 1.02rem; margin: 1.5rem 0 .25rem; }
.subtitle { color: #5a6576; margin: 0 0 1.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .75rem 0; font-size: .9rem; }
caption { text-align: left; color: #5a6576; padding-bottom: .35rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #e6eaf0; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #b9c2cf; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre { background: #f5f7fa; border: 1px solid #e6eaf0; border-radius: 6px; padding: .75rem 1rem; overflow-x: auto; }
pre, code { font: .85rem/1.45 ui-monospace, monospace; }
figure { margin: 1rem 0; }
figure svg, figure img { max-width: 100%; height: auto; }
figcaption { color: #5a6576; font-size: .9rem; }
"""

_NUMBER = re.compile(r"[-+]?[\d.,]+([eE][-+]?\d+)?( ?(%|s|GiB|MiB|kB|MB|B|tokens/s))?$")


@dataclass(frozen=True)
class _Block:
    html: str
    markdown: str
    picture: tuple[str, bytes] | None = None  # file name, content


@dataclass
class Page:
    r"""A report page that is filled from top to bottom and then saved.

    Args:
        title (`str`): what the page is, the HTML title too.
        subtitle (`str`, *optional*): when, on what, with which versions.

    Example:
        >>> page = Page("A run")
        >>> page.heading("Scores")
        >>> page.table(["task", "n", "score"], [["humaneval", 164, "12.2"]])
        >>> "<td class=\"number\">164</td>" in page.to_html()
        True
    """

    title: str
    subtitle: str = ""
    _blocks: list[_Block] = field(default_factory=list)

    def heading(self, text: str, level: int = 2) -> None:
        """Start a section; `level` is 2 or 3."""
        self._add(f"<h{level}>{html.escape(text)}</h{level}>", f"{'#' * level} {text}")

    def paragraph(self, text: str) -> None:
        """Add plain text; the only markup is `code` between backticks."""
        marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
        self._add(f"<p>{marked}</p>", text)

    def code(self, text: str) -> None:
        """Add text that is shown as it is: a command, a sample, a log."""
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
        self._add(f"<pre>{html.escape(text, quote=False)}</pre>", f"{fence}text\n{text.rstrip()}\n{fence}")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> None:
        """Add a table; cells are escaped, and cells that are numbers are set to the right."""
        texts = [[_cell_text(cell) for cell in row] for row in rows]
        for row in texts:
            if len(row) != len(headers):
                raise ValueError(
                    f"table {caption or headers!r}: a row has {len(row)} cells, the header {len(headers)}: {row}"
                )
        head = "".join(f"<th>{html.escape(name)}</th>" for name in headers)
        body = "".join("<tr>" + "".join(map(_table_cell, row)) + "</tr>" for row in texts)
        title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
        lines = [caption, ""] if caption else []
        lines += [_markdown_row(headers), _markdown_row(["---"] * len(headers)), *map(_markdown_row, texts)]
        self._add(
            f'<div class="scroll"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>',
            "\n".join(lines),
        )

    def line_chart(
        self,
        name: str,
        series: Mapping[str, Points],
        *,
        caption: str,
        x_label: str,
        y_label: str,
        boundaries: Mapping[str, float] | None = None,
    ) -> None:
        """Add a line chart.

        Args:
            name (`str`): file name of the picture without extension, for the Markdown form.
            series (`dict` of label to list of (x, y)): drawn in order; a series without points is left out.
            caption, x_label, y_label (`str`): units belong into the labels.
            boundaries (`dict` of label to x, *optional*): vertical lines, such as the starts of stages.
        """
        svg = charts.line_chart(series, x_label, y_label, boundaries or {})
        self._add_svg(name, svg, caption)

    def bar_chart(
        self,
        name: str,
        series: Mapping[str, Sequence[float | None]],
        *,
        groups: Sequence[str],
        caption: str,
        y_label: str,
    ) -> None:
        """Add bars in groups.

        Args:
            name (`str`): as for `line_chart`.
            series (`dict` of label to one value per group): None draws no bar.
            groups: named below the bars.
        """
        svg = charts.bar_chart(series, groups, y_label)
        self._add_svg(name, svg, caption)

    def image(self, path: Path, *, caption: str) -> None:
        """Add a PNG that exists already."""
        raw = path.read_bytes()
        tag = f'<img src="data:image/png;base64,{base64.b64encode(raw).decode()}" alt="{html.escape(caption)}">'
        self._add_picture(path.name, raw, tag, caption)

    def matrix(
        self, name: str, points: Mapping[str, Points], size: int, *, caption: str, labels: tuple[str, str]
    ) -> None:
        """Add a square of dots, row by row from the top.

        Args:
            name (`str`): as for `line_chart`.
            points (dict): label to (column, row) of each dot, from 0.
            size (`int`): rows and columns.
            labels (tuple): of the columns and of the rows.
        """
        self._add_svg(name, charts.matrix(points, size, labels), caption)

    def to_html(self) -> str:
        """Return the page as one HTML document that needs nothing else."""
        blocks = "\n".join(block.html for block in self._blocks)
        subtitle = f'<p class="subtitle">{html.escape(self.subtitle)}</p>' if self.subtitle else ""
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(self.title)}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
            f"<body><main><h1>{html.escape(self.title)}</h1>{subtitle}\n{blocks}\n</main></body></html>\n"
        )

    def save(self, html_path: Path) -> tuple[Path, Path]:
        """Write `NAME.html`, `NAME.md` and `NAME_pictures/`, and return the first two paths."""
        html_path.parent.mkdir(parents=True, exist_ok=True)
        html_path.write_text(self.to_html(), encoding="utf-8")
        pictures = html_path.with_name(f"{html_path.stem}_pictures")
        parts = [f"# {self.title}", self.subtitle] if self.subtitle else [f"# {self.title}"]
        for block in self._blocks:
            parts.append(block.markdown.replace("{pictures}", pictures.name) if block.picture else block.markdown)
            if block.picture:
                pictures.mkdir(exist_ok=True)
                (pictures / block.picture[0]).write_bytes(block.picture[1])
        markdown_path = html_path.with_suffix(".md")
        markdown_path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        return html_path, markdown_path

    def _add(self, html_text: str, markdown: str) -> None:
        self._blocks.append(_Block(html_text, markdown))

    def _add_svg(self, name: str, svg: str, caption: str) -> None:
        self._add_picture(f"{name}.svg", svg.encode(), svg, caption)

    def _add_picture(self, file_name: str, content: bytes, tag: str, caption: str) -> None:
        figure = f"<figure>{tag}<figcaption>{html.escape(caption)}</figcaption></figure>"
        self._blocks.append(_Block(figure, f"![{caption}]({{pictures}}/{file_name})", (file_name, content)))


def _cell_text(cell: object) -> str:
    if isinstance(cell, bool) or cell is None:
        return "-" if cell is None else str(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if 1_000 <= abs(cell) < 1e12 else f"{cell:.4g}"
    return str(cell)


def _table_cell(text: str) -> str:
    kind = ' class="number"' if _NUMBER.match(text) else ""
    return f"<td{kind}>{html.escape(text, quote=False)}</td>"


def _markdown_row(cells: Sequence[str]) -> str:
    # A pipe or a line break inside a cell would end it.
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
