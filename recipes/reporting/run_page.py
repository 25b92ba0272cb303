"""Section 3.2: the curves of a run as a page of its own: losses, learning rate, scores, the load of the experts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evals.report.page import Page

CURVES_FILE = "curves.html"
# A chart of more points has more of them than pixels.
MAX_POINTS = 1000
# Fewer log lines are no curve: metrics.jsonl is read as fast.
MIN_POINTS = 3
# Name of the figure in metrics.jsonl, caption, label of the axis.
CURVES = (
    ("loss", "Loss, without the router's", "nats"),
    ("learning_rate", "Learning rate", "learning rate"),
    ("grad_norm", "Norm of the gradient, before it is clipped", "norm"),
    ("balance_loss", "Balance loss of the routers; 1 is even", "balance loss"),
    ("z_loss", "z-loss of the routers", "z-loss"),
    ("rewards/margins", "Reward of the chosen over the rejected answers", "margin"),
    ("rewards/accuracies", "Pairs whose chosen answer has the higher reward", "share"),
    ("tokens_per_second", "Real tokens per second", "tokens / s"),
)
# Of next tokens or of preferences, which have rewards.
LOSS_UNITS = {False: "nats per token", True: "nats per pair"}
# Name of the figure of each held-out source, caption, label of the axis.
HELD_OUT_CURVES = (
    ("loss", "Held-out loss", "nats"),
    ("accuracy", "Held-out pairs whose chosen answer has the higher reward", "share"),
    ("margin", "Reward of the chosen over the rejected answers of held-out pairs", "margin"),
)
ALL_SOURCES = "all"
# Name of the figure per layer, caption, unit.
HEAT_MAPS = (
    ("load_max_over_mean", "Load of the busiest expert of each layer; 1 is even", "times the mean"),
    ("load_min_over_mean", "Load of the idlest expert of each layer; 0 is dead", "times the mean"),
    ("dead_experts", "Experts without load in each layer", "experts"),
    ("router_entropy", "Entropy of the routers of each layer", "nats"),
    ("layer_balance_loss", "Balance loss of each layer", "balance loss"),
    ("layer_z_loss", "z-loss of each layer", "z-loss"),
)


def thinned(lines: Sequence[dict[str, Any]], max_lines: int = MAX_POINTS) -> list[dict[str, Any]]:
    """Return evenly spaced log lines, the first and the last among them."""
    if len(lines) <= max_lines:
        return list(lines)
    return [lines[round(number * (len(lines) - 1) / (max_lines - 1))] for number in range(max_lines)]


def alarm_lines(metrics: Sequence[dict[str, Any]]) -> list[str]:
    """Return the alarms of the routing, a text for each log line that has some."""
    return [
        f"step {line['step']:,}: " + "; ".join(line["routing_alarms"]) for line in metrics if line.get("routing_alarms")
    ]


def save_curves(
    path: Path,
    title: str,
    metrics: Sequence[dict[str, Any]],
    events: Sequence[dict[str, Any]] = (),
    *,
    held_out: Sequence[dict[str, Any]] = (),
    tasks: Sequence[dict[str, Any]] = (),
) -> Path:
    """Write the page, one HTML file that needs nothing else.

    Args:
        path: of the file.
        title: the stage.
        metrics: lines of metrics.jsonl; figures of a line may be None.
        events: lines of events.jsonl; where the run was continued is marked.
        held_out: lines of metrics.jsonl on held-out data.
        tasks: lines of metrics.jsonl on tasks that were asked.
    """
    from evals.report.page import Page

    page = Page(f"{title}: the run")
    lines = thinned(metrics)
    steps = [event["step"] for event in events if event.get("event") == "resume"]
    resumed = {f"resumed at {step:,}": step for step in steps}
    unit = LOSS_UNITS[any("rewards/margins" in line for line in metrics)]
    for name, caption, label in CURVES:
        points = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
        if len(points) >= MIN_POINTS:
            page.line_chart(
                name.replace("/", "_"),
                {name: points},
                caption=caption,
                x_label="optimizer step",
                y_label=unit if name == "loss" else label,
                boundaries=resumed,
            )
    _add_held_out(page, held_out, resumed, unit)
    _add_tasks(page, tasks, resumed)
    if any(line.get("load_max_over_mean") for line in lines):
        _add_load(page, metrics, lines)
    path.write_text(page.to_html(), encoding="utf-8")
    return path


def _add_held_out(page: Page, records: Sequence[dict[str, Any]], resumed: dict[str, int], unit: str) -> None:
    """Add what was measured on held-out data: a line for each source, and one for all by their shares."""
    lines = thinned(records)
    sources = list(dict.fromkeys(name for line in lines for name in line["sources"]))
    charts = []
    for figure, caption, label in HELD_OUT_CURVES:
        values = {
            name: [(line["step"], line["sources"].get(name, {}).get(figure)) for line in lines] for name in sources
        }
        if figure == "loss" and len(sources) > 1:
            values[ALL_SOURCES] = [(line["step"], line["loss"]) for line in lines]
        series = {
            name: [(step, value) for step, value in points if value is not None] for name, points in values.items()
        }
        if any(len(points) > 1 for points in series.values()):
            charts.append((figure, series, caption, label))
    if charts:
        page.heading("Held-out data")
    for figure, series, caption, label in charts:
        page.line_chart(
            f"held_out_{figure}",
            series,
            caption=caption,
            x_label="optimizer step",
            y_label=unit if figure == "loss" else label,
            boundaries=resumed,
        )


def _add_tasks(page: Page, records: Sequence[dict[str, Any]], resumed: dict[str, int]) -> None:
    """Add the scores of tasks over time, in percent, with their intervals."""
    scores: dict[str, list[tuple[float, float]]] = {}
    bands: dict[str, list[tuple[float, float, float]]] = {}
    for record in records:
        for name, score in record["tasks"].items():
            if score["value"] is not None:
                scores.setdefault(name, []).append((record["step"], 100 * score["value"]))
                low, high = score["interval"] or (score["value"], score["value"])
                bands.setdefault(name, []).append((record["step"], 100 * low, 100 * high))
    if any(len(points) > 1 for points in scores.values()):
        page.heading("Tasks")
        page.line_chart(
            "tasks",
            scores,
            caption="Scores in the course of the run, with 95 % intervals",
            x_label="optimizer step",
            y_label="%",
            boundaries=resumed,
            bands=bands,
        )


def _add_load(page: Page, metrics: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> None:
    """Add the load of the experts over time, of a model that has some."""
    alarms = alarm_lines(metrics)
    page.heading("Load of the experts")
    page.paragraph(f"Routing alarms at {len(alarms):,} of {len(metrics):,} log lines. Layers are those with experts.")
    if alarms:
        page.code("\n".join([*alarms[:10], *(["..."] if len(alarms) > 11 else []), *alarms[10:][-1:]]))
    for name, caption, unit in HEAT_MAPS:
        columns = [line for line in lines if line.get(name)]
        if len(columns) >= MIN_POINTS:
            page.heat_map(
                name,
                list(zip(*(line[name] for line in columns), strict=True)),
                [line["step"] for line in columns],
                caption=caption,
                labels=("optimizer step", "layer"),
                unit=unit,
            )
