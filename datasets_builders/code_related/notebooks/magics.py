"""Section 2.3.3: which lines of a cell are for the notebook (`%timeit`, `!ls`, `?len`) and not for its language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

LineKind = Literal["code", "magic", "rest_of_magic"]

_PYTHON = re.compile(
    r"""\s*(?:
        %{1,2}[A-Za-z_]                                # %matplotlib inline
        |!{1,2}\s*[^\s=]                               # !pip install x; no line of Python starts so
        |\?{1,2}[A-Za-z_%]|[A-Za-z_%][\w.]*\?{1,2}\s*$ # ?len, len?
        |[A-Za-z_][\w,.\[\] ]*=\s*(?:%{1,2}[A-Za-z_]|!\s*[^\s=])  # files = !ls
    )""",
    re.VERBOSE,
)
_OTHERS = re.compile(r"%{1,2}[A-Za-z_]")
_JULIA = re.compile(r"[;?\]]\s*[A-Za-z]|%{1,2}[A-Za-z_]")
_NO_MAGIC = frozenset({"MATLAB", "TeX", "Erlang", "Prolog"})  # % starts a comment there
# What IPython takes for a magic without a mark, or what only a shell understands: two words are no line of Python.
_UNMARKED = re.compile(
    r"(?:pip3?|conda|mamba|apt|apt-get|wget|curl|git|mkdir|cd)[ \t]+(?!(?:in|is|if|and|or|not|else|for|as)\b)[\w./~-]"
)
# Cell magics whose cell goes on in the notebook's language; below all others stands another language, or a file.
_SAME_LANGUAGE = re.compile(
    r"\s*%%(?:time|timeit|capture|prun|memit|mprun|debug|px|python[23]?|script\s+python\S*|skip|wandb|notify)\b"
)
_CELL_MAGIC = re.compile(r"\s*%%[A-Za-z_]")
_TOKEN = re.compile(
    r"""\#|'''|\"\"\"|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[()\[\]{}]""", re.VERBOSE
)  # a quote that is not closed on its line opens nothing


def is_of_another_language(cell: str) -> bool:
    """Return whether a cell starts with a magic after which all of it is another language, a file or markup."""
    return bool(_CELL_MAGIC.match(cell)) and not _SAME_LANGUAGE.match(cell)


def without_indentation(cell: str) -> str:
    r"""Return a cell of Python without the indentation of its first line, as IPython runs it.

    Args:
        cell (`str`): code with `\n` line ends.
    """
    lines = cell.split("\n")
    first = next((line for line in lines if line.strip()), "")
    indentation = first[: len(first) - len(first.lstrip())]
    return "\n".join(line.removeprefix(indentation) for line in lines) if indentation else cell


def marked_magics(cell: str, language: str) -> Iterator[tuple[str, LineKind]]:
    r"""Give each line of a cell, and whether it is code, magic or what a backslash joins to magic.

    In Python a line inside a string or brackets is code.

    Args:
        cell (`str`): code with `\n` line ends.
        language (`str`): Linguist's name.
    """
    state, goes_on = _PythonState(), False
    for line in cell.split("\n"):
        kind: LineKind = "code"
        if goes_on:
            kind = "rest_of_magic"
        elif state.is_outside and _is_magic(line, language):
            kind = "magic"
        goes_on = kind != "code" and line.endswith("\\")
        if language == "Python" and kind == "code":
            state.read(line)
        yield line, kind


def _is_magic(line: str, language: str) -> bool:
    if language == "Python":
        return bool(_PYTHON.match(line) or _UNMARKED.match(line))
    if language in _NO_MAGIC:
        return False
    return bool((_JULIA if language == "Julia" else _OTHERS).match(line))


class _PythonState:
    """Whether the next line of Python starts inside brackets, a string of several lines, or a joined line."""

    def __init__(self) -> None:
        self.quotes, self.depth, self.is_joined = "", 0, False

    @property
    def is_outside(self) -> bool:
        return not (self.quotes or self.depth or self.is_joined)

    def read(self, line: str) -> None:
        """Go past one line."""
        at = 0
        self.is_joined = line.endswith("\\")
        while at < len(line):
            if self.quotes:
                end = line.find(self.quotes, at)
                if end < 0:
                    return
                at, self.quotes = end + 3, ""
                continue
            token = _TOKEN.search(line, at)
            if token is None or token[0] == "#":
                return
            at = token.end()
            if token[0] in ("'''", '"""'):
                self.quotes = token[0]
            elif token[0] in "([{":
                self.depth += 1
            elif token[0] in ")]}":
                self.depth = max(0, self.depth - 1)
