"""Section 3.2.4: what two answers must be to make a pair: of the type asked for, and far enough from each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# What an annotation or a call of a builtin says about the type of a value.
_NAMED = frozenset(("int", "float", "str", "bool", "bytes", "list", "dict", "tuple", "set", "frozenset", "complex"))
_CALLS = {name: name for name in _NAMED}
_CALLS |= {"len": "int", "sorted": "list", "any": "bool", "all": "bool", "isinstance": "bool", "repr": "str"}
_EXPRESSIONS: dict[type[ast.expr], str] = {
    ast.Compare: "bool",
    ast.JoinedStr: "str",
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.SetComp: "set",
    ast.Tuple: "tuple",
}


def edit_similarity(first: str, second: str, at_least: float = 0.0) -> float:
    """Return one minus the Levenshtein distance over the longer length; 0 where it is below `at_least`.

    With a high `at_least` only a band around the diagonal is looked at, so that long texts take linear time.
    """
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_similarity(first, second, score_cutoff=at_least))


def value_type(text: str) -> str | None:
    """Return the name of the type of a Python literal, None for what is none."""
    try:
        return type(ast.literal_eval(text)).__name__
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def plain_type(program: str, function: str) -> str | None:
    """Return the type that whoever reads a function knows its value to have, None where the code leaves it open.

    The type is plain where the annotation names a builtin, or where each `return` is an expression of the same type
    and the function cannot end without one.

    Args:
        program (`str`): source text that defines the function.
        function (`str`): its name.
    """
    found = [
        node
        for node in ast.parse(program).body
        if isinstance(node, ast.FunctionDef) and node.name == function and not _is_generator(node)
    ]
    if not found:
        return None
    node = found[-1]
    if node.returns is not None:
        named = node.returns.value if isinstance(node.returns, ast.Subscript) else node.returns
        return named.id if isinstance(named, ast.Name) and named.id in _NAMED else None
    types = {_expression_type(part.value) for part in _own_nodes(node) if isinstance(part, ast.Return)}
    if len(types) != 1 or not isinstance(node.body[-1], ast.Return | ast.Raise):
        return None
    return types.pop()


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Give the nodes of a function without those of the functions in it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


def _is_generator(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function))


def _expression_type(value: ast.expr | None) -> str | None:
    if isinstance(value, ast.Constant):
        return type(value.value).__name__
    if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not):
        return "bool"
    if isinstance(value, ast.Call):
        return _CALLS.get(value.func.id) if isinstance(value.func, ast.Name) else None
    return _EXPRESSIONS.get(type(value)) if value is not None else None
