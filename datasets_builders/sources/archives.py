"""Section 2.1: files straight out of archives: tar in any compression, zip, wheels, sdists, npm tarballs, .debs.

Nothing is unpacked to disk. Names, sizes and headers are hostile: links and paths that lead out are removed with a
reason, one file is read to `max_bytes`, one archive to `max_archive_bytes`, and what a damaged archive gave before the
damage stays. An archive is a repository; a folder around all of it (`flask-3.0.0/`, npm's `package/`) is taken off.
"""

import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from datasets_builders.sources.decompression import decompressed
from datasets_builders.sources.entry import Content, Entry, Source, count_files, path_problem, rank_of, without_excluded
from datasets_builders.sources.forward import ForwardStream, TooMuchData
from datasets_builders.sources.licenses import STATEMENT_BYTES, is_statement_of_license, license_of_files

EXTENSIONS = (
    *(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".crate", ".gem"),
    *(".zip", ".whl", ".jar", ".nupkg", ".deb"),
)
MAX_ARCHIVE_BYTES = 8 << 30
MIN_READ_LIMIT = 1 << 20
# A smaller archive is decompressed once for its licence, its number of files and its files.
KEPT_BYTES, ENTRY_BYTES = 32 << 20, 1_000
# What the libraries raise for damaged archives; NotImplementedError is zipfile's for an unknown compression.
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, OSError),
    *(TooMuchData, ValueError, struct.error, NotImplementedError, RuntimeError, UnicodeError),
)


def is_archive(path: Path) -> bool:
    """Return whether a file's name is that of an archive that can be read."""
    return path.name.lower().endswith(EXTENSIONS)


def archive_stem(path: Path) -> str:
    """Return the name of an archive without its extension, `flask-3.0.0`, and of a .deb the package's, `ruby-rack`."""
    lower = path.name.lower()
    extension = max((one for one in EXTENSIONS if lower.endswith(one)), key=len, default="")
    stem = path.name[: len(path.name) - len(extension)]
    return stem.partition("_")[0] if extension == ".deb" else stem


class ArchiveSource(Source):
    """The files of an archive, read in its order by one rank.

    Args:
        path (`Path`): the archive.
        exclude (sequence of `str`): patterns, see `excluded_by`.
        max_bytes (`int`): of a file; a larger one is listed with its size and no content.
        max_archive_bytes (`int`): of all files of one archive; the rest is left unread, which is an entry.
        license (`str`): SPDX name; empty: what the archive's own files say.

    Source: ours.
    """

    def __init__(
        self,
        path: Path,
        exclude: Sequence[str] = (),
        max_bytes: int = 1_000_000,
        max_archive_bytes: int = MAX_ARCHIVE_BYTES,
        license: str = "",
    ) -> None:
        self.path = str(path)
        self.exclude = list(exclude)
        self.max_bytes, self.max_archive_bytes = max_bytes, max_archive_bytes
        self.repository = archive_stem(path)
        self._license = license
        self._kept: list[Entry] | None = None

    def entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        """List all files where this rank is the archive's."""
        if self._is_of(rank, world_size):
            yield from without_excluded(self._read_once(), self.exclude)

    def _read_once(self) -> Iterator[Entry]:
        """Give all entries; while they are given, a small archive's are kept for what else is asked about it."""
        entries, first = self._read(), []
        left = KEPT_BYTES
        for entry in entries:
            first.append(entry)
            left -= ENTRY_BYTES + entry.size
            if left < 0:
                break
        else:
            self._kept = first
        try:
            yield from first
            yield from entries
        finally:
            self._kept = None

    def _entries(self) -> Iterable[Entry]:
        return self._read() if self._kept is None else self._kept

    def weight(self, rank: int, world_size: int) -> int:
        """Return the size of the archive where this rank is the archive's."""
        return Path(self.path).stat().st_size if self._is_of(rank, world_size) else 0

    def _is_of(self, rank: int, world_size: int) -> bool:
        return rank_of(Path(self.path).name, world_size) == rank

    def _read(self) -> Iterator[Entry]:
        name = Path(self.path).name
        try:
            with open(self.path, "rb") as file:
                for path, problem, size, raw in self._files(file):
                    shown = _shown(path, self.repository)
                    problem = problem or path_problem(path)
                    yield Entry(shown, self.repository, problem, size=size, read=Content(raw))
        except TooMuchData as error:
            yield Entry(name, self.repository, "archive_too_large", str(error))
        except _DAMAGE as error:
            yield Entry(name, self.repository, "damaged_archive", f"{type(error).__name__}: {error}"[:200])

    def _files(self, file: BinaryIO) -> Iterator[tuple[str, str, int, bytes]]:
        """Give (path, problem, size, content) of each file."""
        if zipfile.is_zipfile(file):
            file.seek(0)
            return _zip_files(file, self.max_bytes, self.max_archive_bytes)
        file.seek(0)
        stream = _deb_data(file) if self.path.lower().endswith(".deb") else file
        return _tar_files(stream, self.max_bytes, self.max_archive_bytes)

    def fingerprint(self) -> dict[str, Any]:
        """Return path, size and time of change."""
        status = Path(self.path).stat()
        return {"archive": Path(self.path).name, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}

    def describe(self) -> str:
        """Return name and path."""
        return f"{self.repository}: {self.path}"

    def license(self) -> str:
        """Return the licence as given, or what licence files and package metadata in the archive say."""
        if self._license:
            return self._license
        found = {}
        for entry in self._entries():
            if not entry.problem and is_statement_of_license(entry.path):
                found[entry.path] = entry.read(STATEMENT_BYTES)
        return license_of_files(found)

    def num_files(self) -> int:
        """Return how many files the archive holds, as far as it can be read."""
        return count_files(without_excluded(self._entries(), self.exclude))


def _shown(path: str, repository: str) -> str:
    """Return a path without `./` and without the folder around the whole archive."""
    path = path.removeprefix("./")
    first, separator, rest = path.partition("/")
    around = separator and (first == "package" or _plain(first) == _plain(repository))
    return rest if around and rest else path


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _tar_files(file: BinaryIO, max_bytes: int, max_archive_bytes: int) -> Iterator[tuple[str, str, int, bytes]]:
    stream = ForwardStream(decompressed(file), max_archive_bytes, max(max_bytes + 1, MIN_READ_LIMIT))
    # As a list of members grows with every file, tarfile is told to forget them.
    with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:", errors="backslashreplace") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]
            if member.isdir():
                continue
            if not member.isreg():
                yield member.name, "link" if member.issym() or member.islnk() else "not_a_regular_file", 0, b""
                continue
            content = archive.extractfile(member) if member.size <= max_bytes else None
            yield member.name, "", member.size, content.read(max_bytes + 1) if content else b""


def _zip_files(file: BinaryIO, max_bytes: int, max_archive_bytes: int) -> Iterator[tuple[str, str, int, bytes]]:
    total = 0
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if stat.S_ISLNK(member.external_attr >> 16):
                yield member.filename, "link", 0, b""
            elif member.flag_bits & 1:
                yield member.filename, "encrypted", member.file_size, b""
            elif member.file_size > max_bytes:
                yield member.filename, "", member.file_size, b""
            else:
                with archive.open(member) as content:
                    raw = content.read(max_bytes + 1)
                total += len(raw)
                if total > max_archive_bytes:
                    raise TooMuchData(f"more than {max_archive_bytes} bytes when decompressed")
                yield member.filename, "", len(raw), raw


def _deb_data(file: BinaryIO) -> BinaryIO:
    """Return the stream of the files in a Debian package, an `ar` archive whose member data.tar.* holds them.

    Source: deb(5).
    """
    if file.read(8) != b"!<arch>\n":
        raise ValueError("not a Debian package")
    while header := file.read(60):
        name, size = header[:16].decode("ascii", "replace").strip(), int(header[48:58])
        if name.startswith("data.tar"):
            return file  # the last member; what decompresses it stops at its own end
        file.seek(size + size % 2, io.SEEK_CUR)
    raise ValueError("a Debian package without data.tar")
