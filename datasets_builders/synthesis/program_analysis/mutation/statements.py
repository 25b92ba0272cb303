"""Section 2.4: faults in the structure of a function: statements left out, in the wrong order or at the wrong depth.

Whole lines are moved and removed, comments with the statement they stand above. A fault that a linter would name
(a name that nothing binds, code that nothing reaches) is not made: it would be found without understanding.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from datasets_builders.synthesis.program_analysis.source_text import (
    LEAVING_STATEMENTS,
    SIMPLE_STATEMENTS,
    Edit,
    SourceText,
    blocks,
    bound_names,
    parameters,
    read_names,
)

_REMOVED_NAMES: dict[type[ast.stmt], str] = {
    ast.Assign: "removed assignment",
    ast.AugAssign: "removed assignment",
    ast.Expr: "removed call",
    ast.For: "removed loop",
    ast.While: "removed loop",
    ast.If: "removed branch",
    ast.Raise: "removed statement",
    ast.Delete: "removed statement",
    ast.Continue: "removed statement",
    ast.Break: "removed statement",
}


class _Names:
    """How often a definition binds each name, to tell whether one is left without."""

    def __init__(self, root: ast.stmt) -> None:
        self.always = set(parameters(root)) if isinstance(root, ast.FunctionDef) else set()
        # `x += 1` needs a value that was there.
        increased = {id(node.target) for node in ast.walk(root) if isinstance(node, ast.AugAssign)}
        names = [node for node in ast.walk(root) if isinstance(node, ast.Name)]
        self.stored = [node for node in names if not isinstance(node.ctx, ast.Load) and id(node) not in increased]
        self.read = [node for node in names if isinstance(node.ctx, ast.Load)]

    def stay_bound_without(self, removed: ast.stmt) -> bool:
        """Return whether every name that the statement binds is bound elsewhere, or read nowhere else."""
        bound = bound_names(removed) - self.always
        if not bound:
            return True
        inside = set(map(id, ast.walk(removed)))
        still_bound = {node.id for node in self.stored if id(node) not in inside}
        still_read = {node.id for node in self.read if id(node) not in inside}
        return not (bound & still_read) - still_bound


def statement_edits(root: ast.stmt, source: SourceText) -> Iterator[Edit]:
    """Yield the edits of whole statements that a definition allows.

    Args:
        root (`ast.stmt`): a function or a class.
        source (`SourceText`): its text.
    """
    names = _Names(root)
    for block in blocks(root):
        if all(source.owns_its_lines(statement) for statement in block):
            yield from _removals(block, source, names)
            yield from _swaps(block, source)
            yield from _moves(block, source)
    for node in ast.walk(root):
        if isinstance(node, ast.If):
            yield from _branch_edits(node, source, names)
        elif isinstance(node, ast.While) and not node.orelse and not _leaves_loop(node):
            start = source.start(node)
            yield Edit("loop became condition", start, start + len("while"), "if")
        elif isinstance(node, ast.Try):
            yield from _try_edits(node, source)
        elif isinstance(node, ast.Break | ast.Continue):
            twin = "continue" if isinstance(node, ast.Break) else "break"
            yield Edit("loop control", source.start(node), source.end(node), twin)
        elif isinstance(node, ast.ClassDef):
            yield from _class_edits(node, source)


def _leaves_loop(node: ast.While) -> bool:
    return any(isinstance(part, ast.Break | ast.Continue) for part in ast.walk(node))


def _removals(block: list[ast.stmt], source: SourceText, names: _Names) -> Iterator[Edit]:
    if len(block) < 2:
        return
    for statement in block:
        operator = _REMOVED_NAMES.get(type(statement))
        if operator is None or not names.stay_bound_without(statement):
            continue
        if isinstance(statement, ast.If) and source.text(source.start(statement), source.end(statement))[:4] == "elif":
            continue
        yield Edit(operator, *source.span(statement), "")


def _swaps(block: list[ast.stmt], source: SourceText) -> Iterator[Edit]:
    for number in range(len(block) - 1):
        for length, operator in ((2, "swapped statements"), (3, "shuffled statements")):
            group = block[number : number + length]
            if len(group) < length or any(isinstance(statement, LEAVING_STATEMENTS) for statement in group):
                continue
            if length == 3 and not all(isinstance(statement, SIMPLE_STATEMENTS) for statement in group):
                continue
            if _reads_too_early(group):
                continue
            spans = [source.span(statement) for statement in group]
            if any(first[1] > second[0] for first, second in pairwise(spans)):
                continue
            texts = [source.text(*span) for span in spans]
            gaps = [source.text(first[1], second[0]) for first, second in pairwise(spans)] + [""]
            moved = [*texts[1:], texts[0]]
            text = "".join(part + gap for part, gap in zip(moved, gaps, strict=True))
            yield Edit(operator, spans[0][0], spans[-1][1], text)


def _reads_too_early(group: list[ast.stmt]) -> bool:
    """Return whether what moves before the first statement reads a name that this one binds for the first time.

    Only plain bindings count: where the name had a value before, the early read is the fault wanted.
    """
    first, *others = group
    if isinstance(first, ast.AugAssign):
        return False
    new = bound_names(first) - read_names(first)
    return any(new & read_names(other) for other in others) and isinstance(first, ast.Assign | ast.AnnAssign)


def _moves(block: list[ast.stmt], source: SourceText) -> Iterator[Edit]:
    """Move the line behind a loop into it, and a loop's last line out of it."""
    for loop, behind in zip(block, [*block[1:], None], strict=True):
        if not isinstance(loop, ast.For | ast.While) or loop.orelse or not source.owns_its_lines(loop.body[0]):
            continue
        outer, inner = source.indentation(loop), source.indentation(loop.body[0])
        if isinstance(behind, ast.Return | ast.AugAssign | ast.Assign | ast.Expr) and not isinstance(
            loop.body[-1], LEAVING_STATEMENTS
        ):
            start, end = source.span(behind)
            text = source.indented(start, end, outer, inner)
            if text is not None:
                gap_start = source.span(loop)[1]
                # Blank lines between the loop and what belongs to it now go.
                yield Edit("moved into the loop", gap_start, end, source.text(gap_start, start).strip("\n") + text)
        last = loop.body[-1]
        if len(loop.body) > 1 and not isinstance(last, LEAVING_STATEMENTS):
            text = source.indented(*source.span(last), inner, outer)
            if text is not None:
                yield Edit("moved out of the loop", *source.span(last), text)


def _branch_edits(node: ast.If, source: SourceText, names: _Names) -> Iterator[Edit]:
    if not all(source.owns_its_lines(statement) for statement in [*node.body, *node.orelse]):
        return
    is_elif = source.slice(node)[:4] == "elif"
    body = source.span_of_all(node.body)
    if not node.orelse and not is_elif and not any(isinstance(part, ast.NamedExpr) for part in ast.walk(node.test)):
        text = source.indented(*body, source.indentation(node.body[0]), source.indentation(node))
        if text is not None and not isinstance(node.body[-1], LEAVING_STATEMENTS):
            yield Edit("removed condition", source.span(node)[0], body[1], text)
        if len(node.body) > 1 and not isinstance(node.body[-1], LEAVING_STATEMENTS):
            last = source.span(node.body[-1])
            moved = source.indented(*last, source.indentation(node.body[-1]), source.indentation(node))
            if moved is not None:
                yield Edit("moved out of the branch", *last, moved)
    if not node.orelse:
        return
    continues_chain = isinstance(node.orelse[0], ast.If) and source.slice(node.orelse[0])[:4] == "elif"
    if continues_chain:
        start = source.start(node.orelse[0])
        if not isinstance(node.body[-1], LEAVING_STATEMENTS):
            yield Edit("chain cut", start, start + len("elif"), "if")
        return
    other = source.span_of_all(node.orelse)
    if all(names.stay_bound_without(statement) for statement in node.orelse):
        yield Edit("removed else", body[1], other[1], "")
    if source.indentation(node.body[0]) == source.indentation(node.orelse[0]):
        middle = source.text(body[1], other[0])
        if re.fullmatch(r"\s*else\s*:\s*", middle):
            swapped = source.text(*other) + middle + source.text(*body)
            yield Edit("swapped branches", body[0], other[1], swapped)


def _try_edits(node: ast.Try, source: SourceText) -> Iterator[Edit]:
    if node.orelse or node.finalbody or not source.owns_its_lines(node.body[0]):
        return
    text = source.indented(*source.span_of_all(node.body), source.indentation(node.body[0]), source.indentation(node))
    if text is not None:
        yield Edit("removed handler", *source.span(node), text)


def _class_edits(node: ast.ClassDef, source: SourceText) -> Iterator[Edit]:
    """Remove a base class, or a method where a base or a caller may still know one of the name."""
    if node.bases and not node.keywords:
        before = source.text(0, source.start(node.bases[0]))
        after = source.text(source.end(node.bases[0]), source.end(node))
        if len(node.bases) > 1:
            start, end = source.start(node.bases[0]), source.start(node.bases[1])
            yield Edit("removed base class", start, end, "")
        elif before.endswith("(") and (closing := re.match(r"\s*,?\s*\)", after)):
            start, end = source.start(node.bases[0]) - 1, source.end(node.bases[0]) + closing.end()
            yield Edit("removed base class", start, end, "")
    methods = [statement for statement in node.body if isinstance(statement, ast.FunctionDef)]
    if len(methods) > 1 and node.bases:
        for method in methods:
            if source.owns_its_lines(method):
                yield Edit("removed method", *source.span(method), "")
