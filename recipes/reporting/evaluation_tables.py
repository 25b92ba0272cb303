"""Section 3.2: what was evaluated in the course of a run, as tables of its card."""

from __future__ import annotations

from typing import Any

UNITS = {"loss": "loss", "accuracy": "pairs preferred rightly", "margin": "reward margin"}


def evaluation_section(run: dict[str, Any]) -> list[str]:
    """Return the lines of the card on held-out loss and tasks; none where nothing was evaluated.

    Args:
        run: `held_out`, `tasks` and `overlaps` are read.
    """
    lines = []
    if run.get("held_out"):
        lines += ["## Held-out data", "", *_held_out_table(run["held_out"]), ""]
        lines += [f"- {_overlap_words(overlap)}" for overlap in run.get("overlaps", [])]
        lines.append("")
    if run.get("tasks"):
        lines += ["## Tasks in the course of the run", "", *_task_table(run["tasks"]), ""]
    return lines


def _held_out_table(records: list[dict[str, Any]]) -> list[str]:
    first, last = records[0], records[-1]
    lines = [
        f"| source | figure | step {first['step']:,} | lowest loss | step {last['step']:,} | over |",
        "|---|---|---|---|---|---|",
    ]
    for name, ends in last["sources"].items():
        begins = first["sources"].get(name, {})
        history = [record["sources"][name]["loss"] for record in records if name in record["sources"]]
        known = [loss for loss in history if loss is not None]
        for figure in (key for key in ends if key != "count"):
            lowest = f"{min(known):.4f}" if figure == "loss" and known else ""
            cells = [name, UNITS.get(figure, figure), _number(begins.get(figure)), lowest, _number(ends[figure])]
            unit = "pairs" if "margin" in ends else "tokens"
            lines.append("| " + " | ".join([*cells, f"{ends['count']:,} {unit}"]) + " |")
    if len(last["sources"]) > 1:
        known = [record["loss"] for record in records if record["loss"] is not None]
        lowest = f"{min(known):.4f}" if known else ""
        lines.append(f"| all | loss | {_number(first['loss'])} | {lowest} | {_number(last['loss'])} | |")
    return lines


def _task_table(records: list[dict[str, Any]]) -> list[str]:
    lines = ["| task | step | score | 95 % interval | problems |", "|---|---|---|---|---|"]
    for record in records:
        for name, score in record["tasks"].items():
            interval = "-"
            if score["interval"] and score["value"] is not None:
                interval = " to ".join(f"{100 * end:.1f} %" for end in score["interval"])
            value = "-" if score["value"] is None else f"{100 * score['value']:.1f} %"
            lines.append(f"| {name} ({score['metric']}) | {record['step']:,} | {value} | {interval} | {score['n']} |")
    return lines


def _overlap_words(overlap: dict[str, Any]) -> str:
    from recipes.data.held_out import Overlap

    return str(Overlap(**overlap))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


__all__ = ["evaluation_section"]
