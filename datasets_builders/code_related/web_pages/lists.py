"""Section 2.3.1: lists of web pages as Markdown's. Resiliparse 2.0 drops every `ul` from a page's main content."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from datasets_builders.code_related.web_pages.escaping import escaped_in_lines, escaped_start
from datasets_builders.code_related.web_pages.page_tokens import BLOCKS, HEADINGS, Token, text_between, tokens_of

LISTS = "ul"
MAX_LINK_FRACTION = 0.6  # of the characters of a list; above it is a menu,
MAX_LINK_FRACTION_OF_WORDS = 0.9  # but for one whose items have words beside their links
MIN_WORDS_CHARS = 4
_ANY_TAG = re.compile("<[^>]*>")
_MENU = re.compile(
    r"(?:^|[\s_-])(?:menu|nav\w*|breadcrumbs?|social|shar\w*|pagination|pager|sidebar|toc|toctree\S*|tabs?|tags?)(?=$|[\s_-])",
    re.IGNORECASE,
)
# Elements whose lists are menus.
_TAGS_AROUND_MENUS = ("nav", "header", "footer", "aside")
_ROLES_AROUND_MENUS = ("navigation", "menu", "banner", "contentinfo")
AROUND_MENUS = ", ".join((*_TAGS_AROUND_MENUS, *(f"[role={role}]" for role in _ROLES_AROUND_MENUS)))


def list_of(element: Any) -> tuple[str, int] | None:
    """Return a list as Markdown, or None for a menu.

    A part that has lines of its own, such as code, starts a line without indentation: code stays as it is.

    Args:
        element (`ElementNode`): one that `LISTS` matches, in none that `AROUND_MENUS` matches.
    """
    names = element.getattr("class")
    if names and _MENU.search(names):
        return None
    html = element.inner_html
    if _is_links_alone(html):
        return None
    tokens = tokens_of(html)
    lines, is_menu = _lines(tokens)
    if is_menu:
        return None
    if any(tag in HEADINGS for _, tag, _, _ in tokens):
        lines = _flow(tokens)
    return "\n".join(lines), 0


def _is_links_alone(html: str) -> bool:
    """Return whether nearly all text of a list is in links, found without reading it tag by tag."""
    before, *links = html.split("<a ")
    if not links:
        return False
    outside = before + "".join(link.partition("</a>")[2] for link in links)
    return _num_chars(outside) < (1 - MAX_LINK_FRACTION_OF_WORDS) * _num_chars(html)


def _num_chars(html: str) -> int:
    text = _ANY_TAG.sub("", html)
    return len(text) - text.count(" ") - text.count("\n")


def is_around_menus(element: Any) -> bool:
    """Return whether `AROUND_MENUS` matches an element."""
    return element.tag in _TAGS_AROUND_MENUS or element.getattr("role") in _ROLES_AROUND_MENUS


def _flow(tokens: Sequence[Token]) -> list[str]:
    """Return the lines of a list that is there for the layout, as javadoc's are, which hold headings and all below."""
    parts: list[str] = []
    for _, tag, _, raw_text in tokens:
        if tag in BLOCKS:
            parts.append("\n")
        if raw_text:
            parts.append(" ".join(text_between(f"|{raw_text}|").split())[1:-1])
    return [escaped_start(escaped_in_lines(line)) for line in map(str.strip, "".join(parts).split("\n")) if line]


def _lines(tokens: Sequence[Token]) -> tuple[list[str], bool]:
    """Return the lines of a list and of those in it, and whether it is a menu: links, with words beside few of them."""
    items: list[tuple[str, list[str]]] = []  # how the line starts, and its words
    open_items: list[int] = []
    numbers: list[int | None] = [None]  # of the next item of the lists around; None in a list without numbers
    with_words: set[int] = set()  # items that have words beside their links
    links = num_chars = num_link_chars = 0
    for close, tag, _, raw_text in tokens:
        if tag == "a":
            links = max(0, links + (-1 if close else 1))
        elif tag == "li":
            if not close:
                number = numbers[-1]
                start = "- " if number is None else f"{number}. "
                if number is not None:
                    numbers[-1] = number + 1
                open_items.append(len(items))
                items.append((_indentation(numbers[:-1]) + start, []))
            elif open_items:
                open_items.pop()
        elif tag == "ul" or tag == "ol":
            if not close:
                numbers.append(1 if tag == "ol" else None)
            elif len(numbers) > 1:
                numbers.pop()
        elif tag in BLOCKS and open_items:
            items[open_items[-1]][1].append(" ")
        if raw_text:
            size = len("".join(text_between(raw_text).split()))
            num_chars += size
            if links:
                num_link_chars += size
            if open_items:
                if size >= MIN_WORDS_CHARS and not links:
                    with_words.add(open_items[-1])
                items[open_items[-1]][1].append(raw_text)
    has_words = 2 * len(with_words) >= len(items) and num_link_chars <= MAX_LINK_FRACTION_OF_WORDS * num_chars
    if num_link_chars > MAX_LINK_FRACTION * num_chars and not has_words:
        return [], True
    lines = [(start, " ".join(text_between("".join(parts)).split())) for start, parts in items]
    return [start + escaped_start(escaped_in_lines(text)) for start, text in lines if text], False


def _indentation(numbers: Sequence[int | None]) -> str:
    """Return blanks up to the words of the items around, of which the next numbers are given."""
    return "".join("  " if number is None else " " * len(f"{number - 1}. ") for number in numbers)
