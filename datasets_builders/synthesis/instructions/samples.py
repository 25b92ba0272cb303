"""Section 2.1, quality assessment: some rows of a dataset of conversations as a page to read."""

from __future__ import annotations

import hashlib
import heapq
from pathlib import Path

from datasets_builders.building.dataset_folder import DatasetFolder
from evals.report.page import Page

NUM_SAMPLES = 50
SAMPLES_FILE = "report.samples.html"
MAX_CHARACTERS = 6000


def write_samples(folder: Path, num_samples: int = NUM_SAMPLES) -> Path:
    """Write the page of rows that are drawn by the hash of their ids, so that the same rows are shown every time.

    Returns:
        `Path`: of the page, which is never published.
    """

    def place(row: dict[str, object]) -> str:
        return hashlib.sha256(str(row["mid"]).encode()).hexdigest()

    rows = heapq.nsmallest(num_samples, DatasetFolder(folder).rows(), key=place)
    page = Page(f"{len(rows)} rows of {folder.name}", "Drawn at random. For you alone.")
    for number, row in enumerate(rows, 1):
        page.heading(f"{number}. {', '.join(row['tags'])}")
        facts = [row["mid"], row.get("teacher", ""), row.get("topic", ""), " > ".join(row.get("knowledge_path") or [])]
        page.paragraph("; ".join(str(fact).replace("`", "'") for fact in facts if fact))
        for message in row["messages"]:
            page.heading(message["role"], level=3)
            page.code(message["content"][:MAX_CHARACTERS])
    return page.save(folder / SAMPLES_FILE)[0]
