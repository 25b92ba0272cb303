"""The card's pictures and the page of samples of the finished datasets."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_builders.building.rows_page import NUM_SAMPLES
from datasets_builders.released.pictures import value_counts
from evals.report.charts import as_png, frequencies
from modeling_ling.publishing import DEFAULT_IGNORE, files_to_publish
from tests.evals.report.pages import blocks_of, records_in


def test_the_card_shows_pictures_that_lie_beside_it(chats, pairs) -> None:
    for built in (chats, pairs):
        shown = re.findall(r"!\[[^]]+\]\((pictures/\w+\.png)\)", (built.folder / "README.md").read_text())
        assert {"pictures/flow.png", "pictures/values.png", "pictures/columns.png"} <= set(shown)
        assert all((built.folder / name).read_bytes().startswith(b"\x89PNG") for name in shown)


def test_fifty_rows_are_drawn_and_can_be_read(chats, pairs) -> None:
    for built in (chats, pairs):
        records = records_in(built.folder / "rows.html")
        known = {row["mid"]: row for row in built.rows}
        shown = {dict(record["facts"])["mid"]: record for record in records}
        assert len(shown) == NUM_SAMPLES < len(built.rows) and shown.keys() <= known.keys()
        for mid, record in shown.items():
            turns = known[mid].get("messages") or [{"role": "prompt", "content": known[mid]["prompt"]}]
            assert turns[0]["content"] == blocks_of(record)[turns[0]["role"]]
        published = {path.name for path in files_to_publish(built.folder, DEFAULT_IGNORE)}
        assert "flow.png" in published and "rows.html" not in published


def test_values_are_counted_over_lists(tmp_path: Path) -> None:
    rows = [
        {
            "mid": f"{number}",
            "tags": ["$a", "b"] if number % 2 else [],
            "language": "Go" if number else "",
        }
        for number in range(3)
    ]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "train_00000_of_00001.parquet")
    assert value_counts(tmp_path, "tags") == {"$a": 1, "b": 1}
    assert value_counts(tmp_path, "language") == {"Go": 2, "none": 1}
    many = {"tags": {f"${number}_{{": 40 - number for number in range(40)}}
    assert as_png(frequencies(many)).startswith(b"\x89PNG")
