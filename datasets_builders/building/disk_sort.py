"""Section 2.1, Figure 2: sorting by content, id or repository when there is more than memory holds.

Values are kept until they take `MAX_BYTES`, then written sorted to a temporary file (a run); the runs are merged at the
end. The files have no name, so that nothing is left of them when the process dies.
"""

import heapq
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

MAX_BYTES = 32 << 20
# Of a value's Python objects, beside the text: some twenty entries of metadata.
OVERHEAD_BYTES = 3_000
# Open files of one sort; more runs than these are merged into one.
MAX_RUNS = 100


class DiskSort:
    """Sorts JSON values by a key; equal keys stay in the order in which they came.

    Args:
        key (function): of a value; gives what can be compared.
        folder (`Path` or `str`, *optional*): for the runs, made when missing; the system's temporary folder by default.

    Source: external merge sort, Knuth, The Art of Computer Programming 3, 5.4.
    """

    def __init__(self, key: Callable[[Any], Any], folder: Path | str | None = None) -> None:
        self.key, self.folder = key, folder
        self._values: list[Any] = []
        self._num_bytes = 0
        self._runs: list[IO[str]] = []

    def add(self, value: Any, num_bytes: int = 0) -> None:
        """Take a value, whose text has so many bytes; values that go to disk must be JSON."""
        self._values.append(value)
        self._num_bytes += num_bytes + OVERHEAD_BYTES
        if self._num_bytes >= MAX_BYTES:
            self._values.sort(key=self.key)
            self._write_run(self._values)
            self._values, self._num_bytes = [], 0

    def __iter__(self) -> Iterator[Any]:
        """Give all values in order; once, and `close` afterwards."""
        self._values.sort(key=self.key)
        return (
            heapq.merge(*map(_values_of, self._runs), self._values, key=self.key) if self._runs else iter(self._values)
        )

    def close(self) -> None:
        """Forget the values."""
        for run in self._runs:
            run.close()
        self._values, self._num_bytes, self._runs = [], 0, []

    def _write_run(self, values: Iterable[Any]) -> None:
        if len(self._runs) >= MAX_RUNS:
            older, self._runs = self._runs, []
            self._write_run(heapq.merge(*map(_values_of, older), key=self.key))
            for run in older:
                run.close()
        if self.folder is not None:
            Path(self.folder).mkdir(parents=True, exist_ok=True)
        file = tempfile.TemporaryFile("w+", encoding="ascii", dir=self.folder)  # noqa: SIM115 (closed by `close`)
        self._runs.append(file)
        file.writelines(json.dumps(value) + "\n" for value in values)


def _values_of(run: IO[str]) -> Iterator[Any]:
    run.seek(0)
    return map(json.loads, run)
