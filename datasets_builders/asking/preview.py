"""Section 2.4: the first rows of a dataset, finished and as a page to read, before many are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from datatrove.data import Document

from datasets_builders.asking.step import Ask
from datasets_builders.building.errors import BuildError
from datasets_builders.building.ledger import read_ledger
from datasets_builders.building.rows_page import page_of, record_of
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Step
from evals.report.records import Counted, parts_of

if TYPE_CHECKING:
    from datasets import Features

PAGE = "preview.html"


def first_documents(stages: Sequence[Stage], num_documents: int, folder: Path) -> list[Document]:
    """Run all stages in this process; each step that asks is given the first documents alone.

    Args:
        stages (sequence of `Stage`): of a builder.
        num_documents (`int`): so many go into each step that asks.
        folder (`Path`): for the ledger and for what is removed.
    """
    documents: list[Document] = []
    for number, stage in enumerate(stages):
        if stage.before:
            stage.before()
        data: Iterable[Document] | None = documents if number else None
        with ExitStack() as running:
            for index, step in enumerate(stage.pipeline):
                if isinstance(step, Step):
                    step.attach(stage.name, index, folder / ".build", folder / "removed")
                if isinstance(step, Ask):
                    data = islice(data or (), num_documents)
                # What stands before a step that asks is closed in the middle of its work.
                data = running.enter_context(closing(step.pass_on(data, 0, 1)))
            documents = list(data or ())
    return documents


def rows_of(
    documents: Iterable[Document], features: Features, id_column: str, text_column: str | None
) -> list[dict[str, Any]]:
    """Return documents as rows of a dataset.

    Raises:
        BuildError: a column is missing, or a value is not of its type.
    """
    rows = []
    for doc in documents:
        known = doc.metadata | {id_column: doc.id} | ({text_column: doc.text} if text_column else {})
        if missing := [column for column in features if column not in known]:
            raise BuildError(
                f"document {doc.id} has no {missing[0]!r} in its metadata, which is a column of the dataset"
            )
        rows.append({column: known[column] for column in features})
    try:
        table = pa.Table.from_pylist(rows, schema=features.arrow_schema)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise BuildError(f"a row is not of the dataset's columns: {error}") from error
    return list(table.to_pylist())


def write_preview(folder: Path, title: str, rows: Sequence[Mapping[str, Any]], stages: Sequence[Stage]) -> Path:
    """Write the page: the rows, and what became of what was asked.

    Args:
        folder (`Path`): where it goes, with the ledger of `first_documents` in it.
        title (`str`): of the page.
        rows (sequence of dict): of the dataset.
        stages (sequence of `Stage`): that were run.
    """
    ledger = read_ledger(folder / ".build", [stage.name for stage in stages])
    names = {step.name for stage in stages for step in stage.pipeline if isinstance(step, Ask)}
    asked = [
        [step.name, f"{step.input:,}", f"{step.output:,}", f"{step.removed:,}", _reasons(step.reasons)]
        for step in ledger.steps
        if step.name in names
    ]
    part = next(parts_of((record_of(row, number) for number, row in enumerate(rows)), max_records=max(len(rows), 1)))
    page = page_of(
        part,
        title,
        f"{len(part.encoded)} of {len(rows)} rows. For you alone: nothing of it is published.",
        counts=[Counted(("step", "asked about", "made", "removed", "reasons"), asked, "What was asked")],
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


def _reasons(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
