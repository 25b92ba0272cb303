"""Section 2.4: C++: functions of a file or namespace, with its constants, types, templates and helpers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
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

# Which header declares what programs use: the file's own includes may bring it by a way around.
_HEADERS = {
    "algorithm": "all_of any_of binary_search copy count count_if equal fill find find_if lower_bound max max_element "
    "min min_element minmax next_permutation reverse rotate sort stable_sort swap transform unique upper_bound clamp",
    "array": "array", "bitset": "bitset", "cctype": "isalnum isalpha isdigit islower isprint ispunct isspace isupper "
    "isxdigit tolower toupper", "cmath": "abs acos asin atan atan2 cbrt ceil cos exp fabs floor fmod hypot isfinite "
    "isinf isnan log log10 log2 pow round sin sqrt tan trunc", "climits": "CHAR_BIT INT_MAX INT_MIN LLONG_MAX "
    "LLONG_MIN LONG_MAX LONG_MIN UINT_MAX", "cstddef": "ptrdiff_t size_t", "cstdint": "int16_t int32_t int64_t int8_t "
    "uint16_t uint32_t uint64_t uint8_t intptr_t uintptr_t UINT32_MAX UINT64_MAX INT32_MAX INT64_MAX",
    "cstring": "memcmp memcpy memset strchr strcmp strlen strncmp strstr", "deque": "deque", "functional": "function",
    "initializer_list": "initializer_list", "limits": "numeric_limits", "list": "list", "map": "map multimap",
    "numeric": "accumulate gcd iota lcm", "optional": "nullopt optional", "queue": "priority_queue queue",
    "set": "multiset set", "sstream": "istringstream ostringstream stringstream", "stack": "stack",
    "stdexcept": "domain_error invalid_argument logic_error out_of_range overflow_error runtime_error",
    "string": "stod stoi stol string to_string getline", "string_view": "string_view", "tuple": "get make_tuple tie "
    "tuple", "type_traits": "enable_if enable_if_t is_integral is_same is_signed is_unsigned make_unsigned conditional",
    "unordered_map": "unordered_map", "unordered_set": "unordered_set", "utility": "forward make_pair move pair",
    "vector": "vector", "cstdlib": "div labs llabs strtol strtod atoi",
}  # fmt: skip
_HEADER_OF = {name: header for header, names in _HEADERS.items() for name in names.split()}
_IMPURE = frozenset(
    word_list("""
        cin cout cerr clog printf fprintf puts putchar rand srand time clock thread mutex async chrono fopen ifstream
        ofstream getenv system exit abort malloc free realloc new delete atomic filesystem locale random_device mt19937
    """)
)
# What a platform settles: `long` has 32 bits or 64, a pointer 4 bytes or 8.
_OF_PLATFORM = frozenset(
    word_list("LONG_MAX LONG_MIN ULONG_MAX SIZE_MAX INTPTR_MAX PTRDIFF_MAX WCHAR_MAX CHAR_MIN CHAR_MAX")
)
_SIZE_OF_PLATFORM = re.compile(
    r"\bsizeof\s*\(\s*(?:(?:un)?signed\s+)?(?:long(?!\s+(?:long|double))|size_t|wchar_t|\w[\w:\s]*\*)"
)
_CONTAINERS = ("preproc_ifdef", "preproc_if", "linkage_specification", "declaration_list", "namespace_definition")


class Cpp(Dialect):
    """C++: a program is a file with the headers that it needs; the namespaces of its functions are left out."""

    language: ClassVar[str] = "C++"
    tag: ClassVar[str] = "cpp"
    fence: ClassVar[str] = "cpp"
    argument_node: ClassVar[str] = "argument_list"
    allows_overloads: ClassVar[bool] = True
    literal_nodes: ClassVar[frozenset[str]] = frozenset(
        word_list("""
            number_literal string_literal string_content escape_sequence char_literal character true false null nullptr
            unary_expression initializer_list
        """)
    )
    known_names: ClassVar[frozenset[str]] = frozenset(_HEADER_OF) | frozenset(
        word_list("std NULL EOF wchar_t char16_t char32_t assert npos M_PI final override")
    )

    def read(self, root: Node) -> SourceFile:
        """Return what a file and its namespaces define."""
        return SourceFile([found for node in _statements(root) for found in self._definitions(node)])

    def as_snippet(self, call: str) -> str:
        """Return a file that makes a call."""
        return f"auto value = {call};\n"

    def program(self, file: SourceFile, context: list[Definition], target: Definition) -> tuple[str, str, str]:
        """Return the headers and what is needed, then the function."""
        used = {name for part in (*context, target) for name in (*part.uses, *part.selects)}
        headers = sorted({_HEADER_OF[name] for name in used if name in _HEADER_OF} | _headers_of_types(target))
        head = "".join(f"#include <{header}>\n" for header in headers)
        body = "".join(
            part.text + ("\n" if part.kind == following.kind == "constant" else "\n\n")
            for part, following in zip(context, [*context, target][1:], strict=False)
        )
        return (f"{head}\n" if head else "") + body, target.text, ""

    def look_into(self, definition: Definition) -> None:
        """Note what a definition uses: of a header's many, functions that questions are asked about need few."""
        uses, selects = _uses(definition.node)
        definition.uses, definition.selects = uses - set(definition.names), selects
        definition.refusal = definition.refusal or _refusal(definition.node)
        definition.is_looked_into = True

    def _definitions(self, node: Node) -> Iterator[Definition]:
        kind, text = node.type, text_of(node)
        if kind == "function_definition" or (
            kind == "template_declaration"
            and node.named_children
            and node.named_children[-1].type == "function_definition"
        ):
            definition = _function(node)
            if definition is not None:
                yield definition
        elif kind in ("struct_specifier", "class_specifier", "union_specifier", "enum_specifier"):
            names = [field_text(node, "name")]
            names += [field_text(part, "name") for part in nodes_of(node) if part.type == "enumerator"]
            yield _other(node, names, f"{text};", "type")
        elif kind == "template_declaration":
            names = [field_text(part, "name") for part in node.named_children[1:]]
            yield _other(node, names, text + ("" if text.endswith(";") else ";"), "type")
        elif kind in ("type_definition", "alias_declaration"):
            name = field_text(node, "name") or field_text(node, "declarator")
            yield _other(node, [name], text, "type")
        elif kind == "using_declaration":
            names = ["std"] if "namespace" in text else [text.rstrip(";").rsplit("::", 1)[-1].strip()]
            if re.fullmatch(r"using\s+(?:namespace\s+std|std::\w+)\s*;", text):
                yield replace(_other(node, names, text, "constant"), is_looked_into=True)  # reads no name
        elif kind == "preproc_def" and field_text(node, "value"):
            yield _other(node, [field_text(node, "name")], text.rstrip(), "constant", ("macro", text[:60]))
        elif kind == "declaration":
            names = list(_declared(node))
            if any(part.type == "function_declarator" for part in node.named_children):
                return  # what is needed stands before what needs it, or does not compile
            is_constant = "const" in text.split("=")[0]
            yield _other(node, names, text, "constant", () if is_constant else ("module_state", ", ".join(names)))


def _other(node: Node, names: list[str], text: str, kind: str, refusal: tuple[str, ...] = ()) -> Definition:
    bound = tuple(name for name in names if re.fullmatch(r"\w+", name))
    return Definition(bound, node, text, frozenset(), kind, refusal, is_looked_into=False)


def _statements(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        if child.type in _CONTAINERS:
            body = child.child_by_field_name("body")
            yield from _statements(body if body is not None else child)
        else:
            yield child


def _function(node: Node) -> Definition | None:
    function = node if node.type == "function_definition" else node.named_children[-1]
    declarator = function.child_by_field_name("declarator")
    pointers = ""
    while declarator is not None and declarator.type in ("pointer_declarator", "reference_declarator"):
        pointers += "*" if declarator.type == "pointer_declarator" else "&"
        inner = declarator.child_by_field_name("declarator")
        declarator = inner if inner is not None else next(iter(declarator.named_children), None)
    if declarator is None or declarator.type != "function_declarator" or function.child_by_field_name("body") is None:
        return None
    named = declarator.child_by_field_name("declarator")
    if named is None or named.type != "identifier":
        return None
    result = f"{field_text(function, 'type')}{pointers}"
    generics: tuple[str, ...] = ()
    if node.type == "template_declaration":
        generics = tuple(text_of(part) for part in nodes_of(node.named_children[0]) if part.type == "type_identifier")
    parameters = tuple(_parameters(declarator, generics))
    name = text_of(named)
    return Definition(
        (name,),
        node,
        text_of(node),
        frozenset(),
        "function",
        (),
        parameters,
        result,
        comment_text(comments_before(node)),
        is_asked_about=result != "void" and "*" not in result and name != "main",
        is_looked_into=False,
    )


def _parameters(declarator: Node, generics: tuple[str, ...]) -> Iterator[Parameter]:
    group = declarator.child_by_field_name("parameters")
    for part in group.named_children if group is not None else ():
        if part.type not in ("parameter_declaration", "optional_parameter_declaration"):
            if part.type not in ("comment",):
                yield Parameter("", "...")
            continue
        named = part.child_by_field_name("declarator")
        name = ""
        for inner in nodes_of(named) if named is not None else ():
            if inner.type == "identifier":
                name = text_of(inner)
        text = text_of(part)
        default = field_text(part, "default_value")
        kind = text.split("=")[0] if default else text
        kind = re.sub(rf"\b{re.escape(name)}\b", " ", kind, count=1) if name else kind
        kind = re.sub(r"\s+", " ", kind).strip()
        for generic in generics:
            kind = re.sub(rf"\b{re.escape(generic)}\b", "int", kind)
        yield Parameter(name or "value", kind, default)


def _headers_of_types(target: Definition) -> set[str]:
    words = set(re.findall(r"\w+", " ".join([target.result, *(parameter.type for parameter in target.parameters)])))
    return {_HEADER_OF[word] for word in words if word in _HEADER_OF}


def _declared(node: Node) -> Iterator[str]:
    for part in node.children_by_field_name("declarator"):
        inner: Node | None = part
        while inner is not None and inner.type != "identifier":
            deeper = inner.child_by_field_name("declarator")
            inner = deeper if deeper is not None else next(iter(inner.named_children), None)
        if inner is not None:
            yield text_of(inner)


def _uses(node: Node) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that a definition reads and does not bind, and those behind `std::`."""
    used: set[str] = set()
    bound: set[str] = set()
    of_std: set[str] = set()
    for part in nodes_of(node):
        parent = part.parent
        if part.type not in ("identifier", "type_identifier", "namespace_identifier") or parent is None:
            continue
        text = text_of(part)
        if _is_behind_a_scope(part, parent):
            of_std.add(text)
            continue
        kind = parent.type
        if kind == "template_type" and parent.parent is not None and _is_behind_a_scope(parent, parent.parent):
            of_std.add(text)
        elif kind in ("structured_binding_declarator", "lambda_capture_initializer", "type_parameter_declaration") or (
            kind == "optional_type_parameter_declaration" and parent.child_by_field_name("name") == part
        ):
            bound.add(text)
        elif kind.endswith("declarator") or kind in ("parameter_declaration", "optional_parameter_declaration"):
            is_value = parent.child_by_field_name("value") == part or parent.child_by_field_name("size") == part
            is_default = parent.child_by_field_name("default_value") == part
            (used if is_value or is_default or part.type == "type_identifier" else bound).add(text)
        elif (kind in ("for_range_loop", "declaration") and parent.child_by_field_name("declarator") == part) or (
            kind in ("enumerator", "alias_declaration", "labeled_statement") and parent.named_children[0] == part
        ):
            bound.add(text)
        else:
            used.add(text)
    return frozenset(used - bound), frozenset(of_std)


def _is_behind_a_scope(node: Node, parent: Node) -> bool:
    return parent.type == "qualified_identifier" and parent.child_by_field_name("name") == node


def _refusal(node: Node) -> tuple[str, ...]:
    for part in nodes_of(node):
        if part.type in ("goto_statement", "gnu_asm_expression", "new_expression", "delete_expression", "ERROR"):
            return ("unusual", part.type)
        if part.type in ("co_await_expression", "co_yield_statement", "co_return_statement"):
            return ("asynchronous",)
        if part.type in ("identifier", "type_identifier", "namespace_identifier") and text_of(part) in _IMPURE:
            return ("impure_module", text_of(part))
        if (
            (part.type == "template_type" and field_text(part, "name") == "hash")
            or (part.type == "identifier" and text_of(part) in _OF_PLATFORM)
            or (part.type == "sizeof_expression" and _SIZE_OF_PLATFORM.match(text_of(part)))
        ):
            return ("implementation_defined", text_of(part)[:60])
        if part.type in ("binary_expression", "argument_list") and _is_unsequenced(part):
            return ("implementation_defined", text_of(part)[:60])
        if part.type.startswith("preproc_") and part.type != "preproc_def":
            return ("preprocessor", text_of(part)[:40])
    return ()


def _is_unsequenced(node: Node) -> bool:
    """Return whether one operand or argument changes a variable that another one reads: the order is the compiler's."""
    if node.type == "binary_expression" and field_text(node, "operator") in ("&&", "||", "<<", ">>"):
        return False
    operands = node.named_children
    changed = [_names_in(operand, within=("update_expression", "assignment_expression")) for operand in operands]
    read = [_names_in(operand) for operand in operands] if any(changed) else []
    return any(
        not changed[first].isdisjoint(read[second])
        for first in range(len(read))
        for second in range(len(read))
        if first != second
    )


def _names_in(node: Node, within: tuple[str, ...] = ()) -> set[str]:
    """Return the variables of an expression: all of them, or those that such a part of it changes."""
    found = set()
    for part in nodes_of(node):
        if not within and part.type == "identifier":
            found.add(text_of(part))
        elif part.type in within:
            found.add(field_text(part, "argument") or field_text(part, "left"))
    return found
