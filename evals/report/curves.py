"""Lines and colored cells as SVG, written here: no script, no font and no picture is fetched.

A run draws a dozen at its end, and to import matplotlib alone takes longer than to train a small model for some steps.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray

from evals.report.charts import COLORS, Band, Points, short_number
from evals.report.documents import visible

# Pixels: a chart, what is around its axes, a line of a legend.
WIDTH, HEIGHT, MAX_MAP_HEIGHT = 816, 346, 576
LEFT, RIGHT, TOP, BOTTOM = 78, 14, 24, 50
LEGEND_ROW, CHARACTER = 18, 6.5
COLOR_BAR, BESIDE_COLOR_BAR = 14, 62
MAX_TICKS, MAX_CELL_TICKS = 7, 8
GRID, FRAME, TEXT, FAINT = "#e6eaf0", "#2b3440", "#2b3440", "#5a6576"
# Places of matplotlib's "cividis", of even steps; as bright for eyes that do not see red or green.
CIVIDIS = (
    *((0, 34, 77), (26, 56, 111), (67, 78, 107), (97, 100, 111), (124, 123, 120)),
    *((155, 147, 118), (187, 173, 108), (222, 201, 87), (253, 231, 55)),
)


@dataclass(frozen=True)
class Scale:
    """Numbers from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def line_chart(
    series: Mapping[str, Points],
    x_label: str,
    y_label: str,
    boundaries: Mapping[str, float],
    bands: Mapping[str, Band] | None = None,
) -> str:
    """Return an SVG of lines: series by label, with what they lie within, and vertical lines by label.

    A number that is not finite breaks its line; a series without points is left out.
    """
    drawn = {label: points for label, points in series.items() if points}
    areas = {label: band for label, band in (bands or {}).items() if drawn.get(label) and band}
    legend = _legend_rows(list(drawn)) if len(drawn) > 1 else []
    top = TOP + LEGEND_ROW * len(legend)
    bottom = top + HEIGHT - TOP - BOTTOM
    xs = [x for points in drawn.values() for x, _ in points] + list(boundaries.values())
    ys = [y for points in drawn.values() for _, y in points]
    ys += [y for band in areas.values() for place in band for y in place[1:]]
    x_scale, y_scale = _scale(xs, LEFT, WIDTH - RIGHT), _scale(ys, bottom, top)
    parts = [*_y_axis(y_scale, y_label, WIDTH - RIGHT), *_x_axis(x_scale, x_label, bottom)]
    for label, place in boundaries.items():
        x = x_scale(place)
        parts.append(f'<path d="M{x:.1f} {top}V{bottom}" stroke="#b9c2cf" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{x:.1f}" y="{top - 5}" font-size="11" fill="{FAINT}">{_shown(label)}</text>')
    for number, (label, points) in enumerate(drawn.items()):
        color = COLORS[number % len(COLORS)]
        if band := areas.get(label):
            edge = [(x, low) for x, low, _ in band] + [(x, high) for x, _, high in reversed(band)]
            outline = "L".join(f"{x_scale(x):.1f} {y_scale(y):.1f}" for x, y in edge)
            parts.append(f'<path class="band" d="M{outline}Z" fill="{color}" fill-opacity="0.15"/>')
        parts += _line(points, x_scale, y_scale, color, label)
    for number, row in enumerate(legend):
        at = float(LEFT)
        for place, label in row:
            y = 6 + LEGEND_ROW * number
            parts.append(
                f'<path d="M{at:.1f} {y + 5}h20" stroke="{COLORS[place % len(COLORS)]}" stroke-width="2"/>'
                f'<text x="{at + 26:.1f}" y="{y + 9}" font-size="11">{_shown(label)}</text>'
            )
            at += _legend_width(label)
    return _svg(parts, bottom + BOTTOM)


def heat_map(
    values: Sequence[Sequence[float | None]], xs: Sequence[float], x_label: str, y_label: str, unit: str
) -> str:
    """Return an SVG of colored cells; None is left white.

    Args:
        values: rows from the top, of one length each.
        xs: of the columns, evenly drawn; the ends and some between are written.
        unit: of the values, beside the scale of colors.
    """
    height = min(154 + 15 * len(values), MAX_MAP_HEIGHT)
    bottom, right = height - BOTTOM, WIDTH - RIGHT - BESIDE_COLOR_BAR
    width = right - COLOR_BAR - 8 - LEFT
    numbers = np.array([[np.nan if value is None else value for value in row] for row in values], dtype=np.float64)
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    colors = Scale(low, high if high > low else low + 1, bottom, TOP)
    shares = (numbers - colors.low) / (colors.high - colors.low)
    parts = [
        _picture(_colored(shares), LEFT, TOP, width, bottom - TOP),
        f'<rect x="{LEFT}" y="{TOP}" width="{width}" height="{bottom - TOP}" fill="none" stroke="{FRAME}"/>',
    ]
    columns, rows = width / len(xs), (bottom - TOP) / len(values)
    for place in sorted({round(place) for place in np.linspace(0, len(xs) - 1, min(len(xs), 6))}):
        parts.append(_x_tick(LEFT + (place + 0.5) * columns, bottom, short_number(xs[place])))
    for place in range(0, len(values), -(-len(values) // MAX_CELL_TICKS)):
        parts.append(_y_tick(TOP + (place + 0.5) * rows, str(place)))
    scale = _colored(np.linspace(1, 0, 64)[:, None])
    parts.append(_picture(scale, right - COLOR_BAR, TOP, COLOR_BAR, bottom - TOP))
    for value, text in _ticks(colors.low, colors.high):
        parts.append(f'<text x="{right + 5}" y="{colors(value) + 4:.1f}" font-size="11">{text}</text>')
    middle = (TOP + bottom) / 2
    parts += [
        _x_label(x_label, LEFT + width / 2, bottom),
        _turned(y_label, 18, middle),
        _turned(unit, WIDTH - 8, middle),
    ]
    return _svg(parts, height)


def _scale(values: Sequence[float], start: float, end: float) -> Scale:
    """Return a scale that shows all finite values with some room beside them."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    room = 0.05 * (high - low)
    if low + room == low:
        room = 0.05 * abs(low) or 0.05
    return Scale(low - room, high + room, start, end)


def _ticks(low: float, high: float) -> Iterator[tuple[float, str]]:
    """Give round numbers within the range, and how they are written."""
    rough = (high - low) / MAX_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    digits = max(6, math.ceil(math.log10(max(abs(low), abs(high)) / step)) + 1)
    for number in range(math.ceil(low / step), math.floor(high / step) + 1):
        value = number * step
        yield value, _number(value, digits)


def _number(value: float, digits: int) -> str:
    """Return a number without the noise of its last bits, and large ones in short."""
    return short_number(value) if abs(value) >= 1e3 and digits <= 6 else f"{value:.{digits}g}"


def _y_axis(scale: Scale, label: str, right: int) -> Iterator[str]:
    for value, text in _ticks(scale.low, scale.high):
        yield f'<path d="M{LEFT} {scale(value):.1f}H{right}" stroke="{GRID}"/>'
        yield _y_tick(scale(value), text)
    yield f'<path d="M{LEFT} {scale.start}V{scale.end}" stroke="{FRAME}"/>'
    yield _turned(label, 18, (scale.start + scale.end) / 2)


def _x_axis(scale: Scale, label: str, bottom: float) -> Iterator[str]:
    for value, text in _ticks(scale.low, scale.high):
        yield _x_tick(scale(value), bottom, text)
    yield f'<path d="M{scale.start} {bottom}H{scale.end}" stroke="{FRAME}"/>'
    yield _x_label(label, (scale.start + scale.end) / 2, bottom)


def _x_tick(x: float, bottom: float, text: str) -> str:
    return (
        f'<path d="M{x:.1f} {bottom}v4" stroke="{FRAME}"/>'
        f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle" font-size="11">{text}</text>'
    )


def _y_tick(y: float, text: str) -> str:
    return (
        f'<path d="M{LEFT} {y:.1f}h-4" stroke="{FRAME}"/>'
        f'<text x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end" font-size="11">{text}</text>'
    )


def _x_label(text: str, x: float, bottom: float) -> str:
    return f'<text x="{x:.1f}" y="{bottom + 40}" text-anchor="middle">{_shown(text)}</text>'


def _turned(text: str, x: float, y: float) -> str:
    return f'<text transform="translate({x} {y:.1f}) rotate(-90)" text-anchor="middle">{_shown(text)}</text>'


def _line(points: Points, x_scale: Scale, y_scale: Scale, color: str, label: str) -> Iterator[str]:
    """Give a line, in parts where numbers are not finite; a part of a single point is a dot."""
    part: list[str] = []
    for x, y in [*points, (math.nan, math.nan)]:
        if math.isfinite(x) and math.isfinite(y):
            part.append(f"{x_scale(x):.1f} {y_scale(y):.1f}")
        elif part:
            shape = f"M{'L'.join(part)}" + ("h0.01" if len(part) == 1 else "")
            ends = 'stroke-linecap="round" stroke-linejoin="round"'
            width = 5 if len(part) == 1 else 2
            yield (
                f'<path class="line" d="{shape}" fill="none" stroke="{color}" stroke-width="{width}" {ends}>'
                f"<title>{_shown(label)}</title></path>"
            )
            part = []


def _legend_width(label: str) -> float:
    return 44 + CHARACTER * len(label)


def _legend_rows(labels: Sequence[str]) -> list[list[tuple[int, str]]]:
    """Return the labels with their numbers in rows that are no wider than a chart."""
    rows: list[list[tuple[int, str]]] = [[]]
    width = float(LEFT)
    for place, label in enumerate(labels):
        if rows[-1] and width + _legend_width(label) > WIDTH:
            rows.append([])
            width = float(LEFT)
        rows[-1].append((place, label))
        width += _legend_width(label)
    return rows


def _colored(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the colors of shares of the scale; of what is not finite white."""
    places = np.linspace(0, 1, len(CIVIDIS))
    known = np.nan_to_num(shares, nan=0.0, posinf=1.0, neginf=0.0)
    colors = np.stack([np.interp(known, places, [color[part] for color in CIVIDIS]) for part in range(3)], -1)
    colors[np.isnan(shares)] = 255
    return colors.round().astype(np.uint8)


def _picture(colors: NDArray[np.uint8], x: float, y: float, width: float, height: float) -> str:
    """Return a PNG of a pixel per cell, drawn without smoothing."""
    rows, columns, _ = colors.shape
    raw = b"".join(b"\0" + row.tobytes() for row in colors)  # 0: a row stands as it is
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)  # 8 bits of each of three colors
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return (
        f'<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{base64.b64encode(png).decode()}"/>'
    )


def _shown(text: str) -> str:
    return escape(visible(text))


def _svg(parts: Sequence[str], height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" fill="{TEXT}" role="img">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>{"".join(parts)}</svg>'
    )


__all__ = ["heat_map", "line_chart"]
