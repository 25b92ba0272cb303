"""Section 2.1, rule-based filtering: a document as the rules for code and for text see it."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

_LETTER, _DIGIT, _COLON, _SPACE = range(1, 5)
# What each byte is. A table is several times faster than to take bytes out, and so is to count in an array.
_KINDS = bytearray(256)
for _kind, _characters in (
    (_LETTER, string.ascii_letters),
    (_DIGIT, string.digits),
    (_COLON, ":"),
    (_SPACE, string.whitespace),
):
    for _byte in _characters.encode():
        _KINDS[_byte] = _kind
_ASCII = re.compile(r"[\x00-\x7f]+")

Limits = TypeVar("Limits")
Measured = TypeVar("Measured")
Arguments = ParamSpec("Arguments")


@dataclass(frozen=True)
class DocumentView:
    """A document that rules judge; what several rules need is measured once.

    Args:
        text (`str`): its content.
        language (`str`): Linguist's name; empty for text.
        path (`str`): below its repository, with forward slashes; may be empty.
    """

    text: str
    language: str = ""
    path: str = ""

    @cached_property
    def raw(self) -> bytes:
        """The text in UTF-8; a lone surrogate becomes a question mark."""
        return self.text.encode("utf-8", "replace")

    @cached_property
    def lines(self) -> list[str]:
        """The lines without their ends."""
        return self.text.splitlines()

    @cached_property
    def line_lengths(self) -> list[int]:
        """Characters of each line; of an empty file one line of none."""
        return list(map(len, self.lines)) or [0]

    @cached_property
    def num_letters(self) -> int:
        """Characters that are letters in any script."""
        return self._count(_LETTER) + sum(map(str.isalpha, self._beyond_ascii))

    @cached_property
    def num_letters_and_digits(self) -> int:
        """Characters that are letters or digits in any script."""
        return self._count(_LETTER) + self._count(_DIGIT) + sum(map(str.isalnum, self._beyond_ascii))

    @property
    def num_ascii_digits(self) -> int:
        """Characters from 0 to 9."""
        return self._count(_DIGIT)

    @property
    def num_colons(self) -> int:
        """How many colons there are."""
        return self._count(_COLON)

    @property
    def num_words(self) -> int:
        """Runs of bytes between white space, as `bytes.split` gives them."""
        is_word = self._kinds != _SPACE
        return int(np.count_nonzero(is_word[1:] > is_word[:-1])) + int(is_word[:1].sum())

    def _count(self, kind: int) -> int:
        return int(np.count_nonzero(self._kinds == kind))

    @cached_property
    def _kinds(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.raw.translate(_KINDS), np.uint8)

    @cached_property
    def _beyond_ascii(self) -> str:
        return "" if self.text.isascii() else _ASCII.sub("", self.text)

    def measured(
        self,
        measure: Callable[Concatenate[DocumentView, Arguments], Measured],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Measured:
        """Return what a function measures of the document."""
        return measure(self, *args, **kwargs)

    def head(self, num_lines: int) -> str:
        """Return the first lines in small letters."""
        return "\n".join(self.text.split("\n", num_lines)[:num_lines]).lower()

    def tail(self, num_lines: int) -> str:
        """Return the last lines, but for blank ones at the end."""
        return "\n".join(self.text.rstrip().rsplit("\n", num_lines)[-num_lines:])


@dataclass(frozen=True)
class MeasuredView:
    """A document of a tagged dataset as rules judge it again: by what was measured, without its text.

    Args:
        values (dict): by name of the function that measured.
        language (`str`): Linguist's name; empty for text.
        path (`str`): below its repository, with forward slashes; may be empty.
    """

    values: Mapping[str, Any]
    language: str = ""
    path: str = ""

    def measured(
        self,
        measure: Callable[Concatenate[DocumentView, Arguments], Measured],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Measured:
        """Return what a function measured of the document."""
        value: Measured = self.values[measure.__name__]
        return value


View = DocumentView | MeasuredView


def broken_rules(
    rules: Mapping[str, Callable[[View, Limits], str | None]],
    document: View,
    limits: Limits,
    skipped: Collection[str] = (),
) -> list[tuple[str, str]]:
    """Return (name of the rule, what it measured) of all rules that drop a document, in their order."""
    found = ((name, rule(document, limits)) for name, rule in rules.items() if name not in skipped)
    return [(name, measured) for name, measured in found if measured is not None]


def first_broken(
    rules: Mapping[str, Callable[[View, Limits], str | None]],
    document: View,
    limits: Limits,
    skipped: Collection[str] = (),
) -> tuple[str, str] | None:
    """Return (name of the rule, what it measured) of the first rule that drops a document, or None.

    Args:
        rules (dict): by name; they are tried in their order.
        document (`DocumentView`): what is judged.
        limits: of the rules.
        skipped: names of rules that are not applied.
    """
    for name, rule in rules.items():
        if name not in skipped:
            measured = rule(document, limits)
            if measured is not None:
                return name, measured
    return None
