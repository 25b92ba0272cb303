"""Section 2.3.2: functions, methods and classes with the docstring or comment that belongs to them.

A comment belongs to a definition when it starts its own line and ends on the line before the definition, of which
decorators, attributes and `export` are part; Python's docstrings go before comments. Both keep their place in the file.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from datasets_builders.code_related.code_comment_pairs.comment_text import comment_text
from datasets_builders.curation.syntax.metrics import found_in_tree
from datasets_builders.curation.syntax.parsing import load_grammar
from datasets_builders.languages.grammars import GRAMMARS

if TYPE_CHECKING:
    from tree_sitter import Node, Query

_FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "function", "generator_function"})
_BODIES = frozenset({"body", "class_body", "field_declaration_list", "enumerator_list", "block", "declaration_list"})


@dataclass(frozen=True)
class Pair:
    """A definition and its comment.

    Args:
        kind (`str`): function, method or class.
        name (`str`): of the definition, as it stands there.
        code (`str`): without the comment and without the indentation of its first line.
        comment (`str`): what it says, without signs.
        raw_comment (`str`): as it stands in the file.
        start_line, end_line (`int`): of the definition, from 1, both included.
        comment_start, comment_end (`int`): bytes of the comment in the file's UTF-8.
    """

    kind: str
    name: str
    code: str
    comment: str
    raw_comment: str
    start_line: int
    end_line: int
    comment_start: int
    comment_end: int


def pairs(language: str, text: str) -> dict[str, Any]:
    """Return the pairs of a file as JSON, with its error fraction; for `ParserProcess`.

    A broken file has its error fraction alone.
    """
    return found_in_tree(
        language,
        text,
        lambda root, source, fraction: {
            "error_fraction": fraction,
            "pairs": [asdict(pair) for pair in _pairs_in(language, root, source)],
        },
    )


def _pairs_in(language: str, root: Node, source: bytes) -> Iterator[Pair]:
    from tree_sitter import QueryCursor

    found = QueryCursor(_query(language)).captures(root)
    comments = _groups_by_last_row(found.get("comment", []), source)
    for node in sorted(found.get("definition", []), key=lambda each: (each.start_byte, -each.end_byte)):
        pair = _pair_of(language, node, source, comments)
        if pair is not None:
            yield pair


@cache
def _query(language: str) -> Query:
    from tree_sitter import Query

    definitions = GRAMMARS[language].definitions
    kinds = " ".join(f"({kind})" for kind in (*definitions.functions, *definitions.classes))
    return Query(load_grammar(language), f"{GRAMMARS[language].metrics} [{kinds}] @definition")


def _groups_by_last_row(nodes: list[Node], source: bytes) -> dict[int, tuple[int, int]]:
    """Return (start, end) of comments by the row they end on; those on consecutive rows are one."""
    groups: dict[int, tuple[int, int]] = {}
    for node in sorted(nodes, key=lambda each: each.start_byte):
        line_start = source.rfind(b"\n", 0, node.start_byte) + 1
        if source[line_start : node.start_byte].strip() or node.type == "expression_statement":
            continue  # behind code, or a docstring
        if source.startswith(b"#!") and not node.start_byte:
            continue  # names an interpreter
        end = node.end_byte
        last_row = node.end_point[0]
        if source[end - 1 : end] == b"\n":  # Rust's line comments hold their line end
            end, last_row = end - 1, last_row - 1
        before = groups.get(node.start_point[0] - 1)
        groups[last_row] = (before[0] if before else node.start_byte, end)
    return groups


def _pair_of(language: str, node: Node, source: bytes, comments: dict[int, tuple[int, int]]) -> Pair | None:
    definitions = GRAMMARS[language].definitions
    if node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        if value is None or value.type not in _FUNCTION_VALUES:
            return None
    is_class = node.type in definitions.classes
    if is_class and node.child_by_field_name("body") is None and not _has_body(node):
        return None  # a type that is named, not defined
    outer = node
    while outer.parent is not None and outer.parent.type in definitions.wrappers:
        outer = outer.parent
    start, row = outer.start_byte, outer.start_point[0]
    before = outer.prev_named_sibling
    while before is not None and before.type in definitions.attributes:
        start, row = before.start_byte, before.start_point[0]
        before = before.prev_named_sibling
    end, last_row = outer.end_byte, outer.end_point[0]
    body = outer.next_named_sibling
    if body is not None and body.type in definitions.bodies:
        end, last_row = body.end_byte, body.end_point[0]
    docstring = _docstring_of(node) if language == "Python" else None
    if docstring is not None:
        span = docstring.start_byte, docstring.end_byte
        code = _without(source, start, end, span)
    elif row - 1 in comments:
        span = comments[row - 1]
        code = source[start:end]
    else:
        return None
    raw = source[slice(*span)].decode("utf-8", "replace")
    column = start - (source.rfind(b"\n", 0, start) + 1)
    indented = source[start - column : start] + code
    return Pair(
        kind="class" if is_class else _kind_of_function(language, node),
        name=_name_of(node),
        code=textwrap.dedent(indented.decode("utf-8", "replace")).strip("\n"),
        comment=comment_text(
            textwrap.dedent(source[_line_start(source, span[0]) : span[1]].decode("utf-8", "replace"))
        ),
        raw_comment=raw,
        start_line=row + 1,
        end_line=last_row + 1,
        comment_start=span[0],
        comment_end=span[1],
    )


def _line_start(source: bytes, place: int) -> int:
    start = source.rfind(b"\n", 0, place) + 1
    return start if not source[start:place].strip() else place


def _has_body(node: Node) -> bool:
    return any(
        child.type in _BODIES or child.type.endswith(("_body", "_list", "_type", "_spec")) for child in node.children
    )


def _docstring_of(node: Node) -> Node | None:
    """Return the string that starts the body of a Python definition, or None."""
    body = node.child_by_field_name("body")
    first = next((child for child in body.named_children if child.type != "comment"), None) if body else None
    if first is None or first.type not in ("expression_statement", "string"):
        return None
    string = first if first.type == "string" else first.named_children[0] if first.named_child_count == 1 else None
    return string if string is not None and string.type == "string" else None


def _without(source: bytes, start: int, end: int, span: tuple[int, int]) -> bytes:
    """Return a definition without its docstring, and without the lines that hold nothing else."""
    first, last = _line_start(source, span[0]), source.find(b"\n", span[1])
    last = len(source) if last < 0 else last + 1
    if source[span[1] : last].strip() or source[first : span[0]].strip():
        first, last = span
    return source[start:first] + source[min(last, end) : end]


def _kind_of_function(language: str, node: Node) -> str:
    definitions = GRAMMARS[language].definitions
    parent = node.parent
    while parent is not None:
        if parent.type in definitions.classes or parent.type == "impl_item":
            return "method"
        if parent.type in definitions.functions:
            return "function"
        parent = parent.parent
    # Go's stand outside of their type.
    return "method" if language == "Go" and node.type == "method_declaration" else "function"


_NAMES = frozenset({
    "identifier", "simple_identifier", "field_identifier", "type_identifier", "qualified_identifier", "destructor_name",
    "operator_name", "operator_cast", "word", "template_function",
})  # fmt: skip


def _name_of(node: Node) -> str:
    """Return a definition's name, or an empty text; C and C++ have it inside the declarator."""
    current: Node | None = node
    while current is not None:
        named = current if current.type in _NAMES else current.child_by_field_name("name")
        if named is not None:
            return (named.text or b"").decode("utf-8", "replace")
        inner = (
            child for child in current.named_children if child.type.endswith(("declarator", "_spec", "_signature"))
        )
        current = (
            current.child_by_field_name("declarator")
            or next(inner, None)
            or next((child for child in current.named_children if child.type in _NAMES), None)
        )
    return ""
