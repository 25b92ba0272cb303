"""Section 3.2, Table 1: plans as a page: what each stage does, its learning rate, and the sources over all stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from recipes.reporting.costs import Assumptions
from recipes.reporting.curves import sampled
from recipes.reporting.planning import SOURCE_HEADER, StagePlan, joined_sources, plan_facts, source_cells

NUM_POINTS = 400


def save_plan_page(
    path: Path, plans: Sequence[tuple[StagePlan, Callable[[int], float] | None]], assumptions: Assumptions
) -> Path:
    """Write the page, a Markdown form beside it, and return the page's path.

    Args:
        path: of the HTML file.
        plans: with their learning rates by step, None while the number of steps is not known.
        assumptions: behind hours and cost.
    """
    from evals.report.page import Page

    page = Page("Training plan", subtitle=", ".join(plan.stage for plan, _ in plans))
    for number, (plan, learning_rate_at) in enumerate(plans):
        page.heading(plan.stage)
        page.table(["what", "value"], plan_facts(plan, assumptions), aligned=False)
        if learning_rate_at is not None and plan.num_steps:
            page.line_chart(
                f"learning_rate_{number}",
                {plan.schedule: sampled(learning_rate_at, plan.num_steps, NUM_POINTS)},
                caption=f"Learning rate of {plan.stage}",
                x_label="optimizer step",
                y_label="learning rate",
            )
        if plan.sources:
            page.table(SOURCE_HEADER, [source_cells(source) for source in plan.sources])
        for note in plan.notes:
            page.paragraph(f"Note: {note}")
    sources = joined_sources([plan for plan, _ in plans])
    if len(plans) > 1 and sources:
        page.heading("All stages together")
        page.table(SOURCE_HEADER, [source_cells(source) for source in sources])
    if any(source.is_stated for plan, _ in plans for source in plan.sources):
        page.paragraph("* what the recipe states as `corpus_tokens`; the token files are not there")
    return page.save(path)[0]
