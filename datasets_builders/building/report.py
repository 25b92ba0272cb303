"""Section 2.1: the report of a build, for the person who made it: what became of the input, and what the rows are like.

`report.html` shows removed texts and is never published; the card has the numbers.
"""

import gzip
import shlex
from collections.abc import Collection, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from datasets_builders.building.columns import (
    CAPTION,
    CLUSTERS_HEADER,
    MAX_ROWS,
    PICTURE,
    PROFILE_HEADER,
    profile,
)
from datasets_builders.building.description import DatasetDescription
from datasets_builders.building.json_lines import of_line
from datasets_builders.building.ledger import Ledger
from datasets_builders.building.rows_page import COUNTS_HEADER, COUNTS_TITLE, count_cells, counts_of, record_of
from evals.report.page import Page

NUM_SHOWN_ROWS, NUM_SHOWN_TEXTS = 2, 4
EXAMPLES_PER_REASON = 2
MAX_REASONS = 40
EXCERPT_CHARACTERS = 400
LINES_READ_PER_FILE = 20_000


def write_report(dataset: DatasetDescription, ledger: Ledger, num_rows: dict[str, int]) -> Path:
    """Write report.html (and .md) beside the card.

    Args:
        dataset (`DatasetDescription`): the dataset.
        ledger (`Ledger`): of the whole build.
        num_rows (dict): rows per split.

    Returns:
        `Path`: of the HTML page.
    """
    total = ", ".join(f"{split}: {count:,} rows" for split, count in num_rows.items())
    name = dataset.folder.name
    title = name if name == dataset.builder else f"{dataset.builder}: {name}"
    page = Page(title, f"{total}. For you alone: it shows removed texts.")
    _show_rows(page, dataset)
    _show_steps(page, ledger, dataset.counted_column)
    _show_reasons(page, ledger, dataset.folder / "removed")
    _show_changes(page, ledger)
    _show_columns(page, dataset)
    if dataset.largest_clusters:
        page.heading("Largest clusters of near-duplicates")
        page.table(CLUSTERS_HEADER, dataset.largest_clusters)
    return page.save(dataset.folder / "report.html")[0]


def _show_rows(page: Page, dataset: DatasetDescription) -> None:
    """Show how many rows have which values, and the first rows."""
    page.heading("Rows")
    page.table(COUNTS_HEADER, count_cells(counts_of(dataset.rows)), COUNTS_TITLE, aligned=False)
    for number, row in enumerate(islice(dataset.rows.rows(), NUM_SHOWN_ROWS)):
        record = record_of(row, number)
        page.heading(record.title, level=3)
        page.paragraph(_without_ticks(record.line))
        for block in record.blocks[:NUM_SHOWN_TEXTS]:
            page.paragraph(_without_ticks(block.title))
            left_out = len(block.text) - EXCERPT_CHARACTERS
            more = f"\n[{left_out:,} more characters]" if left_out > 0 else ""
            page.code(f"{block.text[:EXCERPT_CHARACTERS]}{more}")
    page.paragraph(
        f"`python -m datasets_builders browse {_without_ticks(shlex.quote(str(dataset.folder)))}` shows more of them."
    )


def _show_steps(page: Page, ledger: Ledger, counted_column: str | None) -> None:
    page.heading("What became of the input")
    names = [step.name for step in ledger.steps]
    counts: dict[str, list[float | None]] = {
        "passed on": [step.output for step in ledger.steps],
        "removed": [step.removed for step in ledger.steps],
        "merged": [step.merged for step in ledger.steps],
    }
    page.bar_chart("steps", counts, groups=names, caption="Documents by step", y_label="documents")
    rows = [
        [step.name, step.input + step.created, step.removed, step.merged, step.output, f"{step.bytes_out / 1e6:.1f} MB"]
        for step in ledger.steps
    ]
    page.table(["step", "in or made", "removed", "merged", "passed on", "text"], rows)
    steps, groups = ledger.by_group()
    if len(steps) > 1:
        page.heading(f"What each step passed on, by {counted_column}", level=3)
        page.table([counted_column or "", *steps], [[name, *counts] for name, counts in groups])


def _show_reasons(page: Page, ledger: Ledger, removed: Path) -> None:
    reasons = [(step.name, reason, count) for step in ledger.steps for reason, count in step.reasons.items()]
    if not reasons:
        return
    reasons.sort(key=lambda row: (-row[2], row[:2]))
    first = ledger.steps[0]
    total = max(first.input + first.created, 1)
    page.heading("Why documents ended")
    page.table(["step", "reason", "documents", "of the input"], [[*row, f"{row[2] / total:.1%}"] for row in reasons])
    page.heading("Examples of what was removed")
    shown = reasons[:MAX_REASONS]
    reasons_of: dict[str, set[str]] = {}
    for step, reason, _ in shown:
        reasons_of.setdefault(step, set()).add(reason)
    examples = {step: _examples(removed / step, wanted) for step, wanted in reasons_of.items()}
    for step, reason, _ in shown:
        for line in examples[step][reason]:
            place = f"{line['metadata'].get('repository', '')} {line['metadata'].get('path', line['id'])}".strip()
            detail = f" ({line['detail']})" if line.get("detail") else ""
            page.heading(f"{step}: {reason}", level=3)
            page.paragraph(f"{_without_ticks(place)}{_without_ticks(detail)}{_without_ticks(_kept(line))}")
            if line["text"].strip():
                page.code(line["text"][:EXCERPT_CHARACTERS])


def _kept(line: Mapping[str, Any]) -> str:
    """Return what a merged document went into, by the name that a reader knows it by."""
    return f". Kept: {line['kept']}" if line.get("kept") else ""


def _show_changes(page: Page, ledger: Ledger) -> None:
    changes = ledger.changes()
    if changes:
        page.heading("Examples of what was changed")
        page.paragraph("What was replaced is masked here too: x for a letter, 0 for a digit.")
        page.table(["step", "kind", "before", "after"], changes)


def _examples(folder: Path, reasons: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the first documents that a step removed for each reason."""
    found: dict[str, list[dict[str, Any]]] = {reason: [] for reason in reasons}
    missing = set(reasons)
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rb") as lines:
            for line in map(of_line, islice(lines, LINES_READ_PER_FILE)):
                if not missing:
                    return found
                if line["reason"] in missing:
                    found[line["reason"]].append(line)
                    if len(found[line["reason"]]) == EXAMPLES_PER_REASON:
                        missing.remove(line["reason"])
    return found


def _without_ticks(text: str) -> str:
    return text.replace("`", "'")


def _show_columns(page: Page, dataset: DatasetDescription) -> None:
    values = dataset.numeric_values
    if not values:
        return
    page.heading("What the rows are like")
    rows = profile(values)
    page.table(PROFILE_HEADER, rows, f"Of the first {MAX_ROWS:,} rows" if rows[0][1] == MAX_ROWS else "")
    picture = dataset.folder / PICTURE
    if picture.exists():
        page.image(picture, caption=CAPTION)
