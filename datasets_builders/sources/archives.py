"""Section 2.1: files straight out of archives: tar in any compression, zip, wheels, sdists, npm tarballs, .debs.

Nothing is unpacked to disk. Names, sizes and headers are hostile: links and paths that lead out are removed with a
reason, one file is read to `max_bytes`, one archive to `max_archive_bytes`. Damage costs what is damaged, as far as
the format tells where the next file begins, and is an entry of its own. An archive is a repository; a folder around
all of it (`flask-3.0.0/`, npm's `package/`) is taken off.
"""

import io
import lzma
import mmap
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import zstandard

from datasets_builders.building.steps import MACHINE_ERRNOS
from datasets_builders.sources.decompression import decompressed
from datasets_builders.sources.entry import (
    Content,
    Entry,
    Source,
    count_files,
    path_problem,
    share_of,
    without_excluded,
)
from datasets_builders.sources.forward import ForwardStream, TooMuchData
from datasets_builders.sources.license_files import (
    STATEMENT_BYTES,
    Licenses,
    is_statement_of_license,
    licenses_of_files,
)

EXTENSIONS = (
    *(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".crate", ".gem"),
    *(".zip", ".whl", ".jar", ".nupkg", ".deb"),
)
MAX_ARCHIVE_BYTES = 8 << 30
MIN_READ_LIMIT = 1 << 20
# An archive has a rank for each so many of its bytes. All decompress it, which is a tenth of what is done with its
# files; more than these would spend more time on that than they save.
BYTES_PER_RANK, MAX_READERS = 4 << 20, 4
# A smaller archive is decompressed once for its licence, its number of files and its files.
KEPT_BYTES, ENTRY_BYTES = 32 << 20, 1_000
# What the libraries raise for damaged archives; NotImplementedError is zipfile's for an unknown compression.
_DAMAGE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, OSError),
    *(TooMuchData, ValueError, struct.error, NotImplementedError, RuntimeError, UnicodeError),
)
ZIP_FILE, ZIP_END, ZIP_SIZES = b"PK\3\4", b"PK\5\6", b"PK\7\x08"
ZIP_HEADER = struct.Struct("<4s5H3I2H")
ZIP_END_BYTES = 22 + (1 << 16)  # with the longest comment
ENCRYPTED, SIZES_FOLLOW = 1, 8  # bits of a member's flags
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")  # SHA-1 or SHA-256
# Zeros behind which nothing more is looked for.
MAX_ZERO_BLOCKS = 4096
_DIST_PACKAGES = re.compile(r"\Ausr/lib/python3[\d.]*/dist-packages/")


@dataclass(frozen=True)
class _Member:
    """A file in an archive, or with an empty name what is wrong with the archive."""

    name: str
    problem: str = ""
    detail: str = ""
    size: int = 0
    raw: bytes = b""
    commit: str = ""


def is_archive(path: Path) -> bool:
    """Return whether a file's name is that of an archive that can be read."""
    return path.name.lower().endswith(EXTENSIONS)


def archive_stem(path: Path) -> str:
    """Return the name of an archive without its extension, `flask-3.0.0`, and of a .deb the package's, `ruby-rack`."""
    lower = path.name.lower()
    extension = max((name for name in EXTENSIONS if lower.endswith(name)), key=len, default="")
    stem = path.name[: len(path.name) - len(extension)]
    return stem.partition("_")[0] if extension == ".deb" else stem


class ArchiveSource(Source):
    """The files of an archive, in its order; ranks share a large one.

    Args:
        path (`Path`): the archive.
        exclude (sequence of `str`): patterns, see `excluded_by`.
        max_bytes (`int`): of a file; a larger one is listed with its size and no content.
        max_archive_bytes (`int`): of all files of one archive; the rest is left unread, which is an entry.
        license (`str`): SPDX name; empty: what the archive's own files say.
    """

    def __init__(
        self,
        path: Path,
        exclude: Sequence[str] = (),
        max_bytes: int = 1_000_000,
        max_archive_bytes: int = MAX_ARCHIVE_BYTES,
        license: str = "",
    ) -> None:
        self.path = self.place = str(path)
        self.exclude = list(exclude)
        self.max_bytes, self.max_archive_bytes = max_bytes, max_archive_bytes
        self.repository = self._stem = archive_stem(path)
        self._license = license
        self._kept: list[Entry] | None = None

    def entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        """List the files of this rank's share, by their places in the archive."""
        share, sharers = self._share_of(rank, world_size)
        if share < sharers:
            yield from islice(without_excluded(self._read_once(), self.exclude), share, None, sharers)

    def _read_once(self) -> Iterator[Entry]:
        """Give all entries; while they are given, a small archive's are kept for what else is asked about it."""
        entries, first = self._read(), []
        left = KEPT_BYTES
        for entry in entries:
            first.append(entry)
            left -= ENTRY_BYTES + (len(entry.read.raw) if isinstance(entry.read, Content) else 0)
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
        """Return this rank's share of the bytes of the archive."""
        share, sharers = self._share_of(rank, world_size)
        return Path(self.path).stat().st_size // sharers if share < sharers else 0

    def _share_of(self, rank: int, world_size: int) -> tuple[int, int]:
        """Return a rank's share and how many ranks share the archive."""
        path = Path(self.path)
        return share_of(path.name, path.stat().st_size, BYTES_PER_RANK, MAX_READERS, rank, world_size)

    def _read(self) -> Iterator[Entry]:
        name, is_empty = Path(self.path).name, True
        try:
            with open(self.path, "rb") as file:
                members = self._members(file)
                first = next(members, None)
                around = self._folder_around(first.name) if first else ""
                for member in chain([first] if first else [], members):
                    is_empty = False
                    path = self._path(member.name, around) if member.name else name
                    problem = member.problem or path_problem(member.name)
                    known = {"commit": member.commit} if member.commit else {}
                    read = Content(member.raw)
                    yield Entry(path, self.repository, problem, member.detail, member.size, known=known, read=read)
        except TooMuchData as error:
            yield Entry(name, self.repository, "archive_too_large", str(error))
            return
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno in MACHINE_ERRNOS:
                raise
            yield Entry(name, self.repository, "damaged_archive", _told(error))
            return
        if is_empty:
            yield Entry(name, self.repository, "empty_archive")

    def _folder_around(self, first: str) -> str:
        """Return the folder that all lies in, or an empty string: it names project and version, as the archive does.

        What a forge packs is called by branch or tag alone, `main.tar.gz` with `flask-main/`, or by the project with a
        commit: there it must hold everything.
        """
        top, separator, _ = first.removeprefix("./").partition("/")
        if not separator:
            return self._stem
        stem = self._stem.removeprefix("v") if self._stem[1:2].isdigit() else self._stem
        if (
            top == "package"
            or _plain(top) == _plain(self._stem)
            or not (top.endswith(f"-{stem}") or top.startswith(f"{stem}-"))
        ):
            return self._stem
        names = []
        with suppress(*_DAMAGE, TooMuchData), open(self.path, "rb") as file:
            names += [member.name for member in self._members(file) if member.name]
        return top if all(name.removeprefix("./").startswith(f"{top}/") for name in names) else self._stem

    def _path(self, name: str, around: str) -> str:
        """Return the path of a member. What Debian packs for Python lies where others keep copies of packages."""
        path = _shown(name, around)
        return _DIST_PACKAGES.sub("", path) if self.path.lower().endswith(".deb") else path

    def _members(self, file: BinaryIO) -> Iterator[_Member]:
        is_zip = zipfile.is_zipfile(file)
        file.seek(0)
        if is_zip or file.read(len(ZIP_FILE)) == ZIP_FILE:
            file.seek(0)
            return _zip_members(file, self.max_bytes, self.max_archive_bytes)
        file.seek(0)
        stream = _deb_data(file) if self.path.lower().endswith(".deb") else file
        return _tar_members(stream, self.max_bytes, self.max_archive_bytes)

    def fingerprint(self) -> dict[str, Any]:
        """Return path, size and time of change."""
        status = Path(self.path).stat()
        return {"archive": Path(self.path).name, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}

    def describe(self) -> str:
        """Return name and path."""
        return f"{self.repository}: {self.path}"

    def licenses(self) -> Licenses:
        """Return the licence as given, or what licence files and package metadata say of the folders they lie in."""
        if self._license:
            return Licenses({"": self._license})
        stating, paths = {}, []
        for entry in self._entries():
            if not entry.problem:
                paths.append(entry.path)
                if is_statement_of_license(entry.path):
                    stating[entry.path] = entry.read(STATEMENT_BYTES)
        return licenses_of_files(stating, paths)

    def num_files(self) -> int:
        """Return how many files the archive holds, as far as it can be read."""
        return count_files(without_excluded(self._entries(), self.exclude))


def _shown(path: str, around: str) -> str:
    """Return a path without `./` and without the folder around the whole archive."""
    path = path.removeprefix("./")
    first, separator, rest = path.partition("/")
    is_around = separator and (first == "package" or _plain(first) == _plain(around))
    return rest if is_around and rest else path


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class _Header(tarfile.TarInfo):
    """A header of a tar archive; `blocks`, set per archive, remembers what is none."""

    blocks: "_Blocks"

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the header in a block."""
        try:
            found = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError:
            cls.blocks.note(buf)
            raise
        cls.blocks.note_header()
        return found


class _Blocks:
    """What stood where a header should: zeros are the end of an archive, or a hole in it where headers follow."""

    def __init__(self) -> None:
        self.damaged = self._zeros = 0
        self.ended = False

    def note(self, block: bytes | bytearray) -> None:
        """Note a block that is no header; the end of an archive is followed by zeros alone."""
        if block and not block.strip(b"\0") and len(block) == tarfile.BLOCKSIZE:
            self._zeros += 1
            self.ended = True
            if self._zeros > MAX_ZERO_BLOCKS:
                raise _EndOfArchive
        elif block:
            self.damaged += 1

    def note_header(self) -> None:
        """Note a header; zeros before it were no end."""
        if self.ended:
            self.damaged += self._zeros
        self._zeros, self.ended = 0, False


class _EndOfArchive(Exception):
    """So many zeros that nothing more will come."""


def _tar_members(file: BinaryIO, max_bytes: int, max_archive_bytes: int) -> Iterator[_Member]:
    stream = ForwardStream(decompressed(file), max_archive_bytes, max(max_bytes + 1, MIN_READ_LIMIT))
    blocks = _Blocks()
    header = type("_HeaderOfOne", (_Header,), {"blocks": blocks})
    found = 0
    # Behind a damaged header the next one is looked for block by block. As a list of members grows with every file,
    # tarfile is told to forget them.
    with tarfile.open(
        fileobj=cast(BinaryIO, stream), mode="r:", errors="backslashreplace", tarinfo=header, ignore_zeros=True
    ) as archive:
        while (member := _next_header(archive)) is not None:
            archive.members = []  # type: ignore[attr-defined]
            found += 1
            if member.isdir():
                continue
            if not member.isreg():
                yield _Member(member.name, "link" if member.issym() or member.islnk() else "not_a_regular_file")
                continue
            try:
                raw = _content_of(member, archive, stream) if member.size <= max_bytes else b""
            except _DAMAGE as error:
                yield _Member(member.name, "damaged_file", _told(error))
                raise
            commit = _commit_in(archive.pax_headers.get("comment", ""))
            yield _Member(member.name, size=member.size, raw=raw, commit=commit)
    if blocks.damaged and (found or not blocks.ended):
        yield _Member("", "damaged_archive", f"{blocks.damaged} blocks where a file should begin")
    elif not blocks.ended:
        yield _Member("", "damaged_archive", "no mark of the archive's end: it may have been cut off")


def _content_of(member: tarfile.TarInfo, archive: tarfile.TarFile, stream: ForwardStream) -> bytes:
    """Return the content of a member, straight from the stream: tarfile's own file objects cost more than small ones.

    Raises:
        tarfile.ReadError: the archive ends in the middle of it.
    """
    if member.issparse():
        content = archive.extractfile(member)
        return content.read() if content else b""
    stream.seek(member.offset_data)
    raw = stream.read(member.size)
    if len(raw) < member.size:
        raise tarfile.ReadError("unexpected end of data")
    return raw


def _next_header(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return archive.next()
    except _EndOfArchive:
        return None


def _zip_members(file: BinaryIO, max_bytes: int, max_archive_bytes: int) -> Iterator[_Member]:
    try:
        archive = zipfile.ZipFile(file)
        members = archive.infolist()
        claimed = _claimed_members(file)
    except _DAMAGE as error:
        yield _Member("", "damaged_archive", f"its directory cannot be read: {_told(error)}")
        yield from _limited(_zip_members_by_headers(file, max_bytes), max_archive_bytes)
        return
    yield from _limited((_zip_member(archive, member, max_bytes) for member in members), max_archive_bytes)
    if claimed > len(members):
        yield _Member("", "damaged_archive", f"{claimed} files, of which its directory names {len(members)}")


def _zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, max_bytes: int) -> _Member | None:
    if member.is_dir():
        return None
    if stat.S_ISLNK(member.external_attr >> 16):
        return _Member(member.filename, "link")
    if member.flag_bits & ENCRYPTED:
        return _Member(member.filename, "encrypted", size=member.file_size)
    if member.file_size > max_bytes:
        return _Member(member.filename, size=member.file_size)
    try:
        with archive.open(member) as content:
            raw = content.read(max_bytes + 1)
    except _DAMAGE as error:  # the directory at the end tells where the next one is
        if isinstance(error, OSError) and error.errno in MACHINE_ERRNOS:
            raise
        return _Member(member.filename, "damaged_file", _told(error))
    return _Member(member.filename, size=len(raw), raw=raw, commit=_commit_in(archive.comment.decode("latin-1")))


def _commit_in(comment: str) -> str:
    """Return the commit that an archive was made of: `git archive`, and so each forge, writes it as the comment."""
    return comment if _COMMIT.fullmatch(comment) else ""


def _limited(members: Iterable[_Member | None], max_archive_bytes: int) -> Iterator[_Member]:
    total = 0
    for member in members:
        if member is None:
            continue
        total += len(member.raw)
        if total > max_archive_bytes:
            raise TooMuchData(f"more than {max_archive_bytes} bytes when decompressed")
        yield member


def _claimed_members(file: BinaryIO) -> int:
    """Return how many files the record at a zip's end counts; 0 where it counts in another place (zip64)."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - ZIP_END_BYTES))
    end = file.read()
    at = end.rfind(ZIP_END)
    count = int.from_bytes(end[at + 10 : at + 12], "little")
    return count if count < 0xFFFF else 0


def _zip_members_by_headers(file: BinaryIO, max_bytes: int) -> Iterator[_Member]:
    """Give the files of a zip that was cut off, or whose directory is damaged, by the header before each of them.

    Source: PKWARE's APPNOTE 6.3.10, 4.3.7 (local file header); what no header gives the size of ends by itself.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(ZIP_FILE)
        while at >= 0 and len(header := data[at : at + ZIP_HEADER.size]) == ZIP_HEADER.size:
            _, _, flags, method, _, _, checksum, packed, size, name_bytes, extra_bytes = ZIP_HEADER.unpack(header)
            start = at + ZIP_HEADER.size + name_bytes + extra_bytes
            name = data[at + ZIP_HEADER.size : start - extra_bytes].decode("utf-8", "backslashreplace")
            raw, end = _unpacked(data, start, method, packed, flags & SIZES_FOLLOW, max_bytes)
            if flags & SIZES_FOLLOW:
                follows = data[end : end + 16]
                checksum = int.from_bytes(follows[4:8] if follows.startswith(ZIP_SIZES) else follows[:4], "little")
            if not name.endswith("/"):
                if size > max_bytes and not flags & (SIZES_FOLLOW | ENCRYPTED):
                    yield _Member(name, size=size)
                elif raw is not None and not flags & ENCRYPTED and zlib.crc32(raw) == checksum:
                    yield _Member(name, size=len(raw), raw=raw)
                else:
                    yield _Member(name, "encrypted" if flags & ENCRYPTED else "damaged_file")
            at = data.find(ZIP_FILE, end if raw is not None else start)


def _unpacked(
    data: mmap.mmap, start: int, method: int, packed: int, sizes_follow: int, max_bytes: int
) -> tuple[bytes | None, int]:
    """Return the content behind a header, None where it cannot be read, and where it ends."""
    if method == zipfile.ZIP_STORED and not sizes_follow:
        return (data[start : start + packed] if start + packed <= len(data) else None), start + packed
    if method != zipfile.ZIP_DEFLATED:
        return None, start
    inflate, at, parts, length = zlib.decompressobj(-zlib.MAX_WBITS), start, [], 0
    try:
        while not inflate.eof and length <= max_bytes and (chunk := data[at : at + MIN_READ_LIMIT]):
            at += len(chunk)
            parts.append(inflate.decompress(chunk, max_bytes + 1 - length))
            length += len(parts[-1])
    except zlib.error:
        return None, start
    return (b"".join(parts), at - len(inflate.unused_data)) if inflate.eof else (None, start)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]


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
