"""Section 2.4: the answers on disk: what has arrived is never asked again, whatever ends the run.

A folder holds a file of JSON lines per rank. A line is written, in one call, when its answer arrives, and before
anybody learns of it; a line that a killed process left half written is cut off by the next. Answers are found by what
was asked, whichever rank asked it: a run over more documents, cut into other parts, finds all that an earlier one was
told.
"""

from __future__ import annotations

import fcntl
import os
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from datasets_builders.asking.answers import Answer, RefusedError
from datasets_builders.asking.request import KEY_CHARACTERS, encodable
from datasets_builders.building.errors import BuildError

_HEAD = b'{"key":"'
_KEY = slice(len(_HEAD), len(_HEAD) + KEY_CHARACTERS)
_HASH = slice(len(_HEAD), len(_HEAD) + 16)  # the 64 bits of the key by which a line is looked up
SUFFIX = ".jsonl"
# Of a sampled answer, three or four times what most are: a file is read back in pieces of this size.
READ_BYTES = 8192


class AnswerStore:
    """The answers of one step, of which this rank writes one file; a context manager.

    Args:
        folder (`Path`): of the step.
        name (`str`): of this rank's file.

    Raises (on entering):
        BuildError: another process is writing this file.
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.own = folder, folder / f"{name}{SUFFIX}"
        self._files: list[BinaryIO] = []
        self._hashes = np.empty(0, np.uint64)
        self._places = np.empty(0, np.uint64)
        self._new: dict[str, int] = {}
        self._end = 0

    def __enter__(self) -> AnswerStore:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Opened to append, so that a line is whole and at the end whoever else has the file open.
        self._writer = os.open(self.own, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._writer)
            raise BuildError(
                f"another process is asking, with its answers in {self.folder}; wait for it or stop it"
            ) from None
        self._cut_half_line()
        self._read_index()
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()
        self._files = []
        os.fsync(self._writer)
        os.close(self._writer)

    def _cut_half_line(self) -> None:
        size = os.fstat(self._writer).st_size
        place, whole = size, 0
        while place > 0 and not whole:
            start = max(0, place - 65_536)
            whole = os.pread(self._writer, place - start, start).rfind(b"\n") + 1
            whole, place = (start + whole if whole else 0), start
        if whole < size:
            os.ftruncate(self._writer, whole)
        self._end = whole

    def _read_index(self) -> None:
        # Its own file first: where two ranks asked the same at once, each keeps to what it was told itself.
        others = [path for path in sorted(self.folder.glob(f"*{SUFFIX}")) if path != self.own]
        hashes, places = array("Q"), array("Q")
        for path in (self.own, *others):
            number = len(self._files) << 48
            file = path.open("rb", buffering=1 << 20)
            self._files.append(file)
            place = 0
            for line in file:
                if line.startswith(_HEAD) and line.endswith(b"\n"):
                    hashes.append(int(line[_HASH], 16))
                    places.append(number + place)
                place += len(line)
        unsorted = np.frombuffer(hashes, np.uint64) if hashes else np.empty(0, np.uint64)
        order = np.argsort(unsorted, kind="stable")
        self._hashes = unsorted[order]
        self._places = np.frombuffer(places, np.uint64)[order] if places else np.empty(0, np.uint64)

    def __len__(self) -> int:
        return len(self._hashes) + len(self._new)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the line of a key, or None where nothing was answered."""
        place = self._new.get(key)
        if place is not None:
            return self._line(0, place, key)
        wanted = np.uint64(int(key[:16], 16))
        index = int(np.searchsorted(self._hashes, wanted))
        while index < len(self._hashes) and self._hashes[index] == wanted:
            found = self._line(int(self._places[index]) >> 48, int(self._places[index]) & ((1 << 48) - 1), key)
            if found is not None:
                return found
            index += 1
        return None

    def _line(self, file: int, place: int, key: str) -> dict[str, Any] | None:
        descriptor = self._files[file].fileno()
        line = os.pread(descriptor, READ_BYTES, place)
        while b"\n" not in line:
            more = os.pread(descriptor, max(READ_BYTES, len(line)), place + len(line))
            if not more:
                return None
            line += more
        line = line[: line.index(b"\n")]
        if line[_KEY] != key.encode():
            return None
        try:
            return dict(orjson.loads(line))
        except ValueError:  # a damaged disk: the answer is asked for again
            return None

    def put(self, key: str, values: dict[str, Any]) -> None:
        """Write a line; it is there when this returns, though the process were killed then.

        Raises:
            OSError: it cannot be written.
        """
        line = line_of(key, values)
        written = 0
        while written < len(line):
            written += os.write(self._writer, line[written:])
        self._new[key] = self._end
        self._end += len(line)

    def own_lines(self) -> Iterator[dict[str, Any]]:
        """Give the lines of this rank's file that earlier runs left."""
        with self.own.open("rb") as lines:
            for line in lines:
                if line.startswith(_HEAD) and line.endswith(b"\n"):
                    try:
                        yield orjson.loads(line)
                    except ValueError:
                        continue


def line_of(key: str, values: dict[str, Any]) -> bytes:
    """Return the line of an answer: a JSON object whose first name is the key."""
    row = {"key": key} | values
    try:
        return orjson.dumps(row) + b"\n"
    except TypeError:
        return orjson.dumps(encodable(row)) + b"\n"


def values_of(answer: Answer) -> dict[str, Any]:
    """Return what is kept of an answer."""
    return dict(vars(answer))  # asdict would copy deeply


def answer_of(values: dict[str, Any]) -> Answer:
    """Return the answer that a line holds.

    Raises:
        RefusedError: what it holds is that the server gives none.
    """
    if "refused" in values:
        raise RefusedError(values["refused"], values["detail"])
    return Answer(
        text=values["text"],
        finish_reason=values["finish_reason"],
        model=values["model"],
        reasoning=values["reasoning"],
        prompt_tokens=values["prompt_tokens"],
        completion_tokens=values["completion_tokens"],
    )
