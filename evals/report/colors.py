"""Colors of code on pages: which stretches of a text are keywords, strings, comments, numbers and names.

Pygments reads the text; a page gets lengths and classes, and never markup that came from a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pygments.lexer import Lexer

PLAIN, KEYWORD, STRING, COMMENT, NUMBER, NAME = range(6)
# Pygments is of regular expressions: on long lines some of them take the square of the length.
MAX_LINE_CHARS = 2_000
MAX_CODE_CHARS = 20_000
# Names of languages as datasets have them, where pygments has another.
_ALIASES = {"c#": "csharp", "f#": "fsharp", "shell": "bash", "batchfile": "batch", "vim script": "vim", "none": "text"}
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)")


def colored(text: str, language: str = "") -> list[int]:
    """Return a text's stretches as length, class, length, class and so on; [] where all of it is plain.

    Args:
        text: as it is shown.
        language: of a text that is code, by any of its usual names; without one, code is what stands in fences.

    Returns:
        list: lengths are in UTF-16 units, which a browser counts in; they sum to the text's length.
    """
    lexer = _lexer(language.lower()) if language else None
    if lexer is None and "```" not in text and "~~~" not in text:
        return []
    spans = list(_code(text, lexer) if lexer else _prose(text))
    runs: list[int] = []
    for length, kind in spans:
        if runs and runs[-1] == kind:
            runs[-2] += length
        elif length:
            runs += [length, kind]
    return runs if any(kind for kind in runs[1::2]) else []


def _code(text: str, lexer: Lexer) -> Iterator[tuple[int, int]]:
    """Give the stretches of code; all of it plain where it is too long or not read whole."""
    spans, read = [], 0
    if len(text) <= MAX_CODE_CHARS and max(map(len, text.split("\n"))) <= MAX_LINE_CHARS:
        ended = text if text.endswith("\n") else f"{text}\n"  # a comment ends where a line does
        for start, kind, value in lexer.get_tokens_unprocessed(ended):
            if start != read:
                break
            value = value[: len(text) - read]
            spans.append((units(value), _class_of(tuple(kind))))
            read += len(value)
    if read == len(text):
        yield from spans
    else:
        yield units(text), PLAIN


def _prose(text: str) -> Iterator[tuple[int, int]]:
    """Give the stretches of a text in Markdown: what stands in fences that name a language is code."""
    fence, lexer = "", None
    inside: list[str] = []
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if fence and found and found[1].startswith(fence) and not found[2]:
            yield from _fenced(inside, lexer)
            fence, inside = "", []
        elif fence:
            inside.append(line)
            continue
        elif found:
            fence, lexer = found[1], _lexer(found[2].lower()) if found[2] else None
        yield units(line), PLAIN
    yield from _fenced(inside, lexer)


def _fenced(lines: list[str], lexer: Lexer | None) -> Iterator[tuple[int, int]]:
    if lexer is None:
        yield sum(map(units, lines)), PLAIN
    elif lines:
        yield from _code("".join(lines), lexer)


def units(text: str) -> int:
    """Return the length of a text as a browser counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


@cache
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        return get_lexer_by_name(_ALIASES.get(language, language))
    except ClassNotFound:
        return None


@cache
def _class_of(kind: tuple[str, ...]) -> int:
    if kind[:1] == ("Comment",):
        return COMMENT
    if kind[:1] == ("Keyword",) or kind[:2] == ("Operator", "Word"):
        return KEYWORD
    if kind[:1] == ("Literal",):
        return NUMBER if kind[1:2] == ("Number",) else STRING
    named = {("Name", name) for name in ("Function", "Class", "Decorator", "Tag", "Attribute", "Namespace")}
    return NAME if kind[:2] in named else PLAIN
