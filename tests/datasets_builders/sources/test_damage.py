"""Whatever is damaged in a table or an archive, each row and file is read or is an entry with its problem."""

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from datasets_builders.source_code.builder import SourceCodeBuilder
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.sources.entry import Entry, Source
from datasets_builders.sources.opening import open_sources
from datasets_builders.sources.table_rows import local_table
from datasets_builders.sources.tables import TableSource

NUM_CASES = int(os.environ.get("LING_DAMAGE_CASES", "300"))
Files = dict[str, bytes]


def files_of(draw: Random) -> Files:
    """Return files by path; no content is part of another, and the path stands in it."""
    words = ("alpha", "bravo", "cedar", "delta", "ember", "falcon", "garnet", "harbor", "indigo", "jasper")
    count = draw.randrange(1, 60)
    return {
        f"src/file_{number:03d}.py": "".join(
            f"{draw.choice(words)}_{number}_{line} = {draw.randrange(10**9)}\n" for line in range(draw.randrange(1, 40))
        ).encode()
        for number in range(count)
    }


def lines_of(files: Files) -> list[bytes]:
    return [json.dumps({"content": content.decode(), "path": path}).encode() + b"\n" for path, content in files.items()]


def parquet(files: Files, draw: Random, **options: object) -> bytes:
    buffer = io.BytesIO()
    table = pa.table({"content": [content.decode() for content in files.values()], "path": list(files)})
    pq.write_table(table, buffer, row_group_size=draw.randrange(1, 20), data_page_size=400, **options)
    return buffer.getvalue()


def members(files: Files, draw: Random, compress: Callable[[bytes], bytes]) -> bytes:
    """Return lines in several compressed members, each of whole lines."""
    lines, size = lines_of(files), draw.randrange(1, 12)
    return b"".join(compress(b"".join(lines[at : at + size])) for at in range(0, len(lines), size))


def zstd(raw: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(raw)


def tar(files: Files, draw: Random, compress: Callable[[bytes], bytes] = bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=draw.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    ) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return compress(buffer.getvalue())


def zipped(files: Files, draw: Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", draw.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()


# File name: what it holds, and whether its format tells when content is damaged.
FORMATS: dict[str, tuple[Callable[[Files, Random], bytes], bool]] = {
    "a.parquet": (lambda files, draw: parquet(files, draw, compression="zstd", write_page_checksum=True), True),
    "b.parquet": (lambda files, draw: parquet(files, draw, compression=draw.choice(["snappy", "none", "zstd"])), False),
    "a.jsonl": (lambda files, draw: b"".join(lines_of(files)), False),
    "a.jsonl.gz": (lambda files, draw: members(files, draw, gzip.compress), False),
    "a.jsonl.zst": (lambda files, draw: members(files, draw, zstd), False),
    "a.tar": (tar, False),
    "a.tar.gz": (lambda files, draw: tar(files, draw, gzip.compress), False),
    "a.tar.bz2": (lambda files, draw: tar(files, draw, bz2.compress), False),
    "a.tar.xz": (lambda files, draw: tar(files, draw, lzma.compress), False),
    "a.zip": (zipped, True),
}  # fmt: skip


def damaged(raw: bytes, draw: Random) -> tuple[str, bytes]:
    """Return one damage, of the kinds that disks and connections make, and the data with it."""
    at = draw.randrange(len(raw))
    length = min(draw.choice([1, 1, 4, 64, 512, 4096]), len(raw) - at)
    noise = draw.randbytes(length)
    kinds = {
        "cut": raw[:at],
        "zeros": raw[:at] + bytes(length) + raw[at + length :],
        "noise": raw[:at] + noise + raw[at + length :],
        "bit": raw[:at] + bytes([raw[at] ^ (1 << draw.randrange(8))]) + raw[at + 1 :],
        "inserted": raw[:at] + noise + raw[at:],
        "missing": raw[:at] + raw[at + length :],
    }
    kind = draw.choice(list(kinds))
    return kind, kinds[kind]


def entries_of(source: Source, world_size: int) -> list[Entry]:
    return [entry for rank in range(world_size) for entry in source.entries(rank, world_size)]


def told(entries: list[Entry]) -> Counter[tuple[str, str, bytes]]:
    return Counter((entry.path, entry.problem, entry.read(1 << 20)) for entry in entries)


def source_at(path: Path) -> Source:
    if path.suffix in (".parquet", ".jsonl") or ".jsonl." in path.name:
        return TableSource("table", [local_table(path)])
    (source,) = open_sources([str(path)], [], 1_000_000)
    return source


@pytest.mark.parametrize("case", range(NUM_CASES))
def test_what_is_not_read_is_an_entry(tmp_path: Path, case: int) -> None:
    draw = Random(case)
    name = list(FORMATS)[case % len(FORMATS)]
    make, tells_damage = FORMATS[name]
    files = files_of(draw)
    raw = make(files, draw)
    path = tmp_path / name
    path.write_bytes(raw)
    whole = entries_of(source_at(path), 2)
    assert {entry.path: entry.read(1 << 20) for entry in whole if not entry.problem} == files
    assert len(whole) == len(files)

    kind, broken = damaged(raw, draw)
    path.write_bytes(broken)
    entries = entries_of(source_at(path), 1)
    read = [entry for entry in entries if not entry.problem]
    problems = [entry for entry in entries if entry.problem]
    assert told(entries_of(source_at(path), draw.randrange(2, 6))) == told(entries), "every number of ranks reads alike"
    # Whole lines that are gone leave no trace in plain text, nor do whole blocks of a plain tar.
    leaves_no_trace = name == "a.jsonl" or (name == "a.tar" and kind in ("missing", "zeros"))
    num_lost = len(files) - len(read)
    assert problems or leaves_no_trace or not num_lost, f"{num_lost} of {len(files)} are lost without an entry"
    if tells_damage:
        assert all(entry.read(1 << 20) == files.get(entry.path) for entry in read if entry.size <= 1_000_000)
    _check_count(name, raw, broken, len(files), len(entries), problems)


def _check_count(name: str, raw: bytes, broken: bytes, rows: int, found: int, problems: list[Entry]) -> None:
    """Hold rows + entries = rows in, where the damage left standing what tells how many rows there were."""
    if name.endswith(".jsonl"):
        assert found == sum(bool(line.strip()) for line in broken.split(b"\n"))
    if name.endswith(".parquet"):
        footer = 8 + int.from_bytes(raw[-8:-4], "little")
        if broken[-footer:] == raw[-footer:]:
            assert found == rows
    if name.endswith(".zip") and broken.endswith(raw[raw.index(b"PK\1\2") :]) and len(broken) == len(raw):
        assert found == rows
    if name.endswith((".gz", ".zst")) and not any(entry.problem.startswith("damaged") for entry in problems):
        assert found == rows


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
@pytest.mark.parametrize("place", ["mark", "data", "cut"])
def test_a_damaged_member_costs_no_other(tmp_path: Path, compress: Callable[[bytes], bytes], place: str) -> None:
    lines = [json.dumps({"content": f"value = {n}\n" * 9, "path": f"{n}.py"}).encode() + b"\n" for n in range(30)]
    parts = [bytearray(compress(b"".join(lines[at : at + 10]))) for at in (0, 10, 20)]
    for damaged_part in range(3):
        changed = [bytearray(part) for part in parts]
        part = changed[damaged_part]
        if place == "mark":
            part[0] ^= 0xFF
        elif place == "data":
            part[len(part) // 2] ^= 0xFF
        else:
            del part[len(part) // 2 :]
        path = tmp_path / f"rows.jsonl.{'gz' if compress is gzip.compress else 'zst'}"
        path.write_bytes(b"".join(changed))
        entries = entries_of(TableSource("table", [local_table(path)]), 3)
        read = {int(entry.path.partition(".")[0]) for entry in entries if not entry.problem}
        kept = set(range(30)) - set(range(10 * damaged_part, 10 * damaged_part + 10))
        assert kept <= read
        assert "damaged_table" in {entry.problem for entry in entries}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"content": "x = 1", "path": "a.py", "stars": Infinity}', ""),
        ('{"content": "x = 1", "path": "a.py", "stars": NaN, "forks": 1e400}', ""),
        ('{"content": "x = 1", "path": "a.py", "stars": 99999999999999999999999}', ""),
        (f'{{"content": "x = 1", "path": "a.py", "stars": {"9" * 5000}}}', ""),
        ('{"content": "x = 1", "path": "a.py"', "bad_json"),
        ('{"content": "x = 1", "path": "a.py"} {"more": 1}', "bad_json"),
        ("garbage", "bad_json"),
        ("\x00\x01\x02", "bad_json"),
        ("[" * 100_000, "bad_json"),
        ("7", "bad_row"),
        ('"text"', "bad_row"),
        ('{"content": {"a": 1}}', "no_content"),
    ],
)
def test_a_bad_line_costs_that_line_alone(tmp_path: Path, line: str, problem: str) -> None:
    good = [json.dumps({"content": f"x = {n}\n", "path": f"{n}.py"}) for n in range(20)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([*good[:10], line, *good[10:]]))
    for world_size in (1, 4):
        entries = entries_of(TableSource("table", [local_table(path)]), world_size)
        assert Counter(entry.problem for entry in entries) == Counter([""] * 20 + [problem])


def test_a_blank_line_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"content": "a"}\r\n\r\n  \n{"content": "b"}')
    assert [entry.read(9) for entry in entries_of(TableSource("t", [local_table(path)]), 2)] == [b"a", b"b"]


def test_a_row_group_is_lost_alone_and_counted_in_the_ledger(tmp_path: Path) -> None:
    functions = [f'"""Part {n} of the whole."""\n\n\ndef part_{n}(a):\n    return a * {n * 7}\n' for n in range(64)]
    table = pa.table({"content": functions, "path": [f"{n}.py" for n in range(64)]})
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path, row_group_size=8, compression="zstd")
    chunk = pq.read_metadata(path).row_group(5).column(0)
    raw = bytearray(path.read_bytes())
    at = chunk.data_page_offset + chunk.total_compressed_size // 2
    raw[at : at + 40] = bytes(byte ^ 0x5A for byte in raw[at : at + 40])
    path.write_bytes(raw)
    config = SourceCodeConfig(
        output_dir=str(tmp_path / "out"), sources=[str(path)], decontaminate=[], near_dedup_threshold=1.0
    )
    step = SourceCodeBuilder(config).run().ledger.step("read_code")
    assert (step.input, step.output, step.reasons) == (64, 56, {"damaged_row": 8})


def test_a_column_that_is_not_wanted_may_be_damaged(tmp_path: Path) -> None:
    table = pa.table({"other": ["x" * 500 + str(n) for n in range(40)], "content": [f"x = {n}" for n in range(40)]})
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path, compression="zstd")
    chunk = pq.read_metadata(path).row_group(0).column(0)
    raw = bytearray(path.read_bytes())
    raw[4 : chunk.total_compressed_size] = bytes(chunk.total_compressed_size - 4)
    path.write_bytes(raw)
    assert [entry.problem for entry in entries_of(TableSource("t", [local_table(path)]), 2)] == [""] * 40


def test_text_that_is_no_text_and_dates_that_are_none_cost_no_row(tmp_path: Path) -> None:
    texts = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.array([0, 5, 10], pa.int32()).buffers()[1], pa.py_buffer(b"caf\xe9\nx = 1")]
    )
    dates = pa.array([2**62, 0], pa.timestamp("us"))
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"content": texts, "date": dates, "path": ["a.py", "b.py"]}), path)
    first, second = entries_of(TableSource("t", [local_table(path)]), 1)
    assert (first.read(9), second.read(9)) == (b"caf\xe9\n", b"x = 1")
    assert "date" not in first.known and second.known["date"] == "1970-01-01T00:00:00"


def test_what_the_disk_fails_to_give_is_no_damage(tmp_path: Path) -> None:
    class FailingDisk(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 2000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    from datasets_builders.sources.table_rows import TableFile

    draw = Random(1)
    for name, raw in (("a.jsonl.gz", gzip.compress(draw.randbytes(200_000))), ("a.jsonl", b"{}\n" * 400_000)):
        source = TableSource("t", [TableFile(name, lambda raw=raw: FailingDisk(raw))])  # type: ignore[misc]
        with pytest.raises(OSError, match="Input/output error"):
            entries_of(source, 2)


def test_files_behind_a_damaged_header_and_behind_zeros_are_found(tmp_path: Path) -> None:
    files = {f"{n}.py": f"x = {n}\n".encode() * 100 for n in range(8)}
    raw = bytearray(tar(files, Random(0)))
    path = tmp_path / "a.tar"
    headers = [
        at
        for at in range(0, len(raw), 512)
        if raw[at : at + 512].rstrip(b"\0")[:1].isdigit() and b"ustar" in raw[at : at + 512]
    ]
    raw[headers[3] + 5] ^= 1
    raw[headers[5] : headers[5] + 512] = bytes(512)
    path.write_bytes(raw)
    entries = entries_of(source_at(path), 1)
    assert {entry.path for entry in entries if not entry.problem} == set(files) - {"3.py", "5.py"}
    assert [entry.problem for entry in entries if entry.problem] == ["damaged_archive"]


def test_a_tar_that_is_cut_between_two_files_says_so(tmp_path: Path) -> None:
    raw = tar({"a.py": b"a = 1\n", "b.py": b"b = 1\n"}, Random(0))
    path = tmp_path / "a.tar"
    path.write_bytes(raw[: raw.index(b"b.py") // 512 * 512])
    entries = entries_of(source_at(path), 1)
    assert [(entry.path, entry.problem) for entry in entries] == [("a.py", ""), ("a.tar", "damaged_archive")]


def test_a_zip_that_is_cut_off_gives_the_files_before(tmp_path: Path) -> None:
    files = {f"{n}.py": f"x_{n} = {n}\n".encode() * 50 for n in range(20)}
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        path = tmp_path / f"{compression}.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        raw = path.read_bytes()
        path.write_bytes(raw[: raw.index(b"11.py") + 12])
        found = {entry.path: entry.problem or entry.read(1 << 20) for entry in entries_of(source_at(path), 2)}
        assert found.pop(path.name) == "damaged_archive"
        assert found.pop("11.py") == "damaged_file"
        assert found == {f"{n}.py": files[f"{n}.py"] for n in range(11)}
