"""Section 2.4: Java: methods of classes, with the constants, methods and nested types of their class.

Methods of objects are asked about where they read nothing of the object: they are called on a new one.
"""

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
from datasets_builders.synthesis.program_analysis.other_languages.syntax import (
    Edit,
    edited,
    field_text,
    nodes_of,
    text_of,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES = ("class_declaration", "enum_declaration", "record_declaration", "interface_declaration")
_KNOWN_ANNOTATIONS = frozenset(word_list("Override SuppressWarnings Deprecated SafeVarargs FunctionalInterface"))
# Packages whose classes depend on their arguments only, and what of them is imported by name alone.
_PACKAGES = ("java.util", "java.util.function", "java.util.stream", "java.util.regex", "java.math", "java.nio.charset")
_IMPURE_NAMES = frozenset(
    word_list("Random UUID Date Calendar GregorianCalendar Locale TimeZone Scanner Timer Currency")
)
_UTIL = frozenset(
    word_list("""
        ArrayDeque ArrayList Arrays BitSet Collection Collections Comparator Deque EnumMap EnumSet HashMap HashSet
        Iterator LinkedHashMap LinkedHashSet LinkedList List Map NoSuchElementException Objects Optional OptionalInt
        PriorityQueue Queue Set SortedMap SortedSet Stack StringJoiner StringTokenizer TreeMap TreeSet Vector
    """)
)
_SYSTEM = frozenset(word_list("arraycopy"))


class Java(Dialect):
    """Java: a program is a class with what one method needs of its class."""

    language: ClassVar[str] = "Java"
    tag: ClassVar[str] = "java"
    fence: ClassVar[str] = "java"
    argument_node: ClassVar[str] = "argument_list"
    allows_overloads: ClassVar[bool] = True
    literal_nodes: ClassVar[frozenset[str]] = frozenset(
        word_list("""
            decimal_integer_literal decimal_floating_point_literal hex_integer_literal string_literal string_fragment
            escape_sequence character_literal true false null_literal unary_expression array_creation_expression
            array_initializer dimensions integral_type floating_point_type boolean_type type_identifier
        """)
    )
    known_names: ClassVar[frozenset[str]] = frozenset(
        word_list("""
            ArithmeticException ArrayIndexOutOfBoundsException ArrayStoreException AssertionError Boolean Byte
            CharSequence Character ClassCastException Comparable Double Enum Error Exception Float
            IllegalArgumentException IllegalStateException IndexOutOfBoundsException Integer Iterable Long Math
            NegativeArraySizeException NullPointerException Number NumberFormatException Object RuntimeException Short
            StackOverflowError StrictMath String StringBuffer StringBuilder StringIndexOutOfBoundsException System
            Throwable UnsupportedOperationException Void var length
        """)
    )

    def read(self, root: Node) -> SourceFile:
        """Return the static members of the file's classes."""
        imports: dict[str, str] = {}
        definitions: list[Definition] = []
        for node in root.named_children:
            if node.type == "import_declaration":
                text = text_of(node).removeprefix("import").rstrip(";").strip()
                imports[text.rsplit(".", 1)[-1]] = text
            elif node.type == "class_declaration":
                body = node.child_by_field_name("body")
                for member in body.named_children if body is not None else ():
                    definitions.extend(self._member(member, field_text(node, "name"), imports))
        return SourceFile(definitions, imports)

    def is_known(self, name: str, file: SourceFile) -> bool:
        """Return whether a name is imported, by itself or with all of a package."""
        full = file.imports.get(name)
        return _is_pure(full) if full is not None else name in _UTIL and name not in _IMPURE_NAMES

    def called(self, target: Definition) -> str:
        """Return the method behind its class, or behind a new object of it."""
        owner = f"new {target.owner}()" if target.is_of_object else target.owner
        return f"{owner}.{target.names[0]}"

    def as_snippet(self, call: str) -> str:
        """Return a class that makes a call."""
        return f"class Snippet {{ Object value = {call}; }}"

    def program(self, file: SourceFile, context: list[Definition], target: Definition) -> tuple[str, str, str]:
        """Return imports, the head of the class and what is needed of it; the method; the end of the class."""
        used = target.uses.union(*(part.uses for part in context)) if context else target.uses
        imports = {"java.util.*"}
        for name in used:
            full = file.imports.get(name)
            if full is not None and not full.startswith("static ") and full.rsplit(".", 1)[0] != "java.util":
                imports.add(full)
        imports.update(
            full for name, full in file.imports.items() if name == "*" and full != "java.util.*" and _is_pure(full)
        )
        head = "".join(f"import {name};\n" for name in sorted(imports))
        body = "".join(
            part.text + ("\n" if part.kind == following.kind == "constant" else "\n\n")
            for part, following in zip(context, [*context, target][1:], strict=False)
        )
        return f"{head}\nclass {target.owner} {{\n{body}", target.text, "\n}\n"

    def _member(self, node: Node, owner: str, imports: dict[str, str]) -> Iterator[Definition]:
        modifiers = next((text_of(child) for child in node.children if child.type == "modifiers"), "")
        uses = _uses(node, owner, imports)
        refusal = _refusal(node, uses, imports)
        if owner in self.known_names or owner in _UTIL:  # all of the program would mean this class by that name
            refusal = ("named_as_library", owner)
        is_of_object = node.type == "method_declaration" and "static" not in modifiers
        text = _text(node, is_of_object)
        if node.type in _TYPES:
            if node.type == "class_declaration" and "static" not in modifiers:
                refusal = ("inner_class", field_text(node, "name"))
            yield Definition((field_text(node, "name"),), node, text, uses, "type", refusal, owner=owner)
        elif node.type == "field_declaration":
            names = tuple(
                field_text(part, "name") for part in node.named_children if part.type == "variable_declarator"
            )
            if "static" not in modifiers:
                refusal = ("instance_state", ", ".join(names))
            elif "final" not in modifiers:
                refusal = ("module_state", ", ".join(names))
            yield Definition(names, node, text, uses, "constant", refusal, owner=owner)
        elif node.type == "method_declaration":
            if node.child_by_field_name("body") is None:
                refusal = ("no_body", field_text(node, "name"))
            result = field_text(node, "type")
            yield Definition(
                (field_text(node, "name"),),
                node,
                text,
                uses,
                "function",
                refusal,
                tuple(_parameters(node)),
                result,
                comment_text([text for text in comments_before(node)[-1:] if text.startswith("/**")]),
                is_asked_about=result != "void",
                owner=owner,
                is_of_object=is_of_object,
            )


def _is_pure(name: str) -> bool:
    package, _, last = name.rpartition(".")
    return package in _PACKAGES and last not in _IMPURE_NAMES


def _text(node: Node, is_of_object: bool) -> str:
    """Return a member with the indentation of its first line, without annotations that only its project has.

    What is private is so no longer: a check stands outside of the class. Nor does a method of an object override
    another: its class stands alone.
    """
    edits = []
    known = _KNOWN_ANNOTATIONS - {"Override"} if is_of_object else _KNOWN_ANNOTATIONS
    for part in node.children[0].children if node.children and node.children[0].type == "modifiers" else ():
        if part.type == "private" and node.type != "field_declaration":
            edits.append(Edit(part.start_byte - node.start_byte, part.end_byte + 1 - node.start_byte, ""))
    for part in nodes_of(node):
        if part.type in ("marker_annotation", "annotation") and field_text(part, "name") not in known:
            end = part.end_byte - node.start_byte
            rest = (node.text or b"")[end:]
            edits.append(Edit(part.start_byte - node.start_byte, end + len(rest) - len(rest.lstrip()), ""))
    return " " * min(node.start_point[1], 8) + edited(node.text or b"", edits)


def _parameters(node: Node) -> Iterator[Parameter]:
    group = node.child_by_field_name("parameters")
    for part in group.named_children if group is not None else ():
        if part.type == "formal_parameter":
            dimensions = field_text(part, "dimensions")
            yield Parameter(field_text(part, "name"), field_text(part, "type") + dimensions)
        elif part.type == "spread_parameter":
            named = [child for child in part.named_children if child.type == "variable_declarator"]
            kinds = [child for child in part.named_children if child.type not in ("variable_declarator", "modifiers")]
            if named and kinds:
                yield Parameter(field_text(named[0], "name"), text_of(kinds[0]), is_rest=True)


def _uses(node: Node, owner: str, imports: dict[str, str]) -> frozenset[str]:
    """Return the names that a member reads and does not bind itself."""
    used: set[str] = set()
    bound: set[str] = set()
    for part in nodes_of(node):
        kind, parent = part.type, part.parent
        if kind == "type_identifier" and parent is not None:
            if parent.type == "type_parameter":
                bound.add(text_of(part))
            elif parent.type != "scoped_type_identifier" or parent.named_children[0] == part:
                used.add(text_of(part))
        if kind != "identifier" or parent is None:
            continue
        text = text_of(part)
        if parent.type in ("marker_annotation", "annotation") or _is_member_of_another(part, parent, owner):
            continue
        if parent.type == "switch_label":
            continue  # of an enumeration, or a constant that stands elsewhere too
        is_name = parent.child_by_field_name("name") == part
        if (
            (is_name and parent.type not in ("method_invocation", "array_access"))
            or parent.type in ("inferred_parameters", "labeled_statement", "break_statement", "continue_statement")
            or (parent.type == "lambda_expression" and parent.child_by_field_name("parameters") == part)
        ):
            bound.add(text)
        else:
            used.add(text)
    own = {field_text(node, "name")} if node.type in _TYPES else set()
    return frozenset(used - bound - own - {owner})


def _is_member_of_another(node: Node, parent: Node, owner: str) -> bool:
    """Return whether a name belongs to what stands before its dot."""
    if (parent.type == "method_invocation" and parent.child_by_field_name("name") == node) or (
        parent.type == "field_access" and parent.child_by_field_name("field") == node
    ):
        before = parent.child_by_field_name("object")
    elif parent.type == "scoped_identifier" or parent.type == "method_reference":
        return parent.named_children[0] != node
    else:
        return False
    return before is not None and text_of(before) not in (owner, "this")


def _refusal(node: Node, uses: frozenset[str], imports: dict[str, str]) -> tuple[str, ...]:
    for part in nodes_of(node):
        if part.type == "synchronized_statement":
            return ("asynchronous",)
        if part.type in ("this", "super") and node.type == "method_declaration":
            return ("uses_this",)
        member = field_text(part, "name") or field_text(part, "field")
        if field_text(part, "object") == "System" and member not in _SYSTEM:
            return ("impure_module", text_of(part)[:60])
        if field_text(part, "object") in ("Math", "StrictMath") and member == "random":
            return ("impure_module", text_of(part)[:60])
        if part.type == "method_invocation" and re.search(r"Locale|format\(", text_of(part)[:200]):
            return ("reads_the_locale", text_of(part)[:60])
    for name in sorted(uses):
        full = imports.get(name)
        if full is not None and not _is_pure(full.removeprefix("static ")):
            return ("import_not_pure", full)
    return ()
