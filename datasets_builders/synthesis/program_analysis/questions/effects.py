"""Section 2.4: what a call changes (argument_afterwards), and how it fails (exception_prediction)."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample
from datasets_builders.synthesis.program_analysis.jobs import MAX_ERROR_CHARS
from datasets_builders.synthesis.program_analysis.observation import Observation, ObservedCall
from datasets_builders.synthesis.program_analysis.questions.question import (
    Question,
    QuestionLimits,
    asked_definition,
    render,
    same_value,
)
from datasets_builders.synthesis.program_analysis.traces import Statements

_TYPE_AND_MESSAGE = "Give its type and message as the last line of the traceback shows them."
_TYPE = "Give the name of its type and nothing else."


def argument_questions(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield what became of arguments that a call changed."""
    num_asked = 0
    for call in observation.changing_calls:
        if num_asked == limits.max_arguments:
            return
        for label, after in call.changes:
            program = _program_with_variable(sample, call, label)
            if program is None:
                continue
            code, variable, before = program
            others = [text for other in observation.changing_calls for _, text in other.changes]
            wrong = [text for text in dict.fromkeys((before, *others)) if not same_value(text, after)]
            num_asked += 1
            yield Question(
                kind="argument_afterwards",
                prompt=render("argument_afterwards", sample, code=code, variable=variable),
                content=after,
                code=code,
                call=variable,
                answer=after,
                # That nothing was changed is the likeliest wrong answer.
                wrong_answers=wrong[: limits.max_wrong_answers],
                call_from=call.origin,
            )
            break


def _program_with_variable(sample: FunctionSample, call: ObservedCall, label: int | str) -> tuple[str, str, str] | None:
    """Return a program that binds an argument to a variable and makes the call, the variable, and its value before."""
    tree = ast.parse(call.call, mode="eval").body
    inner = tree
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "list" and tree.args:
        inner = tree.args[0]
    function = asked_definition(sample, call.call)
    if not isinstance(inner, ast.Call) or function is None:
        return None
    if isinstance(label, int):
        parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
        place = label + (sample.is_class and "self" in parameters[:1])
        name = parameters[place] if place < len(parameters) else "argument"
        value = inner.args[label]
    else:
        name = label
        value = next(keyword.value for keyword in inner.keywords if keyword.arg == label)
    if name in _global_names(sample.code):
        name = f"{name}_given"
        if name in sample.code:
            return None
    before = ast.unparse(value)
    if isinstance(label, int):
        inner.args[label] = ast.Name(name, ast.Load())
    else:
        next(keyword for keyword in inner.keywords if keyword.arg == label).value = ast.Name(name, ast.Load())
    return f"{sample.code}\n\n\n{name} = {before}\n{ast.unparse(tree)}", name, before


def _global_names(code: str) -> set[str]:
    """Return the names that a program binds at its top, and those of the builtins."""
    names = set(dir(builtins))
    for symbol in symtable.symtable(code, "<program>", "exec").get_symbols():
        names.add(symbol.get_name())
    return names


def exception_questions(sample: FunctionSample, observation: Observation, limits: QuestionLimits) -> Iterator[Question]:
    """Yield how calls fail: type and message where the program itself raises, else the type."""
    statements = Statements(sample.code)
    answers = [_exception_answer(statements, call) for call in observation.failing_calls]
    for call, answer in list(zip(observation.failing_calls, answers, strict=True))[: limits.max_exceptions]:
        has_message = ":" in answer
        wrong = [other for other in dict.fromkeys(answers) if other.split(":")[0] != answer.split(":")[0]]
        shown = 'f"{type(error).__name__}: {error}"' if has_message else "type(error).__name__"
        yield Question(
            kind="exception_prediction",
            prompt=render(
                "exception_prediction",
                sample,
                code=sample.code,
                call=call.call,
                wanted=_TYPE_AND_MESSAGE if has_message else _TYPE,
            ),
            content=answer,
            code=sample.code,
            call=call.call,
            answer=answer,
            check=(
                f"try:\n    {call.call}\nexcept BaseException as error:\n    assert {shown} == {answer!r}\n"
                "else:\n    raise AssertionError"
            ),
            wrong_answers=wrong[: limits.max_wrong_answers],
            call_from=call.origin,
        )


def _exception_answer(statements: Statements, call: ObservedCall) -> str:
    error = call.error
    assert error is not None
    statement = statements.at(error.line) if error.line else None
    # The interpreter words its own exceptions anew from version to version. A message that was cut, or that a traceback
    # shows on several lines, cannot be asked for.
    is_shown = "\n" not in error.text and len(error.text) < MAX_ERROR_CHARS
    is_own = statement is not None and isinstance(statement.node, ast.Raise)
    return error.text if is_own and is_shown else error.kind
