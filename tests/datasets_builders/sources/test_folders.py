"""Whatever lies in a folder is read, or removed with its reason: nothing is skipped and nothing stops the run."""

import os
import socket
from collections import Counter
from pathlib import Path

import pytest
from datatrove.data import Document

from datasets_builders.building.steps import Removed
from datasets_builders.source_code.config import SourceCodeConfig
from datasets_builders.sources.code_reader import CodeReader
from datasets_builders.sources.configured import ConfiguredSources
from datasets_builders.sources.entry import excluded_by
from datasets_builders.sources.folders import folder_fingerprint

GOOD = "value = 1\n"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "code"
    path.mkdir()
    (path / "good.py").write_text(GOOD)
    return path


def reader_of(folder, exclude, max_bytes):
    config = SourceCodeConfig(input_dir=str(folder), exclude=list(exclude), max_bytes=max_bytes, license="MIT")
    return CodeReader(ConfiguredSources(config, Path("unused")), config.wanted_languages())


def outcomes(folder, exclude=(), max_bytes=1_000_000, world_size=1):
    found = {}
    for rank in range(world_size):
        reader = reader_of(folder, exclude, max_bytes)
        for doc in reader.list_documents(rank, world_size):
            path = doc.metadata["path"]
            assert path not in found
            (found[path],) = reader.process(doc)
    return found


def reasons(folder, **options):
    found = outcomes(folder, **options)
    return {path: outcome.reason for path, outcome in found.items() if isinstance(outcome, Removed)}


def test_bad_files_are_removed_with_their_reasons(folder):
    (folder / "binary.py").write_bytes(b"x = 1\0\n")
    (folder / "empty.py").write_bytes(b"")
    (folder / "blank.py").write_bytes(b" \n\n")
    (folder / "noise.py").write_bytes(bytes(range(128, 256)) * 3)
    (folder / "photo.png").write_bytes(b"\x89PNG")
    (folder / "README").write_text("no script")
    assert reasons(folder) == {
        "binary.py": "binary",
        "empty.py": "empty",
        "blank.py": "empty",
        "noise.py": "unknown_encoding",
        "photo.png": "other_kind_of_file",
        "README": "other_kind_of_file",
    }


def test_a_file_of_50_megabytes_is_removed_unread(folder):
    with (folder / "huge.py").open("wb") as file:
        file.truncate(50 << 20)  # sparse; would be binary if it were read
    assert reasons(folder) == {"huge.py": "too_large"}


def test_a_file_at_the_size_limit_is_kept_and_one_byte_more_is_too_large(folder):
    (folder / "longer.py").write_text(GOOD + " ")
    assert reasons(folder, max_bytes=len(GOOD)) == {"longer.py": "too_large"}


def test_links_are_never_followed(folder, tmp_path):
    (tmp_path / "outside.py").write_text(GOOD)
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "loop_a.py").symlink_to("loop_b.py")
    (folder / "loop_b.py").symlink_to("loop_a.py")
    (folder / "out.py").symlink_to(tmp_path / "outside.py")
    (folder / "in.py").symlink_to("good.py")
    (folder / "gone.py").symlink_to("nowhere.py")
    assert reasons(folder) == {
        "sub/up": "symlink_inside",
        "loop_a.py": "symlink_broken",
        "loop_b.py": "symlink_broken",
        "out.py": "symlink_outside",
        "in.py": "symlink_inside",
        "gone.py": "symlink_broken",
    }


def test_pipes_and_sockets_are_not_opened(folder):
    os.mkfifo(folder / "pipe.py")  # to open it would wait for ever
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.py"))
        assert reasons(folder) == {"pipe.py": "not_a_regular_file", "socket.py": "not_a_regular_file"}


def test_a_file_that_vanishes_after_it_was_listed_is_unreadable(folder):
    reader = reader_of(folder, [], 1_000)
    (doc,) = reader.list_documents(0, 1)
    (folder / "good.py").unlink()
    (outcome,) = reader.process(doc)
    assert (outcome.reason, outcome.detail) == ("unreadable", "No such file or directory")


def test_a_file_name_that_is_no_text_is_read_and_shown_with_escapes(folder):
    (folder / "good.py").rename(os.fsdecode(os.fsencode(folder) + b"/\xff.py"))
    (found,) = outcomes(folder).items()
    assert found[0] == "\\xff.py"
    assert found[1].text == GOOD


def test_an_excluded_folder_is_one_entry_and_is_not_entered(folder):
    (folder / "tests" / "deep").mkdir(parents=True)
    (folder / "tests" / "deep" / "case.py").write_text(GOOD)
    assert reasons(folder, exclude=["tests"]) == {"tests": "excluded"}
    assert reasons(folder, exclude=["tests/deep"]) == {"tests/deep": "excluded"}


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a/tests", "tests", True),
        ("a/my_tests", "tests", False),
        ("a/.git", ".*", True),
        ("docs/x.md", "docs/*.md", True),
        ("a/docs/x.md", "docs/*.md", False),
    ],
)
def test_patterns_match_the_last_name_or_the_whole_path(path, pattern, expected):
    assert (excluded_by(path, [pattern]) is not None) is expected


def test_ranks_share_the_files_without_gap_or_overlap(folder):
    for number in range(40):
        (folder / f"file{number}.py").write_text(f"value = {number}\n")
    assert outcomes(folder).keys() == outcomes(folder, world_size=3).keys()
    counts = Counter(type(outcome) for outcome in outcomes(folder, world_size=3).values())
    assert counts == {Document: 41}


def test_the_fingerprint_follows_content_but_not_what_is_left_out(folder):
    before = folder_fingerprint(folder, ["__pycache__"])
    (folder / "__pycache__").mkdir()
    assert folder_fingerprint(folder, ["__pycache__"]) == before
    (folder / "good.py").write_text(GOOD * 2)
    assert folder_fingerprint(folder, ["__pycache__"]) != before
