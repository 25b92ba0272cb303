"""Section 2.1: a list of repositories, a line each, as one source: of millions of them none is held in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.archives import ArchiveSource, is_archive
from datasets_builders.sources.entry import Entry, Source, rank_of
from datasets_builders.sources.folders import FolderSource
from datasets_builders.sources.git_trees import GitSource

LIST = "list:"
GIT = "git:"


class ListSource(Source):
    """The folders, archives and clones that a file lists, opened one after another by the rank of each.

    A line is a path, or `git:PATH[@REVISION]`, relative to the file; behind a tab may stand the repository's name,
    which is the path otherwise. Blank lines and those that begin with `#` are passed over.

    Args:
        path (`Path`): the list.
        exclude (sequence of `str`): patterns, see `excluded_by`.
        max_bytes (`int`): of a file in an archive.
        license (`str`): SPDX name; empty: what the files of each say.
    """

    def __init__(self, path: Path, exclude: Sequence[str] = (), max_bytes: int = 1_000_000, license: str = "") -> None:
        if not path.is_file():
            raise ConfigError(f"sources: no list lies at {path}")
        self.path = self.place = str(path)
        self.repository = path.stem
        self.exclude, self.max_bytes, self._license = list(exclude), max_bytes, license

    def entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        """List the files of the repositories of this rank, with their licences."""
        for number, line in self._lines():
            if rank_of(line, world_size) != rank:
                continue
            try:
                source = self._opened(line)
                licenses = source.licenses()
            except (ConfigError, OSError) as error:
                yield Entry(f"{Path(self.path).name}:{number}", self.repository, "unreadable_source", str(error)[:200])
                continue
            for entry in source.entries(0, 1):
                known = {"license": licenses.of(entry.path)} | entry.known
                yield replace(entry, repository=source.repository, known=known)

    def _lines(self) -> Iterator[tuple[int, str]]:
        with open(self.path, encoding="utf-8", errors="surrogateescape") as file:
            for number, line in enumerate(file, 1):
                if (stripped := line.strip()) and not stripped.startswith("#"):
                    yield number, stripped

    def _opened(self, line: str) -> Source:
        written, _, name = line.partition("\t")
        word, _, revision = written.removeprefix(GIT).partition("@") if written.startswith(GIT) else (written, "", "")
        path = Path(self.path).parent / Path(word).expanduser()
        source: Source
        if written.startswith(GIT):
            source = GitSource(path, revision or "HEAD", self.exclude, self._license)
        elif path.is_dir():
            source = FolderSource(path, self.exclude, license=self._license)
        elif path.is_file() and is_archive(path):
            source = ArchiveSource(path, self.exclude, self.max_bytes, license=self._license)
        else:
            raise ConfigError(f"{word} is no folder, archive or clone")
        source.repository = name.strip() or word.strip("/")
        return source

    def fingerprint(self) -> dict[str, Any]:
        """Return a hash of the list, and of sizes and times of change of what it lists."""
        total = hashlib.sha256()
        for _, line in self._lines():
            word = line.partition("\t")[0]
            path = Path(self.path).parent / Path(word.removeprefix(GIT)).expanduser()
            status = path.stat() if path.exists() else None
            total.update(
                f"{line}\0{(status.st_size, status.st_mtime_ns) if status else None}\n".encode("utf-8", "replace")
            )
        return {"list": Path(self.path).name, "sha256": total.hexdigest()}

    def describe(self) -> str:
        """Return the path."""
        return f"{self.repository}: the repositories listed in {self.path}"
