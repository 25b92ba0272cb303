"""Sections 3.2.3 and 3.2.4: a finished dataset in pictures, for its card, and fifty of its rows as a page to read."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.released.length_bias import hashed_order
from evals.report.charts import as_png, frequencies, waterfall
from evals.report.page import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOW, VALUES = "pictures/flow.png", "pictures/values.png"
LEDGER_FILE, SAMPLES_FILE = "ledger.json", "samples.html"
NUM_SAMPLES = 50
MAX_SHOWN_CHARS = 6_000
ROWS_PER_BATCH = 1 << 14


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
    import pyarrow as pa
    import pyarrow.compute as pc

    counts: Counter[str] = Counter()
    for batch in DatasetFolder(folder).batches([column], batch_rows=ROWS_PER_BATCH):
        values = batch.column(0)
        values = pc.list_flatten(values) if pa.types.is_list(values.type) else values
        for found in pc.value_counts(values).to_pylist():
            counts[found["values"] or "none"] += found["counts"]
    return dict(counts.most_common())


def write_samples(folder: Path, title: str, seed: int) -> None:
    """Write `samples.html`: fifty rows drawn at random, each as a person reads it.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
        title (`str`): heading of the page.
        seed (`int`): chooses the rows.
    """
    page = Page(title, f"{NUM_SAMPLES} rows drawn at random from {folder.name}, in an order by hash. Seed {seed}.")
    for number, row in enumerate(sampled(folder, seed), 1):
        page.heading(f"{number}. {row['kind'] if 'kind' in row else row['mid']}")
        page.paragraph(" · ".join(_facts(row)))
        for role, text in turns_of(row):
            page.heading(role, level=3)
            page.code(text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}\n[cut here]")
    page.save(folder / SAMPLES_FILE)


def sampled(folder: Path, seed: int) -> list[dict[str, Any]]:
    """Return the fifty rows whose ids come first in an order by hash."""
    rows = DatasetFolder(folder)
    order = ((hashed_order(seed, row["mid"]), row["mid"]) for row in rows.rows(["mid"]))
    places = {mid: place for place, (_, mid) in enumerate(heapq.nsmallest(NUM_SAMPLES, order))}
    wanted: dict[int, dict[str, Any]] = {}
    for shard in rows.shards:
        start, found = 0, []
        for batch in shard.batches(["mid"], ROWS_PER_BATCH):
            mids = batch.column(0).to_pylist()
            found += [start + place for place, mid in enumerate(mids) if mid in places]
            start += len(mids)
        for row in _rows_at(shard.path, found):
            wanted[places[row["mid"]]] = row
    return [row for _, row in sorted(wanted.items())]


def _rows_at(path: Path, places: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Give rows of a shard by their numbers, reading the row groups that hold any."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as shard:
        start = 0
        for group in range(shard.num_row_groups):
            end = start + shard.metadata.row_group(group).num_rows
            inside = [place - start for place in places if start <= place < end]
            if inside:
                yield from shard.read_row_group(group).take(inside).to_pylist()
            start = end


def turns_of(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a row says, as (who, text): of conversations, of pairs and of questions with candidates."""
    if "messages" in row:
        return [(message["role"], message["content"]) for message in row["messages"]]
    turns = [*_turns("prompt", row["prompt"])]
    for side in ("chosen", "rejected"):
        turns += _turns(side, row.get(side, []))
    for candidate in row.get("candidates", []):
        score = "" if candidate["score"] is None else f", score {candidate['score']:g}"
        turns.append((f"{candidate['model']}{score}", candidate["text"]))
    return turns


def _turns(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(name, value)]
    return [(f"{name}: {message['role']}", message["content"]) for message in value]


def _facts(row: Mapping[str, Any]) -> list[str]:
    """Return the short columns of a row that say something, beside its text."""
    told = []
    for name, value in row.items():
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            value = ", ".join(value)
        if isinstance(value, str | int | float) and value != "" and len(str(value)) <= 60 and "\n" not in str(value):
            told.append(f"{name}: {value}".replace("`", "'"))
    return told
