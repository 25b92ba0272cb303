"""Rows as files: the Stack's columns, the Stack v2's, our own datasets, and rows that are none."""

import datetime
import gzip
import io
import json
from itertools import pairwise
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets_builders.building.errors import ConfigError
from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.sources import lines, table_rows
from datasets_builders.sources.lines import WatchedFile
from datasets_builders.sources.table_rows import TableFile, local_table, rows_of
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
    return [entry for rank in range(world_size) for entry in source.entries(rank, world_size)]


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


STACK_V3 = {
    "repo_path": "alice/famous",
    "repo_id": 1,
    "commit_id": "a" * 40,
    "github_metadata": {
        "branch": "main",
        "commit_count": 12,
        "is_fork": False,
        "forked_from": None,
        "stars": 900,
        "forks": 50,
    },
    "num_files": 2,
    "files": [
        {
            "content_id": "1",
            "content": "print(1)\n",
            "path": "a.py",
            "language": "Python",
            "detected_licenses": ["MIT"],
        },
        {"content_id": "2", "content": "print(2)\n", "path": "b.py", "language": "Python", "detected_licenses": []},
    ],
}


def renamed(row, **names):
    """Return a row of the Stack v3 whose files have other names of columns; None takes one away."""
    files = [
        {names.get(key, key): value for key, value in file.items() if names.get(key, key)} for file in row["files"]
    ]
    return row | {"files": files}


def test_a_repository_of_the_stack_v3_has_its_name_commit_stars_forks_and_fork_flag(tmp_path):
    other = STACK_V3 | {
        "repo_path": "bob/copy",
        "github_metadata": STACK_V3["github_metadata"] | {"is_fork": True, "stars": 0},
    }
    path = write_parquet(tmp_path / "a.parquet", [STACK_V3, other])
    found = entries(path, world_size=2)
    assert [(entry.repository, entry.path) for entry in found] == [
        *(("alice/famous", "a.py"), ("alice/famous", "b.py"), ("bob/copy", "a.py"), ("bob/copy", "b.py"))
    ]
    shared = {
        "language": "Python",
        "stars": 900,
        "forks": 50,
        "commit": "a" * 40,
        "is_fork": False,
        "repository_files": 2,
    }
    assert found[0].known == shared | {"license": "MIT"} and found[1].known == shared
    assert found[2].known["is_fork"] is True and found[2].known["stars"] == 0


@pytest.mark.parametrize("column", ["path", "file_path", "name"])
def test_the_column_of_paths_is_told(tmp_path, column):
    path = write_parquet(tmp_path / "a.parquet", [renamed(STACK_V3, path=column)])
    source = source_of(path)
    source.check()
    assert source.describe().endswith(f"paths of files from column {column!r}")
    assert [entry.path for entry in source.entries(0, 1)] == ["a.py", "b.py"]


def test_a_table_without_names_of_repositories_is_refused_and_a_row_without_one_stands_alone(tmp_path):
    nameless = {key: value for key, value in STACK_V3.items() if key != "repo_path"}
    with pytest.raises(ConfigError, match="a repository per row, and no column with its name"):
        source_of(write_parquet(tmp_path / "a.parquet", [nameless])).check()
    with pytest.raises(ConfigError, match="no column for content"):
        source_of(write_parquet(tmp_path / "b.parquet", [renamed(STACK_V3, content=None)])).check()
    rows = [STACK_V3, STACK_V3 | {"repo_path": None}, STACK_V3 | {"repo_path": ""}, nameless]
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    names = [entry.repository for entry in entries(lines) if entry.path == "a.py"]
    assert names == ["alice/famous", *(f"table/rows.jsonl:{number}" for number in (1, 2, 3))]
    files = [{"content": f"x = {number}\n", "path": f"{number}.py"} for number in range(2)]
    source = source_of(write_parquet(tmp_path / "c.parquet", files))
    source.check()
    with pytest.raises(ConfigError, match="does not say which repository a row is of"):
        source.check_repositories()


def test_what_the_repository_says_is_not_the_file_s(tmp_path):
    row = STACK_V3 | {"path": "wrong.py", "content": "wrong"}
    row["files"] = [{"language": "Python", "content": None}, {"path": "b.py"}]
    lines = tmp_path / "rows.jsonl"
    lines.write_text(json.dumps(row))
    assert [(entry.path, entry.problem) for entry in entries(lines)] == [
        *(("rows.jsonl:0:0", "no_content"), ("rows.jsonl:0:1", "no_content"))
    ]


ODD_VALUES = [
    ("stars", 12, 12, ""),
    ("repository_url", "https://github.com/ada/app", "https://github.com/ada/app", ""),
    (
        "repository_url",
        "https://ada:token@github.com/ada/app",
        "https://github.com/ada/app",
        "repository_url_converted",
    ),
    ("repository_url", "/srv/ada/app", None, "repository_url_nulled"),
    ("repository_url", "", None, ""),
    ("stars", "12", 12, "stars_converted"),
    ("stars", 12.0, 12, ""),
    ("stars", 3.7, None, "stars_nulled"),
    ("stars", "1k", None, "stars_nulled"),
    ("stars", True, None, "stars_nulled"),
    ("stars", -5, None, "stars_nulled"),
    ("stars", float("inf"), None, "stars_nulled"),
    ("stars", float("nan"), None, ""),
    ("stars", 2**63 - 1, 2**63 - 1, ""),
    ("stars", 2**63, None, "stars_nulled"),
    ("stars", "9" * 5000, None, "stars_nulled"),
    ("stars", {"count": 3}, None, "stars_nulled"),
    ("stars", [3], None, "stars_nulled"),
    ("stars", "", None, ""),
    ("forks", None, None, ""),
    ("is_fork", "true", True, "is_fork_converted"),
    ("is_fork", 0, False, "is_fork_converted"),
    ("is_fork", "maybe", None, "is_fork_nulled"),
    ("commit", "ab", "ab", ""),
    ("commit", 7, "7", "commit_converted"),
    ("commit", {"sha": "ab"}, None, "commit_nulled"),
    ("date", "2020-01-01", "2020-01-01", ""),
    ("date", 20200101, None, "date_nulled"),
    ("date", ["2020"], None, "date_nulled"),
    ("language", ["Python"], "Python", "language_converted"),
    ("language", {"name": "Python"}, None, "language_nulled"),
    ("license", {"spdx": "MIT"}, "unrecognised", "license_converted"),
    ("license", ["MIT", {"spdx": "GPL"}], "MIT AND unrecognised", "license_converted"),
    ("license", "  ", None, ""),
    ("license", [], None, ""),
]


@pytest.mark.parametrize(("column", "value", "expected", "mended"), ODD_VALUES)
def test_values_of_another_type_are_converted_or_null_and_counted(tmp_path, column, value, expected, mended):
    lines = tmp_path / "rows.jsonl"
    lines.write_text(json.dumps({"content": "x = 1\n", "path": "a.py", column: value}))
    (entry,) = entries(lines)
    assert (entry.known.get(column), entry.mended) == (expected, (mended,) if mended else ())


def test_paths_and_names_that_are_no_text(tmp_path):
    lines = tmp_path / "rows.jsonl"
    rows = [{"content": "x", "path": 7, "repository": {"a": 1}}, {"content": "x", "path": ["a"], "repository": 8}]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = entries(lines)
    assert (first.path, first.repository) == ("7", "table/rows.jsonl:0")
    assert (second.path, second.repository) == ("rows.jsonl:1", "8")
    assert first.mended == ("path_converted", "repository_nulled")
    assert second.mended == ("path_nulled", "repository_converted")


def test_odd_values_are_counted_in_the_ledger_and_end_no_build(tmp_path):
    rows = [
        {"content": f"def part_{n}(value):\n    return value * {n}\n", "path": f"{n}.py", "stars": stars}
        for n, stars in enumerate([10**30, "12", 5, True])
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = SourceCodeConfig(
        output_dir=str(tmp_path / "out"), sources=[f"{tmp_path}/rows.jsonl"], decontaminate=[], near_dedup_threshold=1.0
    )
    result = SourceCodeBuilder(config).run()
    assert result.ledger.step("read_code").mended == {"stars_converted": 1, "stars_nulled": 2}
    assert {row["stars"] for row in pq.read_table(tmp_path / "out" / "data").to_pylist()} == {None, 12, 5}
    assert "| read_code | stars_nulled | 2 |" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_ranks_share_the_lines_of_a_large_file_and_a_small_one_is_read_by_one(tmp_path, name, monkeypatch):
    draw = Random(1)
    contents = [draw.randbytes(draw.choice([0, 9, 900, 9_000])).hex() for _ in range(400)]
    rows = [{"path": f"{number}.py", "content": content} for number, content in enumerate(contents)]
    raw = "\n".join(map(json.dumps, rows)).encode() + b"\n\n{broken\n"
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    alone = list(rows_of(local_table(path), (), 0, 1))
    assert [number for number, _ in alone] == [*range(400), 401]
    monkeypatch.setattr(table_rows, "BYTES_PER_RANK", len(raw) // 5)
    monkeypatch.setattr(table_rows, "COMPRESSED_BYTES_PER_RANK", path.stat().st_size // 5)
    for world_size in (2, 3, 64):
        shares = [list(rows_of(local_table(path), (), rank, world_size)) for rank in range(world_size)]
        assert sorted((row for share in shares for row in share), key=lambda row: row[0]) == alone
        assert min(world_size, 4) <= sum(map(bool, shares)) <= 6


def test_what_all_ranks_read_of_a_file_does_not_grow_with_them(tmp_path, monkeypatch):
    rows = [{"path": f"{number}.py", "content": "x" * (number * 7919 % 900)} for number in range(400)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(table_rows, "BYTES_PER_RANK", 1_000)
    monkeypatch.setattr(lines, "CHUNK_BYTES", 512)
    read = []

    class Counted(io.FileIO):
        def read(self, size=-1):
            found = super().read(size)
            read.append(len(found))
            return found

    file = TableFile(str(path), lambda: Counted(path), None)
    source = TableSource("table", [file])
    for world_size in (1, 3, 50):
        read.clear()
        found = [entry for rank in range(world_size) for entry in source.entries(rank, world_size)]
        assert sorted(entry.path for entry in found) == sorted(row["path"] for row in rows)
        assert sum(read) < path.stat().st_size + world_size * 2_000  # the end of the last line, and the first bytes


@pytest.mark.parametrize("ends", [b"", b"\n", b"\n\n"])
def test_every_way_to_share_a_file_gives_each_line_once_and_by_its_number(tmp_path, ends):
    path = tmp_path / "rows.jsonl"
    raw = b"1\n\n22\n" + b"3" * 40 + b"\n4\n\n\n5" + ends
    path.write_bytes(raw)
    whole = [(number, line) for number, line in enumerate(raw.split(b"\n")) if line]
    for sharers in range(1, len(raw) + 3):
        bounds = [len(raw) * share // sharers for share in range(sharers + 1)]
        found = []
        for start, end in pairwise(bounds):
            with WatchedFile(path.open("rb")) as opened:
                found += lines.FilePart(lambda: path.open("rb"), start, end).lines(opened)
        assert [(int(number), line) for number, line in found if line] == whole


def test_a_line_of_many_parts_costs_each_rank_its_own_part_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1_000)
    monkeypatch.setattr(table_rows, "BYTES_PER_RANK", 2_000)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"path": "a.py", "content": "a"}\n"' + b"x" * 20_000 + b'"\n{"path": "b.py", "content": "b"}\n')
    found = entries(path, world_size=16)
    assert sorted((entry.path, entry.problem) for entry in found) == [
        ("a.py", ""),
        ("b.py", ""),
        ("rows.jsonl:1", "row_too_large"),
    ]


def test_few_ranks_read_what_none_can_read_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr(table_rows, "BYTES_PER_RANK", 10)
    path = tmp_path / "rows.csv"
    path.write_text("path,content\n" + "".join(f'{number}.py,"a\nb"\n' for number in range(100)))
    shares = [list(rows_of(local_table(path), (), rank, 50)) for rank in range(50)]
    assert sum(map(len, shares)) == 100 and sum(map(bool, shares)) == table_rows.MAX_READERS


def test_ranks_share_a_large_row_group(tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"path": [f"{number}.py" for number in range(90)], "content": ["x"] * 90}), path)
    monkeypatch.setattr(table_rows, "COMPRESSED_BYTES_PER_RANK", 200)
    shares = [list(rows_of(local_table(path), ("path",), rank, 50)) for rank in range(50)]
    assert sorted(number for share in shares for number, _ in share) == [*range(90)]
    assert 3 <= sum(map(bool, shares)) <= table_rows.MAX_READERS
