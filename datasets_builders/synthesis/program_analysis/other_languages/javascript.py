"""Section 2.4: JavaScript and TypeScript: what a file defines, and how a function's program is put together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from datasets_builders.synthesis.program_analysis.extraction import word_list
from datasets_builders.synthesis.program_analysis.other_languages.extraction import (
    Definition,
    Dialect,
    SourceFile,
    comment_text,
    comments_before,
)
from datasets_builders.synthesis.program_analysis.other_languages.javascript_modules import (
    exported_within,
    imported_names,
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

_FUNCTION_VALUES = ("arrow_function", "function_expression")
_SCOPES = ("class_body", "function_expression", "function_declaration", "method_definition", "generator_function")
# What reads the machine's locale, waits, or makes the closure unknowable.
_LOCALE_WORDS = frozenset(word_list("localeCompare toLocaleString toLocaleDateString toLocaleTimeString "
                                    "toLocaleUpperCase toLocaleLowerCase Intl"))  # fmt: skip
_WAITING = frozenset(word_list("await_expression yield_expression import"))


class JavaScript(Dialect):
    """JavaScript, of modules, CommonJS and scripts."""

    language: ClassVar[str] = "JavaScript"
    tag: ClassVar[str] = "javascript"
    fence: ClassVar[str] = "javascript"
    literal_nodes: ClassVar[frozenset[str]] = frozenset(
        word_list("""
            number string string_fragment escape_sequence true false null undefined array object pair
            property_identifier regex regex_pattern regex_flags template_string unary_expression
        """)
    )
    known_names: ClassVar[frozenset[str]] = frozenset(
        word_list("""
            Array ArrayBuffer BigInt BigInt64Array BigUint64Array Boolean DataView Date Error EvalError Float32Array
            Float64Array Infinity Int16Array Int32Array Int8Array JSON Map Math NaN Number Object RangeError
            ReferenceError Reflect RegExp Set String Symbol SyntaxError TypeError URIError Uint16Array Uint32Array
            Uint8Array Uint8ClampedArray WeakMap WeakSet arguments decodeURI decodeURIComponent encodeURI
            encodeURIComponent escape isFinite isNaN parseFloat parseInt undefined unescape
        """)
    )

    def read(self, root: Node) -> SourceFile:
        """Return what a file defines at its top level."""
        definitions: list[Definition] = []
        signatures: list[Node] = []
        for node in root.named_children:
            statement = node
            if node.type == "export_statement":
                inner = node.child_by_field_name("declaration")
                if inner is None:
                    continue
                statement = inner
            if statement.type == "function_signature":
                signatures.append(statement)
                continue
            definition = self._definition(statement, node)
            if definition is not None:
                if statement.type == "function_declaration":
                    same = [text_of(part) for part in signatures if field_text(part, "name") == definition.names[0]]
                    definition.text = "\n".join([*same, definition.text])
                definitions.append(definition)
            signatures = []
        return SourceFile(definitions)

    def program(self, file: SourceFile, context: list[Definition], target: Definition) -> tuple[str, str, str]:
        """Return what is needed in the order of the file, then the function."""
        before = "".join(
            part.text + ("\n\n" if part.kind != "constant" or following.kind != "constant" else "\n")
            for part, following in pairwise([*context, target])
        )
        return before, target.text, ""

    def _definition(self, node: Node, outer: Node) -> Definition | None:
        kind = node.type
        if kind == "import_statement":
            names = tuple(name.local for name in imported_names(node))
            refusal = ("import_not_pure", field_text(node, "source"))
            return Definition(names, node, "", frozenset(), "import", refusal)
        if kind in ("function_declaration", "generator_function_declaration"):
            return self._function(node, node, field_text(node, "name"), outer)
        if kind in ("lexical_declaration", "variable_declaration"):
            return self._variables(node, outer)
        if kind in ("class_declaration", "abstract_class_declaration"):
            names = (field_text(node, "name"),)
            return Definition(names, node, text_of(node), uses_of(node), "type", refusal_of(node, in_class=True))
        if kind in ("interface_declaration", "type_alias_declaration", "enum_declaration"):
            return Definition((field_text(node, "name"),), node, text_of(node), uses_of(node), "type")
        if kind == "expression_statement":
            return _attached(node)
        return None

    def _variables(self, node: Node, outer: Node) -> Definition | None:
        declarators = [part for part in node.named_children if part.type == "variable_declarator"]
        names = tuple(name for part in declarators for name in _bound(part.child_by_field_name("name")))
        values = [part.child_by_field_name("value") for part in declarators]
        if len(values) == 1 and values[0] is not None and values[0].type in _FUNCTION_VALUES and len(names) == 1:
            return self._function(node, values[0], names[0], outer)
        if any(value is not None and "require" in uses_of(value) for value in values):
            return Definition(names, node, "", frozenset(), "import", ("import_not_pure", text_of(node)[:80]))
        text, uses = text_of(node), uses_of(node)
        cuts: list[Edit] = []
        for value in values:
            if value is not None and (found := exported_within(value)):
                inner, start = found[1], node.start_byte
                cuts.append(Edit(value.start_byte - start, inner.start_byte - start, ""))
                cuts.append(Edit(inner.end_byte - start, value.end_byte - start, ""))
        if cuts:
            text, uses = edited(node.text or b"", cuts), uses - {"exports"}
        refusal = refusal_of(node)
        if not refusal and text_of(node).startswith(("let ", "var ")) and all(value is None for value in values):
            refusal = ("module_state", ", ".join(names))
        return Definition(names, node, text, uses, "constant", refusal)

    def _function(self, node: Node, function: Node, name: str, outer: Node) -> Definition:
        refusal = refusal_of(function)
        if any(child.type == "async" for child in function.children):
            refusal = ("asynchronous",)
        is_generator = "generator" in function.type or any(child.type == "*" for child in function.children)
        return Definition(
            (name,),
            node,
            text_of(node),
            uses_of(node),
            "function",
            refusal,
            tuple(parameters_of(function)),
            field_text(function, "return_type").lstrip(": "),
            comment_text([text for text in comments_before(outer)[-1:] if text.startswith("/**")]),
            is_asked_about=not is_generator and bool(name),
        )


class TypeScript(JavaScript):
    """TypeScript: JavaScript with types, which are kept in the program."""

    language: ClassVar[str] = "TypeScript"
    tag: ClassVar[str] = "typescript"
    fence: ClassVar[str] = "typescript"
    known_names: ClassVar[frozenset[str]] = JavaScript.known_names | frozenset(
        word_list("""
            any Awaited bigint Capitalize ConstructorParameters Exclude Extract InstanceType Iterable IterableIterator
            Iterator Lowercase NoInfer NonNullable Omit Parameters Partial Pick PropertyKey Readonly ReadonlyArray
            ReadonlyMap ReadonlySet Record Required ReturnType ThisType Uncapitalize Uppercase unknown never void const
            ArrayLike RegExpMatchArray RegExpExecArray infer
        """)
    )


def parameters_of(function: Node) -> Iterator[Parameter]:
    """Yield a function's parameters; one that is taken apart is named by its pattern."""
    single = function.child_by_field_name("parameter")
    if single is not None:
        yield Parameter(text_of(single))
        return
    group = function.child_by_field_name("parameters")
    for node in group.named_children if group is not None else ():
        if node.type == "comment":
            continue
        declared, default, annotation = node, "", ""
        if node.type in ("required_parameter", "optional_parameter"):
            pattern = node.child_by_field_name("pattern")
            annotation = field_text(node, "type").removeprefix(":").strip()
            default = field_text(node, "value") or ("undefined" if node.type == "optional_parameter" else "")
            declared = pattern if pattern is not None else node
        if declared.type == "assignment_pattern":
            default = field_text(declared, "right")
            left = declared.child_by_field_name("left")
            declared = left if left is not None else declared
        is_rest = declared.type == "rest_pattern"
        yield Parameter(text_of(declared).lstrip("."), annotation, default, is_rest)


def _attached(node: Node) -> Definition | None:
    """Return an assignment to a member of something as a part of that: `Shape.prototype.area = ...`."""
    expression = node.named_children[0] if node.named_children else None
    if expression is None or expression.type != "assignment_expression":
        return None
    left = expression.child_by_field_name("left")
    while left is not None and left.type == "member_expression":
        left = left.child_by_field_name("object")
    if left is None or left.type != "identifier" or text_of(left) in ("module", "exports"):
        return None
    refusal = refusal_of(node) or (() if text_of(left) != text_of(expression) else ("module_state", text_of(left)))
    if expression.child_by_field_name("left") == left:
        refusal = ("module_state", text_of(left))
    return Definition((text_of(left),), node, text_of(node), uses_of(node), "constant", refusal)


def _bound(node: Node | None) -> Iterator[str]:
    """Yield the names that a pattern binds."""
    if node is None:
        return
    if node.type in ("identifier", "shorthand_property_identifier_pattern"):
        yield text_of(node)
    elif node.type == "assignment_pattern":
        yield from _bound(node.child_by_field_name("left"))
    elif node.type == "pair_pattern":
        yield from _bound(node.child_by_field_name("value"))
    elif node.type in ("array_pattern", "object_pattern", "rest_pattern", "object_assignment_pattern"):
        for child in node.named_children:
            yield from _bound(child)
    elif node.type in ("required_parameter", "optional_parameter"):
        yield from _bound(node.child_by_field_name("pattern"))


def uses_of(node: Node) -> frozenset[str]:
    """Return the names read in a statement that nothing in it binds."""
    used, bound = names_of(node)
    return frozenset(used - bound)


def names_of(node: Node) -> tuple[set[str], set[str]]:
    """Return the names that a statement reads, and those that it or something in it binds."""
    used: set[str] = set()
    bound: set[str] = set()
    for part in nodes_of(node):
        kind = part.type
        if kind in ("identifier", "shorthand_property_identifier", "type_identifier"):
            if not _is_member_of_namespace(part):
                used.add(text_of(part))
        elif kind == "variable_declarator" or kind.endswith(("function_declaration", "function_expression")):
            bound.update(_bound(part.child_by_field_name("name")))
        elif kind in ("class_declaration", "class", "interface_declaration", "type_alias_declaration") or kind in (
            "enum_declaration",
            "type_parameter",
        ):
            bound.add(field_text(part, "name"))
        elif kind == "catch_clause":
            bound.update(_bound(part.child_by_field_name("parameter")))
        elif kind == "for_in_statement":
            if part.child_by_field_name("kind") is not None:
                bound.update(_bound(part.child_by_field_name("left")))
        elif kind == "arrow_function" and part.child_by_field_name("parameter") is not None:
            bound.update(_bound(part.child_by_field_name("parameter")))
        elif kind == "formal_parameters":
            for child in part.named_children:
                bound.update(_bound(child))
        elif kind in ("infer_type", "mapped_type_clause"):
            bound.update(text_of(child) for child in part.named_children if child.type == "type_identifier")
        elif kind == "labeled_statement":
            bound.add(field_text(part, "label"))
    return used, bound


def _is_member_of_namespace(node: Node) -> bool:
    """Return whether a name is read behind a dot in a type, `util.Name`."""
    parent = node.parent
    return parent is not None and parent.type == "nested_type_identifier" and parent.child_by_field_name("name") == node


def refusal_of(node: Node, in_class: bool = False) -> tuple[str, ...]:
    """Return why a definition is impure on sight; the rest is found by running."""
    for part in nodes_of(node):
        if part.type in _WAITING or part.type == "async":
            return ("asynchronous",)
        if part.type in ("property_identifier", "identifier") and text_of(part) in _LOCALE_WORDS:
            return ("reads_the_locale", text_of(part))
        if part.type == "this" and not in_class:
            return ("uses_this",)
        if part.type in ("jsx_element", "jsx_self_closing_element"):
            return ("jsx",)
    return ()
