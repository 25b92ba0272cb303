"""Charts of reports and cards, drawn by matplotlib: no script, no font and no picture is fetched."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = Sequence[tuple[float, float]]
Band = Sequence[tuple[float, float, float]]  # x, low, high

# Okabe-Ito: told apart with every common form of colour blindness.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#444444"]

COLUMNS_OF_HISTOGRAMS, HISTOGRAM_HEIGHT = 3, 1.6  # inches
COLUMNS_OF_FREQUENCIES, MAX_VALUES, MAX_NAME = 2, 15, 28
PNG_DPI = 120


def bar_chart(series: Mapping[str, Sequence[float | None]], groups: Sequence[str], y_label: str) -> str:
    """Return an SVG of bars, one per group and series; None draws no bar."""
    figure = _empty_figure(4.2, layout="constrained")
    axes = figure.add_subplot()
    _style(axes)
    width = 0.84 / max(len(series), 1)
    for number, (label, values) in enumerate(series.items()):
        bars = [
            (group + (number - (len(series) - 1) / 2) * width, value)
            for group, value in enumerate(values)
            if value is not None
        ]
        xs, heights = zip(*bars, strict=True) if bars else ((), ())
        axes.bar(xs, heights, width, label=label, color=COLORS[number % len(COLORS)])
    axes.set_xticks(range(len(groups)), groups, rotation=35, ha="right", fontsize=8)
    axes.set_ylabel(y_label)
    if len(series) > 1:
        axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, 1.18))
    return as_svg(figure)


def histograms(values: Mapping[str, Sequence[float] | NDArray[np.float64]]) -> Figure:
    """Return histograms of up to 40 bars, three in a row; the last bar holds all above the 99th percentile.

    Args:
        values (`dict` of label to numbers): at least one finite number each.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    rows = -(-len(values) // COLUMNS_OF_HISTOGRAMS)
    figure = _empty_figure(HISTOGRAM_HEIGHT * rows, layout=None)
    # To find the margins takes longer than to draw.
    below, above = 0.3 / (HISTOGRAM_HEIGHT * rows), 1 - 0.3 / (HISTOGRAM_HEIGHT * rows)
    figure.subplots_adjust(left=0.05, right=0.985, bottom=below, top=above, wspace=0.18, hspace=0.5)
    for number, (label, given) in enumerate(values.items()):
        axes = figure.add_subplot(rows, COLUMNS_OF_HISTOGRAMS, number + 1)
        numbers = np.asarray(given, float)
        is_count = bool((numbers == numbers.round()).all())
        counts, edges = _bars(numbers, is_count)
        axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=COLORS[0])
        axes.set_title(label, fontsize=9, loc="left")
        for axis, has_integers in ((axes.xaxis, is_count), (axes.yaxis, True)):
            axis.set_major_locator(MaxNLocator(4, integer=has_integers))
            axis.set_major_formatter(FuncFormatter(short_number))
        _style(axes, 7)
    return figure


def waterfall(steps: Sequence[tuple[str, int, int, int]]) -> Figure:
    """Return a bar per step from the top: what it passed on, removed and merged.

    Args:
        steps: (name, passed on, removed, merged) each.
    """
    from matplotlib.ticker import FuncFormatter

    figure = _empty_figure(max(1.6, 0.28 * len(steps) + 0.8), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(steps))
    lefts = [0] * len(steps)
    for number, label in enumerate(("passed on", "removed", "merged"), 1):
        widths = [int(step[number]) for step in steps]
        axes.barh(places, widths, left=lefts, height=0.7, label=label, color=COLORS[number - 1])
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]
    axes.set_yticks(places, [step[0] for step in steps])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(FuncFormatter(short_number))
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    _style(axes, 8)
    axes.grid(axis="x", color="#e6eaf0")
    axes.grid(False, axis="y")
    return figure


def frequencies(values: Mapping[str, Mapping[str, int]]) -> Figure:
    """Return bars of how often values are, two charts in a row; beyond the most frequent they are summed up.

    Args:
        values (`dict` of label to counts by value): the most frequent value first.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    shown = {label: _most_frequent(counts) for label, counts in values.items()}
    rows = -(-len(shown) // COLUMNS_OF_FREQUENCIES)
    longest = max((len(counts) for counts in shown.values()), default=1)
    figure = _empty_figure(rows * (0.6 + 0.19 * longest), layout="constrained")
    for number, (label, counts) in enumerate(shown.items()):
        axes = figure.add_subplot(rows, COLUMNS_OF_FREQUENCIES, number + 1)
        axes.barh(range(len(counts)), list(counts.values()), height=0.7, color=COLORS[0])
        names = [name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}\u2026" for name in counts]
        axes.set_yticks(range(len(counts)), [name.replace("$", r"\$") for name in names])
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(short_number))
        axes.set_title(label, fontsize=9, loc="left")
        _style(axes, 7)
        axes.grid(False, axis="y")
    return figure


def _most_frequent(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the most frequent values and the sum of the others."""
    items = list(counts.items())
    if len(items) <= MAX_VALUES:
        return dict(items)
    rest = items[MAX_VALUES - 1 :]
    return dict(items[: MAX_VALUES - 1]) | {f"{len(rest)} more": sum(count for _, count in rest)}


def _bars(numbers: NDArray[np.float64], is_count: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    low, high = float(numbers.min()), float(np.percentile(numbers, 99))
    if is_count:  # a bar stands around its number
        low, high = low - 0.5, max(high, low + 1) + 0.5
    high = max(high, low + 1e-9)
    num_bars = int(min(40, high - low)) if is_count else 40
    return np.histogram(np.minimum(numbers, high), bins=num_bars, range=(low, high))


def short_number(value: float, place: int | None = None) -> str:
    """Return a number with a letter for thousands, millions and billions; `place` is matplotlib's."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def as_svg(figure: Figure) -> str:
    """Return a figure as SVG, the same for the same figure."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def as_png(figure: Figure) -> bytes:
    """Return a figure as PNG, which every viewer of a card shows."""
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return raw.getvalue()


def _empty_figure(height: float, layout: Literal["constrained"] | None) -> Figure:
    # Imported here: a caller that only writes tables should not wait for matplotlib.
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, height), layout=layout)
    FigureCanvasSVG(figure)
    return figure


def _style(axes: Axes, font_size: float | None = None) -> None:
    axes.set_axisbelow(True)
    axes.grid(axis="y", color="#e6eaf0")
    axes.spines[["top", "right"]].set_visible(False)
    if font_size:
        axes.tick_params(labelsize=font_size)
