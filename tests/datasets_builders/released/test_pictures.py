"""The card's pictures and the page of samples of the finished datasets."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from datasets_builders.released.pictures import NUM_SAMPLES, sampled, turns_of, value_counts, write_samples
from evals.report.charts import as_png, frequencies
from modeling_ling.publishing import DEFAULT_IGNORE, files_to_publish


def test_the_card_shows_pictures_that_lie_beside_it(chats, pairs) -> None:
    for built in (chats, pairs):
        shown = re.findall(r"!\[[^]]+\]\((pictures/\w+\.png)\)", (built.folder / "README.md").read_text())
        assert {"pictures/flow.png", "pictures/values.png", "pictures/columns.png"} <= set(shown)
        assert all((built.folder / name).read_bytes().startswith(b"\x89PNG") for name in shown)


def test_fifty_rows_are_drawn_and_can_be_read(chats, pairs) -> None:
    for built in (chats, pairs):
        rows = sampled(built.folder, seed=0)
        known = {row["mid"]: row for row in built.rows}
        assert len({row["mid"] for row in rows}) == NUM_SAMPLES < len(built.rows)
        assert all(turns_of(row) == turns_of(known[row["mid"]]) for row in rows)
        assert [row["mid"] for row in rows] != [row["mid"] for row in sampled(built.folder, seed=1)]
        page = (built.folder / "samples.md").read_text()
        assert page.count("\n## ") == NUM_SAMPLES and turns_of(rows[0])[0][1] in page
        published = {path.name for path in files_to_publish(built.folder, DEFAULT_IGNORE)}
        assert "flow.png" in published and not published & {"samples.html", "samples.md"}


def test_values_are_counted_over_lists_and_a_page_of_hostile_rows_is_text(tmp_path: Path) -> None:
    hostile = "</pre><script>alert(1)</script>"
    rows = [
        {
            "mid": f"{number}",
            "prompt": hostile,
            "candidates": [{"model": hostile, "text": hostile, "score": 1.0}],
            "tags": ["$a", "b"] if number % 2 else [],
            "language": "Go" if number else "",
        }
        for number in range(3)
    ]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data" / "train_00000_of_00001.parquet")
    assert value_counts(tmp_path, "tags") == {"$a": 1, "b": 1}
    assert value_counts(tmp_path, "language") == {"Go": 2, "none": 1}
    write_samples(tmp_path, hostile, seed=0)
    assert "<script>alert" not in (tmp_path / "samples.html").read_text()
    many = {"tags": {f"${number}_{{": 40 - number for number in range(40)}}
    assert as_png(frequencies(many)).startswith(b"\x89PNG")
