"""Section 4.4.2 in the small: held-out execution prediction, scored by exact value."""

from __future__ import annotations

import ast

from evals.execution import Verdict
from evals.tasks.records import SampleRecord

DATA_FOLDER_VARIABLE = "LING_HELD_OUT_FOLDER"  # the sft builder's, where lighteval is run by its own commands
NAME = "ling_held_out_execution"
MAX_NEW_TOKENS = 64
MAX_ANSWER_CHARS = 4000  # longer texts are no literal that was asked for, and can be costly to parse


def same_value(first: object, second: object) -> bool:
    """Return whether two literals are equal in value and in type, at every depth (True is not 1, 1 is not 1.0)."""
    if type(first) is not type(second):
        return False
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        return len(first) == len(second) and all(map(same_value, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return [*map(repr, first)] == [*map(repr, second)] and all(map(same_value, first.values(), second.values()))
    if isinstance(first, float):
        return repr(first) == repr(second)
    if isinstance(first, set | frozenset) and isinstance(second, set | frozenset):
        return sorted(map(repr, first)) == sorted(map(repr, second))
    return first == second


def parse_literal(text: str) -> tuple[bool, object]:
    """Return (whether the text is a Python literal, its value). Nothing is evaluated."""
    if len(text) > MAX_ANSWER_CHARS:
        return False, None
    try:
        return True, ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False, None


def judge_answer(identifier: str, prediction: str, truth: str) -> SampleRecord:
    """Judge a predicted literal; the first line counts when the whole is no literal."""
    for text in (prediction, prediction.strip().partition("\n")[0]):
        is_literal, value = parse_literal(text)
        if is_literal:
            right = same_value(value, parse_literal(truth)[1])
            return SampleRecord(identifier, prediction, (Verdict.PASS if right else Verdict.FAIL).value)
    return SampleRecord(identifier, prediction, Verdict.FAIL.value, "not a literal")
