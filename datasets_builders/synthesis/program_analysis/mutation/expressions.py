"""Section 2.4: faults in expressions, as people make them: operators, constants, names, arguments, conditions.

A condition is negated by flipping its operator, and by De Morgan's laws where it has several parts: the words
`not (` around a whole condition are written by machines, and point at the fault.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.source_text import Edit, SourceText

# Operator classes, how they are written, and their faulty twins.
COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: (r"<", ("<=", ">")),
    ast.LtE: (r"<=", ("<",)),
    ast.Gt: (r">", (">=", "<")),
    ast.GtE: (r">=", (">",)),
    ast.Eq: (r"==", ("!=",)),
    ast.NotEq: (r"!=", ("==",)),
    ast.In: (r"in", ("not in",)),
    ast.NotIn: (r"not\s+in", ("in",)),
    ast.Is: (r"is", ("is not",)),
    ast.IsNot: (r"is\s+not", ("is",)),
}
NEGATED_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: ">=",
    ast.LtE: ">",
    ast.Gt: "<=",
    ast.GtE: "<",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_OPERATORS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "//"),
    ast.FloorDiv: ("//", "/"),
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
# What people leave out: a conversion, an order, a clean-up.
_WRAPPERS = frozenset({"abs", "bool", "float", "int", "list", "reversed", "round", "set", "sorted", "str", "tuple"})
_METHOD_WRAPPERS = frozenset({"casefold", "copy", "lower", "lstrip", "rstrip", "strip", "upper"})
_FIXED_ORDER = frozenset({"delattr", "getattr", "hasattr", "isinstance", "issubclass", "setattr", "map", "filter"})
# Beyond small numbers a neighbour such as 129 gives itself away: taken for it is another number of the function, or
# another customary one.
_MAX_NEIGHBOR = 4
_CUSTOMARY = {
    16: (8, 32), 24: (12, 60), 32: (16, 64), 60: (24, 100), 64: (32, 63), 63: (64,), 80: (79, 72), 79: (80,),
    100: (10, 1000), 127: (128, 255), 128: (127, 256), 255: (256, 127), 256: (255, 128), 365: (366, 360),
    1000: (1024, 100), 1024: (1000, 512), 3600: (60,), 65535: (65536,), 65536: (65535,),
}  # fmt: skip


def walk_code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield nodes whose places in the text are known and whose change matters: no f-strings, no annotations."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from walk_code(child)


def negated(node: ast.expr, source: SourceText) -> str | None:
    """Return the text of a condition's opposite as people write it, None where only `not (...)` would do."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return source.slice(node.operand)
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        right = node.comparators[0]
        found = source.between(node.left, right, COMPARISONS[type(node.ops[0])][0])
        if found is None:
            return None
        operator = NEGATED_COMPARISONS[type(node.ops[0])]
        return source.text(source.start(node), found[0]) + operator + source.text(found[1], source.end(node))
    if isinstance(node, ast.BoolOp):
        return _de_morgan(node, source)
    if isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        return f"not {source.slice(node)}"
    return None


def _de_morgan(node: ast.BoolOp, source: SourceText) -> str | None:
    word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    text, last = "", source.start(node)
    for index, value in enumerate(node.values):
        if isinstance(value, ast.BoolOp | ast.IfExp | ast.Lambda | ast.NamedExpr):
            return None
        opposite = negated(value, source)
        gap = source.text(last, source.start(value))
        if opposite is None or (index and not re.fullmatch(rf"[\s)\\]*\b{word}\b[\s(\\]*", gap)):
            return None
        text += re.sub(rf"\b{word}\b", other, gap) + opposite
        last = source.end(value)
    return text + source.text(last, source.end(node))


def expression_edits(node: ast.AST, source: SourceText) -> Iterator[Edit]:
    """Yield the edits possible at one node of a function's body."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, comparison, right in zip(sides, node.ops, sides[1:], strict=False):
            pattern, faulty = COMPARISONS[type(comparison)]
            if span := source.between(left, right, pattern):
                yield from (Edit("comparison", *span, twin) for twin in faulty)
    elif isinstance(node, ast.BinOp):
        yield from _operator_edits(node, source)
    elif isinstance(node, ast.AugAssign):
        if type(node.op) in _OPERATORS and not _is_text(node.value):
            symbol, twin = _OPERATORS[type(node.op)]
            span = source.between(node.target, node.value, re.escape(symbol) + "=")
            if span:
                yield Edit("assignment operator", *span, f"{twin}=")
                yield Edit("assignment operator", *span, "=")
    elif isinstance(node, ast.BoolOp):
        yield from _boolean_edits(node, source)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield Edit("negated condition", source.start(node), source.start(node.operand), "")
    elif isinstance(node, ast.Constant) and source.slice(node) == str(node.value):  # as 0xff is no decimal
        for replacement in _other_constants(node.value, source):
            operator = "boolean constant" if isinstance(node.value, bool) else "constant"
            yield Edit(operator, source.start(node), source.end(node), replacement)
    elif isinstance(node, ast.IfExp):
        swapped = f"{source.slice(node.orelse)} if {source.slice(node.test)} else {source.slice(node.body)}"
        yield Edit("swapped branches", source.start(node), source.end(node), swapped)
    elif isinstance(node, ast.Call):
        yield from _call_edits(node, source)
    elif isinstance(node, ast.Subscript):
        for bound in _bounds(node):
            yield from _bound_edits(bound, source)
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield from _condition_edits(node.test, source)
    for condition in node.ifs if isinstance(node, ast.comprehension) else ():
        yield from _condition_edits(condition, source)
        before = source.text(0, source.start(condition))
        if found := re.search(r"\s+if\s+$", before):
            yield Edit("removed condition", len(before[: found.start()].encode()), source.end(condition), "")


def _condition_edits(test: ast.expr, source: SourceText) -> Iterator[Edit]:
    # A single comparison or `not` is flipped as an operator of its own.
    opposite = None if isinstance(test, ast.UnaryOp | ast.Compare) else negated(test, source)
    if opposite is not None:
        yield Edit("negated condition", source.start(test), source.end(test), opposite)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _operator_edits(node: ast.BinOp, source: SourceText) -> Iterator[Edit]:
    if type(node.op) not in _OPERATORS:
        return
    symbol, twin = _OPERATORS[type(node.op)]
    span = source.between(node.left, node.right, re.escape(symbol))
    if span is None:
        return
    has_text = _is_text(node.left) or _is_text(node.right)
    if not has_text:
        yield Edit("arithmetic operator", *span, twin)
    # A minus between texts would be plain to see; the wrong order is not.
    matters = isinstance(node.op, ast.Sub | ast.Div | ast.FloorDiv) or (has_text and isinstance(node.op, ast.Add))
    if matters and not isinstance(node.left, ast.BinOp) and not isinstance(node.right, ast.BinOp):
        middle = source.text(source.end(node.left), source.start(node.right))
        swapped = f"{source.slice(node.right)}{middle}{source.slice(node.left)}"
        if middle.strip() == symbol:
            yield Edit("swapped operands", source.start(node.left), source.end(node.right), swapped)


def _boolean_edits(node: ast.BoolOp, source: SourceText) -> Iterator[Edit]:
    word, twin = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    span = source.between(node.values[0], node.values[1], word)
    if span is None:
        return
    yield Edit("boolean operator", *span, twin)
    start, end = source.start(node.values[0]), source.start(node.values[1])
    if source.text(source.end(node.values[0]), end).strip() == word:
        yield Edit("removed condition", start, end, "")
    if len(node.values) == 2:
        first_end, second_end = source.end(node.values[0]), source.end(node.values[1])
        if source.text(first_end, source.start(node.values[1])).strip() == word:
            yield Edit("removed condition", first_end, second_end, "")


def _other_constants(value: object, source: SourceText) -> Iterator[str]:
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, int):
        if 0 <= value <= _MAX_NEIGHBOR:
            yield str(value + 1)
        if 0 < value <= _MAX_NEIGHBOR:
            yield str(value - 1)
        if value > _MAX_NEIGHBOR:
            yield from map(str, (*_CUSTOMARY.get(value, ()), *sorted(source.numbers - {value})))


def _bounds(node: ast.Subscript) -> list[ast.expr]:
    if isinstance(node.slice, ast.Slice):
        return [bound for bound in (node.slice.lower, node.slice.upper) if bound is not None]
    return [node.slice] if isinstance(node.slice, ast.BinOp) else []


def _bound_edits(bound: ast.expr, source: SourceText) -> Iterator[Edit]:
    """Move a bound by one: `end` becomes `end - 1` or `end + 1`, and `end + 1` becomes `end`."""
    if isinstance(bound, ast.BinOp) and isinstance(bound.op, ast.Add | ast.Sub):
        if isinstance(bound.right, ast.Constant) and bound.right.value == 1:
            yield Edit("bound", source.end(bound.left), source.end(bound), "")
    elif isinstance(bound, ast.Name | ast.Attribute | ast.Call | ast.Subscript):
        for sign in "+-":
            yield Edit("bound", source.end(bound), source.end(bound), f" {sign} 1")


def _are_alike(first: ast.expr, second: ast.expr) -> bool:
    """Return whether two arguments could be taken for one another: a text is not taken for a name."""
    return isinstance(first, ast.Constant) == isinstance(second, ast.Constant) and _is_text(first) == _is_text(second)


def _call_edits(node: ast.Call, source: SourceText) -> Iterator[Edit]:
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if name in _CALLED_TWINS:
        end = source.end(node.func)
        yield Edit("wrong function", end - len(name), end, _CALLED_TWINS[name])
    if any(isinstance(argument, ast.Starred) for argument in node.args):
        return
    whole = source.start(node), source.end(node)
    is_wrapper = isinstance(node.func, ast.Name) and name in _WRAPPERS and len(node.args) == 1 and not node.keywords
    if is_wrapper and not isinstance(node.args[0], ast.GeneratorExp | ast.NamedExpr):
        yield Edit("removed wrapper", *whole, source.operand(node.args[0]))
    if not node.args and not node.keywords and isinstance(node.func, ast.Attribute) and name in _METHOD_WRAPPERS:
        yield Edit("removed wrapper", *whole, source.slice(node.func.value))
    if len(node.args) == 2:
        first, second = node.args
        middle = source.text(source.end(first), source.start(second))
        if re.fullmatch(r"\s*,\s*", middle):
            if _are_alike(first, second) and name not in _FIXED_ORDER:
                swapped = f"{source.slice(second)}{middle}{source.slice(first)}"
                yield Edit("swapped arguments", source.start(first), source.end(second), swapped)
            if not node.keywords and isinstance(second, ast.Constant | ast.Name):
                yield Edit("removed argument", source.end(first), source.end(second), "")
            if name == "range":
                yield Edit("removed argument", source.start(first), source.start(second), "")
    if name == "range" and node.args:
        yield from _bound_edits(node.args[-1] if len(node.args) < 3 else node.args[1], source)
