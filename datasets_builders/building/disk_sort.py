"""Section 2.1, Figure 2: sorting by content, id or repository when there is more than memory holds.

Values are kept as lines of JSON, so that what they take is known, until they take `MAX_BYTES`; then they are written
sorted to a temporary file (a run). The runs are merged at the end. The files have no name, so that nothing is left of
them when the process dies.
"""

import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

from datasets_builders.building.json_lines import of_line, to_line

MAX_BYTES = 32 << 20
OVERHEAD_BYTES = 500  # of a value's Python objects, its key included, beside the characters of its line
# Open files of one sort; more runs than these are merged into one.
MAX_RUNS = 100


class DiskSort:
    """Sort JSON values by a key; equal keys stay in the order in which they came.

    Args:
        key (function): of a value; gives what can be compared, which is small.
        folder (`Path` or `str`, *optional*): for the runs, made when missing; the system's temporary folder by default.

    Source: external merge sort, Knuth, The Art of Computer Programming 3, 5.4.
    """

    def __init__(self, key: Callable[[Any], Any], folder: Path | str | None = None) -> None:
        self.key, self.folder = key, folder
        self._lines: list[tuple[Any, bytes]] = []
        self._num_bytes = 0
        self._runs: list[IO[bytes]] = []

    def add(self, value: Any) -> None:
        """Take a value, which must be JSON."""
        line = to_line(value)
        self._lines.append((self.key(value), line))
        self._num_bytes += len(line) + OVERHEAD_BYTES
        if self._num_bytes >= MAX_BYTES:
            self._write_run(self._sorted_lines())
            self._lines, self._num_bytes = [], 0

    def __iter__(self) -> Iterator[Any]:
        """Give all values in order, as often as asked, one time after another; `close` afterwards."""
        return heapq.merge(*map(_values_of, self._runs), map(of_line, self._sorted_lines()), key=self.key)

    def close(self) -> None:
        """Forget the values."""
        for run in self._runs:
            run.close()
        self._lines, self._num_bytes, self._runs = [], 0, []

    def _sorted_lines(self) -> Iterator[bytes]:
        self._lines.sort(key=itemgetter(0))
        return (line for _, line in self._lines)

    def _write_run(self, lines: Iterable[bytes]) -> None:
        if len(self._runs) >= MAX_RUNS:
            older, self._runs = self._runs, []
            values = heapq.merge(*map(_values_of, older), key=self.key)
            self._write_run(map(to_line, values))
            for run in older:
                run.close()
        if self.folder is not None:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile("w+b", dir=self.folder)  # noqa: SIM115 (closed by `close`)
        self._runs.append(file)
        file.writelines(lines)


def _values_of(run: IO[bytes]) -> Iterator[Any]:
    run.seek(0)
    return map(of_line, run)
