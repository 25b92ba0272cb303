"""Section 2.4: trees of source text, read the same way in all languages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from datasets_builders.curation.syntax.parsing import load_parser, parse

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


@cache
def _parser(language: str) -> Parser:
    parser = load_parser(language)
    assert parser is not None, f"no grammar for {language}"
    return parser


def tree_of(language: str, source: str) -> Node:
    """Return the root of a text's tree.

    Args:
        language (`str`): Linguist's name, with a grammar in `languages.grammars`.
        source (`str`): the text.

    Raises:
        ParseTooCostly: the text makes the parser work far more than code does.
    """
    return parse(_parser(language), source.encode("utf-8", "replace")).root_node


def text_of(node: Node) -> str:
    """Return the text that a node covers."""
    return (node.text or b"").decode("utf-8", "replace")


def field_text(node: Node, name: str) -> str:
    """Return the text of a node's field, empty where it has none."""
    child = node.child_by_field_name(name)
    return text_of(child) if child is not None else ""


def nodes_of(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the text."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.children))


@dataclass(frozen=True)
class Edit:
    """A replacement of the bytes from `start` to `end`."""

    start: int
    end: int
    text: str


def edited(data: bytes, edits: list[Edit]) -> str:
    """Return a text with all edits made; of edits at one place the first stands first."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        parts += [data[at : edit.start], edit.text.encode()]
        at = max(at, edit.end)
    return b"".join([*parts, data[at:]]).decode("utf-8", "replace")
