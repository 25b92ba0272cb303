"""One page, two outputs: a self-contained HTML file and a Markdown file with its pictures beside it.

Reports are lists of blocks (headings, paragraphs, tables, charts, code); every report of the project is written with
this page so that they look alike, on a telephone, a wide screen and in the dark. Charts are drawn by matplotlib as SVG:
no script, no font and no picture is fetched.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from markupsafe import Markup

from evals.report import charts, curves
from evals.report.charts import Band, Points
from evals.report.documents import render, table, visible
from evals.report.matrix import matrix


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
        self._add(f"<h{level}>{_escaped(text)}</h{level}>", f"{'#' * level} {text}")

    def paragraph(self, text: str) -> None:
        """Add plain text; the only markup is `code` between backticks."""
        marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", _escaped(text))
        self._add(f"<p>{marked}</p>", text)

    def code(self, text: str) -> None:
        """Add text that is shown as it is: a command, a sample, a log."""
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
        self._add(f"<pre>\n{_escaped(text)}</pre>", f"{fence}text\n{text.rstrip()}\n{fence}")

    def table(
        self,
        headers: Sequence[str],
        rows: Iterable[Sequence[object]],
        caption: str = "",
        *,
        own_rows: Collection[int] = (),
        best_cells: Collection[tuple[int, int]] = (),
        aligned: bool = True,
    ) -> None:
        """Add a table; cells are escaped, and cells that are numbers are set to the right.

        Args:
            headers, rows, caption: the text of the table.
            own_rows: numbers of the rows that are the reader's own among others'; they are shaded.
            best_cells: (row, column) of the best values; they are bold.
            aligned: set numbers to the right; not in tables of settings, where cells of a column are of many kinds.
        """
        texts = [[_cell_text(cell) for cell in row] for row in rows]
        for row in texts:
            if len(row) != len(headers):
                raise ValueError(
                    f"table {caption or headers!r}: a row has {len(row)} cells, the header {len(headers)}: {row}"
                )
        title = f'<p class="caption">{_escaped(caption)}</p>' if caption else ""
        lines = [caption, ""] if caption else []
        lines += [_markdown_row(headers), _markdown_row(["---"] * len(headers))]
        lines += [
            _markdown_row([f"**{text}**" if (i, j) in best_cells else text for j, text in enumerate(row)])
            for i, row in enumerate(texts)
        ]
        self._add(
            f"{title}{table(headers, texts, own_rows, best_cells, aligned)}",
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
        bands: Mapping[str, Band] | None = None,
    ) -> None:
        """Add a line chart.

        Args:
            name (`str`): file name of the picture without extension, for the Markdown form.
            series (`dict` of label to list of (x, y)): drawn in order; a series without points is left out.
            caption, x_label, y_label (`str`): units belong into the labels.
            boundaries (`dict` of label to x, *optional*): vertical lines, such as the starts of stages.
            bands (`dict` of label to list of (x, low, high), *optional*): intervals around the lines.
        """
        svg = curves.line_chart(series, x_label, y_label, boundaries or {}, bands)
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
        tag = f'<img src="data:image/png;base64,{base64.b64encode(raw).decode()}" alt="{_escaped(caption)}">'
        self._add_picture(path.name, raw, tag, caption)

    def matrix(
        self,
        name: str,
        points: Mapping[str, Points],
        size: int,
        *,
        caption: str,
        labels: tuple[str, str],
        names: Sequence[str],
        relation: str,
    ) -> None:
        """Add a square of dots, row by row from the top.

        Args:
            name (`str`): as for `line_chart`.
            points (dict): label to (column, row) of each dot, from 0.
            size (`int`): rows and columns.
            labels (tuple): of the columns and of the rows.
            names, relation: of what the columns and rows are, and what a row's name and a column's are to each other;
                the pointer shows them.
        """
        self._add_svg(name, matrix(points, size, labels, names, relation), caption)

    def heat_map(
        self,
        name: str,
        values: Sequence[Sequence[float | None]],
        xs: Sequence[float],
        *,
        caption: str,
        labels: tuple[str, str],
        unit: str,
    ) -> None:
        """Add colored cells, row by row from the top.

        Args:
            name (`str`): as for `line_chart`.
            values, unit: of the cells; None is left white.
            xs: of the columns.
            labels (tuple): of the columns and of the rows.
        """
        self._add_svg(name, curves.heat_map(values, xs, *labels, unit), caption)

    def to_html(self) -> str:
        """Return the page as one HTML document that needs nothing else."""
        blocks = [Markup(block.html) for block in self._blocks]  # escaped when they were added
        return render("document.html", title=self.title, subtitle=self.subtitle, blocks=blocks)

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
        markdown_path.write_text(visible("\n\n".join(parts)) + "\n", encoding="utf-8")
        return html_path, markdown_path

    def _add(self, html_text: str, markdown: str) -> None:
        self._blocks.append(_Block(html_text, markdown))

    def _add_svg(self, name: str, svg: str, caption: str) -> None:
        self._add_picture(f"{name}.svg", svg.encode(), svg, caption)

    def _add_picture(self, file_name: str, content: bytes, tag: str, caption: str) -> None:
        figure = f"<figure>{tag}<figcaption>{_escaped(caption)}</figcaption></figure>"
        self._blocks.append(_Block(figure, f"![{caption}]({{pictures}}/{file_name})", (file_name, content)))


def _cell_text(cell: object) -> str:
    if isinstance(cell, bool) or cell is None:
        return "-" if cell is None else str(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if 1_000 <= abs(cell) < 1e12 else f"{cell:.4g}"
    return str(cell)


def _escaped(text: str) -> str:
    return escape(visible(text))


def _markdown_row(cells: Sequence[str]) -> str:
    # A pipe or a line break inside a cell would end it.
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
