"""Section 2.4: bugs put into working functions, for code repair.

Each mutation is an edit of a span of the source text, so that formatting and comments stay as they were and the
faulty function looks like one that somebody wrote. Whether it is a bug at all is decided by running it.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

# Operator classes and their faulty twins. Source: ours; the classic first-order mutation operators.
_COMPARISONS: dict[type[ast.cmpop], tuple[str, str, tuple[str, ...]]] = {
    ast.Lt: (r"<", "<", ("<=", ">")),
    ast.LtE: (r"<=", "<=", ("<",)),
    ast.Gt: (r">", ">", (">=", "<")),
    ast.GtE: (r">=", ">=", (">",)),
    ast.Eq: (r"==", "==", ("!=",)),
    ast.NotEq: (r"!=", "!=", ("==",)),
    ast.In: (r"in", "in", ("not in",)),
    ast.NotIn: (r"not\s+in", "not in", ("in",)),
    ast.Is: (r"is", "is", ("is not",)),
    ast.IsNot: (r"is\s+not", "is not", ("is",)),
}
_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "&"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
}
_CALLED_TWINS = {
    "min": "max", "max": "min", "any": "all", "all": "any", "lower": "upper", "upper": "lower", "lstrip": "rstrip",
    "rstrip": "lstrip", "strip": "lstrip", "startswith": "endswith", "endswith": "startswith", "find": "rfind",
    "rfind": "find", "index": "rindex", "partition": "rpartition", "rpartition": "partition", "split": "rsplit",
    "rsplit": "split", "ljust": "rjust", "rjust": "ljust", "floor": "ceil", "ceil": "floor", "append": "extend",
    "keys": "values", "sin": "cos", "cos": "sin", "sorted": "list",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A function with one faulty place.

    `operator` names the kind of mutation, `function` is the whole faulty text, `line` the changed line (from 1).
    """

    operator: str
    function: str
    line: int


@dataclass(frozen=True)
class _Edit:
    operator: str
    start: int
    end: int
    replacement: str
    line: int


class _Source:
    """Byte offsets of syntax nodes: `ast` counts columns in UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self._starts = [0]
        for line in self.data.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def slice(self, node: ast.expr | ast.stmt) -> str:
        return self.data[self.start(node) : self.end(node)].decode()

    def between(self, left: ast.expr | ast.stmt, right: ast.expr | ast.stmt, pattern: str) -> tuple[int, int] | None:
        """Find the operator that stands between two nodes; brackets may surround it, comments may not."""
        first, last = self.end(left), self.start(right)
        gap = self.data[first:last].decode()
        found = re.fullmatch(rf"([\s)\\]*)({pattern})([\s(\\]*)", gap)
        return (first + found.start(2), first + found.end(2)) if found else None

    def line(self, offset: int) -> int:
        return self.data.count(b"\n", 0, offset) + 1


def _edits(node: ast.AST, source: _Source) -> Iterator[_Edit]:
    """Yield the edits possible at one node."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
            pattern, _, twins = _COMPARISONS[type(operator)]
            span = source.between(left, right, pattern)
            if span is None:
                continue
            for twin in twins:
                yield _Edit("comparison", *span, twin, right.lineno)
    elif isinstance(node, ast.BinOp):
        if type(node.op) in _OPERATORS:
            symbol, twin = _OPERATORS[type(node.op)]
            span = source.between(node.left, node.right, re.escape(symbol))
            if span:
                yield _Edit("arithmetic operator", *span, twin, node.left.lineno)
    elif isinstance(node, ast.AugAssign):
        if type(node.op) in _OPERATORS:
            symbol, twin = _OPERATORS[type(node.op)]
            span = source.between(node.target, node.value, re.escape(symbol) + "=")
            if span:
                yield _Edit("assignment operator", *span, f"{twin}=", node.lineno)
    elif isinstance(node, ast.BoolOp):
        symbol, twin = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        span = source.between(node.values[0], node.values[1], symbol)
        # With more than two operands a single swapped word changes the grouping: a bug all the same.
        if span:
            yield _Edit("boolean operator", *span, twin, node.lineno)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _Edit("dropped not", source.start(node), source.start(node.operand), "", node.lineno)
    elif isinstance(node, ast.Constant):
        yield from _constant_edits(node, source)
    elif isinstance(node, ast.IfExp):
        swapped = f"{source.slice(node.orelse)} if {source.slice(node.test)} else {source.slice(node.body)}"
        yield _Edit("swapped branches", source.start(node), source.end(node), swapped, node.lineno)
    elif isinstance(node, ast.If | ast.While):
        negated = f"not ({source.slice(node.test)})"
        yield _Edit("negated condition", source.start(node.test), source.end(node.test), negated, node.lineno)
    elif isinstance(node, ast.Break | ast.Continue):
        twin = "continue" if isinstance(node, ast.Break) else "break"
        yield _Edit("loop control", source.start(node), source.end(node), twin, node.lineno)
    elif isinstance(node, ast.Call):
        yield from _call_edits(node, source)
    elif isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper):
            if bound is not None and not isinstance(bound, ast.Constant):
                yield _Edit("slice bound", source.end(bound), source.end(bound), " + 1", bound.lineno)


def _constant_edits(node: ast.Constant, source: _Source) -> Iterator[_Edit]:
    span = source.start(node), source.end(node)
    if isinstance(node.value, bool):
        yield _Edit("boolean constant", *span, str(not node.value), node.lineno)
    elif isinstance(node.value, int):
        yield _Edit("off by one", *span, str(node.value + 1), node.lineno)
        if node.value > 0:
            yield _Edit("off by one", *span, str(node.value - 1), node.lineno)


def _call_edits(node: ast.Call, source: _Source) -> Iterator[_Edit]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name in _CALLED_TWINS:
        end = source.end(node.func)
        yield _Edit("wrong function", end - len(name), end, _CALLED_TWINS[name], node.lineno)
    if len(node.args) == 2 and not any(isinstance(argument, ast.Starred) for argument in node.args):
        first, second = node.args
        middle = source.data[source.end(first) : source.start(second)].decode()
        if source.slice(first) != source.slice(second) and re.fullmatch(r"\s*,\s*", middle):
            swapped = f"{source.slice(second)}{middle}{source.slice(first)}"
            yield _Edit("swapped arguments", source.start(first), source.end(second), swapped, node.lineno)


def mutate(function: str, num_mutants: int = 12, seed: int = 0) -> list[Mutant]:
    """Return faulty versions of a function, one edit each, of operators as varied as the text allows.

    Args:
        function (`str`): source text of one function.
        num_mutants (`int`): how many to return at most.
        seed (`int`): chooses among the places; the same seed gives the same mutants.

    Returns:
        `list[Mutant]`: all compile, all differ from the original and from each other in their syntax tree.
    """
    source = _Source(function)
    root = ast.parse(function).body[0]
    if not isinstance(root, ast.FunctionDef):
        raise ValueError(f"mutate() takes the text of one function, got a {type(root).__name__}.")
    body = root.body[1:] if ast.get_docstring(root) else root.body
    edits = [edit for statement in body for node in ast.walk(statement) for edit in _edits(node, source)]
    edits.sort(key=lambda edit: hashlib.sha256(f"{seed}\0{function}\0{edit}".encode()).digest())
    mutants: list[Mutant] = []
    seen = {ast.dump(root)}
    for edit in _varied(edits):
        if len(mutants) == num_mutants:
            break
        text = (source.data[: edit.start] + edit.replacement.encode() + source.data[edit.end :]).decode()
        try:
            changed = ast.parse(text).body
            compile(text, "<mutant>", "exec")
        except SyntaxError:
            continue
        if len(changed) == 1 and ast.dump(changed[0]) not in seen:
            seen.add(ast.dump(changed[0]))
            mutants.append(Mutant(edit.operator, text, source.line(edit.start)))
    return mutants


def _varied(edits: list[_Edit]) -> Iterator[_Edit]:
    """Take turns over the operators, so that none crowds out the others."""
    queues: dict[str, list[_Edit]] = {}
    for edit in edits:
        queues.setdefault(edit.operator, []).append(edit)
    while queues:
        for operator in list(queues):
            yield queues[operator].pop(0)
            if not queues[operator]:
                del queues[operator]
