"""Section 2.3.1: a part of a page as tags and texts: faster than its nodes, each of which Python wraps."""

from __future__ import annotations

import re
from typing import Any

VOID = frozenset({
    "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link",
    "meta", "param", "source", "track", "wbr",
})  # fmt: skip
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# Where words end, whatever stands between them.
BLOCKS = frozenset({
    "p", "div", "section", "br", "ul", "ol", "li", "dl", "dt", "dd", "table", "tr", "td", "th", "pre", "blockquote",
    "figure", "hr", *HEADINGS,
})  # fmt: skip
# As the parser writes elements: attributes between double quotes, every element closed, nothing open in a text.
_TOKEN = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*)((?:[^"<>]|"[^"]*")*)>|([^<]+)""")
# What holds no markup, or is none.
_UNREAD = re.compile(r"(?s)<!--.*?-->|<(script|style|iframe|noembed|noframes)\b[^>]*>.*?</\1>")
_HAS_UNREAD = ("<!--", "<script", "<style", "<iframe", "<noembed", "<noframes")
_CLASS = re.compile(r"""\sclass="([^"]*)""")
_HIDDEN = re.compile(r"\shidden(?:[\s=]|$)")


# A slash for the end of an element, else empty; the tag, or an empty text; attributes as written; a text with its
# entities. A class would take as long as the reading.
Token = tuple[str, str, str, str]


def tokens_of(element: Any) -> list[Token]:
    """Return tags and texts inside an element, without comments, scripts and styles.

    Args:
        element (`ElementNode`): of a parsed page.
    """
    html = element.inner_html
    if any(map(html.__contains__, _HAS_UNREAD)):
        html = _UNREAD.sub("", html)
    return _TOKEN.findall(html)


def class_of(attributes: str) -> str:
    """Return the names of classes among the attributes of a tag, or an empty text."""
    found = _CLASS.search(attributes) if attributes else None
    return found[1] if found else ""


def is_hidden(attributes: str) -> bool:
    """Return whether attributes hide an element, or keep it from being selected."""
    return bool(attributes) and (_HIDDEN.search(attributes) is not None or "user-select: none" in attributes)
