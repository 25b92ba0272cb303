"""Section 2.4 (refactoring): what the patterns of rewrites have in common."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

from datasets_builders.synthesis.program_analysis.source_text import Edit, SourceText, blocks

# What a pattern finds: the edits, and words for the task.
Found: TypeAlias = Iterator[tuple[list[Edit], dict[str, str]]]


def whole_lines(source: SourceText, *statements: ast.stmt) -> tuple[int, int]:
    """Return the whole lines of statements, the comment above them aside."""
    return source.line_start(statements[0].lineno), source.span(statements[-1])[1]


def neighbors(root: ast.AST, source: SourceText) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Yield statements that follow one another in a block, on lines of their own and without a comment between."""
    for block in blocks(root):
        for first, second in pairwise(block):
            comments = source.text(source.end(first), source.start(second))
            if source.owns_its_lines(first) and source.owns_its_lines(second) and "#" not in comments:
                yield first, second


def assigned_name(node: ast.stmt) -> str:
    """Return the one plain name that a statement assigns, or an empty text."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return ""


def is_read_behind(root: ast.AST, names: set[str], node: ast.stmt) -> bool:
    """Return whether one of the names is read behind a statement with the value that it had there."""
    inside = set(map(id, ast.walk(node)))
    uses = [part for part in ast.walk(root) if isinstance(part, ast.Name) and part.id in names]
    for read in uses:
        if isinstance(read.ctx, ast.Load) and id(read) not in inside and read.lineno > node.lineno:
            # A comprehension binds its names behind the place where it reads them.
            stores = [part for part in uses if not isinstance(part.ctx, ast.Load) and part.lineno <= read.lineno]
            last = max((part for part in stores if part.id == read.id), key=lambda part: part.lineno, default=None)
            if last is None or id(last) in inside:
                return True
    return False


def has_walrus(node: ast.AST) -> bool:
    """Return whether code binds names or gives control away inside an expression."""
    return any(isinstance(part, ast.NamedExpr | ast.Yield | ast.YieldFrom | ast.Await) for part in ast.walk(node))


def is_single_line(text: str) -> bool:
    """Return whether a text has one line."""
    return "\n" not in text


def singular(name: str) -> str:
    """Return the singular of a plural name, empty where it is none."""
    if re.fullmatch(r"[a-z_]*[a-z]ies", name):
        return f"{name[:-3]}y"
    if re.fullmatch(r"[a-z_]*(?:ch|sh|x|ss)es", name):
        return name[:-2]
    if re.fullmatch(r"[a-z_]{2,}[a-rt-z]s", name) and not name.endswith(("us", "is", "args")):
        return name[:-1]
    return ""
