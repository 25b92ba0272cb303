"""Section 5: the tables of `evals efficiency` as a page with a picture: Figure 6 and what surrounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.report.page import Page


@dataclass(frozen=True)
class Picture:
    """What is drawn of a kind of table, a line per model."""

    title: str
    x: str
    y: str
    x_label: str
    y_label: str


PICTURES = {
    "floor": Picture(
        "The floor of decoding", "batch_size", "tokens_per_second", "batch size", "most tokens per second"
    ),
    "latency": Picture(
        "Latency (Figure 6)", "output_tokens", "median_seconds", "output tokens (input as long)", "median seconds"
    ),
    "capacity": Picture(
        "Throughput against batch size", "batch_size", "tokens_per_second", "batch size", "tokens per second"
    ),
}


# What the columns of the tables are called where people read them; the JSON and the terminal have the keys.
COLUMNS = {
    "paper_tmacs": "as the paper counts, TMACs",
    "figure_1c": "read off Figure 1c",
    "true_tflops": "true, TFLOPs",
    "parameters_billion": "parameters, billions",
    "gb_per_step": "GB read per step",
    "floor_ms": "floor, ms",
    "peak_gib": "peak, GiB",
}


def column_name(key: str) -> str:
    """Return what a column is called, in words."""
    return COLUMNS.get(key, key.replace("_", " "))


def write_report(
    path: Path, kind: str, lines: Sequence[dict[str, Any]], note: str, more: Sequence[dict[str, Any]] = ()
) -> None:
    """Write a page with a table and its picture.

    Args:
        path: an HTML file; a Markdown file and the picture go beside it.
        kind: "flops", or one of `PICTURES`.
        lines: a table of that kind, with "model" in every line.
        note: what the numbers are of.
        more: lines that are drawn and not listed: floors, under throughputs that were measured.
    """
    if kind == "flops":
        page = Page("Cost of one inference (Figure 1c)")
        models = [line["model"] for line in lines]
        page.bar_chart(
            "flops",
            {
                "paper's convention, TMACs": [line["paper_tmacs"] for line in lines],
                "read off Figure 1c": [line["figure_1c"] for line in lines],
                "true, TFLOPs": [line["true_tflops"] for line in lines],
            },
            groups=models,
            caption=note,
            y_label="per inference of 4,096 tokens",
        )
    else:
        picture = PICTURES[kind]
        page = Page(picture.title)
        series: dict[str, list[tuple[float, float]]] = {}
        for line in [*lines, *more]:
            series.setdefault(line["model"], []).append((line[picture.x], line[picture.y]))
        page.line_chart(kind, series, caption=note, x_label=picture.x_label, y_label=picture.y_label)
    page.table([column_name(key) for key in lines[0]], [list(line.values()) for line in lines])
    for written in page.save(path):
        print(written)
