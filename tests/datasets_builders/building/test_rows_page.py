"""`browse`: rows of a dataset as a page, whatever the dataset is of and whatever its rows hold."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builders.__main__ import main
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.rows_page import rows_at
from modeling_ling.publishing import DEFAULT_IGNORE, files_to_publish
from tests.evals.report.pages import blocks_of, elements, options_of, records_in


def folder_of(folder, *shards):
    (folder / "data").mkdir(parents=True)
    for number, rows in enumerate(shards):
        split = rows[0].pop("_split", "train")
        path = folder / "data" / f"{split}_{number:05d}_of_{len(shards):05d}.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    return folder


def browsed(folder, *options):
    """Return the records and the page as `browse` writes it."""
    assert main(["browse", str(folder), *options]) == 0
    page = (folder / "rows.html").read_text(encoding="utf-8")
    return records_in(page), page


MESSAGES = [{"role": "user", "content": "Say it.\n```python\nx = 1\n```"}, {"role": "assistant", "content": "It."}]
# A dataset's rows; the title in the list, the texts by title, some of the facts.
ROWS = {
    "source code": (
        {"id": "a", "content": "x = 1\n", "path": "p/q.py", "language": "Python", "num_bytes": 6, "is_fork": None},
        "p/q.py",
        {"content": "x = 1\n"},
        {"language": "Python", "num_bytes": "6"},
    ),
    "a repository": (
        {"id": "a", "content": "# q.py\nx = 1\n", "repository": "o/r", "edges": [{"file": 1, "imports": [2]}]},
        "o/r",
        {"content": "# q.py\nx = 1\n", "edges": '[\n {\n  "file": 1,\n  "imports": [\n   2\n  ]\n }\n]'},
        {"repository": "o/r"},
    ),
    "a repository with its files": (
        {
            "id": "a",
            "content": "# q.py\nx = 1\n# r.go\nvar y\n",
            "repository": "o/r",
            "paths": ["q.py", "r.go"],
            "file_starts": [7, 20],
            "file_ends": [13, 26],
            "cycle_breakers": [f"package/of/some/depth/{n}.py" for n in range(9)],
        },
        "o/r",
        {
            "q.py": "x = 1\n",
            "r.go": "var y\n",
            "cycle_breakers": "\n".join(f"package/of/some/depth/{n}.py" for n in range(9)),
        },
        {"repository": "o/r"},
    ),
    "prose": (
        {"id": "a", "text": "Some words.", "source": "docs"},
        "Some words.",
        {"text": "Some words."},
        {"source": "docs"},
    ),
    "a conversation": (
        {"mid": "a", "messages": MESSAGES, "tags": ["b", "c"], "similarity": 0.25, "done": True},
        "Say it.",
        {"user": MESSAGES[0]["content"], "assistant": "It."},
        {"tags": "b, c", "similarity": "0.25", "done": "yes"},
    ),
    "a pair": (
        {"mid": "a", "prompt": "Q?", "chosen": "good", "rejected": "bad", "chosen_score": 2.0},
        "Q?",
        {"prompt": "Q?", "chosen": "good", "rejected": "bad"},
        {"chosen_score": "2"},
    ),
    "a pair of conversations": (
        {"mid": "a", "prompt": MESSAGES[:1], "chosen": MESSAGES[1:], "rejected": MESSAGES[1:]},
        "Say it.",
        {"prompt: user": MESSAGES[0]["content"], "chosen: assistant": "It.", "rejected: assistant": "It."},
        {"mid": "a"},
    ),
    "candidates": (
        {"mid": "a", "prompt": "Q?", "candidates": [{"model": "m", "text": "t", "score": 0.5}]},
        "Q?",
        {"prompt": "Q?", "m, score 0.5": "t"},
        {"mid": "a"},
    ),
    "odd values": (
        {"id": "a", "text": "t", "nan": float("nan"), "raw": b"\xff\x00", "big": 1 << 60, "nested": {"a": [None]}},
        "t",
        {"text": "t", "nested": '{\n "a": [\n  null\n ]\n}'},
        {"nan": "nan", "raw": "2 bytes", "big": "1,152,921,504,606,846,976"},
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_every_kind_of_dataset_are_read(name, tmp_path):
    row, title, texts, facts = ROWS[name]
    [record], _ = browsed(folder_of(tmp_path, [dict(row)]))
    assert record["title"] == title and blocks_of(record) == texts
    assert facts.items() <= dict(record["facts"]).items()
    assert "None" not in json.dumps(record) and "b'" not in json.dumps(record)


# github.com/UKGovernmentBEIS/inspect_ai/issues/1936 (lists of nulls), github.com/huggingface/datasets/issues/7528
# (other values than the file's), github.com/huggingface/dataset-viewer/issues/3137 (what is not to be seen)
ODD_VALUES = {
    "nulls in a list": (pa.array([[None, None]], pa.list_(pa.int64())), "none, none"),
    "beyond a double": (pa.array([2**64 - 1], pa.uint64()), "18,446,744,073,709,551,615"),
    "no number": (pa.array([float("nan")]), "nan"),
    "large, with a part": (pa.array([1234567.5]), "1,234,567.50"),
    "of single precision": (pa.array([0.1], pa.float32()), "0.1"),
    "a decimal": (pa.array([Decimal("1.10")]), "1.10"),
    "a time elsewhere": (pa.array([datetime(2020, 1, 1, 12, tzinfo=UTC)], pa.timestamp("us", "Asia/Tokyo")), "+09:00"),
    "bytes": (pa.array([b"\x89PNG"]), "4 bytes"),
    "a map": (pa.array([[("key", None)]], pa.map_(pa.string(), pa.string())), '{\n "key": null\n}'),
    "bytes in a structure": (pa.array([{"raw": b"\x00"}]), '{\n "raw": "1 byte"\n}'),
    "null": (pa.nulls(1), "no value"),
    "an empty text": (pa.array([""]), "empty value"),
    "an empty list": (pa.array([[]], pa.list_(pa.string())), "empty value"),
}


@pytest.mark.parametrize("name", ODD_VALUES)
def test_a_value_is_shown_as_it_is(name, tmp_path):
    values, wanted = ODD_VALUES[name]
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"column": values}), tmp_path / "data" / "train_00000_of_00001.parquet")
    [record], _ = browsed(tmp_path)
    facts = dict(record["facts"])
    if wanted in ("no value", "empty value"):
        assert facts[wanted] == "column"
    else:
        assert wanted in (facts | blocks_of(record))["column"]


def test_the_page_is_not_published(tmp_path):
    browsed(folder_of(tmp_path, [{"id": "a", "text": "b"}]))
    (tmp_path / "README.md").write_text("# A card")
    assert "rows.html" not in {path.name for path in files_to_publish(tmp_path, DEFAULT_IGNORE)}


def test_sides_and_colors(tmp_path):
    pair = {**ROWS["a pair"][0], "language": "Python", "code": "import os"}
    [record], _ = browsed(folder_of(tmp_path, [pair]))
    blocks = {block["title"]: block for block in record["blocks"]}
    assert [blocks[name].get("side", 0) for name in ("prompt", "chosen", "rejected", "code")] == [0, 1, 2, 0]
    assert blocks["code"]["runs"][:2] == [6, 1] and "runs" not in blocks["prompt"]


@pytest.fixture
def folder(tmp_path):
    rows = [
        {"id": f"{n}", "content": f"x = {n}", "language": ["Python", "Go"][n % 2], "path": f"{n}.py"} for n in range(40)
    ]
    rows[30]["_split"] = "validation"
    return folder_of(tmp_path, rows[:13], rows[13:30], rows[30:])


def test_rows_are_drawn_by_a_seed_or_taken_from_the_start(folder, capsys):
    def numbers(*options):
        return [int(record["key"]) for record in browsed(folder, *options)[0]]

    assert numbers("--rows", "5", "--first") == [0, 1, 2, 3, 4]
    drawn = numbers("--rows", "5")
    assert drawn == numbers("--rows", "5", "--seed", "0") != numbers("--rows", "5", "--seed", "1")
    assert drawn == sorted(drawn) != [0, 1, 2, 3, 4]
    assert numbers("--rows", "1000") == list(range(40))
    capsys.readouterr()
    browsed(folder, "--rows", "7")
    assert "rows.html: 7 of 40 rows, 0.0 MB" in capsys.readouterr().out
    assert [row["id"] for _, row in rows_at(DatasetFolder(folder), [0, 12, 13, 29, 30, 39])] == [
        *("0", "12", "13", "29", "30", "39")
    ]


def test_rows_are_chosen_by_value_here_and_on_the_page(folder):
    records, page = browsed(folder, "--where", "language=Go", "--where", "split=validation")
    assert [record["title"] for record in records] == ["31.py", "33.py", "35.py", "37.py", "39.py"]
    records, page = browsed(folder, "--filter", "path")
    assert sorted(options_of(page, "language")) == ["Go", "Python"]
    assert options_of(page, "split") == ["train", "validation"] and len(options_of(page, "path")) == 40
    assert "train 30 · validation 10" in page and "Go 20 · Python 20" in page
    assert records[0]["line"].startswith("0.py · Python")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--where", "language=Rust"], "none of 40 rows has language=Rust"),
        (["--where", "language"], "'language' is not COLUMN=VALUE"),
        (["--where", "stars=1"], "has no column stars"),
        (["--filter", "stars"], "has no column stars"),
        (["--rows", "0"], "--rows is 0, but must be at least 1"),
    ],
)
def test_a_mistake_is_one_sentence(options, said, folder, capsys):
    assert main(["browse", str(folder), *options]) == 2
    assert said in capsys.readouterr().err and not (folder / "rows.html").exists()


def test_hostile_and_endless_rows_are_text_on_a_page_of_bounded_size(tmp_path, capsys):
    hostile = "</script><script>alert(1)</script>\x00\u202e<!-- {{ 7*7 }}"
    rows = [{"id": hostile, "content": hostile + "y" * 3_000_000, "language": hostile, hostile: hostile}]
    rows += [{**rows[0], "id": f"{number}", "content": "é\n" * 10_000} for number in range(700)]
    records, page = browsed(folder_of(tmp_path, rows), "--rows", "2000")
    assert len(page.encode()) < 13_000_000
    assert len(records) < 701 and f"{701 - len(records)} more did not fit" in capsys.readouterr().out
    assert "The page is full" in page and "characters in the middle are not shown" in records[0]["blocks"][0]["note"]
    assert "\x00" not in page and "\u202e" not in page and "<script>alert" not in page
    assert [tag for tag, _ in elements(page)].count("script") == 2


def test_a_filter_that_cannot_be_chosen_by_is_said(tmp_path, capsys):
    rows = [{"number": number, "same": "x", "parity": number % 2, "content": "x"} for number in range(70)]
    browsed(folder_of(tmp_path, rows), "--filter", "number", "--filter", "same", "--filter", "parity")
    said = capsys.readouterr().out
    assert "--filter number is not on the page: 70 values are too many to choose by" in said
    assert "--filter same is not on the page: its rows here have no two values" in said
    assert "parity" not in said
