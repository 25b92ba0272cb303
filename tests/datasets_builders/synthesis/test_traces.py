"""Records of runs as steps and sentences; the record is what Python's own tracing gives."""

import ast
import sys
from typing import Any

from datasets_builders.synthesis.program_analysis.questions.rationale import rationale
from datasets_builders.synthesis.program_analysis.sandbox_tracer import Recorder, shown
from datasets_builders.synthesis.program_analysis.traces import Statements, Step, steps_of


def recorded(code: str, call: str) -> tuple[list[Step], Any]:
    namespace: dict[str, Any] = {"__name__": "program"}
    exec(compile(code, "<program>", "exec"), namespace)
    recorder = Recorder(1000, 200, 20_000)
    before = sys.gettrace()
    sys.settrace(recorder)
    try:
        value = eval(call, namespace)
    finally:
        sys.settrace(before)
    assert recorder.is_whole
    return steps_of(Statements(code), recorder.events), value


def told(code: str, call: str) -> str:
    steps, value = recorded(code, call)
    return rationale(code, call, repr(value), steps)


def test_conditions_say_which_way_they_went() -> None:
    code = "def f(n):\n    while n > 0:\n        if n % 2:\n            n -= 1\n        n //= 2\n    return n\n"
    steps, _ = recorded(code, "f(5)")
    outcomes = [(step.line, step.outcome) for step in steps if step.outcome is not None]
    assert outcomes == [(2, True), (3, True), (2, True), (3, False), (2, True), (3, True), (2, False)]


def test_loops_say_when_they_end() -> None:
    steps, _ = recorded("def f(n):\n    for i in range(n):\n        n += i\n    return n\n", "f(2)")
    heads = [(step.outcome, step.changes) for step in steps if step.line == 2 and step.kind == "line"]
    assert heads == [(True, {"i": "0"}), (True, {"i": "1"}), (False, {})]


def test_a_body_on_the_line_of_its_head_leaves_the_outcome_open() -> None:
    code = "def f(n):\n    if n > 1: return 7\n    if n < 1:\n        n = 2\n    return n\n"
    steps, _ = recorded(code, "f(1)")
    tests = [step for step in steps if step.statement and isinstance(step.statement.node, ast.If)]
    assert [(step.line, step.outcome) for step in tests] == [(2, None), (3, False)]


def test_conditions_of_several_lines_are_one_step_and_raising_ones_go_neither_way() -> None:
    code = (
        "def f(n):\n    if n == 1 or \\\n       n == 2:\n        return 0\n"
        "    if n > 'a':\n        n = 2\n    return n\n"
    )
    caught = f"{code}\n\ndef g(n):\n    try:\n        return f(n)\n    except TypeError:\n        return -1\n"
    steps, value = recorded(caught, "g(5)")
    tests = [
        step for step in steps if step.statement and isinstance(step.statement.node, ast.If) and step.kind == "line"
    ]
    assert value == -1 and [(step.line, step.outcome) for step in tests] == [(2, False), (5, None)]


def test_what_a_call_gives_is_told_after_the_call() -> None:
    text = told("def g(a):\n    b = a * 2\n    return b\n\n\ndef f(n):\n    m = g(n)\n    return m + 1\n", "f(3)")
    places = [text.index(part) for part in ("`g`", "`b = 6`", "return b", "`m = 6`", "return m + 1", "Answer: 7")]
    assert places == sorted(places)
    assert text.index("`m = g(n)`") < places[0]


def test_exceptions_are_told_where_they_rise_and_pass() -> None:
    code = (
        "def g(a):\n    raise KeyError(a)\n\n\ndef f(n):\n    try:\n        g(n)\n"
        "    except KeyError as error:\n        n = error.args\n    return n\n"
    )
    text = told(code, "f(3)")
    places = [text.index(part) for part in ("KeyError: 3", "n = error.args", "Answer: (3,)")]
    assert places == sorted(places)


def test_generators_stop_and_go_on() -> None:
    code = "def f(n):\n    for i in range(n):\n        k = i * i\n        yield k\n"
    steps, value = recorded(code, "list(f(3))")
    assert [step.value for step in steps if step.kind == "yield"] == ["0", "1", "4"] and value == [0, 1, 4]
    assert sum(step.kind == "resume" for step in steps) == 3


def test_statements_of_several_lines_are_one_step_without_comments() -> None:
    code = "def f(n):\n    m = max(\n        n,  # given\n        3,\n    )\n    return m\n"
    steps, _ = recorded(code, "f(5)")
    lines = [step for step in steps if step.kind == "line"]
    assert [step.statement.text for step in lines if step.statement] == ["m = max( n, 3, )", "return m"]
    assert lines[0].changes == {"m": "5"}


def test_values_are_shown_as_literals_or_as_what_they_are() -> None:
    assert shown([1, "a"]) == "[1, 'a']"
    assert shown({"b", "a", "c"}) == "{'a', 'b', 'c'}"
    assert shown(list(range(200))) == "<list of length 200>"
    assert shown(object()) == "<object>" and shown(float("nan")) == "nan"
    assert shown([{"b": {"y", "x"}}, (1,), set()]) == "[{'b': {'x', 'y'}}, (1,), set()]"
