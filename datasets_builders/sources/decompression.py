"""Section 2.1: what a compressed file holds, by its first bytes and not by its name."""

import bz2
import gzip
import io
import lzma
from typing import Any, BinaryIO, cast

import zstandard

MAGIC_BYTES = 6


def decompressed(file: BinaryIO) -> BinaryIO:
    """Return a buffered stream of what a file holds from its position on: gzip, bzip2, xz, zstd, or as it is.

    Args:
        file (binary file): must allow seeking.

    Source: the formats' magic numbers.
    """
    head = file.read(MAGIC_BYTES)
    file.seek(-len(head), io.SEEK_CUR)
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(file))
    if head.startswith(b"\xfd7zXZ\0"):
        return cast(BinaryIO, lzma.LZMAFile(file))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return cast(BinaryIO, io.BufferedReader(cast(Any, reader)))
    return file
