"""Section 2.3.1: a part of a page as tags and texts: faster than its nodes, each of which Python wraps."""

from __future__ import annotations

import re

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
_TOKEN = re.compile(r"""<(/?)([a-zA-Z][^\s/>]*)([^"<>]*(?:"[^"]*"[^"<>]*)*)>([^<]*)""")
# What holds no markup, or is none.
_UNREAD = re.compile(r"(?s)<!--.*?-->|<(script|style|iframe|noembed|noframes)\b[^>]*>.*?</\1>")
_HAS_UNREAD = ("<!--", "<script", "<style", "<iframe", "<noembed", "<noframes")
_CLASS = re.compile(r"""\sclass="([^"]*)""")
_HIDDEN = re.compile(r"\shidden(?:[\s=]|$)")


# A slash for the end of an element, else empty; the tag; attributes as written; the text behind it with its entities.
# The first of a part has no tag. A class would take as long as the reading.
Token = tuple[str, str, str, str]


def tokens_of(html: str) -> list[Token]:
    """Return tags inside an element with the texts behind them, without comments, scripts and styles.

    Args:
        html (`str`): what the element holds, as the parser writes it.
    """
    if any(map(html.__contains__, _HAS_UNREAD)):
        html = _UNREAD.sub("", html)
    start = html.find("<")
    return [("", "", "", html)] if start < 0 else [("", "", "", html[:start]), *_TOKEN.findall(html, start)]


def text_between(raw_text: str) -> str:
    """Return a text between two tags with characters for the four entities that the parser writes."""
    if "&" not in raw_text:
        return raw_text
    text = raw_text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\xa0").replace("&quot;", '"')
    return text.replace("&amp;", "&")


def class_of(attributes: str) -> str:
    """Return the names of classes among the attributes of a tag, or an empty text."""
    found = _CLASS.search(attributes) if attributes else None
    return found[1] if found else ""


def is_hidden(attributes: str) -> bool:
    """Return whether attributes hide an element, or keep it from being selected."""
    return bool(attributes) and (_HIDDEN.search(attributes) is not None or "user-select: none" in attributes)
