"""Section 2.4: a recorded run told in plain English, every value as it was recorded."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Sequence

from datasets_builders.synthesis.program_analysis.questions.question import rationale_styles
from datasets_builders.synthesis.program_analysis.traces import Step, condition_text

_SILENT = (ast.Try, ast.Pass, ast.Global, ast.Nonlocal)
_DEFINITIONS = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def rationale(code: str, call: str, answer: str, steps: Sequence[Step]) -> str:
    """Return the explanation of a call's value, and the value on the last line.

    Args:
        code (`str`): the program.
        call (`str`): the expression.
        answer (`str`): its value.
        steps (`Sequence[Step]`): what happened, from the record.

    Returns:
        `str`: a line a step, those of called functions indented, and `Answer:` with the value.
    """
    styles = rationale_styles()
    digest = hashlib.sha256(f"{code}\0{call}".encode()).digest()
    style = styles[digest[0] % len(styles)]
    lines = []
    for depth, name, values in _sentences(call, steps):
        text = style[name].substitute(values)
        lines.append(text if depth == 0 else f"{'  ' * (depth - 1)}- {text}")
    return "\n".join([*lines, "", style["answer"].substitute(value=answer)])


def _changes(step: Step) -> str:
    return ", ".join(f"`{name} = {value}`" for name, value in step.changes.items())


def _sentences(call: str, steps: Sequence[Step]) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield for each step its depth, the name of its wording, and what stands in it."""
    started = False
    # Statements that wait for what they called.
    waiting: list[Step] = []
    for number, step in enumerate(steps):
        following = steps[number + 1] if number + 1 < len(steps) else None
        while waiting and step.depth <= waiting[-1].depth:
            yield from _line(waiting.pop(), step)
        if step.kind == "call":
            if not started:
                yield 0, "start" if step.changes else "start_bare", {"call": call, "changes": _changes(step)}
                started = True
            else:
                name = "call" if step.changes else "call_bare"
                yield step.depth, name, {"name": step.value, "changes": _changes(step)}
        elif step.kind == "line" and step.statement and following and following.depth > step.depth:
            yield step.depth, "begin", {"statement": step.statement.text}
            waiting.append(step)
        elif step.kind == "line":
            yield from _line(step, following)
        elif step.kind == "return" and not _is_return(step):
            yield step.depth, "fall", {}
        else:
            statement = step.statement.text if step.statement else ""
            yield step.depth, step.kind, {"statement": statement, "value": step.value}


def _is_return(step: Step) -> bool:
    return step.statement is not None and isinstance(step.statement.node, ast.Return)


def _line(step: Step, following: Step | None) -> Iterator[tuple[int, str, dict[str, str]]]:
    statement = step.statement
    if statement is None:
        return
    values = {"statement": statement.text, "changes": _changes(step)}
    # What a statement returns, yields or raises is told once, by the event that follows.
    if following is not None and not step.changes and following.kind in ("return", "yield", "raise"):  # noqa: SIM102
        if following.depth == step.depth and following.statement is statement:
            return
    if isinstance(statement.node, _SILENT):
        return
    if isinstance(statement.node, ast.If | ast.While) and step.outcome is not None:
        if step.changes:
            yield step.depth, "set", values
        yield step.depth, "true" if step.outcome else "false", {"condition": condition_text(statement)}
    elif isinstance(statement.node, ast.For) and step.outcome is not None:
        name = "end" if not step.outcome else "item" if step.changes else "more"
        yield step.depth, name, values
    elif isinstance(statement.node, _DEFINITIONS):
        yield step.depth, "define", values
    else:
        yield step.depth, "set" if step.changes else "plain", values
