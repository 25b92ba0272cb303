"""Section 2.4: a function's text beside its syntax tree, edited by spans so that the author's layout stays."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

SIMPLE_STATEMENTS = (
    ast.Assign,
    ast.AugAssign,
    ast.AnnAssign,
    ast.Expr,
    ast.Return,
    ast.Raise,
    ast.Assert,
    ast.Delete,
    ast.Pass,
    ast.Break,
    ast.Continue,
)
LEAVING_STATEMENTS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_BLOCK_FIELDS = ("body", "orelse", "finalbody")


@dataclass(frozen=True)
class Edit:
    """Bytes `start` to `end` of a text become `replacement`; `operator` names the kind of change."""

    operator: str
    start: int
    end: int
    replacement: str


class SourceText:
    """The text of one definition: byte offsets of its nodes (`ast` counts columns in UTF-8 bytes) and of its lines."""

    def __init__(self, text: str) -> None:
        self._ends_in_newline = text.endswith("\n")
        self.data = (text if self._ends_in_newline else text + "\n").encode()
        self.lines = self.data.splitlines(keepends=True)
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line))
        self.tree = ast.parse(text)
        # The whole numbers beyond the smallest that the text writes.
        self.numbers = {
            node.value
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Constant) and type(node.value) is int and node.value > 4
        }
        # Lines that begin inside a string are content, not layout: they are never indented anew.
        self._inside_strings = {
            number
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno is not None
            for number in range(node.lineno + 1, node.end_lineno + 1)
        }

    def start(self, node: ast.expr | ast.stmt) -> int:
        """Return the offset of a node's first byte."""
        return self._starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt) -> int:
        """Return the offset behind a node's last byte."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def slice(self, node: ast.expr | ast.stmt) -> str:
        """Return a node's text as written."""
        return self.text(self.start(node), self.end(node))

    def text(self, start: int, end: int) -> str:
        """Return the text between two offsets."""
        return self.data[start:end].decode()

    def between(self, left: ast.expr | ast.stmt, right: ast.expr | ast.stmt, pattern: str) -> tuple[int, int] | None:
        """Find the operator that stands between two nodes; brackets may surround it, comments may not."""
        first, last = self.end(left), self.start(right)
        found = re.fullmatch(rf"([\s)\\]*)({pattern})([\s(\\]*)", self.text(first, last))
        return (first + found.start(2), first + found.end(2)) if found else None

    def operand(self, node: ast.expr) -> str:
        """Return an expression's text for a place where only an operand may stand."""
        text = self.slice(node)
        simple = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant, ast.List, ast.Dict, ast.Set)
        return text if isinstance(node, simple) or text[:1] in "([{" else f"({text})"

    def line_start(self, number: int) -> int:
        """Return the offset at which a line begins; lines count from 1, the one behind the last has an offset too."""
        return self._starts[number - 1]

    def line_number(self, offset: int) -> int:
        """Return the number of the line that holds an offset, from 1."""
        return self.data.count(b"\n", 0, offset) + 1

    def indentation(self, node: ast.stmt) -> str:
        """Return what stands before a statement on its line."""
        return self.text(self._starts[node.lineno - 1], self.start(node))

    def owns_its_lines(self, node: ast.stmt) -> bool:
        """Return whether nothing but spaces and a comment shares the lines of a statement."""
        behind = self.text(self.end(node), self._starts[node.end_lineno or node.lineno])
        return not self.indentation(node).strip() and re.fullmatch(r"\s*(#.*)?\s*", behind) is not None

    def span(self, node: ast.stmt) -> tuple[int, int]:
        """Return the whole lines of a statement, with its decorators and the comment right above it."""
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
        indentation = self.indentation(node).encode()
        while first > 1 and self.lines[first - 2].startswith(indentation + b"#"):
            first -= 1
        return self._starts[first - 1], self._starts[node.end_lineno or node.lineno]

    def span_of_all(self, nodes: Sequence[ast.stmt]) -> tuple[int, int]:
        """Return the whole lines of neighbours in a block."""
        return self.span(nodes[0])[0], self.span(nodes[-1])[1]

    def indented(self, start: int, end: int, change: str, new: str) -> str | None:
        """Return whole lines with the indentation `change` at their front exchanged for `new`, or None."""
        moved = []
        for number in range(self.line_number(start), self.line_number(end)):
            line = self.lines[number - 1].decode()
            if number in self._inside_strings or not line.strip():
                moved.append(line)
            elif line.startswith(change):
                moved.append(new + line[len(change) :])
            else:
                return None
        return "".join(moved)

    def apply(self, edits: Iterable[Edit]) -> str:
        """Return the text after edits that do not overlap.

        Raises:
            ValueError: two of them touch the same bytes.
        """
        data, limit = self.data, len(self.data) + 1
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
            if edit.end > limit:
                raise ValueError(f"two edits touch the same place: {edit}")
            data = data[: edit.start] + edit.replacement.encode() + data[edit.end :]
            limit = edit.start
        text = data.decode()
        return text if self._ends_in_newline else text.removesuffix("\n")


def blocks(root: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the lists of statements below a node, docstrings left out."""
    for node in ast.walk(root):
        for name in _BLOCK_FIELDS:
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                has_docstring = (
                    name == "body"
                    and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                    and ast.get_docstring(node, clean=False) is not None
                )
                if block := block[1:] if has_docstring else block:
                    yield block


def bound_names(node: ast.AST) -> set[str]:
    """Return the names that a piece of code binds by assignment, loops, `with`, imports, handlers and definitions."""
    names: set[str] = set()
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            if not isinstance(part.ctx, ast.Load):
                names.add(part.id)
        elif isinstance(part, ast.ExceptHandler):
            names |= {part.name} if part.name else set()
        elif isinstance(part, ast.FunctionDef | ast.ClassDef):
            names.add(part.name)
        elif isinstance(part, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in part.names}
    return names


def read_names(node: ast.AST) -> set[str]:
    """Return the names that a piece of code reads."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[str]:
    """Return the names of a function's parameters, in order."""
    spec = node.args
    plain = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    return [parameter.arg for parameter in plain if parameter is not None]
