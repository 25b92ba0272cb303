"""Section 2.3.2: what a comment says, without the signs that make it one."""

from __future__ import annotations

import inspect
import re

_LINE_SIGN = re.compile(r"^[ \t]*(?:///?!?|#(?!\w)|##|--+(?!\[)|;+|%+)[ \t]?")
_STAR = re.compile(r"^[ \t]*\*(?!/)[ \t]?")
_QUOTES = re.compile(r"""^[rRbBuUfF]{0,2}("{3}|'{3}|"|')""")
_DECORATION = re.compile(r"^[ \t]*[-=*#/_~+]{4,}[ \t]*$")


def comment_text(raw: str) -> str:
    """Return the words of a comment: of lines with signs, of a block, or of a docstring.

    Args:
        raw (`str`): as it stands in the file, one comment or several lines of them.
    """
    text = raw.strip()
    quotes = _QUOTES.match(text)
    if quotes and text.endswith(quotes[1]) and len(text) >= 2 * len(quotes[1]):
        return inspect.cleandoc(text[quotes.end() : -len(quotes[1])]).strip()
    if text.startswith("/*"):
        return _cleaned(_inside_blocks(text))
    if text.startswith("--[["):
        return _cleaned(text.removeprefix("--[[").removesuffix("--]]").removesuffix("]]").split("\n"))
    if text.startswith("=begin"):
        return _cleaned(text.removeprefix("=begin").removesuffix("=end").split("\n"))
    return _cleaned([_LINE_SIGN.sub("", line) for line in text.split("\n")])


def _inside_blocks(text: str) -> list[str]:
    lines = []
    for block in re.split(r"\*/\s*(?=/\*|//)", text):
        if block.startswith("//"):
            lines += [_LINE_SIGN.sub("", line) for line in block.split("\n")]
            continue
        inner = re.sub(r"^/\*+!?<?", "", block)
        inner = re.sub(r"\**/\s*$", "", inner) if inner.rstrip().endswith("/") else inner
        lines += [_STAR.sub("", line) for line in inner.split("\n")]
    return lines


def _cleaned(lines: list[str]) -> str:
    """Return lines without decoration, their common indentation and blank ones around them."""
    kept = [line.rstrip() for line in lines if not _DECORATION.match(line)]
    return inspect.cleandoc("\n".join(kept)).strip()
