"""Figure 1b: one score for each of the twelve code benchmarks, as a picture, and how often each model leads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evals.report.page import Page

# Benchmark: caption (its start) and column of the table that has its score. The paper does not say which twelve; these
# are the ones of its text with the two MultiPL-E and the two MBXP apart, and give the seven wins that it counts.
TWELVE = {
    "HumanEval": ("HumanEval and MBPP, instruct", "HumanEval"),
    "MBPP": ("HumanEval and MBPP, instruct", "MBPP"),
    "LiveCodeBench": ("LiveCodeBench", "LiveCodeBench"),
    "BigCodeBench": ("LiveCodeBench", "BigCodeBench full"),
    "MultiPL-E HumanEval": ("MultiPL-E HumanEval", "average"),
    "MultiPL-E MBPP": ("MultiPL-E MBPP", "average"),
    "MBXP EN": ("MBXP EN", "average"),
    "MBXP CN": ("MBXP CN", "average"),
    "CRUXEval": ("CRUXEval with chain of thought, instruct", "Full"),
    "HumanEvalFix": ("HumanEvalFix", "Overall"),
    "DS-1000": ("DS-1000", "Overall"),
    "Spider": ("Spider", "Full"),
}
OURS = "ours: "  # begins the name of a row that is a run's


def overview(tables: Sequence[tuple[dict[str, Any], Mapping[str, Sequence[Any]]]]) -> dict[str, dict[str, float]]:
    """Return the scores in percent by benchmark and model; a model without a score there is left out.

    Args:
        tables: the paper's tables with their filled rows.
    """
    scores = {}
    for benchmark, (caption, title) in TWELVE.items():
        table, rows = next(pair for pair in tables if pair[0]["caption"].startswith(caption))
        index = [column["title"] for column in table["columns"]].index(title)
        scores[benchmark] = {model: cells[index].value for model, cells in rows.items() if cells[index]}
    return scores


def wins(scores: Mapping[str, Mapping[str, float]]) -> Counter[str]:
    """Return on how many benchmarks each model has the highest score; a shared first place counts for all of them."""
    count: Counter[str] = Counter()
    for by_model in scores.values():
        best = max(by_model.values())
        count.update(model for model, value in by_model.items() if value == best)
    return count


def add_overview(page: Page, tables: Sequence[tuple[dict[str, Any], Mapping[str, Sequence[Any]]]]) -> None:
    """Add the picture and the count of wins to a report."""
    scores = overview(tables)
    models = list(dict.fromkeys(model for by_model in scores.values() for model in by_model))
    page.heading("Twelve code benchmarks at a glance (Figure 1b)")
    page.bar_chart(
        "figure_1b",
        {model: [scores[benchmark].get(model) for benchmark in scores] for model in models},
        groups=list(scores),
        caption="Scores of instruct models in percent; a missing bar was not measured.",
        y_label="score, %",
    )
    count = wins(scores)
    rows = [[model, count[model], sum(model in by_model for by_model in scores.values())] for model in models]
    own_rows = [number for number, model in enumerate(models) if model.startswith(OURS)]
    page.table(["model", "highest score on", "of benchmarks scored"], rows, own_rows=own_rows)
    page.paragraph(
        "A count of wins says nothing about their size: many of these leads are smaller than the intervals in the "
        "tables below."
    )
