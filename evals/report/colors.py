"""Colors of code on pages: which stretches of a text are keywords, strings, comments, numbers and names.

Pygments reads the text; a page gets lengths and classes, and never markup that came from a text.
"""

from __future__ import annotations

import re
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pygments.lexer import Lexer

PLAIN, KEYWORD, STRING, COMMENT, NUMBER, NAME = range(6)
# Pygments is of regular expressions: on long lines some of them take the square of the length, on texts that someone
# made for it more. What takes longer than any code stays plain, and after some such texts all of that language.
MAX_LINE_CHARS = 2_000
MAX_CODE_CHARS = 20_000
MAX_SECONDS, MAX_SLOW_TEXTS = 0.5, 8
_slow_texts: Counter[str] = Counter()
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


class _TooSlow(BaseException):
    """No `Exception`: a lexer must not take it for its own."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TooSlow


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise `_TooSlow` when the block takes more processor time; only a main thread can be interrupted."""
    previous = signal.signal(signal.SIGPROF, _stop)
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    finally:
        signal.signal(signal.SIGPROF, previous or signal.SIG_DFL)


def _code(text: str, lexer: Lexer) -> Iterator[tuple[int, int]]:
    """Give the stretches of code; all of it plain where it is too long or not read whole."""
    spans: list[tuple[int, int]] = []
    is_short = len(text) <= MAX_CODE_CHARS and max(map(len, text.split("\n"))) <= MAX_LINE_CHARS
    is_main = threading.current_thread() is threading.main_thread()
    if is_short and is_main and _slow_texts[lexer.name] < MAX_SLOW_TEXTS:
        try:
            with _limited(MAX_SECONDS):
                spans = list(_spans(text, lexer))
        except _TooSlow:
            _slow_texts[lexer.name] += 1
            spans = []
    yield from spans or [(units(text), PLAIN)]


def _spans(text: str, lexer: Lexer) -> Iterator[tuple[int, int]]:
    """Give the stretches that a lexer finds."""
    read = 0
    ended = text if text.endswith("\n") else f"{text}\n"  # a comment ends where a line does
    for start, kind, value in lexer.get_tokens_unprocessed(ended):
        # What it leaves out, or says again, is plain, or not.
        if start > read:
            yield units(text[read:start]), PLAIN
        value = ended[max(start, read) : start + len(value)][: len(text) - max(start, read)]
        yield units(value), _class_of(tuple(kind))
        read = max(read, start + len(value))
    yield units(text[read:]), PLAIN


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
