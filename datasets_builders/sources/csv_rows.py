"""Section 2.1: the rows of comma-separated files, as Python values.

A quote that is never closed would take all rows behind it along: a row that does not have as many fields as the first
line has names costs its first line, and the rest is read again.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator
from typing import Any

from datasets_builders.sources.lines import Unreadable

EXTENSIONS = (".csv", ".tsv")
DELIMITERS = ",;\t|"
MAX_ROW_BYTES = 32 << 20  # of a row over several lines
csv.field_size_limit(MAX_ROW_BYTES)


class _Lines:
    """Lines as text that can be given back; `Unreadable` ones end the iteration of a row."""

    def __init__(self, lines: Iterator[bytes | Unreadable]) -> None:
        self._lines, self._waiting = lines, deque[str]()
        self.taken: list[str] = []
        self.problem: Unreadable | None = None
        self._row_bytes = 0

    def start_row(self) -> None:
        """Forget the lines of the row before."""
        self.taken, self.problem, self._row_bytes = [], None, 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._waiting:
            line = self._waiting.popleft()
        else:
            read = next(self._lines)
            if isinstance(read, Unreadable):
                self.problem = read
                raise StopIteration
            line = read.decode("utf-8", "surrogateescape") + "\n"
        self.taken.append(line)
        self._row_bytes += len(line)
        if self._row_bytes > MAX_ROW_BYTES:
            raise csv.Error(f"a row of more than {MAX_ROW_BYTES} bytes")
        return line

    def give_back(self) -> None:
        """Give back all lines of the row but its first: up to the next quote, so that few are read twice."""
        self._waiting.extendleft(reversed(self.taken[1:]))


def csv_rows(lines: Iterator[bytes | Unreadable], name: str) -> Iterator[dict[str, Any] | Unreadable]:
    """Give each row by the names in the first line; text that is no UTF-8 as bytes.

    Args:
        lines: of the file, without their ends.
        name (`str`): of the file; `.tsv` has tabs.
    """
    source = _Lines(lines)
    delimiter, header = "", list[str]()
    while True:
        source.start_row()
        try:
            if not delimiter:
                delimiter = _delimiter_of(first := next(source), name)
                row = next(csv.reader([first], delimiter=delimiter))
            else:
                row = next(csv.reader(source, delimiter=delimiter, strict=True))
        except StopIteration:
            if source.problem is None:
                return
            yield source.problem
            continue
        except csv.Error as error:
            row, problem = [], str(error)
        else:
            problem = ""
        if not header:
            header = [field.lstrip("\ufeff").strip() for field in row]
            continue
        if not problem and not row:
            continue
        if problem or len(row) != len(header):
            yield Unreadable("bad_row", problem or f"{len(row)} fields, and {len(header)} names in the first line")
            source.give_back()
        else:
            yield {field: _value(text) for field, text in zip(header, row, strict=True)}


def names_in(head: bytes, name: str) -> list[str]:
    """Return the names in the first line of a file.

    Args:
        head (`bytes`): its beginning.
        name (`str`): of the file.
    """
    first = io.BytesIO(head).readline().decode("utf-8", "replace").lstrip("\ufeff")
    fields = next(csv.reader([first], delimiter=_delimiter_of(first, name)), [])
    return [field.strip() for field in fields]


def _delimiter_of(first: str, name: str) -> str:
    if ".tsv" in name.lower():
        return "\t"
    return max(DELIMITERS, key=lambda delimiter: (first.count(delimiter), -DELIMITERS.index(delimiter)))


def _value(text: str) -> str | bytes:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text
