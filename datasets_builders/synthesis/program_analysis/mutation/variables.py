"""Section 2.4: a variable taken for another one of the same type, the slip of whoever copies a line.

A type is told by what is assigned, by defaults and annotations and by what is done with the name. Two names are
alike where these agree; a name of which nothing is known is like no other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.mutation.expressions import walk_code
from datasets_builders.synthesis.program_analysis.source_text import Edit, SourceText, bound_names, parameters

_RESULT_TYPES = {
    "len": "int", "int": "int", "ord": "int", "sum": "int", "find": "int", "index": "int", "count": "int", "abs": "int",
    "str": "str", "repr": "str", "join": "str", "strip": "str", "lstrip": "str", "rstrip": "str", "lower": "str",
    "upper": "str", "replace": "str", "format": "str", "chr": "str", "group": "str",
    "list": "list", "sorted": "list", "split": "list", "splitlines": "list", "range": "list",
    "dict": "dict", "set": "set", "float": "float", "bool": "bool", "startswith": "bool", "endswith": "bool",
}  # fmt: skip
_METHOD_OWNERS = {
    "split": "str", "strip": "str", "lower": "str", "upper": "str", "startswith": "str", "endswith": "str",
    "replace": "str", "find": "str", "rstrip": "str", "lstrip": "str", "join": "str", "partition": "str",
    "append": "list", "extend": "list", "insert": "list", "pop": "list", "sort": "list",
    "items": "dict", "keys": "dict", "values": "dict", "get": "dict", "setdefault": "dict", "add": "set",
}  # fmt: skip
_NAMED = frozenset({"str", "int", "float", "bool", "list", "dict", "set", "bytes", "tuple"})


def _type_of(node: ast.expr | None) -> str:
    """Return the type that an expression's form tells, or an empty text."""
    if isinstance(node, ast.Constant):
        return type(node.value).__name__ if type(node.value).__name__ in _NAMED else ""
    if isinstance(node, ast.JoinedStr):
        return "str"
    if isinstance(node, ast.List | ast.ListComp):
        return "list"
    if isinstance(node, ast.Dict | ast.DictComp):
        return "dict"
    if isinstance(node, ast.Set | ast.SetComp):
        return "set"
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        return _RESULT_TYPES.get(name, "")
    if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Mod):
        return _type_of(node.left) or _type_of(node.right)
    return ""


def types_of_names(root: ast.FunctionDef) -> dict[str, str]:
    """Return the type of every parameter and local variable of which the text tells one type and no other.

    Args:
        root (`ast.FunctionDef`): the function.
    """
    votes: dict[str, set[str]] = {name: set() for name in [*parameters(root), *bound_names(root)]}

    def vote(node: ast.AST | None, kind: str) -> None:
        if isinstance(node, ast.Name) and node.id in votes and kind:
            votes[node.id].add(kind)

    positional = [*root.args.posonlyargs, *root.args.args]
    defaults = zip(reversed(positional), reversed(root.args.defaults), strict=False)
    for parameter, default in [*defaults, *zip(root.args.kwonlyargs, root.args.kw_defaults, strict=True)]:
        votes[parameter.arg] |= {_type_of(default)} - {""}
    for parameter in [*positional, *root.args.kwonlyargs]:
        if isinstance(parameter.annotation, ast.Name) and parameter.annotation.id in _NAMED:
            votes[parameter.arg].add(parameter.annotation.id)
    for node in walk_code(root):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                vote(target, _type_of(node.value))
        elif isinstance(node, ast.AugAssign):
            vote(node.target, _type_of(node.value))
        elif isinstance(node, ast.For) and isinstance(node.iter, ast.Call):
            called = getattr(node.iter.func, "id", "")
            vote(node.target, "int" if called == "range" else "")
            if called == "enumerate" and isinstance(node.target, ast.Tuple):
                vote(node.target.elts[0], "int")
        elif isinstance(node, ast.Attribute):
            vote(node.value, _METHOD_OWNERS.get(node.attr, ""))
        elif isinstance(node, ast.Slice):
            for bound in (node.lower, node.upper):
                vote(bound, "int")
        elif isinstance(node, ast.BinOp | ast.Compare):
            sides = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.left, *node.comparators]
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops):
                continue
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Mult):
                continue
            for side in sides:
                for other in sides:
                    vote(side, _type_of(other) if other is not side else "")
    return {name: kinds.pop() for name, kinds in votes.items() if len(kinds) == 1}


def variable_edits(root: ast.FunctionDef, source: SourceText) -> Iterator[Edit]:
    """Yield the edits that read another variable of the same type, bound before that line.

    Args:
        root (`ast.FunctionDef`): the function.
        source (`SourceText`): its text.
    """
    types = types_of_names(root)
    first_bound = dict.fromkeys(parameters(root), 0)
    for node in walk_code(root):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            first_bound[node.id] = min(first_bound.get(node.id, node.lineno), node.lineno)
    for node in walk_code(root):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in types:
            for other in sorted(types):
                is_bound = first_bound.get(other, node.lineno) < node.lineno
                if other != node.id and types[other] == types[node.id] and is_bound:
                    yield Edit("wrong variable", source.start(node), source.end(node), other)
