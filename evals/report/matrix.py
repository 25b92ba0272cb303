"""A square of dots, such as a graph of imports, as SVG: no script, no font and no picture is fetched."""

import math
from collections.abc import Mapping, Sequence

from markupsafe import escape

from evals.report.charts import COLORS, Points
from evals.report.documents import visible

MATRIX_SIDE, MATRIX_MARGIN, MATRIX_NAMES = 640, 62, 250  # pixels: the square, beside it, beside it with names
MIN_DOT, MAX_DOT = 3.0, 26.0
MAX_NAMED_ROWS, MAX_TICKS, MAX_NAME, MAX_TITLE_LINES = 40, 16, 34, 8


def matrix(
    points: Mapping[str, Points], size: int, labels: tuple[str, str], names: Sequence[str], relation: str
) -> str:
    """Return an SVG of dots (column, row) by label in a square of `size`, row by row from the top, counted from 1.

    A dot is never smaller than can be seen: in a large square dots that lie beside each other become one. What lies
    under the pointer says its names, without a script.

    Args:
        points (dict): label to (column, row) of each dot, from 0.
        size (`int`): rows and columns.
        labels (tuple): of the columns and of the rows.
        names (sequence of `str`): of what the columns and rows are.
        relation (`str`): what stands between the name of a dot's row and that of its column.
    """
    has_row_names = size <= MAX_NAMED_ROWS
    left, top = (MATRIX_NAMES if has_row_names else MATRIX_MARGIN), MATRIX_MARGIN
    width = height = MATRIX_SIDE
    step = width / max(size, 1)
    per_bin = max(1, math.ceil(MIN_DOT / step))  # columns that share a dot
    side = min(max(step * per_bin * 0.85, MIN_DOT), MAX_DOT)
    parts = [
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="#ffffff" stroke="#b9c2cf"/>',
        f'<line x1="{left}" y1="{top}" x2="{left + width}" y2="{top + height}" stroke="#b9c2cf"/>',
    ]
    for place in _places_named(size, MAX_NAMED_ROWS if has_row_names else MAX_TICKS):
        middle = (place + 0.5) * step
        title = f"<title>{escape(visible(names[place]))}</title>"
        row = f"{place + 1} {_shortened(visible(names[place]))}" if has_row_names else f"{place + 1:,}"
        parts.append(f'<text x="{left - 6}" y="{top + middle + 4:.1f}" text-anchor="end">{escape(row)}{title}</text>')
    for place in _places_named(size, MAX_TICKS):
        middle = (place + 0.5) * step
        title = f"<title>{escape(visible(names[place]))}</title>"
        parts.append(
            f'<text x="{left + middle:.1f}" y="{top + height + 16}" text-anchor="middle">{place + 1:,}{title}</text>'
        )
    legend_at = float(left)
    for number, (label, dots) in enumerate(points.items()):
        color = COLORS[number % len(COLORS)]
        bins: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for column, row_number in dots:
            place_of_bin = (int(column) // per_bin, int(row_number) // per_bin)
            bins.setdefault(place_of_bin, []).append((int(column), int(row_number)))
        parts.append(f'<g fill="{color}">')
        for (column, row_number), members in sorted(bins.items()):
            x = left + (column + 0.5) * step * per_bin - side / 2
            y = top + (row_number + 0.5) * step * per_bin - side / 2
            title = escape(visible(_dot_title(members, names, relation)))
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}"><title>{title}</title></rect>'
            )
        parts.append("</g>")
        if dots:
            text = f"{label} ({len(dots):,})"
            parts.append(f'<rect x="{legend_at}" y="{top - 24}" width="10" height="10" fill="{color}"/>')
            parts.append(f'<text x="{legend_at + 15}" y="{top - 15}">{escape(text)}</text>')
            legend_at += 40 + 7 * len(text)
    middle = top + height / 2
    parts += [
        f'<text x="{left + width / 2}" y="{top + height + 36}" text-anchor="middle">{escape(labels[0])}</text>',
        f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{escape(labels[1])}</text>',
    ]
    total_width, total_height = left + width + 20, top + height + 46
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total_width} {total_height}" width="{total_width}" '
        f'height="{total_height}" font-family="sans-serif" font-size="12" fill="#2b3440" role="img">'
        f"{''.join(parts)}</svg>"
    )


def _places_named(size: int, max_named: int) -> list[int]:
    """Return the places, from 0, whose numbers are written: all of a few, else the first and round ones."""
    if size <= max_named:
        return list(range(size))
    rough = size / max_named
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    # A round number right beside the first would be written over it.
    return [0, *(place - 1 for place in range(step, size + 1, step) if place > step / 2)]


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"…{name[1 - MAX_NAME :]}"


def _dot_title(members: Sequence[tuple[int, int]], names: Sequence[str], relation: str) -> str:
    """Return what a dot says: the names of its row and column, and how many more it stands for."""
    shown = [f"{names[row]} {relation} {names[column]}" for column, row in members[:MAX_TITLE_LINES]]
    left = len(members) - len(shown)
    return "\n".join([*shown, *([f"and {left:,} more"] if left else [])])
