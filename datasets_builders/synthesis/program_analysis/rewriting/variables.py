"""Section 2.4 (refactoring): variables inlined, extracted and renamed."""

from __future__ import annotations

import ast
import re

from datasets_builders.synthesis.program_analysis.rewriting.patterns import (
    Found,
    assigned_name,
    is_single_line,
    neighbors,
    singular,
    whole_lines,
)
from datasets_builders.synthesis.program_analysis.source_text import (
    Edit,
    SourceText,
    blocks,
    bound_names,
    parameters,
    read_names,
)


def inline_variable(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a variable that the next statement reads once, and nothing else."""
    for first, second in neighbors(root, source):
        name = assigned_name(first)
        if not name or not isinstance(second, ast.Return | ast.Assign) or second.value is None:
            continue
        assert isinstance(first, ast.Assign)
        uses = [part for part in ast.walk(root) if isinstance(part, ast.Name) and part.id == name]
        reads = [part for part in ast.walk(second.value) if isinstance(part, ast.Name) and part.id == name]
        nested = any(isinstance(part, ast.Lambda | ast.comprehension | ast.JoinedStr) for part in ast.walk(second))
        if len(uses) != 2 or len(reads) != 1 or nested or not is_single_line(source.slice(first.value)):
            continue
        text = source.slice(first.value) if second.value is reads[0] else source.operand(first.value)
        yield (
            [
                Edit("", *whole_lines(source, first), ""),
                Edit("", source.start(reads[0]), source.end(reads[0]), text),
            ],
            {"variable": name},
        )


def extract_variable(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a call that a statement writes twice, where nothing can come between."""
    taken = bound_names(root) | read_names(root) | set(parameters(root))
    for block in blocks(root):
        for statement in block:
            if not isinstance(statement, ast.Assign | ast.Return | ast.Expr | ast.If) or not source.owns_its_lines(
                statement
            ):
                continue
            expression = statement.test if isinstance(statement, ast.If) else statement.value
            if expression is None or source.slice(statement)[:4] == "elif":
                continue
            found: dict[str, list[ast.Call]] = {}
            for part in ast.walk(expression):
                if isinstance(part, ast.Lambda | ast.comprehension | ast.JoinedStr):
                    found = {}
                    break
                if isinstance(part, ast.Call):
                    found.setdefault(source.slice(part), []).append(part)
            for text, calls in found.items():
                if len(calls) > 1 and is_single_line(text):
                    called = calls[0].func.attr if isinstance(calls[0].func, ast.Attribute) else text.split("(")[0]
                    name = {"len": "length"}.get(called, f"{called}_value" if called.isidentifier() else "")
                    if not name or name in taken or not called.islower():
                        continue
                    line = source.line_start(statement.lineno)
                    edits = [Edit("", source.start(call), source.end(call), name) for call in calls]
                    yield (
                        [Edit("", line, line, f"{source.indentation(statement)}{name} = {text}\n"), *edits],
                        {
                            "expression": text,
                            "variable": name,
                        },
                    )


def rename_variable(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a loop variable of one or two letters over something with a plural name, and a short name of a len."""
    taken = bound_names(root) | read_names(root) | set(parameters(root))
    for node in ast.walk(root):
        old, new = "", ""
        if isinstance(node, ast.For | ast.comprehension):
            target, over = node.target, node.iter
            if isinstance(over, ast.Call) and source.slice(over.func) == "enumerate" and isinstance(target, ast.Tuple):
                target, over = target.elts[-1], over.args[0]
            if isinstance(target, ast.Name) and isinstance(over, ast.Name | ast.Attribute):
                old = target.id
                new = singular(over.id if isinstance(over, ast.Name) else over.attr)
        elif isinstance(node, ast.Assign) and (name := assigned_name(node)):
            found = re.fullmatch(r"len\((\w+)\)", source.slice(node.value))
            if found:
                old, new = name, f"num_{found[1]}"
        if not new or new in taken or len(old) > 2 or old in parameters(root) or old == "_":
            continue
        uses = [part for part in ast.walk(root) if isinstance(part, ast.Name) and part.id == old]
        strings = [part for part in ast.walk(root) if isinstance(part, ast.JoinedStr)]
        if not any(part.id == old for text in strings for part in ast.walk(text) if isinstance(part, ast.Name)):
            edits = [Edit("", source.start(part), source.end(part), new) for part in uses]
            yield edits, {"variable": old, "name": new}
