"""Section 2.4: Go: functions of a file, with its constants, types, their methods and helpers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from datasets_builders.synthesis.program_analysis.extraction import word_list
from datasets_builders.synthesis.program_analysis.other_languages.extraction import (
    Definition,
    Dialect,
    SourceFile,
    comment_text,
    comments_before,
)
from datasets_builders.synthesis.program_analysis.other_languages.sample import Parameter
from datasets_builders.synthesis.program_analysis.other_languages.syntax import field_text, nodes_of, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

# Whose functions depend on their arguments only, and which the toolchain has compiled beforehand.
PURE_PACKAGES = frozenset(
    word_list("""
        bytes cmp container/heap container/list encoding/hex errors fmt maps math math/big math/bits path regexp slices
        sort strconv strings unicode unicode/utf16 unicode/utf8
    """)
)
_ASYNCHRONOUS = frozenset(
    word_list("go_statement select_statement channel_type send_statement receive_statement defer_statement")
)
_METHODS_OF_INTERFACES = frozenset(word_list(".Error .String .Len .Less .Swap .Push .Pop .Unwrap .Is .Format"))


class Go(Dialect):
    """Go: a program is a package main without imports beyond the standard library."""

    language: ClassVar[str] = "Go"
    tag: ClassVar[str] = "go"
    fence: ClassVar[str] = "go"
    argument_node: ClassVar[str] = "argument_list"
    literal_nodes: ClassVar[frozenset[str]] = frozenset(
        word_list("""
            int_literal float_literal interpreted_string_literal raw_string_literal rune_literal true false nil
            interpreted_string_literal_content raw_string_literal_content escape_sequence unary_expression
            composite_literal literal_value literal_element slice_type map_type array_type type_identifier
            keyed_element
        """)
    )
    known_names: ClassVar[frozenset[str]] = frozenset(
        word_list("""
            _ any append bool byte cap clear comparable complex complex128 complex64 copy delete error false float32
            float64 imag int int16 int32 int64 int8 iota len make max min new nil panic real recover rune string true
            uint uint16 uint32 uint64 uint8 uintptr
        """)
    )

    def read(self, root: Node) -> SourceFile:
        """Return what a file defines."""
        imports: dict[str, str] = {}
        definitions: list[Definition] = []
        for node in root.named_children:
            if node.type == "import_declaration":
                for spec in nodes_of(node):
                    if spec.type == "import_spec":
                        path = field_text(spec, "path")[1:-1]
                        imports[field_text(spec, "name") or path.rsplit("/", 1)[-1]] = path
            elif node.type in ("const_declaration", "var_declaration", "type_declaration"):
                definitions.append(_declaration(node, imports))
            elif node.type in ("function_declaration", "method_declaration"):
                definitions.append(_function(node, imports))
        return SourceFile(definitions, imports)

    def is_known(self, name: str, file: SourceFile) -> bool:
        """Return whether a name is that of an imported package."""
        return name in file.imports

    def as_snippet(self, call: str) -> str:
        """Return a file that makes a call."""
        return f"package p\nvar value = {call}\n"

    def program(self, file: SourceFile, context: list[Definition], target: Definition) -> tuple[str, str, str]:
        """Return the package's head with what is needed, then the function."""
        used = target.uses.union(*(part.uses for part in context)) if context else target.uses
        paths = sorted(path for name, path in file.imports.items() if name in used)
        head = "package main\n\n"
        if len(paths) == 1:
            head += f'import "{paths[0]}"\n\n'
        elif paths:
            head += "import (\n" + "".join(f'\t"{path}"\n' for path in paths) + ")\n\n"
        return head + "".join(f"{part.text}\n\n" for part in context), target.text, ""


def _declaration(node: Node, imports: dict[str, str]) -> Definition:
    names = tuple(
        text_of(name)
        for part in nodes_of(node)
        if part.type in ("const_spec", "var_spec", "type_spec", "type_alias") and _is_outermost(part, node)
        for name in part.children_by_field_name("name")
    )
    kind = "type" if node.type == "type_declaration" else "constant"
    uses, soft, selects = _uses(node)
    refusal = _refusal(node, uses, imports)
    if node.type == "var_declaration" and not any(part.type == "expression_list" for part in nodes_of(node)):
        refusal = ("module_state", ", ".join(names))
    return Definition(names, node, text_of(node), uses - set(names), kind, refusal, soft_uses=soft, selects=selects)


def _is_outermost(part: Node, declaration: Node) -> bool:
    parent = part.parent
    while parent is not None and parent != declaration:
        if parent.type in ("func_literal", "block"):
            return False
        parent = parent.parent
    return True


def _function(node: Node, imports: dict[str, str]) -> Definition:
    name = field_text(node, "name")
    uses, soft, selects = _uses(node)
    refusal = _refusal(node, uses, imports)
    result = field_text(node, "result")
    receiver = field_text(node, "receiver")
    documentation = comment_text([text for text in comments_before(node) if not text.startswith("//go:")])
    if receiver:
        kind = re.search(r"(\w+)(?:\[[^\]]*\])?\s*\)$", receiver)
        return Definition(
            (f"({kind[1] if kind else ''}).{name}",), node, _with_comment(node), uses, "method", refusal,
            soft_uses=soft, receiver=kind[1] if kind else "", method=f".{name}", selects=selects,
        )  # fmt: skip
    if node.child_by_field_name("body") is None:
        refusal = ("no_body", name)
    is_generic = node.child_by_field_name("type_parameters") is not None
    if is_generic and not refusal:
        constraints = re.findall(r"\b\w+\s+([\w.~|\s\[\]]+)", field_text(node, "type_parameters"))
        if any(part.strip() not in ("any", "comparable", "cmp.Ordered", "int", "string") for part in constraints):
            refusal = ("generic", field_text(node, "type_parameters"))
    return Definition(
        (name,),
        node,
        text_of(node),
        uses,
        "function",
        refusal,
        tuple(_parameters(node)),
        result,
        documentation,
        is_asked_about=bool(result) and name not in ("main", "init", "_"),
        soft_uses=soft,
        selects=selects,
    )


def _with_comment(node: Node) -> str:
    return text_of(node)


def _parameters(node: Node) -> Iterator[Parameter]:
    group = node.child_by_field_name("parameters")
    for part in group.named_children if group is not None else ():
        kind = field_text(part, "type")
        names = [text_of(name) for name in part.children_by_field_name("name")]
        if part.type == "variadic_parameter_declaration":
            yield Parameter(names[0] if names else "_", kind, is_rest=True)
        elif part.type == "parameter_declaration":
            for name in names or ["_"]:
                yield Parameter(name, kind)


def _uses(node: Node) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the names that a declaration reads, those that may be names of fields, and those behind dots."""
    used: set[str] = set()
    soft: set[str] = set()
    bound: set[str] = set()
    selected = set(_METHODS_OF_INTERFACES)
    for part in nodes_of(node):
        kind, parent = part.type, part.parent
        if kind == "field_identifier":
            selected.add(f".{text_of(part)}")
        if kind not in ("identifier", "type_identifier", "package_identifier") or parent is None:
            continue
        text = text_of(part)
        if kind == "type_identifier" and parent.type == "qualified_type":
            continue
        if parent.type in ("literal_element", "keyed_element") and _is_key(part):
            soft.add(text)
        elif _is_bound(part, parent):
            bound.add(text)
        else:
            used.add(text)
    return frozenset(used - bound), frozenset(soft - bound), frozenset(selected)


def _is_key(node: Node) -> bool:
    """Return whether a name stands before the colon in a composite literal: a field, or the key of a map."""
    element = node.parent
    pair = element.parent if element is not None and element.type == "literal_element" else element
    return pair is not None and pair.type == "keyed_element" and pair.named_children[0] in (element, node)


def _is_bound(node: Node, parent: Node) -> bool:
    kind = parent.type
    if kind == "expression_list" and parent.parent is not None:
        statement = parent.parent
        if statement.type in ("short_var_declaration", "range_clause"):
            return statement.child_by_field_name("left") == parent and (
                statement.type == "short_var_declaration" or any(child.type == ":=" for child in statement.children)
            )
    if kind in ("type_switch_statement", "receive_statement"):
        return parent.child_by_field_name("alias") == node
    if kind in (
        *("parameter_declaration", "variadic_parameter_declaration", "var_spec", "const_spec", "type_spec"),
        *("function_declaration", "type_parameter_declaration"),
    ):
        return node in parent.children_by_field_name("name")
    return kind in ("labeled_statement", "label_name", "break_statement", "continue_statement", "goto_statement")


def _refusal(node: Node, uses: frozenset[str], imports: dict[str, str]) -> tuple[str, ...]:
    for part in nodes_of(node):
        if part.type in _ASYNCHRONOUS - {"defer_statement"}:
            return ("asynchronous",)
        if part.type == "unary_expression" and field_text(part, "operator") == "<-":
            return ("asynchronous",)
    for name in sorted(uses):
        path = imports.get(name)
        if path is not None and (path not in PURE_PACKAGES or name != path.rsplit("/", 1)[-1]):
            return ("import_not_pure", path)
    return ()
