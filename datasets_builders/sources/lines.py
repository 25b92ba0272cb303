"""Section 2.1: the lines of a file, plain or compressed; what cannot be read is told in its place."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, total_ordering
from typing import BinaryIO, cast

from datasets_builders.sources.decompression import CHUNK_BYTES, Damage, decompressed_pieces

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


@total_ordering
class LineNumber:
    """The number of a line in a file of which only a part was read: the lines before it are counted when it is asked.

    Args:
        part (`FilePart`): that holds the line.
        behind (`int`): lines of the part before it.
    """

    def __init__(self, part: "FilePart", behind: int) -> None:
        self._part, self._behind = part, behind

    def __int__(self) -> int:
        return self._part.lines_before + self._behind

    __index__ = __int__

    def __str__(self) -> str:
        return str(int(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LineNumber | int) and int(self) == int(other)

    def __lt__(self, other: "LineNumber | int") -> bool:
        return int(self) < int(other)

    def __hash__(self) -> int:
        return hash(int(self))


class FilePart:
    """The lines of a plain file that begin in a part of it. Nothing else is read but for the end of the last line.

    Args:
        open (function): opens the file once more, to count lines before the part.
        start, end (`int`): the part, in bytes.
    """

    def __init__(self, open: Callable[[], BinaryIO], start: int, end: int) -> None:
        self._open, self.start, self.end = open, start, end

    @cached_property
    def lines_before(self) -> int:
        """How many lines begin before the part."""
        count, left, last = 0, self.start, b"\n"
        with self._open() as file:
            while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
                count, left, last = count + chunk.count(b"\n"), left - len(chunk), chunk[-1:]
        return count + (last != b"\n")

    def lines(self, opened: WatchedFile) -> Iterator[tuple[LineNumber | int, bytes | Unreadable]]:
        """Give the lines with their numbers; one that is too large is told in its place."""
        at = opened.seek(max(0, self.start - 1))
        begins = at == self.start  # whether a line begins where the next chunk does
        parts: list[bytes] = []
        length = number = 0
        while self.start < self.end and (chunk := opened.read(CHUNK_BYTES)):
            pieces = chunk.split(b"\n")
            for piece in pieces[:-1]:
                if begins:
                    length += len(piece)
                    line = b"".join([*parts, piece]) if length <= MAX_LINE_BYTES else Unreadable("row_too_large")
                    yield LineNumber(self, number) if self.start else number, line
                    number += 1
                parts, length = [], 0
                at += len(piece) + 1
                begins = True
                if at >= self.end:
                    return
            length += len(pieces[-1])
            at += len(pieces[-1])
            if begins and length <= MAX_LINE_BYTES:
                parts.append(pieces[-1])
            else:
                parts = []
            if not begins and at >= self.end:
                return
        if length and begins:
            line = b"".join(parts) if length <= MAX_LINE_BYTES else Unreadable("row_too_large")
            yield LineNumber(self, number) if self.start else number, line


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
