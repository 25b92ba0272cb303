"""Section 4.1: what becomes of an answer: a record of each sample, and scores that leave our own failures out."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from evals.execution import ExecutionResult, Verdict
from evals.models.answer_file import Answer

MAX_NEW_TOKENS_VARIABLE = "LING_MAX_NEW_TOKENS"  # of every answer, instead of each task's own limit
NUM_SAMPLES_VARIABLE = "LING_NUM_SAMPLES"  # answers to each problem
MAX_INFRA_FRACTION = 0.02  # above it a score would rest on too few programs
MAX_LEADING_BLANKS = 8  # characters that servers leave between what was thought and the answer, and some to spare
MAX_SILENT_FRACTION = 0.5  # above it a score would measure the limit of tokens, and not the model


class TooManyInfraErrorsError(RuntimeError):
    """The sandbox failed too often for the score to mean anything."""


class UnansweredError(RuntimeError):
    """Too few answers came for the task's score to mean anything; other tasks are scored."""


@dataclass(frozen=True)
class SampleRecord:
    """One sample of one task: what was predicted, how it was judged, and how its code was found (`answers.extract`).

    `found` is what was judged of the prediction: code, a number, a letter; empty where nothing was found in it.
    """

    id: str
    prediction: str
    verdict: str
    message: str = ""
    extraction: str = ""
    sample: int = 0  # which of several answers to the problem
    exact: bool | None = None  # whether the answer is the reference itself, where that is asked
    finish_reason: str = ""  # why the model ended, in its server's word
    fault: str = ""  # why there is no answer
    found: str | None = None  # None where all of the prediction was judged

    def as_dict(self) -> dict[str, str | int | bool | None]:
        """Return the record as JSON-ready values; what was not asked, or is not known, is left out."""
        left_out = {"exact": None, "finish_reason": "", "fault": "", "found": None}
        return {key: value for key, value in asdict(self).items() if key not in left_out or value != left_out[key]}

    @property
    def silent(self) -> bool:
        """Whether the limit of tokens came before any text: all of them went into thinking.

        A model that writes blanks up to the limit has answered, and wrongly.
        """
        num_chars = len(self.prediction)
        return self.finish_reason == "length" and num_chars <= MAX_LEADING_BLANKS and not self.prediction.strip()


def record_of(
    identifier: str, prediction: str, result: ExecutionResult, extraction: str = "", found: str | None = None
) -> SampleRecord:
    """Return the record of a program's run; where the executor has no message, the last line of the traceback."""
    message = result.message or result.stderr.strip().rsplit("\n", 1)[-1][:200]
    return SampleRecord(identifier, prediction, result.verdict.value, message, extraction, found=found)


def numbered(records: Sequence[SampleRecord]) -> list[SampleRecord]:
    """Return the records with the number of each among those of its problem."""
    seen: Counter[str] = Counter()
    answer = []
    for record in records:
        answer.append(replace(record, sample=seen[record.id]))
        seen[record.id] += 1
    return answer


def ended(record: SampleRecord, answer: Answer) -> SampleRecord:
    """Return the record with how its answer ended: one that never came is not judged."""
    if answer.fault:
        return replace(
            record,
            verdict=Verdict.INFRA_ERROR.value,
            message=answer.fault,
            extraction="",
            found=None,
            finish_reason=answer.finish_reason,
            fault=answer.fault,
        )
    record = replace(record, finish_reason=answer.finish_reason)
    if answer.finish_reason != "length" or record.verdict == Verdict.PASS:
        return record
    where = "before any text" if record.silent else "within the text"
    return replace(record, message=f"cut at the limit of tokens, {where}. {record.message}".strip())


def check_answered(task: str, records: Sequence[SampleRecord]) -> None:
    """Refuse to score a task with too few answers.

    Raises:
        UnansweredError: more than 2 % did not come, or half ended at the limit of tokens before any text.
    """
    faults = [record.fault for record in records if record.fault]
    if len(faults) > MAX_INFRA_FRACTION * len(records):
        raise UnansweredError(
            f"{len(faults)} of {len(records)} answers did not come ({Counter(faults).most_common(1)[0][0]}); "
            "the same command asks for them alone"
        )
    silent = sum(record.silent for record in records)
    if silent > MAX_SILENT_FRACTION * len(records):
        raise UnansweredError(
            f"{silent} of {len(records)} answers of {task} ended at the limit of tokens before any text "
            "(finish_reason length); raise --max-new-tokens, or ask for less thinking"
        )


def num_samples() -> int:
    """Return how many answers each problem gets."""
    return int(os.environ.get(NUM_SAMPLES_VARIABLE) or 1)


def generation_size(own: int) -> int:
    """Return how many tokens an answer may have: what the user asked for, else the task's own limit."""
    return int(os.environ.get(MAX_NEW_TOKENS_VARIABLE) or own)


def score(record: SampleRecord) -> float:
    """Return 1.0 for a pass, NaN where our own machinery failed, else 0.0."""
    if record.verdict == Verdict.INFRA_ERROR:
        return math.nan
    return float(record.verdict == Verdict.PASS)


def mean_without_nan(scores: Sequence[float]) -> float:
    """Return the mean of the scores that are numbers; NaN if none is."""
    known = [value for value in scores if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
