"""Files of benchmarks as users have them: cut off, of another shape, not there."""

import gzip
import json

import pytest

from evals.benchmarks.rows import BenchmarkDataError, check_columns, read_rows

LINES = "".join(json.dumps({"task_id": f"HumanEval/{number}", "prompt": "def f():"}) + "\n" for number in range(50))


# github.com/evalplus/evalplus/issues/63: a file that a download left half there
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", LINES[:-20].encode()),
        ("rows.jsonl.gz", gzip.compress(LINES.encode())[:-20]),
        ("rows.jsonl.gz", gzip.compress(LINES.encode())[:20] + b"\0" * 200),
        ("rows.jsonl.gz", b"<html>404</html>"),
        ("rows.json", b"[1, 2"),
        ("rows.parquet", b"PAR1"),
        ("rows.jsonl", b"\xff\xfe"),
    ],
)
def test_a_file_that_is_damaged_is_named(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BenchmarkDataError, match=rf"{name} cannot be read: ."):
        read_rows(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [("[]", "has no rows"), ("[1, 2]", "row 0 is no mapping of columns: 1"), ('[{"a": 1}]', "row 0 lacks b; it has a")],
)
def test_rows_of_another_shape_are_described(content, message, tmp_path):
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(BenchmarkDataError, match=message):
        check_columns(read_rows(tmp_path / "rows.json"), ["b"], "rows.json")
