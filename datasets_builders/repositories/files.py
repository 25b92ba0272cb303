"""Section 2.2.2, phase 1: a repository as a mapping in memory, straight from any source; nothing is unpacked."""

import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from datasets_builders.languages.detection import language_of
from datasets_builders.sources.encodings import decode
from datasets_builders.sources.entry import Source

MAX_FILE_BYTES = 1_000_000


@dataclass
class RepositoryFiles:
    """The text files of one repository.

    Args:
        name (`str`): of the repository.
        contents (dict): path with forward slashes to text.
        known_languages (dict, *optional*): of the files, by name; told by their paths and texts when left out.
        left_out (dict): path to the reason for which it could not be read.
    """

    name: str
    contents: dict[str, str]
    known_languages: dict[str, str] | None = None
    left_out: dict[str, str] = field(default_factory=dict)

    @cached_property
    def languages(self) -> dict[str, str]:
        """Language of each file that has one."""
        if self.known_languages is not None:
            return self.known_languages
        found = ((path, language_of(path, text)) for path, text in self.contents.items())
        return {path: language for path, language in found if language}

    @cached_property
    def folders(self) -> Mapping[str, tuple[str, ...]]:
        """Files by their folder, sorted; the repository's own is the empty string."""
        return grouped(self.contents, posixpath.dirname)

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[str, ...]]:
        return grouped(self.contents, posixpath.basename)

    @cached_property
    def _by_name_without_case(self) -> Mapping[str, tuple[str, ...]]:
        return grouped(self.contents, lambda path: posixpath.basename(path).lower())

    @cached_property
    def _folders_by_name(self) -> Mapping[str, tuple[str, ...]]:
        return grouped(self.folders, posixpath.basename)

    def ending_in(self, tail: str) -> tuple[str, ...]:
        """Return the files whose path ends in whole names with `tail`, sorted."""
        return tuple(path for path in self._by_name.get(posixpath.basename(tail), ()) if ends_in(path, tail))

    def ending_in_any_case(self, tail: str) -> tuple[str, ...]:
        """Return the files whose path ends in whole names with `tail`, or but for capital letters, sorted."""
        paths = self._by_name_without_case.get(posixpath.basename(tail).lower(), ())
        return tuple(path for path in paths if ends_in(path.lower(), tail.lower()))

    def folders_ending_in(self, tail: str) -> tuple[str, ...]:
        """Return the folders with files whose path ends in whole names with `tail`, sorted."""
        names = self._folders_by_name.get(posixpath.basename(tail), ())
        return tuple(folder for folder in names if ends_in(folder, tail))


def grouped(paths: Iterable[str], key: Callable[[str], str]) -> dict[str, tuple[str, ...]]:
    """Return paths by a key, sorted within each."""
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        found.setdefault(key(path), []).append(path)
    return {name: tuple(members) for name, members in found.items()}


def ends_in(path: str, tail: str) -> bool:
    """Return whether a path ends with another, in whole names."""
    return path == tail or path.endswith(f"/{tail}")


def within(folder: str, relative: str) -> str | None:
    """Return a path relative to a folder as one of the repository, or None where it leads out.

    Args:
        folder (`str`): of the repository; its own is the empty string.
        relative (`str`): may hold `.` and `..`.
    """
    joined = posixpath.normpath(posixpath.join(folder, relative)) if folder or relative else ""
    if joined in (".", ""):
        return ""
    return None if joined.startswith(("../", "/")) or joined == ".." else joined


def read_repository(source: Source, name: str, max_bytes: int = MAX_FILE_BYTES) -> RepositoryFiles:
    """Read all text files of a source as one repository."""
    contents, left_out = {}, {}
    for entry in source.entries(0, 1):
        if entry.problem:
            left_out[entry.path] = entry.problem
            continue
        if entry.size > max_bytes:
            left_out[entry.path] = "too_large"
            continue
        raw = entry.read(max_bytes + 1)
        decoded = decode(raw) if b"\0" not in raw else None
        if decoded is None:
            left_out[entry.path] = "binary"
        elif entry.path in contents:
            left_out[entry.path] = "duplicate_path"
        else:
            contents[entry.path] = decoded[0]
    return RepositoryFiles(name, contents, left_out=left_out)
