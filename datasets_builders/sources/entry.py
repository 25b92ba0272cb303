"""Section 2.1, data collection: what every source gives: entries, one per file found, read when they are wanted."""

import fnmatch
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from datasets_builders.sources.license_files import Licenses

NEVER = r"(?!)"


@dataclass(frozen=True)
class Entry:
    """One thing found in a source.

    Args:
        path (`str`): in its repository, with forward slashes.
        repository (`str`): name of the code base.
        problem (`str`): the reason for which it is not even looked at, or empty.
        detail (`str`): what differs from entry to entry with the same problem.
        size (`int`): bytes, as far as the source knows.
        mtime_ns (`int`): time of change, where a file system tells it.
        known (dict): what the source knows of the file: license, stars, forks, date, commit, repository_url, is_fork,
            language; of the repository `repository_files`, where a row is one.
        read (function): returns at most the given number of bytes of the content.
        mended (tuple of `str`): what was converted or made null in what is known, to be counted: `stars_nulled`.
    """

    path: str
    repository: str = ""
    problem: str = ""
    detail: str = ""
    size: int = 0
    mtime_ns: int = 0
    known: dict[str, Any] = field(default_factory=dict)
    read: Callable[[int], bytes] = lambda limit: b""
    mended: tuple[str, ...] = ()


@dataclass(frozen=True)
class Content:
    """Bytes that are at hand, as `Entry.read` gives them."""

    raw: bytes

    def __call__(self, limit: int) -> bytes:
        """Return the first `limit` bytes."""
        return self.raw[:limit]


class Source:
    """A place that files come from. It travels to workers, so that it keeps nothing open between calls.

    Args:
        repository (`str`): name of the code base, for files that are not known to be of another.
        place (`str`): absolute path on this machine, or empty.
    """

    repository: str
    place: str = ""

    def entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        """List, in a fixed order, the entries of one rank; all ranks together give each entry once."""
        raise TypeError(f"{type(self).__name__} must define entries()")

    def weight(self, rank: int, world_size: int) -> int:
        """Return how much a rank has to read, in bytes on disk, where ranks differ; 0 where they are alike."""
        return 0

    def fingerprint(self) -> dict[str, Any]:
        """Return what identifies the content without reading all of it, as JSON."""
        raise TypeError(f"{type(self).__name__} must define fingerprint()")

    def describe(self) -> str:
        """Return a line for the plan and the card."""
        raise TypeError(f"{type(self).__name__} must define describe()")

    def licenses(self) -> Licenses:
        """Return the licences of what lies here, folder by folder; rows may state their own."""
        return Licenses()

    def num_files(self) -> int | None:
        """Return how many files the repository here has, without what is excluded; None where it is not known.

        Every file is listed once more for it, so that it is asked for only when it is wanted.
        """
        return None


def count_files(entries: Iterable[Entry]) -> int:
    """Return how many entries are files that can be read."""
    return sum(not entry.problem for entry in entries)


def rank_of(name: str, world_size: int) -> int:
    """Return the rank that reads a thing: by a hash of its name, so that one added later moves no other."""
    return zlib.crc32(name.encode("utf-8", "backslashreplace")) % world_size


def share_of(name: str, num_bytes: int, bytes_per_rank: int, most: int, rank: int, world_size: int) -> tuple[int, int]:
    """Return a rank's share of a file, and how many ranks share it; a share that is not below has nothing to read.

    Args:
        name (`str`): of the file.
        num_bytes (`int`): its size.
        bytes_per_rank (`int`): one more rank reads it for each so many.
        most (`int`): ranks at most, where each of them reads all of it.
        rank, world_size (`int`): of the stage.
    """
    sharers = max(1, min(world_size, most, math.ceil(num_bytes / bytes_per_rank)))
    return (rank - rank_of(name, world_size)) % world_size, sharers


def excluded_by(relative: str, patterns: Sequence[str]) -> str | None:
    """Return the first pattern that excludes a path, or None.

    A pattern without a slash is held against the last name of the path; one with a slash against the whole path.

    Args:
        relative (`str`): path below the input folder, with forward slashes.
        patterns (sequence of `str`): shell patterns, such as `tests` or `docs/*.md`.
    """
    name = relative.rpartition("/")[2]
    names, paths = _compiled(tuple(patterns))
    if not (names.match(name) or paths.match(relative)):
        return None
    for pattern in patterns:
        if fnmatch.fnmatchcase(relative if "/" in pattern else name, pattern.rstrip("/")):
            return pattern
    return None


@cache
def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return what any pattern for names and any for paths matches; most files match none."""
    of_names = [fnmatch.translate(pattern) for pattern in patterns if "/" not in pattern]
    of_paths = [fnmatch.translate(pattern.rstrip("/")) for pattern in patterns if "/" in pattern]
    return re.compile("|".join(of_names) or NEVER), re.compile("|".join(of_paths) or NEVER)


def without_excluded(entries: Iterable[Entry], patterns: Sequence[str]) -> Iterator[Entry]:
    """Pass entries on; what is excluded, with all that lies below, becomes one entry, as in a folder."""
    reported, kept = set(), {""}  # of the folders in which nothing is excluded as a whole
    for entry in entries:
        parts = entry.path.split("/")
        for depth in range(len(parts) if entry.path.rpartition("/")[0] in kept else 1, len(parts) + 1):
            ancestor = "/".join(parts[:depth])
            if pattern := excluded_by(ancestor, patterns):
                if (entry.repository, ancestor) not in reported:
                    reported.add((entry.repository, ancestor))
                    yield Entry(ancestor, entry.repository, "excluded", pattern)
                break
        else:
            kept.add(entry.path.rpartition("/")[0])
            yield entry


def path_problem(path: str) -> str:
    """Return why a path from an archive or a table cannot be one inside a repository, or an empty string."""
    if path.startswith("/") or ".." in path.split("/") or (len(path) > 1 and path[1] == ":"):
        return "path_outside"
    return "path_not_text" if "\0" in path or not path.strip() else ""
