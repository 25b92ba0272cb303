"""Section 2.3.2: the seven rules for code-comment pairs.

| rule | drops a pair when |
| --- | --- |
| i | its code and comment stood in another pair (MD5); the builder's exact deduplication |
| ii code_chars | the code has fewer than 30 or more than 100,000 characters |
| iii code_lines | the code has no line or more than 100 |
| iv no_comment | the comment says nothing |
| v comment_chars | the comment has fewer than 30 or more than 100,000 characters |
| vi special_characters | 80 % or more of the comment in the file are no letters, marks or digits; blanks left out |
| vii annotation | the comment has TODO:, BUG:, FIXME: and the like, or folds a region in an editor |

Source: paper 2.3.2; which annotations are "such as", is ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

MIN_CHARS, MAX_CHARS = 30, 100_000
MAX_LINES = 100
MAX_SPECIAL_FRACTION = 0.8
_ANNOTATION = re.compile(
    r"\b(?:TODO|FIXME|BUG|XXX|HACK|NOCOMMIT)\b\s*(?:\([^)\n]*\))?\s*:|</?editor-fold\b|^\W*#?\b(?:end)?region\b",
    re.IGNORECASE,
)

PairRule = Callable[[str, str, str], str | None]


def code_chars(code: str, comment: str, raw_comment: str) -> str | None:
    """Return the code's length where it is too short or too long (ii)."""
    return None if MIN_CHARS <= len(code) <= MAX_CHARS else f"{len(code)} characters"


def code_lines(code: str, comment: str, raw_comment: str) -> str | None:
    """Return the number of lines of code where there are too many (iii)."""
    num_lines = len(code.splitlines())
    return None if 1 <= num_lines <= MAX_LINES else f"{num_lines} lines"


def no_comment(code: str, comment: str, raw_comment: str) -> str | None:
    """Return a text where the comment says nothing (iv)."""
    return None if comment.strip() else "empty"


def comment_chars(code: str, comment: str, raw_comment: str) -> str | None:
    """Return the comment's length where it is too short or too long (v)."""
    return None if MIN_CHARS <= len(comment) <= MAX_CHARS else f"{len(comment)} characters"


def special_characters(code: str, comment: str, raw_comment: str) -> str | None:
    """Return the share of special characters where it is too large (vi)."""
    shown = [character for character in raw_comment if not character.isspace()]
    special = sum(not character.isalnum() and unicodedata.category(character)[0] != "M" for character in shown)
    fraction = special / max(len(shown), 1)
    return None if fraction < MAX_SPECIAL_FRACTION else f"{fraction:.2f}"


def annotation(code: str, comment: str, raw_comment: str) -> str | None:
    """Return the annotation where the comment has one (vii)."""
    found = _ANNOTATION.search(raw_comment)
    return found[0] if found else None


PAIR_RULES: dict[str, PairRule] = {
    rule.__name__: rule for rule in (code_chars, code_lines, no_comment, comment_chars, special_characters, annotation)
}


def first_broken_pair_rule(code: str, comment: str, raw_comment: str) -> tuple[str, str] | None:
    """Return name and measurement of the first rule that drops a pair, or None.

    Args:
        code, comment, raw_comment (`str`): see `Pair`.
    """
    for name, rule in PAIR_RULES.items():
        measured = rule(code, comment, raw_comment)
        if measured is not None:
            return name, measured
    return None
