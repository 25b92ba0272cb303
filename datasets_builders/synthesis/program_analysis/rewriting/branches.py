"""Section 2.4 (refactoring): `if` and conditional expressions, early returns, De Morgan's laws."""

from __future__ import annotations

import ast
import re

from datasets_builders.synthesis.program_analysis.mutation.expressions import negated
from datasets_builders.synthesis.program_analysis.rewriting.patterns import (
    Found,
    has_walrus,
    is_single_line,
    whole_lines,
)
from datasets_builders.synthesis.program_analysis.source_text import (
    LEAVING_STATEMENTS,
    Edit,
    SourceText,
    blocks,
)


def _same_destination(first: ast.stmt, second: ast.stmt, source: SourceText) -> str | None:
    """Return what stands before both values, such as `return ` or `x = `."""
    if isinstance(first, ast.Return) and isinstance(second, ast.Return) and first.value and second.value:
        return "return "
    if (
        isinstance(first, ast.Assign)
        and isinstance(second, ast.Assign)
        and len(first.targets) == len(second.targets) == 1
    ):
        left, right = source.slice(first.targets[0]), source.slice(second.targets[0])
        return f"{left} = " if left == right else None
    return None


def if_to_conditional(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for if and else that assign or return one thing each."""
    for node in ast.walk(root):
        if not isinstance(node, ast.If) or len(node.body) != 1 or len(node.orelse) != 1 or has_walrus(node):
            continue
        if source.slice(node)[:4] == "elif" or "#" in source.slice(node) or not source.owns_its_lines(node):
            continue
        first, second = node.body[0], node.orelse[0]
        before = _same_destination(first, second, source)
        if before is None or not isinstance(first, ast.Assign | ast.Return) or not isinstance(second, type(first)):
            continue
        values = [value for value in (first.value, second.value) if value is not None]
        if any(isinstance(value, ast.IfExp | ast.Lambda | ast.Tuple) for value in values):
            continue
        made = f"{source.slice(values[0])} if {source.slice(node.test)} else {source.slice(values[1])}"
        text = f"{source.indentation(node)}{before}{made}\n"
        if is_single_line(made) and len(text) <= 120:
            yield [Edit("", *whole_lines(source, node), text)], {}


def conditional_to_if(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a conditional expression that is assigned or returned."""
    for block in blocks(root):
        for node in block:
            if not isinstance(node, ast.Assign | ast.Return) or not isinstance(node.value, ast.IfExp):
                continue
            if not source.owns_its_lines(node) or (isinstance(node, ast.Assign) and len(node.targets) != 1):
                continue
            before = "return " if isinstance(node, ast.Return) else f"{source.slice(node.targets[0])} = "
            value, indent = node.value, source.indentation(node)
            lines = (
                f"if {source.slice(value.test)}:",
                f"    {before}{source.slice(value.body)}",
                "else:",
                f"    {before}{source.slice(value.orelse)}",
            )
            if is_single_line(source.slice(value)):
                text = "".join(f"{indent}{line}\n" for line in lines)
                yield [Edit("", *whole_lines(source, node), text)], {}


def early_return(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for an else behind a branch that leaves."""
    for node in ast.walk(root):
        if not isinstance(node, ast.If) or not node.orelse or not isinstance(node.body[-1], LEAVING_STATEMENTS):
            continue
        if source.slice(node)[:4] == "elif" or not source.owns_its_lines(node):
            continue
        body_end, (start, end) = source.span(node.body[-1])[1], source.span_of_all(node.orelse)
        if isinstance(node.orelse[0], ast.If) and source.slice(node.orelse[0])[:4] == "elif":
            place = source.start(node.orelse[0])
            yield [Edit("", place, place + len("elif"), "if")], {}
        elif re.fullmatch(r"\s*else\s*:\s*", source.text(body_end, start)):
            text = source.indented(start, end, source.indentation(node.orelse[0]), source.indentation(node))
            if text is not None:
                yield [Edit("", body_end, end, text)], {}


def de_morgan(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for `not (a and b)`, and for `not a and not b`."""
    for node in ast.walk(root):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and isinstance(node.operand, ast.BoolOp):
            opposite = negated(node.operand, source)
            if opposite is not None:
                yield (
                    [Edit("", source.start(node), source.end(node), f"({opposite})")],
                    {"expression": source.slice(node)},
                )
        elif isinstance(node, ast.BoolOp) and all(
            isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not) for value in node.values
        ):
            opposite = negated(node, source)
            if opposite is not None and is_single_line(opposite):
                yield (
                    [Edit("", source.start(node), source.end(node), f"not ({opposite})")],
                    {"expression": source.slice(node)},
                )
