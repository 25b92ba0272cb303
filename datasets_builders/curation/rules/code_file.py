"""Section 2.1: a file as the rules see it: what several rules need is measured once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"0123456789"


@dataclass(frozen=True)
class CodeFile:
    """A file that rules judge.

    Args:
        text (`str`): its content.
        language (`str`): Linguist's name.
        path (`str`): below its repository, with forward slashes; may be empty.
    """

    text: str
    language: str
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

    def head(self, num_lines: int) -> str:
        """Return the first lines in small letters."""
        return "\n".join(self.text.split("\n", num_lines)[:num_lines]).lower()

    def tail(self, num_lines: int) -> str:
        """Return the last lines, but for blank ones at the end."""
        return "\n".join(self.text.rstrip().rsplit("\n", num_lines)[-num_lines:])
