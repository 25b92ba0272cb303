"""Section 2.4: equality that an answer has no say in: an object that claims to equal everything passes no test.

`assert f(3) == 6` asks whatever f returns. So where the right value is a literal, the comparison is made by the
literal's type, all the way down, floats to nine digits. A subclass (a named tuple, a Counter) is still the value that
it holds.
"""

from __future__ import annotations

import ast

NAME = "_ling_same"
TOLERANCE = 1e-9
# Runs in the sandbox, with the builtins as they were before the answer.
HARNESS = f"""
def {NAME}(found, right, _numbers=(bool, int, float, complex)):
    kind = type(right)
    if kind in _numbers:
        other = type(found)
        if kind is float and other in (int, float):
            # Another order of the same operations.
            return abs(found - right) <= {TOLERANCE} * max(1.0, abs(right))
        return kind.__eq__(right, found) is True or (other in _numbers and other.__eq__(found, right) is True)
    if kind in (list, tuple):
        if not isinstance(found, kind) or kind.__len__(found) != len(right):
            return False
        return all({NAME}(*pair) for pair in zip(kind.__iter__(found), right))
    if kind is dict:
        if not isinstance(found, dict) or dict.__len__(found) != len(right):
            return False
        return all(
            dict.__contains__(found, key) and {NAME}(dict.__getitem__(found, key), value)
            for key, value in right.items()
        )
    if kind in (set, frozenset):
        if not isinstance(found, (set, frozenset)) or any(type(item).__eq__ is object.__eq__ for item in found):
            return False
        items = [item for item in found if type(item).__module__ == "builtins"]
        return len(items) == len(right) and kind.__eq__(right, set(items)) is True
    return kind.__eq__(right, found) is True
"""


def with_strict_equality(tests: str) -> str:
    """Return tests whose comparisons with literals are made by the literal.

    Args:
        tests (`str`): asserts, or any code; what does not parse stays as it is.
    """
    try:
        tree = ast.parse(tests)
    except (SyntaxError, ValueError):
        return tests
    changed = _Comparisons()
    tree = changed.visit(tree)
    return f"{HARNESS}\n{ast.unparse(ast.fix_missing_locations(tree))}" if changed.count else tests


class _Comparisons(ast.NodeTransformer):
    """Replace `X == literal` by a call of the harness."""

    def __init__(self) -> None:
        self.count = 0

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """Replace one comparison."""
        self.generic_visit(node)
        if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Eq):
            return node
        left, right = node.left, node.comparators[0]
        if _is_literal(left) and not _is_literal(right):
            left, right = right, left
        if not _is_literal(right):
            return node
        self.count += 1
        return ast.Call(ast.Name(NAME, ast.Load()), [left, right], [])


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
