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


def shared_lines(opened: WatchedFile, name: str, share: int, sharers: int) -> Iterator[tuple[int, bytes | Unreadable]]:
    """Give the lines of one of several sharers with their numbers; all together give each line of `lines_of` once.

    A line is of the sharer of the piece of the file in which it begins. In the pieces of others the ends of lines are
    counted and no more.
    """
    number = length = 0
    parts: list[bytes] = []
    is_own = share == 0  # the line that is not yet at its end
    for at, piece in enumerate(decompressed_pieces(cast(BinaryIO, opened), name)):
        if isinstance(piece, Damage):
            opened.check()
            if is_own:
                yield number, Unreadable("damaged_table", piece.detail[:MAX_DETAIL_CHARACTERS])
            parts, length, number = [], 0, number + 1
            continue
        end = piece.find(b"\n")
        first = piece if end < 0 else piece[:end]
        length += len(first)
        if is_own and length <= MAX_LINE_BYTES:
            parts.append(first)
        else:
            parts = []
        if end < 0:
            continue
        if is_own:
            yield number, b"".join(parts) if length <= MAX_LINE_BYTES else Unreadable("row_too_large")
        number += 1
        is_own = at % sharers == share
        if is_own:
            *others, last = piece[end + 1 :].split(b"\n")
            yield from enumerate(others, number)
            parts, length, number = [last], len(last), number + len(others)
        else:
            number += piece.count(b"\n", end + 1)
            length = len(piece) - piece.rfind(b"\n") - 1
    if length and is_own:
        yield number, b"".join(parts) if length <= MAX_LINE_BYTES else Unreadable("row_too_large")
