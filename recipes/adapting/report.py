"""What adapting a model to one's own code brought, as a page, as JSON, and in the model's card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipes.adapting.infilling import compare, load_fillings, summarize
from recipes.adapting.story import AdaptOptions
from recipes.quickstart.step_runner import StepRecord

HEADING = "## Infilling on held-out files"


def write_report(options: AdaptOptions, family: str, records: Sequence[StepRecord]) -> str:
    """Write `report.md` and `report.json`, put the figures into the model's card, and return the page.

    Args:
        options: of the adaptation.
        family: whose form the model is asked in.
        records: of all steps.
    """
    to = options.to
    before, after = (load_fillings(to / "evaluation" / f"infilling_{which}.json") for which in ("before", "after"))
    split = json.loads((to / "split.json").read_text(encoding="utf-8"))
    report: dict[str, Any] = {
        "model": options.model,
        "family": family,
        "before": summarize(before),
        "after": summarize(after),
        "difference": compare(before, after),
        "files": {**split, "left_out_as_too_alike": len(split["left_out_as_too_alike"])},
        "general": _general(to / "evaluation" / "general" / "results.json"),
        "seconds": {record.name: round(record.seconds, 1) for record in records},
    }
    (to / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    section = "\n".join(_section(report, options))
    page = f"# {Path(options.model).name}, adapted\n\n{section}\n"
    (to / "report.md").write_text(page, encoding="utf-8")
    card = to / "model" / "README.md"
    text = card.read_text(encoding="utf-8").partition(HEADING)[0].rstrip()
    card.write_text(f"{text}\n\n{section}\n", encoding="utf-8")
    return page


def _executed(report: dict[str, Any]) -> list[str]:
    """Return the table of gaps that tests of the code tell about; none where there are no such tests."""
    kinds = {kind: change for kind, change in report["difference"].items() if "passes" in change}
    if not kinds:
        return ["", "No test of the code that runs on the standard library tells about a gap."]
    lines = [
        "",
        "Gaps whose absence a test of the code notices, the tests run with the answer in its place:",
        "",
        "| gap | n | tests pass, before | after | change |",
        "|" + "---|" * 5,
    ]
    for kind, change in kinds.items():
        sides = [_passes(report[side][kind]) for side in ("before", "after")]
        lines.append(f"| {kind} | {change['num_executed']} | {' | '.join(sides)} | {_change(change['passes'])} |")
    return lines


def _passes(figures: dict[str, Any]) -> str:
    low, high = figures["passes_interval"]
    return f"{figures['passes']:.1%} ({low:.1%} to {high:.1%})"


def _general(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _section(report: dict[str, Any], options: AdaptOptions) -> list[str]:
    files = report["files"]
    lines = [
        HEADING,
        "",
        f"{files['held_out']} files of the code were not trained on, nor the {files['left_out_as_too_alike']} that "
        f"share half of their lines with one of them; {files['train']} were. Gaps in them, filled greedily in the "
        f"form of {report['family']}; intervals of 95 % over files.",
        "",
        "| gap | n | exact, before | after | similarity, before | after | change | nats/byte, before | after "
        "| change |",
        "|" + "---|" * 10,
    ]
    for kind, change in report["difference"].items():
        first, second = report["before"][kind], report["after"][kind]
        lines.append(
            f"| {kind} | {change['n']} | {_rate(first)} | {_rate(second)} | {first['edit_similarity']:.3f} | "
            f"{second['edit_similarity']:.3f} | {_change(change['similarity'])} | {first['loss_per_byte']:.3f} | "
            f"{second['loss_per_byte']:.3f} | {_change(change['loss_per_byte'])} |"
        )
    lines += _executed(report)
    lines += ["", "A change whose interval holds 0 may be chance."]
    if report["general"] is not None:
        lines += ["", f"What was forgotten, by {options.benchmark}: see `evaluation/general`.", ""]
        lines += [f"- {line}" for line in general_lines(report["general"])]
    elif not options.benchmark:
        lines += ["", "What was forgotten was not measured (`--benchmark none`)."]
    return lines


def general_lines(results: dict[str, Any]) -> list[str]:
    """Return a line per task: the score before and after, with the paired interval."""
    lines = []
    for name, task in results.get("tasks", {}).items():
        before = task.get("baselines", {}).get("initial_weights", {})
        lines.append(
            f"{name}, {task['metric']} of {task['n']}: {_share(before)} before, {_share(task)} after"
            + (f" (McNemar p = {before['mcnemar_p']:.3g})" if "mcnemar_p" in before else "")
        )
    return lines


def _share(figures: dict[str, Any]) -> str:
    if "value" not in figures:
        return "not measured"
    low, high = figures["interval"]
    return f"{figures['value']:.1%} ({low:.1%} to {high:.1%})"


def _rate(figures: dict[str, Any]) -> str:
    low, high = figures["exact_match_interval"]
    return f"{figures['exact_match']:.1%} ({low:.1%} to {high:.1%})"


def _change(values: Sequence[float]) -> str:
    return f"{values[0]:+.3f} ({values[1]:+.3f} to {values[2]:+.3f})"
