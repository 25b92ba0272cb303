"""Rows as files: the Stack's columns, the Stack v2's, our own datasets, and rows that are none."""

import datetime
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.table_rows import TableFile, local_table
from datasets_builders.sources.tables import TableSource

STACK_V1 = {
    "hexsha": "0" * 40,
    "content": "print(1)\n",
    "max_stars_repo_path": "src/a.py",
    "max_stars_repo_name": "ada/engine",
    "max_stars_repo_licenses": ["MIT", "Apache-2.0"],
    "max_stars_count": 12,
    "max_forks_count": None,
    "lang": "Python",
}
STACK_V2 = {
    "repo_name": "ada/engine",
    "star_events_count": 3,
    "fork_events_count": 1,
    "revision_date": datetime.datetime(2023, 5, 1, 12),
    "files": [
        {"path": "a.py", "content": "print(1)\n", "language": "Python", "detected_licenses": ["MIT"]},
        {"path": "b.py", "content": "print(2)\n", "language": "Python", "detected_licenses": []},
    ],
}


def source_of(path, **options):
    return TableSource("table", [local_table(path)], **options)


def entries(path, world_size=1, **options):
    source = source_of(path, **options)
    return [one for rank in range(world_size) for one in source.entries(rank, world_size)]


def write_parquet(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def test_a_row_of_the_stack(tmp_path):
    (entry,) = entries(write_parquet(tmp_path / "a.parquet", [STACK_V1]))
    assert (entry.repository, entry.path, entry.read(99)) == ("ada/engine", "src/a.py", b"print(1)\n")
    assert entry.known == {"language": "Python", "license": "Apache-2.0 AND MIT", "stars": 12}


def test_a_repository_of_the_stack_v2_gives_its_files(tmp_path):
    first, second = entries(write_parquet(tmp_path / "a.parquet", [STACK_V2]))
    assert (first.path, second.path, first.repository) == ("a.py", "b.py", "ada/engine")
    shared = {"language": "Python", "stars": 3, "forks": 1, "date": "2023-05-01T12:00:00", "repository_files": 2}
    assert first.known == shared | {"license": "MIT"} and second.known == shared


def test_blob_ids_without_contents_say_what_to_do(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [{"blob_id": "ab", "path": "a.py", "repo_name": "ada/engine"}])
    with pytest.raises(ConfigError, match="blob ids alone: fetch the contents first"):
        source_of(path).check()


def test_columns_can_be_named(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [{"body": "x = 1\n", "where": "x.py"}])
    (entry,) = entries(path, columns={"content": "body", "path": "where"})
    assert (entry.path, entry.read(9)) == ("x.py", b"x = 1\n")
    with pytest.raises(ConfigError, match="has no column 'text' for content; it has body, where"):
        source_of(path, columns={"content": "text"}).check()
    with pytest.raises(ConfigError, match="'contents' is none of ours; known: content, path"):
        source_of(path, columns={"contents": "text"})


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_bad_lines_are_entries_with_their_problems(tmp_path, name):
    lines = [
        json.dumps({"content": "x = 1\n", "path": "a.py"}),
        "{not json",
        json.dumps(["a list"]),
        json.dumps({"path": "b.py"}),
        json.dumps({"content": 7, "path": "c.py"}),
        json.dumps({"content": "x", "path": "../../d.py"}),
        "[" * 100_000,
        '{"content": "x = \\ud800", "path": "e.py"}',
    ]
    raw = ("\n".join(lines) + "\n").encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    problems = [entry.problem for entry in entries(path)]
    assert problems == [
        *("", "bad_json", "bad_row", "no_content", "no_content", "path_outside", "bad_json", "invalid_unicode")
    ]
    assert len(entries(path, world_size=3)) == 8


def test_ranks_share_row_groups_without_gap_or_overlap(tmp_path):
    rows = [{"content": f"x = {number}\n", "path": f"{number}.py"} for number in range(100)]
    path = write_parquet(tmp_path / "a.parquet", rows, row_group_size=7)
    assert sorted(entry.path for entry in entries(path, world_size=3)) == sorted(row["path"] for row in rows)
    source = source_of(path)
    assert all(list(source.entries(rank, 3)) for rank in range(3))


def test_a_connection_that_breaks_is_no_damage_of_the_data():
    def broken():
        raise ConnectionError("the line is dead")

    source = TableSource("remote", [TableFile("rows.parquet", broken)])
    with pytest.raises(ConnectionError):
        list(source.entries(0, 1))


def test_a_truncated_file_is_one_entry_for_all_ranks(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", [STACK_V1])
    path.write_bytes(path.read_bytes()[:-50])
    (entry,) = entries(path, world_size=3)
    assert (entry.problem, entry.path) == ("damaged_table", "a.parquet")
    with pytest.raises(ConfigError, match="cannot be read as Parquet"):
        source_of(path).check()
    lines = tmp_path / "rows.jsonl.gz"
    lines.write_bytes(gzip.compress(b'{"content": "x = 1"}\n' * 1000)[:-20])
    found = entries(lines, world_size=3)
    assert [entry.problem for entry in found if entry.problem] == ["damaged_table"]
