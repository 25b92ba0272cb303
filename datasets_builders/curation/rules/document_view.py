"""Section 2.1, rule-based filtering: a document as the rules for code and for text see it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"0123456789"


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
        if self.text.isascii():
            return len(self.raw) - len(self._without_letters)
        return sum(map(str.isalpha, self.text))

    @cached_property
    def num_letters_and_digits(self) -> int:
        """Characters that are letters or digits in any script."""
        if self.text.isascii():
            return len(self.raw) - len(self._without_letters.translate(None, _DIGITS))
        return sum(map(str.isalnum, self.text))

    @cached_property
    def _without_letters(self) -> bytes:
        return self.raw.translate(None, _LETTERS)

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
