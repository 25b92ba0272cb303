"""Section 2.1: the files of a folder; whatever cannot be used is an entry with its problem, never skipped."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from datasets_builders.sources.entry import Entry, Source, count_files, excluded_by, rank_of
from datasets_builders.sources.license_files import STATEMENT_BYTES, Licenses, read_licenses


class FolderSource(Source):
    """The files of a folder, as they lie there; links are never followed.

    Args:
        root (`Path`): the folder.
        exclude (sequence of `str`): patterns, see `excluded_by`.
        repository (`str`): name of the code; empty: the folder's.
        license (`str`): SPDX name; empty: what the folder's licence file says.
    """

    def __init__(self, root: Path, exclude: Sequence[str] = (), repository: str = "", license: str = "") -> None:
        self.root = self.place = str(root)
        self.exclude = list(exclude)
        self.repository = repository or root.resolve().name
        self._license = license

    def entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        """List the files of this rank, by a hash of the path."""
        for entry in list_folder(Path(self.root), self.exclude):
            if rank_of(entry.path, world_size) == rank:
                yield replace(entry, repository=self.repository)

    def fingerprint(self) -> dict[str, Any]:
        """Return names, sizes and times of change as a hash."""
        return folder_fingerprint(Path(self.root), self.exclude)

    def describe(self) -> str:
        """Return name and path."""
        return f"{self.repository}: {self.root}"

    def licenses(self) -> Licenses:
        """Return the licence as given, or what licence files and package metadata say of the folders they lie in."""
        return Licenses({"": self._license}) if self._license else licenses_of_folder(Path(self.root), self.exclude)

    def num_files(self) -> int:
        """Return how many files lie there."""
        return count_files(list_folder(Path(self.root), self.exclude))


def licenses_of_folder(root: Path, patterns: Sequence[str] = ()) -> Licenses:
    """Return what the files of a folder state of their licences; those at its top are read even if they are excluded.

    Args:
        root (`Path`): the folder.
        patterns (sequence of `str`): what is excluded below it.
    """
    at_top = [path.name for path in root.iterdir() if path.is_file()] if root.is_dir() else []
    listed = (entry.path for entry in list_folder(root, patterns) if not entry.problem)
    return read_licenses(dict.fromkeys([*at_top, ".reuse/dep5", *listed]), lambda path: _read_statement(root / path))


def _read_statement(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(STATEMENT_BYTES)
    except OSError:
        return b""


def list_folder(root: Path, patterns: Sequence[str]) -> Iterator[Entry]:
    """List everything below `root` in a fixed order. Links are never followed, so that no loop can be entered.

    An excluded folder is one entry and is not entered.

    Args:
        root (`Path`): the folder.
        patterns (sequence of `str`): what to exclude.
    """
    base = os.fsencode(root.resolve())
    waiting = [base]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            _check_still_there(base)
            yield Entry(_shown(folder, base), "", "unreadable_folder", os.strerror(error.errno or 0))
            continue
        folders = []
        for entry in entries:
            relative = _shown(entry.path, base)
            pattern = excluded_by(relative, patterns)
            if pattern is not None:
                yield Entry(relative, "", "excluded", pattern)
            elif entry.is_symlink():
                yield Entry(relative, "", *_judge_link(entry.path, base))
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield _judge_file(entry, relative, base)
        waiting.extend(reversed(folders))


def _shown(path: bytes, base: bytes) -> str:
    """Return a path as text, with undecodable bytes written as escapes."""
    return os.path.relpath(path, base).decode("utf-8", "backslashreplace").replace(os.sep, "/")


def _judge_link(path: bytes, base: bytes) -> tuple[str, str]:
    try:
        Path(os.fsdecode(path)).stat()
    except OSError as error:
        return ("symlink_broken", os.strerror(error.errno or 0))
    target = os.path.realpath(path)
    if target == base or target.startswith(base + b"/"):
        return ("symlink_inside", "what it points to is read in its own place")
    return ("symlink_outside", "points out of the input folder")


def _check_still_there(base: bytes) -> None:
    """End the run where all of the input went away while it was read: what is left of it is no dataset."""
    if not Path(os.fsdecode(base)).is_dir():
        raise OSError(errno.ESTALE, "the input folder is no longer there", os.fsdecode(base))


def _judge_file(entry: os.DirEntry[bytes], relative: str, base: bytes) -> Entry:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        _check_still_there(base)
        return Entry(relative, "", "unreadable", os.strerror(error.errno or 0))
    if not stat.S_ISREG(status.st_mode):
        return Entry(relative, "", "not_a_regular_file", stat.filemode(status.st_mode))
    read = partial(_read_file, entry.path, base)
    return Entry(relative, size=status.st_size, mtime_ns=status.st_mtime_ns, read=read)


def _read_file(path: bytes, base: bytes, limit: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        _check_still_there(base)
        raise


def folder_fingerprint(root: Path, patterns: Sequence[str]) -> dict[str, Any]:
    """Return what identifies the content of a folder without reading it: names, sizes and times of change."""
    total, count = hashlib.sha256(), 0
    for entry in list_folder(root, patterns):
        if entry.problem == "excluded":
            continue  # running the code makes __pycache__ folders, which change nothing
        total.update(f"{entry.path}\0{entry.problem}\0{entry.size}\0{entry.mtime_ns}\n".encode())
        count += 1
    return {"folder": str(root.resolve()), "entries": count, "sha256": total.hexdigest()}
