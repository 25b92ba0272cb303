"""Section 2.4: what a linter would say about a function, so that no fault is one that a linter finds.

A fault must take understanding. One that leaves a name without a value, code that nothing reaches or an operation
without effect is pointed out by any editor.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.source_text import LEAVING_STATEMENTS, parameters

_NEUTRAL: dict[type[ast.operator], int] = {
    ast.Add: 0,
    ast.Sub: 0,
    ast.BitOr: 0,
    ast.LShift: 0,
    ast.RShift: 0,
    ast.Mult: 1,
    ast.Div: 1,
    ast.FloorDiv: 1,
    ast.Pow: 1,
}
_ABSORBING = (ast.Mult, ast.Mod, ast.FloorDiv, ast.Div)


def smells(root: ast.AST) -> Counter[str]:
    """Return how often a piece of code does what a linter would name.

    Args:
        root (`ast.AST`): a function or a class.
    """
    found: Counter[str] = Counter()
    for node in ast.walk(root):
        if isinstance(node, ast.expr | ast.AugAssign | ast.Assign):
            found.update(_expression_smells(node))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.update(_name_smells(node))
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                found["unreachable"] += sum(isinstance(statement, LEAVING_STATEMENTS) for statement in block[:-1])
    return +found


def _expression_smells(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.BinOp | ast.AugAssign):
        operand = node.right if isinstance(node, ast.BinOp) else node.value
        value = operand.value if isinstance(operand, ast.Constant) else None
        if type(value) is int and value == _NEUTRAL.get(type(node.op)):
            yield "no effect"
        if type(value) is int and isinstance(node.op, _ABSORBING) and value in (0, 1):
            yield "no effect"
    sides: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        sides = [node.left, node.right]
    elif isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
    elif isinstance(node, ast.BoolOp):
        sides = node.values
    elif isinstance(node, ast.Call):
        sides = [argument for argument in node.args if not isinstance(argument, ast.Constant)]
    elif isinstance(node, ast.Assign):
        sides = [*node.targets, node.value]
    elif isinstance(node, ast.IfExp):
        sides = [node.body, node.orelse]
    elif isinstance(node, ast.Slice):
        sides = [bound for bound in (node.lower, node.upper) if bound is not None]
    if _has_twins([side for side in sides if not isinstance(side, ast.Constant)]):
        yield "same operand twice"
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        if called in ("isinstance", "getattr", "hasattr", "divmod", "zip", "pow"):
            yield "missing argument"
        if called in ("min", "max") and isinstance(node.args[0], ast.Constant | ast.BinOp):
            yield "missing argument"


def _has_twins(sides: list[ast.expr]) -> bool:
    if len({type(side) for side in sides}) == len(sides):
        return False
    return len({ast.unparse(side) for side in sides}) < len(sides)


def _name_smells(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    given = set(parameters(node))
    first_read: dict[str, int] = {}
    first_bound: dict[str, int] = {}
    other_bound: set[str] = set()
    increased: set[int] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.AugAssign):
            increased.add(id(part.target))
        elif isinstance(part, ast.Name):
            needs_value = isinstance(part.ctx, ast.Load) or id(part) in increased
            places = first_read if needs_value else first_bound
            places[part.id] = min(places.get(part.id, part.lineno), part.lineno)
            if id(part) in increased:
                other_bound.add(part.id)
        elif isinstance(part, ast.ExceptHandler | ast.FunctionDef | ast.ClassDef) and part is not node and part.name:
            first_bound[part.name] = min(first_bound.get(part.name, part.lineno), part.lineno)
    for name in first_bound.keys() | given:
        if name not in first_read and not name.startswith("_"):
            yield "unused name"
    yield from ("never bound" for _ in other_bound - first_bound.keys() - given)
    for name, line in first_bound.items():
        if name not in given and first_read.get(name, line) < line:
            yield "read before bound"
