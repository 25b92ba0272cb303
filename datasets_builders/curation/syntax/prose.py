r"""Section 2.1: what a file of code says to people: the text of its comments and string literals.

Both are found in its syntax tree. Comments that follow each other are one piece, and so is each string literal. Code
inside a string (`f"{name}"`, `$name`), escapes (`\n`) and the strings that import something are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Span = tuple[int, int]
PROSE = "prose"  # key of the pieces, in answers of parsers and, between two steps, in documents

_NO_WORDS = re.compile(r"\\[abfnrtv0]|\$\w+")


def pieces_of_prose(
    source: bytes, comments: Sequence[Span], strings: Sequence[Span], code: Sequence[Span]
) -> list[str]:
    """Return the texts of comments and strings, in order.

    Args:
        source (`bytes`): the file.
        comments, strings, code: byte offsets of each, in order, none inside another of its kind.
    """
    texts, at = [], 0
    for start, end in _pieces(source, comments, strings):
        kept, last = [], start
        while at < len(code) and code[at][0] < end:
            # The literal may stand inside the code: an import's.
            kept.append(source[last : max(code[at][0], last)])
            last = max(last, min(code[at][1], end))
            if code[at][1] > end:
                break
            at += 1
        text = b" ".join([*kept, source[last:end]]).decode("utf-8", "replace")
        texts.append(_NO_WORDS.sub(" ", text))
    return [text for text in texts if any(map(str.isalpha, text))]


def _pieces(source: bytes, comments: Sequence[Span], strings: Sequence[Span]) -> list[Span]:
    """Return where pieces are: a docstring is a comment and a string; comments without code between them are one."""
    pieces: list[tuple[int, int, bool]] = []
    marked = [*((*span, True) for span in comments), *((*span, False) for span in strings)]
    for start, end, is_comment in sorted(marked):
        if pieces and start < pieces[-1][1]:
            continue
        if is_comment and pieces and pieces[-1][2] and not source[pieces[-1][1] : start].strip():
            start = pieces.pop()[0]
        pieces.append((start, end, is_comment))
    return [(start, end) for start, end, _ in pieces]
