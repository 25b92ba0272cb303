"""Sections 3.2.3 and 3.2.4: a finished dataset in pictures, for its card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.dataset_folder import DatasetFolder
from evals.report.charts import as_png, frequencies, waterfall

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOW, VALUES = "pictures/flow.png", "pictures/values.png"
LEDGER_FILE = "ledger.json"


def pictures_section(folder: Path, columns: Sequence[str]) -> str:
    """Draw what became of the input, and how often values are, beside the card; return the Markdown that shows them.

    Args:
        folder (`Path`): the dataset folder, shards and ledger complete.
        columns: of texts, or of lists of texts.
    """
    steps = json.loads((folder / LEDGER_FILE).read_text(encoding="utf-8"))["steps"]
    flow = [(step["name"], step["output"], step["removed"], step["merged"]) for step in steps]
    _save(folder / FLOW, waterfall(flow))
    blocks = [f"![What each step passed on, removed and merged]({FLOW})"]
    counts = {column: found for column in columns if len(found := value_counts(folder, column)) > 1}
    if counts:
        _save(folder / VALUES, frequencies(counts))
        blocks.append(f"![Rows by value, the most frequent first]({VALUES})")
    return "\n\n".join(blocks)


def _save(path: Path, figure: Figure) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_bytes(as_png(figure))


def value_counts(folder: Path, column: str) -> dict[str, int]:
    """Return how many rows have each value of a column; of a list each of its values counts."""
    counts: Counter[str] = Counter()
    for value, count in DatasetFolder(folder).counts(column).items():
        counts[value or "none"] += count
    return dict(counts.most_common())
