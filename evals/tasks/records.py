"""Section 4.1: what becomes of an answer: a record of each sample, and scores that leave our own failures out."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from evals.execution import ExecutionResult, Verdict

MAX_NEW_TOKENS_VARIABLE = "LING_MAX_NEW_TOKENS"  # of every answer, instead of each task's own limit
NUM_SAMPLES_VARIABLE = "LING_NUM_SAMPLES"  # answers to each problem
MAX_INFRA_FRACTION = 0.02  # above it a score would rest on too few programs


class TooManyInfraErrorsError(RuntimeError):
    """The sandbox failed too often for the score to mean anything."""


@dataclass(frozen=True)
class SampleRecord:
    """One sample of one task: what was predicted, how it was judged, and how its code was found (`answers.extract`)."""

    id: str
    prediction: str
    verdict: str
    message: str = ""
    extraction: str = ""
    sample: int = 0  # which of several answers to the problem
    exact: bool | None = None  # whether the answer is the reference itself, where that is asked

    def as_dict(self) -> dict[str, str | int | bool | None]:
        """Return the record as JSON-ready values; `exact` only where it was asked."""
        return {key: value for key, value in asdict(self).items() if key != "exact" or value is not None}


def record_of(identifier: str, prediction: str, result: ExecutionResult, extraction: str = "") -> SampleRecord:
    """Return the record of a program's run; where the executor has no message, the last line of the traceback."""
    message = result.message or result.stderr.strip().rsplit("\n", 1)[-1][:200]
    return SampleRecord(identifier, prediction, result.verdict.value, message, extraction)


def numbered(records: Sequence[SampleRecord]) -> list[SampleRecord]:
    """Return the records with the number of each among those of its problem."""
    seen: Counter[str] = Counter()
    answer = []
    for record in records:
        answer.append(replace(record, sample=seen[record.id]))
        seen[record.id] += 1
    return answer


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
