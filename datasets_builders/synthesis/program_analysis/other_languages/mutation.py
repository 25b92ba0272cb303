"""Section 2.4: faults put into working functions at nodes of their trees, alike in all languages with C's syntax.

Whether a change is a fault at all is decided by running it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from datasets_builders.synthesis.program_analysis.other_languages.syntax import (
    Edit,
    edited,
    field_text,
    nodes_of,
    text_of,
    tree_of,
)
from evals.tasks.syntax import packages_used

if TYPE_CHECKING:
    from tree_sitter import Node

_OPERATORS = {
    "<": ("<=", ">"), "<=": ("<", ">="), ">": (">=", "<"), ">=": (">", "<="), "==": ("!=",), "!=": ("==",),
    "===": ("!==",), "!==": ("===",), "+": ("-",), "-": ("+",), "*": ("+",), "/": ("*",), "%": ("/",), "&&": ("||",),
    "||": ("&&",), "&": ("|",), "|": ("&",), "^": ("&",), "<<": (">>",), ">>": ("<<",), ">>>": ("<<",), "??": ("&&",),
    "+=": ("-=",), "-=": ("+=",), "*=": ("+=",), "/=": ("*=",), "|=": ("&=",), "&=": ("|=",), "<<=": (">>=",),
    ">>=": ("<<=",), "++": ("--",), "--": ("++",),
}  # fmt: skip
_OPERATOR_NAMES = {
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!=", "===", "!=="), "comparison"),
    **dict.fromkeys(("&&", "||", "??"), "boolean operator"),
    **dict.fromkeys(("+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "++", "--"), "assignment operator"),
}
_WITH_OPERATORS = frozenset(
    [
        "binary_expression",
        "assignment_expression",
        "augmented_assignment_expression",
        "assignment_statement",
        "update_expression",
        "inc_statement",
        "dec_statement",
    ]
)
_NUMBERS = frozenset(["number", "decimal_integer_literal", "int_literal", "number_literal"])
_STATEMENTS = frozenset(
    [
        "expression_statement",
        "assignment_statement",
        "inc_statement",
        "dec_statement",
        "if_statement",
        "throw_statement",
    ]
)
_BLOCKS = frozenset(["statement_block", "block", "compound_statement", "statement_list"])
_ARGUMENTS = frozenset(["arguments", "argument_list"])
_TERNARIES = frozenset(["ternary_expression", "conditional_expression"])
_NOT = frozenset(["unary_expression"])
_TWINS = {
    "min": "max", "max": "min", "Min": "Max", "Max": "Min", "floor": "ceil", "ceil": "floor", "Floor": "Ceil",
    "Ceil": "Floor", "round": "floor", "some": "every", "every": "some", "anyMatch": "allMatch",
    "allMatch": "anyMatch", "push": "unshift", "unshift": "push", "pop": "shift", "shift": "pop",
    "startsWith": "endsWith", "endsWith": "startsWith", "HasPrefix": "HasSuffix", "HasSuffix": "HasPrefix",
    "TrimPrefix": "TrimSuffix", "TrimSuffix": "TrimPrefix", "TrimLeft": "TrimRight", "TrimRight": "TrimLeft",
    "indexOf": "lastIndexOf", "lastIndexOf": "indexOf", "Index": "LastIndex", "IndexByte": "LastIndexByte",
    "toUpperCase": "toLowerCase", "toLowerCase": "toUpperCase", "ToUpper": "ToLower", "ToLower": "ToUpper",
    "toupper": "tolower", "tolower": "toupper", "trimStart": "trimEnd", "trimEnd": "trimStart", "isUpperCase":
    "isLowerCase", "isLowerCase": "isUpperCase", "IsUpper": "IsLower", "IsLower": "IsUpper", "isDigit": "isLetter",
    "isLetter": "isDigit", "isupper": "islower", "islower": "isupper", "isdigit": "isalpha", "isalpha": "isdigit",
    "addFirst": "addLast", "addLast": "addFirst", "getFirst": "getLast", "getLast": "getFirst", "front": "back",
    "back": "front", "find": "rfind", "rfind": "find", "sin": "cos", "cos": "sin", "padStart": "padEnd",
    "padEnd": "padStart", "slice": "splice", "keys": "values", "values": "keys", "reduce": "reduceRight",
    "and": "or", "or": "and", "parseInt": "parseFloat",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A function with one faulty place: the kind of change, the whole faulty text, the changed line (from 1)."""

    operator: str
    function: str
    line: int


def mutate(sample: ProgramSample, num_mutants: int, seed: int) -> list[Mutant]:
    """Return faulty versions of a function, one edit each, of operators as varied as the text allows.

    Args:
        sample (`ProgramSample`): the function.
        num_mutants (`int`): how many at most.
        seed (`int`): chooses among the places.

    Returns:
        `list[Mutant]`: different texts; whether they compile is not known.
    """
    data = sample.function.encode()
    shift, root = _tree_in_program(sample)
    names = [parameter.name for parameter in sample.parameters]
    types = {parameter.name: parameter.type for parameter in sample.parameters}
    edits = [
        (operator, Edit(edit.start - shift, edit.end - shift, edit.text))
        for node in nodes_of(root)
        if node.start_byte >= shift and node.end_byte <= shift + len(data)
        for operator, edit in _edits(node, names, types)
    ]
    edits = [(operator, edit) for operator, edit in edits if edit.start >= 0 and edit.end <= len(data)]
    edits.sort(key=lambda pair: hashlib.sha256(f"{seed}\0{sample.function}\0{pair}".encode()).digest())
    queues: dict[str, list[Edit]] = {}
    for operator, edit in edits:
        queues.setdefault(operator, []).append(edit)
    mutants: list[Mutant] = []
    seen = {_squeezed(sample.function)}
    while queues and len(mutants) < num_mutants:
        for operator in list(queues):  # in turns, so that none crowds out the others
            edit = queues[operator].pop(0)
            if not queues[operator]:
                del queues[operator]
            text = edited(data, [edit])
            if sample.language == "Go" and _drops_import(sample, text):
                continue
            if len(mutants) < num_mutants and _squeezed(text) not in seen:
                seen.add(_squeezed(text))
                mutants.append(Mutant(operator, text, data.count(b"\n", 0, edit.start) + 1))
    return mutants


def _drops_import(sample: ProgramSample, function: str) -> bool:
    """Return whether a package is used no more: such a program compiles only among others, where it is observed."""
    return not packages_used(sample.code) <= packages_used(sample.with_function(function).code)


def _tree_in_program(sample: ProgramSample) -> tuple[int, Node]:
    """Return where the function begins in its program, and the program's tree: a method alone is no Java."""
    return len(sample.before.encode()), tree_of(sample.language, sample.code)


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _edits(node: Node, names: list[str], types: dict[str, str]) -> Iterator[tuple[str, Edit]]:
    kind = node.type
    if kind in _WITH_OPERATORS:
        for child in node.children:
            twins = _OPERATORS.get(child.type, ()) if not child.is_named or child.type == "operator" else ()
            for twin in twins:
                yield _OPERATOR_NAMES.get(child.type, "arithmetic operator"), _replace(child, twin)
    elif kind in _NUMBERS:
        yield from _number_edits(node)
    elif kind in ("true", "false"):
        yield "boolean constant", _replace(node, "false" if kind == "true" else "true")
    elif kind in _TERNARIES:
        first, second = node.child_by_field_name("consequence"), node.child_by_field_name("alternative")
        if first is not None and second is not None:
            middle = (node.text or b"")[first.end_byte - node.start_byte : second.start_byte - node.start_byte].decode()
            text = f"{text_of(second)}{middle}{text_of(first)}"
            yield "swapped branches", Edit(first.start_byte, second.end_byte, text)
    elif kind in _NOT and field_text(node, "operator") == "!":
        operand = node.child_by_field_name("argument") or node.child_by_field_name("operand")
        if operand is not None:
            yield "dropped not", Edit(node.start_byte, operand.start_byte, "")
    elif kind in ("break_statement", "continue_statement") and node.named_child_count == 0:
        word, twin = ("break", "continue") if kind == "break_statement" else ("continue", "break")
        if kind == "continue_statement" or not _is_in_switch(node):
            yield "loop control", Edit(node.start_byte, node.start_byte + len(word), twin)
    elif kind in _ARGUMENTS:
        yield from _argument_edits(node)
    elif kind in ("identifier", "property_identifier", "field_identifier") and text_of(node) in _TWINS:
        if _is_called(node):
            yield "wrong function", _replace(node, _TWINS[text_of(node)])
    elif kind == "identifier" and text_of(node) in names and _is_read(node):
        for other in names:
            if other != text_of(node) and types[other] == types[text_of(node)]:
                yield "wrong variable", _replace(node, other)
    if _is_droppable(node):
        yield "dropped statement", Edit(node.start_byte, node.end_byte, "")
    if kind == "if_statement":
        inner = node.child_by_field_name("consequence")
        if node.child_by_field_name("alternative") is not None and inner is not None:
            yield "dropped branch", Edit(inner.end_byte, node.end_byte, "")


def _is_droppable(node: Node) -> bool:
    """Return whether a whole statement may go: not an `if` that only chooses between two ways of going on."""
    if node.type not in _STATEMENTS or node.parent is None or node.parent.type not in _BLOCKS:
        return False
    if node.type != "if_statement":
        return True
    return "return" in text_of(node) or node.child_by_field_name("alternative") is None


def _replace(node: Node, text: str) -> Edit:
    return Edit(node.start_byte, node.end_byte, text)


def _number_edits(node: Node) -> Iterator[tuple[str, Edit]]:
    if re.fullmatch(r"\d{1,9}", text_of(node)) and not text_of(node).startswith("00"):
        value = int(text_of(node))
        yield "off by one", _replace(node, str(value + 1))
        if value > 0:
            yield "off by one", _replace(node, str(value - 1))


def _argument_edits(node: Node) -> Iterator[tuple[str, Edit]]:
    arguments = node.named_children
    if len(arguments) == 2 and text_of(arguments[0]) != text_of(arguments[1]):
        first, second = arguments
        middle = (node.text or b"")[first.end_byte - node.start_byte : second.start_byte - node.start_byte].decode()
        if re.fullmatch(r"\s*,\s*", middle):
            text = f"{text_of(second)}{middle}{text_of(first)}"
            yield "swapped arguments", Edit(first.start_byte, second.end_byte, text)


def _is_in_switch(node: Node) -> bool:
    parent = node.parent
    while parent is not None and "for" not in parent.type and "while" not in parent.type and parent.type != "do":
        if "switch" in parent.type or "case" in parent.type:
            return True
        parent = parent.parent
    return False


def _is_called(node: Node) -> bool:
    parent = node.parent
    if parent is None:
        return False
    if parent.type == "method_invocation":
        return parent.child_by_field_name("name") == node
    if parent.type in ("member_expression", "selector_expression", "field_expression", "qualified_identifier"):
        return parent.parent is not None and parent.parent.child_by_field_name("function") == parent
    return parent.child_by_field_name("function") == node


def _is_read(node: Node) -> bool:
    """Return whether an identifier stands for a value that is read, not for what is being declared or assigned."""
    parent = node.parent
    if parent is None or "parameter" in parent.type or "declarator" in parent.type:
        return False
    if parent.type in ("method_invocation", "field_access") and parent.child_by_field_name("name") == node:
        return False
    left = parent.child_by_field_name("left")
    named = parent.child_by_field_name("name")
    return node not in (left, named) and "declaration" not in parent.type
