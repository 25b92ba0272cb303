"""Comma-separated tables, any compression, object stores, and lists of repositories."""

import bz2
import csv
import gzip
import io
import lzma
import tracemalloc

import fsspec
import pytest
import zstandard

from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.sources import csv_rows as csv_module
from datasets_builders.sources.csv_rows import csv_rows, names_in
from datasets_builders.sources.lines import Unreadable
from datasets_builders.sources.listed import ListSource
from datasets_builders.sources.opening import open_sources
from datasets_builders.sources.tables import TableSource

ADD = "def add(first, second):\n    return first + second\n"
SUB = 'def sub(first, second):\n    """Return, with "quotes", the difference."""\n    return first - second\n'
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


def csv_bytes(rows, **options):
    text = io.StringIO()
    csv.writer(text, **options).writerows([["path", "code", "stars"], *rows])
    return text.getvalue().encode()


def rows(raw, name="a.csv"):
    return list(csv_rows(iter(raw.split(b"\n")[: -1 if raw.endswith(b"\n") else None]), name))


def entries(word, world_size=1):
    (source,) = open_sources([str(word)], [], 1_000_000)
    return [entry for rank in range(world_size) for entry in source.entries(rank, world_size)]


@pytest.mark.parametrize("extension", PACK)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_tables_of_any_compression(tmp_path, extension, kind):
    raw = csv_bytes([["a.py", ADD, 3], ["b.py", SUB, ""]])
    if kind == "jsonl":
        raw = b'{"path": "a.py", "code": "x"}\n{"path": "b.py", "code": "y"}\n'
    path = tmp_path / f"rows.{kind}{extension}"
    path.write_bytes(PACK[extension](raw))
    found = {entry.path: entry.read(1000).decode() for entry in entries(path, 3)}
    assert found == ({"a.py": ADD, "b.py": SUB} if kind == "csv" else {"a.py": "x", "b.py": "y"})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\xef\xbb\xbfcode,path\nx,a\n", [{"code": "x", "path": "a"}]),  # a mark at the beginning
        (b"code;path\nx,1;a\n", [{"code": "x,1", "path": "a"}]),
        (b'code,path\r\n"x\r\ny",a\r\n', [{"code": "x\r\ny", "path": "a"}]),
        (b'code,path\n"' + b"z" * 200_000 + b'",a\n', [{"code": "z" * 200_000, "path": "a"}]),
        (b"code,path\n\nx,a\n\n", [{"code": "x", "path": "a"}]),
        (b"code,path\n\xff\xe9,a\n", [{"code": b"\xff\xe9", "path": "a"}]),
        (b'code,path\n"a ""quoted"" word",a', [{"code": 'a "quoted" word', "path": "a"}]),
        (b"", []),
    ],
)
def test_fields_as_they_were_written(raw, expected):
    assert rows(raw) == expected
    assert rows(b"code\tpath\nx,y\ta\n", "a.tsv") == [{"code": "x,y", "path": "a"}]
    assert names_in(b"\xef\xbb\xbfcode;path\n1", "a.csv") == ["code", "path"]


def test_a_quote_that_is_never_closed_costs_its_line(monkeypatch):
    raw = b'path,code\na,1\nb,"open\nc,3\nd,4,5\ne,"also open\nf,6\n'
    found = rows(raw)
    assert [row["path"] for row in found if isinstance(row, dict)] == ["a", "c", "f"]
    assert [row.problem for row in found if isinstance(row, Unreadable)] == ["bad_row"] * 3
    monkeypatch.setattr(csv_module, "MAX_ROW_BYTES", 100)
    found = rows(b'path,code\na,"open\n' + b"b,1\n" * 301)
    assert found[1:] == [{"path": "b", "code": "1"}] * 301 and "more than 100 bytes" in found[0].detail


def test_a_table_without_a_column_for_content_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("path,body\na.py,x\n")
    with pytest.raises(Exception, match="has no column for content"):
        open_sources([str(tmp_path / "rows.csv")], [], 1000)
    (source,) = open_sources([str(tmp_path / "rows.csv")], [], 1000, {"content": "body"})
    assert [entry.read(9) for entry in source.entries(0, 1)] == [b"x"]


def test_tables_in_a_store_make_a_dataset(tmp_path):
    system = fsspec.filesystem("memory")
    system.pipe("/code-test/rows/a.csv", csv_bytes([["a.py", ADD, 3]]))
    system.pipe(
        "/code-test/rows/deep/b.jsonl.gz", gzip.compress(b'{"path": "b.py", "code": "def one():\\n    return 1\\n"}')
    )
    system.pipe("/code-test/rows/readme.txt", b"no table")
    try:
        address = "memory://code-test/rows"
        config = SourceCodeConfig(output_dir=str(tmp_path / "out"), sources=[address], decontaminate=[], license="MIT")
        result = SourceCodeBuilder(config).run()
        assert result.num_rows == {"train": 2}
        assert {entry.path for entry in entries(f"{address}/*.csv")} == {"a.py"}
        before = open_sources([address], [], 1000)[0].fingerprint()
        system.pipe("/code-test/rows/a.csv", csv_bytes([["a.py", SUB, 3]]))
        assert open_sources([address], [], 1000)[0].fingerprint() != before
    finally:
        system.rm("/code-test", recursive=True)


def test_a_list_of_repositories_gives_the_files_of_each_with_their_licences(tmp_path):
    for name, license in (("ada/app", "MIT"), ("bob/app", "GPL-3.0")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.py").write_text(ADD)
        (tmp_path / name / "LICENSE").write_text(license)
    listed = tmp_path / "repos.txt"
    listed.write_text("# ours\nada/app\n\nbob/app\tbob/fork\nnowhere\n")
    found = entries(f"list:{listed}", 4)
    assert {(entry.repository, entry.known["license"]) for entry in found if entry.path == "a.py"} == {
        ("ada/app", "MIT"),
        ("bob/fork", "GPL-3.0-only"),
    }
    assert [entry.problem for entry in found if entry.path == "repos.txt:5"] == ["unreadable_source"]
    before = ListSource(listed).fingerprint()
    listed.write_text("ada/app\n")
    assert ListSource(listed).fingerprint() != before


def test_a_long_list_is_not_held_in_memory(tmp_path):
    listed = tmp_path / "repos.txt"
    with listed.open("w") as file:
        file.writelines(f"nowhere/{number}\n" for number in range(20_000))
    tracemalloc.start()
    source = ListSource(listed)
    count = sum(1 for _ in source.entries(0, 8))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 2000 < count < 3000 and peak < 1_000_000
    assert isinstance(source, ListSource) and not isinstance(source, TableSource)
