"""Section 2.1: what a compressed file holds, by its first bytes and not by its name; damage costs what is damaged."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, Protocol, cast

import zstandard

MAGIC_BYTES = 6
GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
CHUNK_BYTES = 1 << 18
# Of compressed data at once: a hostile one grows by a factor of tens of thousands.
COMPRESSED_BYTES = 4096
# A member behind damage counts as found when so much of it can be decompressed: its mark stands in other data too.
PROBE_BYTES = 4096
DAMAGE = (zlib.error, lzma.LZMAError, zstandard.ZstdError, EOFError, OSError, ValueError)


def decompressed(file: BinaryIO) -> BinaryIO:
    """Return a buffered stream of what a file holds from its position on: gzip, bzip2, xz, zstd, or as it is.

    Args:
        file (binary file): must allow seeking.

    Source: the formats' magic numbers.
    """
    head = file.read(MAGIC_BYTES)
    file.seek(-len(head), io.SEEK_CUR)
    if head.startswith(GZIP):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if head.startswith(BZIP2):
        return cast(BinaryIO, bz2.BZ2File(file))
    if head.startswith(XZ):
        return cast(BinaryIO, lzma.LZMAFile(file))
    if head.startswith(ZSTD):
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return cast(BinaryIO, io.BufferedReader(cast(Any, reader)))
    return file


@dataclass(frozen=True)
class Damage:
    """What stands for data that cannot be read: why."""

    detail: str


class _Decompressor(Protocol):
    """What the decompressors of the four formats have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


_MEMBERS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (GZIP, partial(zlib.decompressobj, wbits=31)),
    (BZIP2, bz2.BZ2Decompressor),
    (XZ, lzma.LZMADecompressor),
    (ZSTD, lambda: cast(_Decompressor, zstandard.ZstdDecompressor().decompressobj())),
)
_EXTENSIONS = {".gz": 0, ".bz2": 1, ".xz": 2, ".zst": 3}  # of tables: where in _MEMBERS they are


def is_compressed(file: BinaryIO, name: str = "") -> bool:
    """Return whether a file is compressed, or should be by its name; the file is at its start before and after."""
    head = file.read(MAGIC_BYTES)
    file.seek(0)
    return any(head.startswith(magic) for magic, _ in _MEMBERS) or name.lower().endswith(tuple(_EXTENSIONS))


def decompressed_pieces(file: BinaryIO, name: str = "") -> Iterator[bytes | Damage]:
    """Give what a file holds piece by piece; what is damaged is told in its place, and the next member goes on.

    A file of several gzip members or zstd frames loses the damaged one alone, as far as it can be read at all.

    Args:
        file (binary file): at its start; must allow seeking.
        name (`str`): of the file; tells what a file is whose very beginning is damaged.
    """
    head = file.read(MAGIC_BYTES)
    file.seek(0)
    for magic, make in _MEMBERS:
        if head.startswith(magic):
            yield from _members(file, magic, make, 0)
            return
    for extension, magic, make in ((extension, *_MEMBERS[at]) for extension, at in _EXTENSIONS.items()):
        if head and name.lower().endswith(extension) and (start := _next_member(file, 1, magic, make)) is not None:
            yield Damage("the file does not begin as its name says")
            yield from _members(file, magic, make, start)
            return
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _members(
    file: BinaryIO, magic: bytes, make: Callable[[], _Decompressor], start: int | None
) -> Iterator[bytes | Damage]:
    while start is not None:
        decompressor, problem = make(), ""
        file.seek(start)
        try:
            while not decompressor.eof:
                if not (chunk := file.read(COMPRESSED_BYTES)):
                    problem = "the file ends in the middle of compressed data"
                    break
                if piece := decompressor.decompress(chunk):
                    yield piece
        except DAMAGE as error:
            problem = f"{type(error).__name__}: {error}"
        if not problem:
            start = file.tell() - len(decompressor.unused_data)
            follows = _after_zeros(file, start)
            if not follows:
                return
            if follows.startswith(magic):
                start = file.tell() - len(follows)
                continue
            problem = "what follows is no compressed data"
        yield Damage(problem)
        start = _next_member(file, start + 1, magic, make)


def _after_zeros(file: BinaryIO, start: int) -> bytes:
    """Return the first bytes behind a place that are not padding; the file then stands behind them."""
    file.seek(start)
    while chunk := file.read(CHUNK_BYTES):
        if found := chunk.lstrip(b"\0"):
            file.seek(len(found[MAGIC_BYTES:]) * -1, io.SEEK_CUR)
            return found[:MAGIC_BYTES]
    return b""


def _next_member(file: BinaryIO, start: int, magic: bytes, make: Callable[[], _Decompressor]) -> int | None:
    """Return where, from a place on, a member begins that can be read, or None."""
    file.seek(start)
    before, at = b"", start
    while chunk := file.read(CHUNK_BYTES):
        window = before + chunk
        begin = at - len(before)
        at += len(chunk)
        place = window.find(magic)
        while place >= 0:
            if _can_be_read(file, begin + place, make):
                return begin + place
            place = window.find(magic, place + 1)
        before = window[-(len(magic) - 1) :]
        file.seek(at)
    return None


def _can_be_read(file: BinaryIO, start: int, make: Callable[[], _Decompressor]) -> bool:
    file.seek(start)
    decompressor = make()
    try:
        decompressor.decompress(file.read(PROBE_BYTES))
    except DAMAGE:
        return False
    return True
