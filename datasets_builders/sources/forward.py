"""Section 2.1: a decompressed stream that hostile archives cannot make endless, nor read whole into memory."""

import io
from typing import BinaryIO

KEPT_BYTES = 1024  # tarfile goes back by one byte to find the end of a truncated file
CHUNK_BYTES = 1 << 16


class TooMuchData(Exception):
    """An archive gives more than the limits allow."""


class ForwardStream(io.RawIOBase):
    """A readable stream over one that can only go forward, with limits.

    Args:
        stream (binary file): decompressed data.
        max_bytes (`int`): in all; more raises `TooMuchData`.
        max_read_bytes (`int`): in one call; tarfile reads an extended header of any size that the archive claims.
    """

    def __init__(self, stream: BinaryIO, max_bytes: int, max_read_bytes: int) -> None:
        super().__init__()
        self._stream, self._max_bytes, self._max_read_bytes = stream, max_bytes, max_read_bytes
        self._at = self._end = 0  # position asked for; bytes taken from the stream
        self._tail = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: forward, and a little backward."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; what lies between is read when something is read."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the start")
        if offset < self._end - len(self._tail):
            raise io.UnsupportedOperation(f"cannot go back to {offset} from {self._end}")
        self._at = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        if size < 0 or size > self._max_read_bytes:
            raise TooMuchData(f"one record asks for {size} bytes at once")
        while self._end < self._at and self._take(min(CHUNK_BYTES, self._at - self._end)):
            pass
        parts = []
        if self._at < self._end:
            start = len(self._tail) - (self._end - self._at)
            parts.append(self._tail[start : start + size])
        missing = size - sum(map(len, parts))
        while missing > 0 and self._at <= self._end and (chunk := self._take(min(CHUNK_BYTES, missing))):
            parts.append(chunk)
            missing -= len(chunk)
        found = b"".join(parts)
        self._at += len(found)
        return found

    def _take(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._end += len(chunk)
        if self._end > self._max_bytes:
            raise TooMuchData(f"more than {self._max_bytes} bytes when decompressed")
        self._tail = (self._tail + chunk)[-KEPT_BYTES:]
        return chunk
