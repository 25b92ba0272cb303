"""Section 3.2.4: pages of a judge's verdicts: the figures, and every pair with both answers and what was said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.judging.figures import summarize, summary_lines
from evals.judging.judge import Judgment
from evals.judging.sides import short_names
from evals.judging.verdicts import is_consistent
from evals.report.documents import render
from evals.report.records import Block, Record, title_of, write_records
from evals.report.runs import write_json
from evals.report.settings import setting_text

EXPLANATION = (
    "The judge saw each pair of answers twice, with places swapped. Won: it preferred the second side's answer both "
    "times; lost: the first side's; tied: it said so, or the two orders disagree, or the answers are equal. Pairs "
    "without a clear verdict are left out of every rate. Intervals are of 95 %: Wilson's or the bootstrap over "
    "questions; the test is exact, of won against lost pairs. A judge is a model: it has preferences of its own, for "
    "length among them."
)
JUDGMENTS, FIGURES = "judgments.jsonl", "judge.json"


def write_judgments(
    judgments: Sequence[Judgment],
    output: Path,
    *,
    first: str,
    second: str,
    prompt: str,
    settings: Mapping[str, Any],
    left_out: Mapping[str, int],
) -> dict[str, Any]:
    """Write judge.json, judgments.jsonl, index.html and pages of all pairs; return what judge.json holds.

    Args:
        first, second: the sides, as they were given.
        prompt: the judge's, with its places.
        settings: what the judge was asked with, the judge's name under "judge".
        left_out: questions that were not judged, by reason.
    """
    output.mkdir(parents=True, exist_ok=True)
    figures = summarize(judgments)
    sides = {"first side": first, "second side": second}
    result = {"first": first, "second": second, "settings": dict(settings), "not_judged": dict(left_out), **figures}
    first, second = short_names(first, second)
    lines = "".join(json.dumps(asdict(judgment), ensure_ascii=False) + "\n" for judgment in judgments)
    (output / JUDGMENTS).write_text(lines, encoding="utf-8", errors="replace")
    written = write_records(
        output,
        "pairs",
        (_record(judgment, first, second) for judgment in judgments),
        title=f"{second} against {first}",
        filters={"outcome": "outcome", "orders": "orders"},
        links={"index.html": "The figures"},
    )
    shown = {**sides, **settings, **_not_judged(left_out)}
    index = render(
        "judgments_index.html",
        title=f"{second} against {first}",
        explanation=EXPLANATION,
        lines=summary_lines(figures, first, second, str(settings["judge"])),
        address=written[0][0],
        rates=_rates(figures),
        lengths=_lengths(figures),
        settings=[[name, setting_text(value)] for name, value in shown.items()],
        prompt=prompt,
    )
    (output / "index.html").write_text(index, encoding="utf-8")
    write_json(output / FIGURES, result)
    return result


def orders_of(judgment: Judgment) -> str:
    """Return what the two orders said, in words."""
    readings = (judgment.in_order, judgment.swapped)
    if not judgment.asked:
        return "equal answers"
    if not all(reading.verdict for reading in readings):
        return "no clear verdict"
    return "both agree" if is_consistent(*(reading.verdict for reading in readings)) else "disagree"


def _record(judgment: Judgment, first: str, second: str) -> Record:
    """Return a pair with what the judge said of it as a record."""
    pair, orders = judgment.pair, orders_of(judgment)
    blocks = [
        Block("Question", pair.question),
        Block(first, pair.first, side=1),
        Block(second, pair.second, side=2),
    ]
    readings = (("Shown in this order", judgment.in_order), (f"Shown swapped: A is {second}", judgment.swapped))
    for side, (title, reading) in enumerate(readings, 1):
        said = reading.text or reading.fault or "not asked: the answers are equal"
        blocks.append(Block(title, said, side=side, marks=[reading.verdict or "no verdict"], note=reading.fault or ""))
    groups = {"outcome": [judgment.outcome], "orders": [orders]}
    title = title_of(pair.id, pair.question)
    return Record(
        pair.id, title, orders, blocks, [judgment.outcome], {} if title == pair.id else {"id": pair.id}, groups
    )


def _not_judged(left_out: Mapping[str, int]) -> dict[str, str]:
    return {f"not judged: {reason}": f"{number:,}" for reason, number in left_out.items()}


def _rates(figures: Mapping[str, Any]) -> list[list[str]]:
    if not figures["n"]:
        return []
    rows = [[name, f"{figures['counts'][name]:,}", *_cells(rate)] for name, rate in figures["rates"].items()]
    return [*rows, ["ties as halves", f"{figures['n']:,}", *_cells(figures["win_rate"])]]


def _lengths(figures: Mapping[str, Any]) -> list[list[str]]:
    groups = figures["length"]["win_rate_by_length"] if figures["length"] else {}
    return [[name, f"{group['n']:,}", *_cells(group["rate"])] for name, group in groups.items()]


def _cells(rate: Mapping[str, Any] | None) -> list[str]:
    if rate is None:
        return ["-", "-"]
    low, high = rate["interval"]
    return [f"{100 * rate['value']:.1f} %", f"{100 * low:.1f} to {100 * high:.1f} %"]
