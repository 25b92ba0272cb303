"""Section 2.4: recorded calls as text: which statement ran, what it changed, which way a condition went.

An event is a list, as `sandbox_tracer` records it. Two forms are made of events here: `Step`s, which rationales and
questions are written from, and a text with a line an event (`render_trace`), whose grammar stands in the README.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets_builders.synthesis.program_analysis.extraction import source_lines

_COMPOUND = (ast.If, ast.While, ast.For, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef, ast.Match)


@dataclass(frozen=True)
class Statement:
    """A statement of a program: `text` is its source, or its head if it has a body, on one line."""

    node: ast.stmt
    text: str

    @property
    def body(self) -> range | None:
        """The lines of the body, if it has one that does not begin on a line of the head."""
        body = getattr(self.node, "body", None)
        if not isinstance(self.node, _COMPOUND) or not body:
            return None
        first, last = body[0], body[-1]
        return range(_first_line(first), (last.end_lineno or last.lineno) + 1)

    @property
    def has_long_head(self) -> bool:
        """Whether its condition spans lines: how many events it gives is the interpreter's affair."""
        test = getattr(self.node, "test", None)
        return test is not None and (test.end_lineno or test.lineno) > self.node.lineno

    @property
    def is_inline(self) -> bool:
        """Whether the body begins on the line where the head ends: then no event tells the two apart."""
        if not isinstance(self.node, ast.If | ast.While | ast.For):
            return False
        head = self.node.iter if isinstance(self.node, ast.For) else self.node.test
        return _first_line(self.node.body[0]) <= (head.end_lineno or head.lineno)


class Statements:
    """The statements of a program by line.

    Args:
        code (`str`): the program.
    """

    def __init__(self, code: str) -> None:
        lines = _without_comments(code)
        self._by_line: dict[int, Statement] = {}
        # Outer statements come first, so that inner ones take their lines over, but for those on the line of a head.
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.stmt):
                statement = Statement(node, _head_text(node, lines))
                for line in range(_first_line(node), (node.end_lineno or node.lineno) + 1):
                    outer = self._by_line.get(line)
                    if outer is None or not outer.is_inline or line > _first_line(outer.node):
                        self._by_line[line] = statement

    def at(self, line: int) -> Statement | None:
        """Return the innermost statement that a line belongs to."""
        return self._by_line.get(line)


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def _head_text(node: ast.stmt, lines: list[str]) -> str:
    last = node.end_lineno or node.lineno
    body = getattr(node, "body", None)
    if isinstance(node, _COMPOUND) and body and _first_line(body[0]) > node.lineno:
        last = _first_line(body[0]) - 1
    return " ".join(line.strip() for line in lines[node.lineno - 1 : last] if line.strip())


def _without_comments(code: str) -> list[str]:
    lines = source_lines(code)
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines)).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            lines[line - 1] = lines[line - 1][:column].rstrip()
    return lines


@dataclass
class Step:
    """One thing that happened.

    `kind` is that of the event; `depth` counts the frames of the program, the asked call is 1. `changes` are variables
    with their new values (of a call: its arguments), `value` what was returned, yielded or raised. `outcome` is which
    way the condition of an `if` or `while` went, and whether a `for` had another item. `times` counts the runs of the
    statement in its frame so far.
    """

    kind: str
    depth: int
    line: int
    statement: Statement | None = None
    changes: dict[str, str] = field(default_factory=dict)
    value: str = ""
    outcome: bool | None = None
    times: int = 1


def steps_of(statements: Statements, events: Sequence[list[Any]]) -> list[Step]:
    """Return what happened in a recorded call, a step for each run of a statement.

    Args:
        statements (`Statements`): of the program that ran.
        events (`Sequence[list]`): the record.

    Returns:
        `list[Step]`: in order; the lines of a statement that spans several are one step.
    """
    steps: list[Step] = []
    last_of_depth: dict[int, Step] = {}
    runs: dict[tuple[int, int], int] = {}
    for kind, depth, line, *rest in events:
        if kind == "line":
            statement = statements.at(line)
            before = last_of_depth.get(depth)
            if before is not None and statement is not None:
                is_same = before.statement is statement and before.kind == "line"
                if is_same and (_spans_lines(statement) or _is_inside_head(statement, line)):
                    before.changes.update(rest[0])
                    continue
                _settle(before, line)
            key = depth, id(statement)
            runs[key] = runs.get(key, 0) + 1
            step = Step(kind, depth, line, statement, dict(rest[0]), times=runs[key])
            last_of_depth[depth] = step
        elif kind == "call":
            step = Step(kind, depth, line, changes=dict(rest[1]), value=rest[0])
            # A frame of its own: what ran in an earlier one at this depth does not count.
            last_of_depth.pop(depth, None)
            runs = {key: count for key, count in runs.items() if key[0] != depth}
        else:
            step = Step(kind, depth, line, statements.at(line), value=rest[0] if rest else "")
            if kind == "raise":
                # A condition that raises goes neither way.
                last_of_depth.pop(depth, None)
            if kind == "return" and (before := last_of_depth.get(depth)) is not None:
                _settle(before, 0)
        steps.append(step)
    return steps


def _spans_lines(statement: Statement) -> bool:
    node = statement.node
    return not isinstance(node, _COMPOUND) and (node.end_lineno or node.lineno) > node.lineno


def _is_inside_head(statement: Statement, line: int) -> bool:
    """Return whether a line continues the head of a statement with a body."""
    body = statement.body
    return body is not None and statement.node.lineno < line < body.start


def _settle(step: Step, next_line: int) -> None:
    """Note which way a condition or loop went, now that the frame's next line is known (0: it returned)."""
    statement = step.statement
    if statement is None or step.outcome is not None or statement.is_inline or statement.body is None:
        return
    if isinstance(statement.node, ast.If | ast.While | ast.For):
        step.outcome = next_line in statement.body


def condition_text(statement: Statement) -> str:
    """Return the condition of an `if` or `while` as written."""
    return (
        statement.text.removeprefix("elif").removeprefix("if").removeprefix("while").strip().removesuffix(":").strip()
    )


def render_trace(code: str, call: str, events: Sequence[list[Any]]) -> str:
    """Return a recorded call as text, a line an event.

    Args:
        code (`str`): the program that ran.
        call (`str`): the expression.
        events (`Sequence[list]`): the record.

    Returns:
        `str`: in the grammar of the README.
    """
    lines = source_lines(code)
    rows = [f"trace\t0\t{call}\t{{}}"]
    for kind, depth, line, *rest in events:
        if kind == "call":
            facts: dict[str, str] = rest[1]
        elif kind == "line":
            facts = rest[0]
        else:
            facts = {"value": rest[0]} if rest else {}
        source = lines[line - 1].strip().replace("\t", " ")
        rows.append(f"{kind}\t{depth}\t{source}\t{json.dumps(facts, ensure_ascii=False)}")
    return "\n".join(rows)


def parse_trace(text: str) -> Iterator[tuple[str, int, str, dict[str, str]]]:
    """Yield kind, depth, source line and facts of every event of a trace.

    Args:
        text (`str`): as `render_trace` makes it.

    Raises:
        ValueError: a line is no event.
    """
    for number, row in enumerate(text.split("\n"), start=1):
        parts = row.split("\t")
        if len(parts) != 4:
            raise ValueError(f"line {number} of the trace has {len(parts)} fields, but an event has 4: {row[:60]!r}")
        kind, depth, source, facts = parts
        yield kind, int(depth), source, json.loads(facts)
