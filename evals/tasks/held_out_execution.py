"""Section 4.4.2 in the small: held-out execution prediction as a task of lighteval, scored by exact value."""

from __future__ import annotations

import ast
import os
from collections.abc import Sequence

from lighteval.models.model_output import ModelResponse
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc

from evals.execution import Verdict
from evals.tasks.scoring import JudgedSamples, SampleRecord, generation_size, judged_metric

DATA_FOLDER_VARIABLE = "LING_HELD_OUT_FOLDER"  # a folder with test.jsonl
NAME = "ling_held_out_execution"
MAX_NEW_TOKENS = 64
MAX_ANSWER_CHARS = 4000  # longer texts are no literal that was asked for, and can be costly to parse


def same_value(first: object, second: object) -> bool:
    """Return whether two literals are equal in value and in type, at every depth (True is not 1, 1 is not 1.0)."""
    if type(first) is not type(second):
        return False
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same_value, first, second))
    if isinstance(first, dict):
        return [*map(repr, first)] == [*map(repr, second)] and all(map(same_value, first.values(), second.values()))
    if isinstance(first, float):
        return repr(first) == repr(second)
    if isinstance(first, set | frozenset):
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


class ExactValue(JudgedSamples):
    """Exact match of the predicted value."""

    task = NAME

    def judge(self, responses: Sequence[ModelResponse], docs: Sequence[Doc]) -> list[SampleRecord]:
        """Compare each prediction with what the call returned."""
        return [
            judge_answer(doc.specific["mid"], answer, doc.specific["answer"])
            for response, doc in zip(responses, docs, strict=True)
            for answer in response.final_text
        ]


def to_doc(line: dict, task_name: str) -> Doc:
    """Return the question as it was asked in training; lighteval puts it into the chat template."""
    specific = {"mid": line["mid"], "answer": line["answer"]}
    return Doc(task_name=task_name, query=line["question"], choices=[""], gold_index=0, specific=specific)


def tasks_table() -> list[LightevalTaskConfig]:
    """Return the task; where its rows lie is read from the environment at each call."""
    return [
        LightevalTaskConfig(
            name=NAME,
            prompt_function=to_doc,
            hf_repo=os.environ.get(DATA_FOLDER_VARIABLE, DATA_FOLDER_VARIABLE),
            hf_subset="default",
            hf_avail_splits=["test"],
            evaluation_splits=["test"],
            metrics=[judged_metric("exact_match", ExactValue())],
            generation_size=generation_size(MAX_NEW_TOKENS),
            stop_sequence=[],
            version=1,
        )
    ]


TASKS_TABLE = tasks_table()
