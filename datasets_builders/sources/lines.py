"""Section 2.1: the lines of a file, plain or compressed; what cannot be read is told in its place."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from datasets_builders.sources.decompression import Damage, decompressed_pieces

MAX_LINE_BYTES = 256 << 20
MAX_DETAIL_CHARACTERS = 200


@dataclass(frozen=True)
class Unreadable:
    """What stands for a row that cannot be read.

    Args:
        problem (`str`): a short, countable word.
        detail (`str`): what differs from row to row.
    """

    problem: str
    detail: str = ""


class WatchedFile(io.RawIOBase):
    """A file that remembers what reading it raised: that is the machine's or the network's fault, no damage.

    Args:
        file (binary file): what is read.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.error: BaseException | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        try:
            return self._file.read(size)
        except BaseException as error:
            self.error = error
            raise

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file too."""
        if not self.closed:
            self._file.close()
        super().close()

    def check(self) -> None:
        """Raise what reading raised."""
        if self.error is not None:
            raise self.error


def lines_of(opened: WatchedFile, name: str = "") -> Iterator[bytes | Unreadable]:
    """Give the lines of a file, plain or compressed, without their ends; damage ends the line that it falls into."""
    parts: list[bytes] = []
    length = 0
    for piece in decompressed_pieces(cast(BinaryIO, opened), name):
        if isinstance(piece, Damage):
            opened.check()
            parts, length = [], 0
            yield Unreadable("damaged_table", piece.detail[:MAX_DETAIL_CHARACTERS])
            continue
        first, *others = piece.split(b"\n")
        length += len(first)
        if length <= MAX_LINE_BYTES:
            parts.append(first)
        else:
            parts = []
        if others:
            yield b"".join(parts) if length <= MAX_LINE_BYTES else Unreadable("row_too_large")
            yield from others[:-1]
            parts, length = [others[-1]], len(others[-1])
    if length:
        yield b"".join(parts) if length <= MAX_LINE_BYTES else Unreadable("row_too_large")
