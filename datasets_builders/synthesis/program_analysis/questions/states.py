"""Section 2.4: which way conditions go (branch_prediction), and what variables hold on the way (local_value)."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.observation import Observation, ObservedCall
from datasets_builders.synthesis.program_analysis.questions.execution import asked_calls
from datasets_builders.synthesis.program_analysis.questions.question import (
    Question,
    QuestionLimits,
    render,
)
from datasets_builders.synthesis.program_analysis.traces import Statements, Step, condition_text, steps_of

MAX_OUTCOMES = 12
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def state_questions(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield conditions and intermediate values of recorded calls."""
    statements = Statements(sample.code)
    num_branches = num_locals = 0
    for _, call in asked_calls(sample, observation):
        if call.events is None:
            continue
        frame = _asked_frame(steps_of(statements, call.events))
        if frame is None:
            continue
        function, steps = frame
        if num_branches < limits.max_branches and (branch := _branch(sample, function, call, steps)) is not None:
            num_branches += 1
            yield branch
        if num_locals < limits.max_locals and (value := _local(sample, function, call, steps)) is not None:
            num_locals += 1
            yield value


def _asked_frame(steps: list[Step]) -> tuple[str, list[Step]] | None:
    """Return the name of the asked function or method, and its steps; None if it also runs in other frames."""
    calls = [number for number, step in enumerate(steps) if step.kind == "call"]
    # Making an object is a frame of this depth too: the method's comes last.
    asked = max(number for number in calls if steps[number].depth == 1)
    name = steps[asked].value
    if sum(steps[number].value == name for number in calls) > 1:
        return None
    return name, [step for step in steps[asked + 1 :] if step.depth == 1]


def _branch(sample: FunctionSample, function: str, call: ObservedCall, steps: list[Step]) -> Question | None:
    """Ask about a condition that is reached more than once, or else about all conditions."""
    outcomes: dict[int, list[Step]] = {}
    tests = [
        step
        for step in steps
        if step.kind == "line" and step.statement and isinstance(step.statement.node, ast.If | ast.While)
    ]
    for step in tests:
        outcomes.setdefault(step.line, []).append(step)
    fitting = [runs for runs in outcomes.values() if _is_fitting(runs)]
    if fitting:
        runs = max(fitting, key=lambda runs: (len({run.outcome for run in runs}), len(runs), -runs[0].line))
        assert runs[0].statement is not None
        what = f"the condition `{condition_text(runs[0].statement)}` on line {runs[0].line}"
    elif _is_fitting(tests) and not _has_inner_conditions(sample, function):
        runs, what = tests, "each condition of an `if` or `while` statement"
    else:
        return None
    answer = str([run.outcome for run in runs])
    turned = str([not run.outcome for run in runs])
    return Question(
        kind="branch_prediction",
        prompt=render(
            "branch_prediction",
            sample,
            code=sample.code,
            call=call.call,
            what=what,
            function=function,
        ),
        content=answer,
        code=sample.code,
        call=call.call,
        answer=answer,
        wrong_answers=[turned],
        verified_by="replay",
        call_from=call.origin,
    )


def _has_inner_conditions(sample: FunctionSample, function: str) -> bool:
    """Return whether functions inside a function have conditions: whether these are its own is a matter of taste."""
    outer = [node for node in ast.walk(ast.parse(sample.code)) if isinstance(node, ast.FunctionDef)]
    inner = [part for node in outer if node.name == function for part in ast.walk(node) if part is not node]
    functions = [part for part in inner if isinstance(part, ast.FunctionDef)]
    return any(isinstance(part, ast.If | ast.While) for node in functions for part in ast.walk(node))


def _is_fitting(runs: list[Step]) -> bool:
    if not 2 <= len(runs) <= MAX_OUTCOMES or any(run.outcome is None for run in runs):
        return False
    return not any(run.statement and run.statement.has_long_head for run in runs)


def _local(sample: FunctionSample, function: str, call: ObservedCall, steps: list[Step]) -> Question | None:
    """Ask for a variable after a statement that changed it, neither the result nor something of the call."""
    places = []
    for step in steps:
        if step.kind != "line" or step.statement is None or step.times > len(_ORDINALS):
            continue
        if isinstance(step.statement.node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
            continue
        for variable, value in step.changes.items():
            is_value = not value.startswith("<") and value not in ("nan", "inf", "-inf")
            if is_value and value != call.answer and value not in call.call:
                places.append((step, variable, value))
    if not places:
        return None
    digest = hashlib.sha256(f"{sample.module}\0{call.call}".encode()).digest()
    step, variable, value = places[digest[0] % len(places)]
    assert step.statement is not None
    # What the variable holds elsewhere comes first, then what others hold.
    changes = [(name, other) for other_step in steps for name, other in other_step.changes.items()]
    others = [other for name, other in sorted(changes, key=lambda change: change[0] != variable)]
    return Question(
        kind="local_value",
        prompt=render(
            "local_value",
            sample,
            code=sample.code,
            call=call.call,
            variable=variable,
            statement=step.statement.text,
            line=str(step.statement.node.lineno),
            time=_ORDINALS[step.times - 1],
            function=function,
        ),
        content=value,
        code=sample.code,
        call=call.call,
        answer=value,
        wrong_answers=[other for other in dict.fromkeys(others) if other != value and not other.startswith("<")][:3],
        verified_by="replay",
        call_from=call.origin,
    )
