"""Section 2.4: answers judged. Whatever runs, runs in the sandbox; leaving early or printing "passed" does not pass."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from datasets_builders.synthesis.program_analysis.unified_diff import apply_diff
from datasets_builders.synthesis.sql.execution import SqlJob, run_queries
from datasets_builders.synthesis.verification.equality import with_strict_equality
from datasets_builders.synthesis.verification.verifiers import (
    CODE,
    DIFF,
    EXPRESSION,
    LITERAL,
    PLACEHOLDER,
    SQL,
    TESTS,
    TEXT,
    Verifier,
)
from evals.execution import Executor, Program, Verdict
from evals.tasks.answers import extract
from evals.tasks.blocks import blocks, final_text
from evals.tasks.marked import marked_program

# What runs tests of any of the usual forms, behind the code and the tests.
RUN_TESTS = """
import unittest as _unittest
_found = dict(globals())
_cases = [case for case in _found.values() if isinstance(case, type) and issubclass(case, _unittest.TestCase)]
for _case in _cases:
    _result = _unittest.TestResult()
    _unittest.defaultTestLoader.loadTestsFromTestCase(_case).run(_result)
    assert _result.wasSuccessful(), _result.failures + _result.errors
for _name, _test in sorted(_found.items()):
    if _name.startswith("test_") and callable(_test):
        _test()
"""
RUN_EXAMPLES = """
import doctest as _doctest
_test = _doctest.DocTestParser().get_doctest({text!r}, globals(), "examples", None, None)
assert _test.examples and not _doctest.DocTestRunner().run(_test, out=len).failed
"""
_VALUE_NODES = (
    *(ast.Expression, ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.unaryop, ast.Load),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Starred, ast.keyword),
)


@dataclass(frozen=True)
class Judgement:
    """Whether an answer is right.

    `reason` says why not: a verdict of the sandbox, wrong, or malformed. `form` is what of the answer was judged, so
    that equal answers can be counted.
    """

    passed: bool
    reason: str
    form: str


class _Malformed(Exception):
    """The answer has not the form that was asked for."""


def judge(executor: Executor, answers: Sequence[tuple[str, Verifier]]) -> list[Judgement]:
    """Judge answers.

    Args:
        executor (`Executor`): the sandbox.
        answers: each answer, as a model wrote it, with what judges it.

    Returns:
        `list[Judgement]`: in order.

    Raises:
        RuntimeError: the sandbox itself failed.
    """
    found: dict[int, Judgement] = {}
    forms: dict[int, str] = {}
    programs: list[tuple[int, Program]] = []
    queries: list[int] = []
    for number, (answer, verifier) in enumerate(answers):
        try:
            forms[number] = form = _form(answer, verifier)
            if verifier.kind in (LITERAL, TEXT):
                passed = form == _form(verifier.expected, verifier)
                found[number] = Judgement(passed, "passed" if passed else "wrong", form)
            elif verifier.kind == SQL:
                queries.append(number)
            else:
                programs += [(number, program) for program in _programs(form, verifier)]
        except _Malformed as error:
            found[number] = Judgement(False, f"malformed: {error}", answer.strip()[:200])
    _judge_queries(executor, answers, queries, forms, found)
    _judge_programs(executor, answers, programs, forms, found)
    return [found[number] for number in range(len(answers))]


def _form(answer: str, verifier: Verifier) -> str:
    """Return what of an answer counts."""
    text = final_text(answer)
    if text is None:
        raise _Malformed("the answer ended in a thought")
    if verifier.kind == CODE:
        code = extract(answer, "python", verifier.entry_point or None).code
        if not code.strip():
            raise _Malformed("no code")
        return code
    fenced = blocks(text, {SQL: "sql", DIFF: "diff"}.get(verifier.kind, "python"))
    form = (fenced[-1].code if fenced else text).strip("\n")
    if verifier.kind == LITERAL:
        try:
            return repr(ast.literal_eval(form.strip().strip("`")))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise _Malformed("no literal") from None
    if verifier.kind in (TEXT, EXPRESSION):
        return form.strip().strip("`").strip()
    if verifier.kind == SQL:
        return form.strip().rstrip(";")
    if verifier.kind == DIFF:
        try:
            return apply_diff(verifier.before, form)
        except ValueError as error:
            raise _Malformed(str(error)) from None
    return form


def _programs(form: str, verifier: Verifier) -> list[Program]:
    """Return what has to run: one program, and for tests one more for each mutant."""
    if verifier.kind == CODE:
        return [marked_program(_joined(verifier.before, form), with_strict_equality(verifier.tests))]
    if verifier.kind == DIFF:
        return [marked_program(form, with_strict_equality(verifier.tests))]
    if verifier.kind == EXPRESSION:
        _check_expression(form, verifier.before)
        return [marked_program(verifier.before, verifier.tests.replace(PLACEHOLDER, f"({form})"))]
    assert verifier.kind == TESTS
    is_session = form.lstrip().startswith(">>>")
    answer, run = ("", RUN_EXAMPLES.format(text=form + "\n")) if is_session else (form, RUN_TESTS)
    return [marked_program(_joined(code, answer), run) for code in (verifier.before, *verifier.mutants)]


def _joined(*parts: str) -> str:
    return "\n\n\n".join(part for part in parts if part)


def _check_expression(form: str, code: str) -> None:
    """Refuse an expression that is no call of what the code defines, with values for arguments."""
    try:
        tree, defined = ast.parse(form, mode="eval"), ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _Malformed("no expression") from None
    names = {node.name for node in defined.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    known = names | {"list", "dict", "set", "frozenset", "tuple", "bytes", "bytearray", "float", "complex", "range"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id not in known:
                raise _Malformed(f"`{node.id}` is none of the program's functions")
        elif isinstance(node, ast.Attribute):
            if node.attr.startswith("_"):
                raise _Malformed(f"`{node.attr}` is not to be touched")
        elif not isinstance(node, (*_VALUE_NODES, ast.Call)):
            raise _Malformed("not a call with values")
    if not any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(tree)):
        raise _Malformed("no call of the program's functions")


def _judge_programs(
    executor: Executor,
    answers: Sequence[tuple[str, Verifier]],
    programs: list[tuple[int, Program]],
    forms: dict[int, str],
    found: dict[int, Judgement],
) -> None:
    verdicts: dict[int, list[Verdict]] = {}
    by_limits: dict[object, list[tuple[int, Program]]] = {}
    for number, program in programs:
        by_limits.setdefault(answers[number][1].limits, []).append((number, program))
    for group in by_limits.values():
        limits = answers[group[0][0]][1].limits.for_sandbox()
        for (number, _), result in zip(
            group, executor.run_batch([program for _, program in group], limits), strict=True
        ):
            if result.verdict is Verdict.INFRA_ERROR:
                raise RuntimeError(f"the sandbox failed to run an answer: {result.message or 'no message'}")
            verdicts.setdefault(number, []).append(result.verdict)
    for number, (verdict, *of_mutants) in verdicts.items():
        num_killed = sum(other is not Verdict.PASS for other in of_mutants)
        if verdict is not Verdict.PASS:
            found[number] = Judgement(False, verdict.value, forms[number])
        elif num_killed < answers[number][1].min_killed:
            missed = f"finds {num_killed} of {len(of_mutants)} mutants"
            found[number] = Judgement(False, missed, forms[number])
        else:
            found[number] = Judgement(True, "passed", forms[number])


def _judge_queries(
    executor: Executor,
    answers: Sequence[tuple[str, Verifier]],
    numbers: list[int],
    forms: dict[int, str],
    found: dict[int, Judgement],
) -> None:
    jobs = [SqlJob(answers[number][1].setups, (answers[number][1].expected, forms[number])) for number in numbers]
    for number, results in zip(numbers, run_queries(executor, jobs) if jobs else [], strict=True):
        ordered = answers[number][1].ordered
        errors = [given.error for _, given in results if given.error]
        passed = not errors and all(right.equals(given, ordered) for right, given in results)
        reason = "passed" if passed else errors[0] if errors else "wrong"
        found[number] = Judgement(passed, reason, forms[number])
