"""Section 2.3.1: lists of web pages as Markdown's. Resiliparse 2.0 drops every `ul` from a page's main content."""

from __future__ import annotations

import re
from typing import Any

LISTS = "ul"
MAX_LINK_FRACTION = 0.6  # of the characters of a list; above it is a menu
_MENU = re.compile(
    r"(?:^|[\s_-])(?:menu|nav\w*|breadcrumbs?|social|shar\w*|pagination|pager|sidebar|toc|toctree\S*|tabs?|tags?)(?=$|[\s_-])",
    re.IGNORECASE,
)
_AROUND_MENUS = "nav, header, footer, aside, [role=navigation], [role=menu], [role=banner], [role=contentinfo]"
_INLINE_BLOCKS = frozenset({"p", "div", "section"})


def list_of(element: Any) -> tuple[str, int] | None:
    """Return a list as Markdown, or None for a menu.

    A part that has lines of its own, such as code, starts a line without indentation: code stays as it is.

    Args:
        element (`ElementNode`): one that `LISTS` matches.
    """
    if _is_menu(element):
        return None
    lines = [line for line in _lines(element) if line.strip()]
    return "\n".join(lines), 0


def _is_menu(element: Any) -> bool:
    if _MENU.search(element.getattr("class") or "") or element.closest(_AROUND_MENUS) is not None:
        return True
    text = len("".join(element.text.split()))
    links = sum(len("".join(link.text.split())) for link in element.query_selector_all("a").values())
    return links > MAX_LINK_FRACTION * text


def _lines(outermost: Any) -> list[str]:
    """Return the lines of a list and of those in it, without recursion."""
    lines: list[str] = []
    # Elements left to write, with their indentation and the number of the next item (None in a list without numbers).
    waiting: list[tuple[Any, int, int | None]] = [(outermost.first_child, 0, None)]
    while waiting:
        node, depth, number = waiting.pop()
        if node is None:
            continue
        is_item = node.tag == "li"
        waiting.append((node.next_sibling, depth, number + 1 if is_item and number is not None else number))
        if node.tag in ("ul", "ol"):  # a list right in a list
            waiting.append((node.first_child, depth + 1, 1 if node.tag == "ol" else None))
        elif is_item:
            bullet = f"{number}. " if number is not None else "- "
            lines += _item(node, "  " * depth + bullet)
            inner = [child for child in _children(node) if child.tag in ("ul", "ol")]
            for child in reversed(inner):
                waiting.append((child.first_child, depth + 1, 1 if child.tag == "ol" else None))
    return lines


def _item(item: Any, start: str) -> list[str]:
    """Return the lines of an item without the lists in it."""
    parts: list[str] = []
    for child in _children(item):
        if child.tag in ("ul", "ol", "script", "style", "#comment"):
            continue
        parts.append(f" {child.text} " if child.tag in _INLINE_BLOCKS else child.text or "")
    text = " ".join("".join(parts).split())
    return [start + text] if text else []


def _children(node: Any) -> list[Any]:
    found, child = [], node.first_child
    while child is not None:
        found.append(child)
        child = child.next_sibling
    return found
