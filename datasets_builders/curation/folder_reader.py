"""Section 2.1: read the text files of a folder; whatever cannot be used is removed with its reason, never skipped."""

import errno
import fnmatch
import hashlib
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Reader, Removed

SHEBANG_BYTES = 128


@dataclass(frozen=True)
class Entry:
    """One thing found in a folder. `problem` is the reason for which it is not even looked at, or empty."""

    path: bytes
    relative: str
    problem: str = ""
    detail: str = ""
    size: int = 0
    mtime_ns: int = 0


def excluded_by(relative: str, patterns: Sequence[str]) -> str | None:
    """Return the first pattern that excludes a path, or None.

    A pattern without a slash is held against the last name of the path; one with a slash against the whole path.

    Args:
        relative (`str`): path below the input folder, with forward slashes.
        patterns (sequence of `str`): shell patterns, such as `tests` or `docs/*.md`.

    Source: ours.
    """
    name = relative.rpartition("/")[2]
    for pattern in patterns:
        if fnmatch.fnmatchcase(relative if "/" in pattern else name, pattern.rstrip("/")):
            return pattern
    return None


def list_folder(root: Path, patterns: Sequence[str]) -> Iterator[Entry]:
    """List everything below `root` in a fixed order. Links are never followed, so that no loop can be entered.

    An excluded folder is one entry and is not entered.

    Args:
        root (`Path`): the folder.
        patterns (sequence of `str`): what to exclude.

    Source: ours.
    """
    base = os.fsencode(root.resolve())
    waiting = [base]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield Entry(folder, _shown(folder, base), "unreadable_folder", os.strerror(error.errno or 0))
            continue
        folders = []
        for entry in entries:
            relative = _shown(entry.path, base)
            pattern = excluded_by(relative, patterns)
            if pattern is not None:
                yield Entry(entry.path, relative, "excluded", pattern)
            elif entry.is_symlink():
                yield Entry(entry.path, relative, *_judge_link(entry.path, base))
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield _judge_file(entry, relative)
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


def _judge_file(entry: os.DirEntry[bytes], relative: str) -> Entry:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Entry(entry.path, relative, "unreadable", os.strerror(error.errno or 0))
    if not stat.S_ISREG(status.st_mode):
        return Entry(entry.path, relative, "not_a_regular_file", stat.filemode(status.st_mode))
    return Entry(entry.path, relative, size=status.st_size, mtime_ns=status.st_mtime_ns)


def folder_fingerprint(root: Path, patterns: Sequence[str]) -> dict[str, Any]:
    """Return what identifies the content of a folder without reading it: names, sizes and times of change.

    Source: ours.
    """
    total, count = hashlib.sha256(), 0
    for entry in list_folder(root, patterns):
        if entry.problem == "excluded":
            continue  # running the code makes __pycache__ folders, which change nothing
        total.update(f"{entry.relative}\0{entry.problem}\0{entry.size}\0{entry.mtime_ns}\n".encode())
        count += 1
    return {"folder": str(root.resolve()), "entries": count, "sha256": total.hexdigest()}


class FolderReader(Reader):
    """Read the text files of a folder; a subclass says which files are wanted.

    Args:
        root (`Path`): the folder.
        exclude (sequence of `str`): patterns, see `excluded_by`.
        max_bytes (`int`): larger files are removed unread.

    Source: ours.
    """

    name = "read"

    def __init__(self, root: Path, exclude: Sequence[str], max_bytes: int) -> None:
        super().__init__()
        self.root = str(root)
        self.exclude = list(exclude)
        self.max_bytes = max_bytes

    def kind_of(self, relative: str, head: bytes | None) -> str | None:
        """Return the kind of a wanted file, or None.

        Args:
            relative (`str`): its path below the folder.
            head (`bytes`, *optional*): its first bytes, given when the name gave None and has no extension.
        """
        raise TypeError(f"{type(self).__name__} must define kind_of()")

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """List the entries of this rank: by a hash of the path, so that a file added later moves no other one."""
        for entry in list_folder(Path(self.root), self.exclude):
            if zlib.crc32(entry.relative.encode("utf-8")) % world_size == rank:
                yield Document(text="", id=entry.relative, metadata={"path": entry.relative, "entry": entry})

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Read one file, or remove it with the reason for which it cannot be used."""
        entry: Entry = doc.metadata.pop("entry")
        if entry.problem:
            yield Removed(doc, entry.problem, entry.detail)
            return
        try:
            yield self._read(doc, entry)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
            # The entry was there when it was listed: vanished, no permission, a bad block.
            yield Removed(doc, "unreadable", os.strerror(error.errno or 0))

    def _read(self, doc: Document, entry: Entry) -> Outcome:
        kind = self.kind_of(entry.relative, None) or self._kind_of_head(entry)
        if kind is None:
            return Removed(doc, "other_kind_of_file")
        if entry.size == 0:
            return Removed(doc, "empty")
        if entry.size > self.max_bytes:
            return Removed(doc, "too_large", f"{entry.size} bytes, limit {self.max_bytes}")
        with open(entry.path, "rb") as file:
            raw = file.read(self.max_bytes + 1)
        if len(raw) > self.max_bytes:
            return Removed(doc, "too_large", f"grew beyond {self.max_bytes} bytes")
        if b"\0" in raw:
            return Removed(doc, "binary")
        try:
            doc.text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            return Removed(doc, "invalid_utf8", f"byte {error.start}")
        if not doc.text.strip():
            return Removed(doc, "empty", "white space only")
        doc.metadata["kind"] = kind
        return doc

    def _kind_of_head(self, entry: Entry) -> str | None:
        if PurePosixPath(entry.relative).suffix:
            return None
        with open(entry.path, "rb") as file:
            return self.kind_of(entry.relative, file.read(SHEBANG_BYTES))
