"""Section 2.3.1: lists of web pages as Markdown's. Resiliparse 2.0 drops every `ul` from a page's main content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from typing import Any

from datasets_builders.code_related.web_pages.page_tokens import BLOCKS, HEADINGS, Token, tokens_of

LISTS = "ul"
MAX_LINK_FRACTION = 0.6  # of the characters of a list; above it is a menu,
MAX_LINK_FRACTION_OF_WORDS = 0.9  # but for one whose items have words beside their links
MIN_WORDS_CHARS = 4
_MENU = re.compile(
    r"(?:^|[\s_-])(?:menu|nav\w*|breadcrumbs?|social|shar\w*|pagination|pager|sidebar|toc|toctree\S*|tabs?|tags?)(?=$|[\s_-])",
    re.IGNORECASE,
)
_AROUND_MENUS = "nav, header, footer, aside, [role=navigation], [role=menu], [role=banner], [role=contentinfo]"


def list_of(element: Any) -> tuple[str, int] | None:
    """Return a list as Markdown, or None for a menu.

    A part that has lines of its own, such as code, starts a line without indentation: code stays as it is.

    Args:
        element (`ElementNode`): one that `LISTS` matches.
    """
    if _MENU.search(element.getattr("class") or "") or element.closest(_AROUND_MENUS) is not None:
        return None
    tokens = tokens_of(element)
    lines, is_menu = _lines(tokens)
    if is_menu:
        return None
    if any(tag in HEADINGS for _, tag, _, _ in tokens):
        lines = _flow(tokens)
    return "\n".join(lines), 0


def _flow(tokens: Sequence[Token]) -> list[str]:
    """Return the lines of a list that is there for the layout, as javadoc's are, which hold headings and all below."""
    parts: list[str] = []
    for _, tag, _, raw_text in tokens:
        if not tag:
            parts.append(" ".join(unescape(f"|{raw_text}|").split())[1:-1])
        elif tag in BLOCKS:
            parts.append("\n")
    return [line for line in map(str.strip, "".join(parts).split("\n")) if line]


def _lines(tokens: Sequence[Token]) -> tuple[list[str], bool]:
    """Return the lines of a list and of those in it, and whether it is a menu: links, with words beside few of them."""
    items: list[tuple[str, list[str]]] = []  # how the line starts, and its words
    open_items: list[int] = []
    numbers: list[int | None] = [None]  # of the next item of the lists around; None in a list without numbers
    with_words: set[int] = set()  # items that have words beside their links
    links = num_chars = num_link_chars = 0
    for close, tag, _, raw_text in tokens:
        if not tag:
            text = unescape(raw_text) if "&" in raw_text else raw_text
            size = sum(map(len, text.split()))
            num_chars += size
            num_link_chars += size if links else 0
            if open_items and not links and size >= MIN_WORDS_CHARS:
                with_words.add(open_items[-1])
            if open_items:
                items[open_items[-1]][1].append(text)
        elif tag == "a":
            links = max(0, links + (-1 if close else 1))
        elif tag in ("ul", "ol"):
            if not close:
                numbers.append(1 if tag == "ol" else None)
            elif len(numbers) > 1:
                numbers.pop()
        elif tag == "li":
            if close:
                if open_items:
                    open_items.pop()
                continue
            number = numbers[-1]
            start = f"{number}. " if number is not None else "- "
            if number is not None:
                numbers[-1] = number + 1
            items.append(("  " * (len(numbers) - 1) + start, []))
            open_items.append(len(items) - 1)
        elif tag in BLOCKS and open_items:
            items[open_items[-1]][1].append(" ")
    lines = [(start, " ".join("".join(parts).split())) for start, parts in items]
    has_words = 2 * len(with_words) >= len(items) and num_link_chars <= MAX_LINK_FRACTION_OF_WORDS * num_chars
    is_menu = num_link_chars > MAX_LINK_FRACTION * num_chars and not has_words
    return [start + text for start, text in lines if text], is_menu
