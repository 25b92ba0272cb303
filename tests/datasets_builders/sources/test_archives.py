"""Archives are read as they are: every compression, every package format, and whatever a hostile one holds."""

import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from datasets_builders.sources import archives
from datasets_builders.sources.archives import ArchiveSource, archive_stem, is_archive
from datasets_builders.sources.folder_config import ALWAYS_EXCLUDED

FILES = {"src/a.py": b"a = 1\n", "src/b.py": b"b = 2\n", "LICENSE": b"Apache License\nVersion 2.0"}


def tar_bytes(files: dict[str, bytes], folder: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(folder + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def deb_bytes(data: bytes) -> bytes:
    def member(name: str, content: bytes) -> bytes:
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        return header + content + b"\n" * (len(content) % 2)

    parts = (member("debian-binary", b"2.0\n"), member("control.tar.xz", b"odd"), member("data.tar.xz", data))
    return b"!<arch>\n" + b"".join(parts)


def found(path: Path, **options) -> dict[str, bytes | str]:
    """Return content, or the problem, by path."""
    entries = list(ArchiveSource(path, **options).entries(0, 1))
    assert len({entry.path for entry in entries}) == len(entries)
    return {entry.path: entry.problem or entry.read(1_000_000) for entry in entries}


@pytest.mark.parametrize(
    ("extension", "compress"),
    [
        (".tar", bytes),
        (".tar.gz", gzip.compress),
        (".tgz", gzip.compress),
        (".tar.xz", lzma.compress),
        (".tar.zst", zstandard.ZstdCompressor().compress),
    ],
)
def test_a_tar_gives_its_files_without_the_folder_around_them(tmp_path, extension, compress):
    path = tmp_path / f"my-project-1.0{extension}"
    path.write_bytes(compress(tar_bytes(FILES, "my_project-1.0/")))
    source = ArchiveSource(path)
    assert found(path) == FILES
    assert (source.repository, source.licenses().of_all) == ("my-project-1.0", "Apache-2.0")


def test_an_npm_tarball_a_wheel_and_a_debian_package_state_their_licences(tmp_path):
    npm = tmp_path / "left-pad-1.0.0.tgz"
    npm.write_bytes(gzip.compress(tar_bytes({"package.json": b'{"license": "WTFPL"}', "index.js": b"1\n"}, "package/")))
    assert "index.js" in found(npm) and ArchiveSource(npm).licenses().of_all == "WTFPL"
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("demo/a.py", "a = 1\n")
        archive.writestr("demo-1.0.dist-info/METADATA", "Name: demo\nLicense-Expression: MIT OR Apache-2.0\n")
    assert found(wheel)["demo/a.py"] == b"a = 1\n" and ArchiveSource(wheel).licenses().of_all == "MIT OR Apache-2.0"
    deb = tmp_path / "ruby-demo_1.0-1_all.deb"
    terms = b"Files: *\nLicense: Expat\n\nFiles: debian/*\nLicense: GPL-2+\n\nLicense: GPL-2+\n text\n"
    data = lzma.compress(tar_bytes({"./usr/lib/demo.rb": b"1\n", "./usr/share/doc/ruby-demo/copyright": terms}))
    deb.write_bytes(deb_bytes(data))
    assert found(deb)["usr/lib/demo.rb"] == b"1\n"
    assert (ArchiveSource(deb).repository, ArchiveSource(deb).licenses().of_all) == ("ruby-demo", "MIT")


def test_a_debian_package_of_python_gives_its_code(tmp_path):
    inside = {"./usr/lib/python3/dist-packages/demo/a.py": b"a = 1\n", "./usr/bin/demo": b"#!/usr/bin/python3\n"}
    deb = tmp_path / "python3-demo_1.0-1_all.deb"
    deb.write_bytes(deb_bytes(lzma.compress(tar_bytes(inside))))
    assert set(found(deb, exclude=ALWAYS_EXCLUDED)) == {"demo/a.py", "usr/bin/demo"}


@pytest.mark.parametrize(
    ("archive", "folder"),
    [
        ("v1.0.tar.gz", "proj-1.0/"),
        ("main.tar.gz", "proj-main/"),
        ("acme-tool.tar.gz", "acme-tool-9f8e7d6/"),
        ("2.1.tar.gz", "./proj-2.1/"),
    ],
)
def test_the_folder_that_a_forge_packs_is_taken_off_and_its_licence_counts(tmp_path, archive, folder):
    path = tmp_path / archive
    files = {"COPYING": b"GNU General Public License\nVersion 3", "app.py": b"a = 1\n"}
    path.write_bytes(gzip.compress(tar_bytes(files, folder)))
    assert found(path) == files
    assert ArchiveSource(path).licenses().of_all == "GPL-3.0-only"
    path.write_bytes(gzip.compress(tar_bytes({f"{folder}app.py": b"a = 1\n", "docs/app.py": b"a = 1\n"})))
    assert len(found(path)) == 2, "a folder beside others stays"


@pytest.mark.parametrize(
    ("classifiers", "license"),
    [
        (["OSI Approved :: GNU General Public License v3 (GPLv3)"], "GPL-3.0-only"),
        (["OSI Approved :: MIT License"], "MIT"),
        (["OSI Approved :: MIT License", "OSI Approved :: BSD License"], "BSD-3-Clause AND MIT"),
        (["Other/Proprietary License"], "unrecognised"),
        ([], "unknown"),
    ],
)
def test_a_classifier_states_a_licence_where_nothing_else_does(tmp_path, classifiers, license):
    path = tmp_path / "demo-1.0.tar.gz"
    lines = [
        "Name: demo",
        *(f"Classifier: License :: {words}" for words in classifiers),
        "",
        "Classifier: License :: X",
    ]
    path.write_bytes(gzip.compress(tar_bytes({"PKG-INFO": "\n".join(lines).encode()}, "demo-1.0/")))
    assert ArchiveSource(path).licenses().of_all == license


def test_the_end_of_a_long_list_of_licences_counts_too(tmp_path):
    terms = b"Files: *\nLicense: Expat\n\n" + b"Comment: word\n\n" * 3000 + b"Files: vendor/*\nLicense: GPL-3+\n"
    deb = tmp_path / "long_1_all.deb"
    files = {
        "./usr/share/doc/long/copyright": terms,
        "./usr/lib/long/vendor/a.py": b"a = 1\n",
        "./usr/lib/b.py": b"b = 1\n",
    }
    deb.write_bytes(deb_bytes(lzma.compress(tar_bytes(files))))
    licenses = ArchiveSource(deb).licenses()
    assert (licenses.of("usr/lib/long/vendor/a.py"), licenses.of("usr/lib/b.py")) == ("GPL-3.0-or-later", "MIT")


def test_links_devices_and_paths_that_lead_out_are_reported_and_not_read(tmp_path):
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("link.py", tarfile.SYMTYPE), ("hard.py", tarfile.LNKTYPE), ("device", tarfile.CHRTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
    with tarfile.open(path, "a") as archive:
        for name in ("../../up.py", "/etc/root.py"):
            archive.addfile(tarfile.TarInfo(name))
    expected = {"link.py": "link", "hard.py": "link", "device": "not_a_regular_file"}
    assert found(path) == expected | {"../../up.py": "path_outside", "/etc/root.py": "path_outside"}


def test_excluded_folders_are_one_entry(tmp_path):
    path = tmp_path / "p.tar"
    path.write_bytes(tar_bytes({"node_modules/a.js": b"1", "node_modules/b/c.js": b"1", "x.js": b"1"}))
    assert found(path, exclude=["node_modules"]) == {"node_modules": "excluded", "x.js": b"1"}


def test_what_came_before_the_damage_stays(tmp_path):
    path = tmp_path / "cut.tar.gz"
    whole = gzip.compress(tar_bytes({"a.py": b"a\n", "b.py": bytes(range(256)) * 400}), compresslevel=0)
    path.write_bytes(whole[: len(whole) // 2])
    answer = found(path)
    assert answer["a.py"] == b"a\n" and answer["cut.tar.gz"] == "damaged_archive"
    path.write_bytes(b"\x1f\x8bnot at all")
    assert found(path) == {"cut.tar.gz": "damaged_archive"}
    other = tmp_path / "cut.zip"
    other.write_bytes(b"PK\3\4 but no more")
    assert found(other) == {"cut.zip": "damaged_archive"}


def test_bombs_end_at_the_limit(tmp_path):
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(tar_bytes({"a.py": b"1\n", "zeros": b"\0" * 5_000_000, "late.py": b"1\n"})))
    assert found(bomb, max_bytes=1000, max_archive_bytes=1_000_000) == {
        "a.py": b"1\n",
        "zeros": b"",
        "bomb.tar.gz": "archive_too_large",
    }
    wide = tmp_path / "wide.zip"
    with zipfile.ZipFile(wide, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(20):
            archive.writestr(f"{number:02d}.py", b"0" * 900)
    answer = found(wide, max_bytes=1000, max_archive_bytes=10_000)
    assert answer.pop("wide.zip") == "archive_too_large" and len(answer) == 11


def test_a_header_of_any_claimed_size_is_not_read_into_memory(tmp_path):
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 3 << 30
    path = tmp_path / "pax.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf() + b"\0" * 10_000))
    assert found(path) == {"pax.tar.gz": "archive_too_large"}


def test_encrypted_and_too_large_members_of_a_zip_are_reported(tmp_path):
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("locked.py", "1")
        archive.writestr("large.py", "1" * 2000)
    raw = bytearray(path.read_bytes())
    for at in (raw.index(b"PK\3\4") + 6, raw.index(b"PK\1\2") + 8):
        raw[at] |= 1
    path.write_bytes(bytes(raw))
    entries = {entry.path: entry for entry in ArchiveSource(path, max_bytes=1000).entries(0, 1)}
    assert entries["locked.py"].problem == "encrypted"
    assert (entries["large.py"].size, entries["large.py"].read(10)) == (2000, b"")


@pytest.mark.parametrize("name", ["p.tar.gz", "p.zip"])
def test_ranks_share_a_large_archive_with_its_licence_and_its_damage(tmp_path, monkeypatch, name):
    files = {"LICENSE": b"SPDX-License-Identifier: MIT\n", "tests/a.py": b"a\n", "tests/b.py": b"b\n"}
    files |= {f"src/{number}.py": b"x = 1\n" * number for number in range(30)}
    path = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for file, content in files.items():
                archive.writestr(file, content)
        path.write_bytes(path.read_bytes().replace(b"x = 1\nx = 1\nx = 1\n", b"x = 2\nx = 1\nx = 1\n", 1))
    else:
        path.write_bytes(gzip.compress(tar_bytes(files))[:-60])
    monkeypatch.setattr(archives, "BYTES_PER_RANK", path.stat().st_size // 3 + 1)
    source = ArchiveSource(path, exclude=["tests"])
    alone = [(entry.path, entry.problem, entry.detail, entry.read(99)) for entry in source.entries(0, 1)]
    assert any(problem.startswith("damaged") for _, problem, *_ in alone)
    assert [path for path, *_ in alone].count("tests") == 1
    for world_size in (2, 3, 16):
        shares = [list(source.entries(rank, world_size)) for rank in range(world_size)]
        found = [(entry.path, entry.problem, entry.detail, entry.read(99)) for share in shares for entry in share]
        assert sorted(found) == sorted(alone)
        assert sum(map(bool, shares)) == min(world_size, 3)
        sizes = [source.weight(rank, world_size) for rank in range(world_size)]
        assert [bool(size) for size in sizes] == [bool(share) for share in shares]


def test_one_rank_reads_a_small_archive(tmp_path):
    path = tmp_path / "p.tar"
    path.write_bytes(tar_bytes(FILES))
    counts = [len(list(ArchiveSource(path).entries(rank, 4))) for rank in range(4)]
    assert sorted(counts) == [0, 0, 0, 3]


def test_names_tell_archives_and_repositories():
    assert is_archive(Path("a.TAR.GZ")) and not is_archive(Path("a.gz"))
    assert archive_stem(Path("flask-3.0.0.tar.gz")) == "flask-3.0.0"
    assert archive_stem(Path("ruby-rack_2.2_all.deb")) == "ruby-rack"


@pytest.mark.parametrize("kept_bytes", [0, 1 << 20])
def test_a_small_archive_is_read_once_for_its_files_its_number_of_files_and_its_licence(
    tmp_path, monkeypatch, kept_bytes
):
    monkeypatch.setattr(archives, "KEPT_BYTES", kept_bytes)
    path = tmp_path / "project.tar.gz"
    path.write_bytes(gzip.compress(tar_bytes(FILES)))
    source = ArchiveSource(path)
    entries = source.entries(0, 1)
    first = next(entries)
    if kept_bytes:
        path.unlink()
    assert (source.licenses().of_all, source.num_files()) == ("Apache-2.0", 3)
    assert [entry.path for entry in (first, *entries)] == list(FILES)
    assert source.licenses().of_all == ("unknown" if kept_bytes else "Apache-2.0")  # nothing is held afterwards
