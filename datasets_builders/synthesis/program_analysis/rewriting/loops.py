"""Section 2.4 (refactoring): loops as comprehensions, sums and tests, `for` as `while`, and back."""

from __future__ import annotations

import ast
import re

from datasets_builders.synthesis.program_analysis.mutation.expressions import negated
from datasets_builders.synthesis.program_analysis.rewriting.patterns import (
    Found,
    assigned_name,
    has_walrus,
    is_read_behind,
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


def _filtered(loop: ast.For) -> tuple[ast.stmt, ast.expr | None] | None:
    """Return the one statement that a loop repeats, and the condition it stands under, if there is no more to it."""
    if loop.orelse or len(loop.body) != 1:
        return None
    inner: ast.stmt = loop.body[0]
    condition: ast.expr | None = None
    if isinstance(inner, ast.If) and not inner.orelse and len(inner.body) == 1:
        condition, inner = inner.test, inner.body[0]
    return inner, condition


def _head(source: SourceText, loop: ast.For, condition: ast.expr | None) -> str:
    test = f" if {source.slice(condition)}" if condition is not None else ""
    return f"for {source.slice(loop.target)} in {source.slice(loop.iter)}{test}"


def loop_to_comprehension(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for `x = []` before a loop that only appends to x."""
    for first, loop in neighbors(root, source):
        name = assigned_name(first)
        if not name or not isinstance(loop, ast.For) or (body := _filtered(loop)) is None:
            continue
        assert isinstance(first, ast.Assign)
        statement, condition = body
        if has_walrus(loop) or is_read_behind(root, bound_names(loop.target), loop) or "#" in source.slice(loop):
            continue
        if condition is not None and name in read_names(condition):
            continue
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and source.slice(first.value) in ("[]", "list()", "set()"):
            method = "append" if source.slice(first.value) != "set()" else "add"
            if source.slice(call.func) != f"{name}.{method}" or len(call.args) != 1 or call.keywords:
                continue
            if name in read_names(call.args[0]) | read_names(loop.iter) or isinstance(call.args[0], ast.Starred):
                continue
            opening, closing = "[]" if method == "append" else "{}"
            made = f"{opening}{source.slice(call.args[0])} {_head(source, loop, condition)}{closing}"
        elif isinstance(statement, ast.Assign) and source.slice(first.value) in ("{}", "dict()"):
            target = statement.targets[0]
            if (
                len(statement.targets) > 1
                or not isinstance(target, ast.Subscript)
                or source.slice(target.value) != name
            ):
                continue
            if name in read_names(target.slice) | read_names(statement.value) | read_names(loop.iter):
                continue
            key, value = source.slice(target.slice), source.slice(statement.value)
            made = f"{{{key}: {value} {_head(source, loop, condition)}}}"
        else:
            continue
        text = f"{source.indentation(first)}{name} = {made}\n"
        if is_single_line(made):
            yield [Edit("", *whole_lines(source, first, loop), text)], {"variable": name}


def comprehension_to_loop(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a list comprehension that is assigned or returned."""
    taken = bound_names(root) | read_names(root) | set(parameters(root))
    for block in blocks(root):
        for statement in block:
            if not isinstance(statement, ast.Assign | ast.Return) or not isinstance(statement.value, ast.ListComp):
                continue
            made = statement.value
            name = assigned_name(statement) or next(text for text in ("result", "values", "found") if text not in taken)
            loop_names = bound_names(made)
            outside = [part for part in ast.walk(root) if isinstance(part, ast.Name)]
            inside = set(map(id, ast.walk(made)))
            if isinstance(statement, ast.Assign) and not assigned_name(statement):
                continue
            if len(made.generators) != 1 or has_walrus(made) or name in read_names(made):
                continue
            if any(part.id in loop_names and id(part) not in inside for part in outside):
                continue
            if not source.owns_its_lines(statement) or not is_single_line(source.slice(made)):
                continue
            generator, indent = made.generators[0], source.indentation(statement)
            depth = "    "
            lines = [
                f"{name} = []",
                f"for {source.slice(generator.target)} in {source.slice(generator.iter)}:",
            ]
            for condition in generator.ifs:
                lines.append(f"{depth}if {source.slice(condition)}:")
                depth += "    "
            lines.append(f"{depth}{name}.append({source.slice(made.elt)})")
            if isinstance(statement, ast.Return):
                lines.append(f"return {name}")
            text = "".join(f"{indent}{line}\n" for line in lines)
            yield [Edit("", *whole_lines(source, statement), text)], {"variable": name}


def for_to_while(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a loop over a range whose counter only the loop reads."""
    for node in ast.walk(root):
        if not isinstance(node, ast.For) or node.orelse or not isinstance(node.target, ast.Name):
            continue
        call = node.iter
        if not isinstance(call, ast.Call) or source.slice(call.func) != "range" or not 1 <= len(call.args) <= 2:
            continue
        counter, parts = node.target.id, list(ast.walk(node))
        if any(isinstance(part, ast.Continue) for part in parts) or is_read_behind(root, {counter}, node):
            continue
        bounds = read_names(call)
        if any(counter in bound_names(part) or bounds & bound_names(part) for part in node.body) or counter == "_":
            continue
        last = source.line_start((node.end_lineno or node.lineno) + 1)
        if not source.owns_its_lines(node) or not source.owns_its_lines(node.body[-1]):
            continue
        start, stop = ("0", call.args[0]) if len(call.args) == 1 else (source.slice(call.args[0]), call.args[1])
        outer, inner = source.indentation(node), source.indentation(node.body[0])
        head = f"{outer}{counter} = {start}\n{outer}while {counter} < {source.slice(stop)}:\n"
        yield (
            [
                Edit("", source.line_start(node.lineno), source.line_start(node.lineno + 1), head),
                Edit("", last, last, f"{inner}{counter} += 1\n"),
            ],
            {"variable": counter},
        )


def while_to_for(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a counter set before a while loop and increased at its end."""
    for first, loop in neighbors(root, source):
        counter = assigned_name(first)
        if not counter or not isinstance(loop, ast.While) or loop.orelse or len(loop.body) < 2:
            continue
        assert isinstance(first, ast.Assign)
        test, last = loop.test, loop.body[-1]
        if not isinstance(test, ast.Compare) or len(test.ops) != 1 or not isinstance(test.ops[0], ast.Lt):
            continue
        if source.slice(test.left) != counter or source.slice(last) != f"{counter} += 1":
            continue
        changed = set().union(*(bound_names(statement) for statement in loop.body[:-1]))
        bounds = read_names(test.comparators[0])
        if changed & (bounds | {counter}) or any(isinstance(part, ast.Continue) for part in ast.walk(loop)):
            continue
        if is_read_behind(root, {counter}, loop):
            continue
        start = source.slice(first.value)
        limits = source.slice(test.comparators[0]) if start == "0" else f"{start}, {source.slice(test.comparators[0])}"
        head = f"{source.indentation(loop)}for {counter} in range({limits}):\n"
        yield (
            [
                Edit("", source.line_start(first.lineno), source.line_start(loop.lineno + 1), head),
                Edit("", *whole_lines(source, last), ""),
            ],
            {"variable": counter},
        )


def index_to_enumerate(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for `for i in range(len(x))` whose body reads x[i]."""
    taken = bound_names(root) | read_names(root) | set(parameters(root))
    for node in ast.walk(root):
        if not isinstance(node, ast.For) or node.orelse or not isinstance(node.target, ast.Name):
            continue
        found = re.fullmatch(r"range\(len\((\w+)\)\)", source.slice(node.iter))
        if not found or any(found[1] in bound_names(part) for part in node.body):
            continue
        text, items = f"{found[1]}[{node.target.id}]", []
        for part in (inner for statement in node.body for inner in ast.walk(statement)):
            if isinstance(part, ast.Subscript) and source.slice(part) == text:
                if not isinstance(part.ctx, ast.Load):
                    break
                items.append(part)
        else:
            item = next(name for name in (singular(found[1]), "item", "value", "entry") if name and name not in taken)
            edits = [Edit("", source.start(part), source.end(part), item) for part in items]
            place = source.start(node.target), source.end(node.iter)
            if items:
                edits.append(Edit("", *place, f"{node.target.id}, {item} in enumerate({found[1]})"))
                yield edits, {"variable": item}


def loop_to_any(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a loop that returns True (or False) on a condition, and the opposite behind it."""
    for loop, behind in neighbors(root, source):
        if not isinstance(loop, ast.For) or not isinstance(behind, ast.Return) or behind.value is None:
            continue
        body = _filtered(loop)
        if body is None or body[1] is None or not isinstance(body[0], ast.Return) or body[0].value is None:
            continue
        inside, outside = source.slice(body[0].value), source.slice(behind.value)
        if has_walrus(loop) or "#" in source.slice(loop) or {inside, outside} != {"True", "False"}:
            continue
        condition: str | None = source.slice(body[1])
        if inside == "False":
            condition = negated(body[1], source)
        if condition is None or not is_single_line(condition):
            continue
        function = "any" if inside == "True" else "all"
        made = f"return {function}({condition} {_head(source, loop, None)})"
        yield (
            [Edit("", *whole_lines(source, loop, behind), f"{source.indentation(loop)}{made}\n")],
            {"function": function},
        )


def loop_to_sum(root: ast.FunctionDef, source: SourceText) -> Found:
    """Look for a number set to 0 before a loop that only adds to it."""
    for first, loop in neighbors(root, source):
        name = assigned_name(first)
        if not name or not isinstance(loop, ast.For) or (body := _filtered(loop)) is None:
            continue
        assert isinstance(first, ast.Assign)
        statement, condition = body
        if source.slice(first.value) != "0" or not isinstance(statement, ast.AugAssign) or "#" in source.slice(loop):
            continue
        if not isinstance(statement.op, ast.Add) or source.slice(statement.target) != name or has_walrus(loop):
            continue
        if name in read_names(statement.value) | read_names(loop.iter) | (
            read_names(condition) if condition else set()
        ):
            continue
        if is_read_behind(root, bound_names(loop.target), loop):
            continue
        made = f"{name} = sum({source.slice(statement.value)} {_head(source, loop, condition)})"
        if is_single_line(made):
            yield (
                [Edit("", *whole_lines(source, first, loop), f"{source.indentation(first)}{made}\n")],
                {"variable": name},
            )
