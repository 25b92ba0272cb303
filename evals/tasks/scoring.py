"""Section 4: what the tasks share: records of each sample, and metrics that leave our own failures out."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from lighteval.metrics.metrics_sample import SampleLevelComputation, SamplingMetric
from lighteval.metrics.utils.metric_utils import SampleLevelMetric
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc, SamplingMethod

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


# Filled by the metrics, emptied by take_records: lighteval keeps scores, but not why they are so.
_records: dict[str, list[SampleRecord]] = {}


def take_records(task: str) -> list[SampleRecord]:
    """Return the records of a task since the last call."""
    return _records.pop(task, [])


class JudgedSamples(SamplingMetric, SampleLevelComputation):
    """Scores all samples of a task at once; `judge` gives one record per sample.

    A sample whose verdict is infra_error scores NaN, which the mean leaves out.
    """

    task = ""

    def __repr__(self) -> str:
        # Part of the name under which lighteval caches a task's generations: an object's address would change it.
        return f"{type(self).__name__}({self.task})"

    def num_samples(self) -> int:
        """Return how many answers each problem gets; lighteval asks the metric for it, and not the task."""
        return num_samples()

    def judge(self, responses: Sequence[ModelResponse], docs: Sequence[Doc]) -> list[SampleRecord]:
        """Return one record per answer, in the order of the documents and of their answers."""
        raise TypeError(f"{type(self).__name__} must define judge()")

    def compute(self, responses: list[ModelResponse], docs: list[Doc]) -> list[float]:
        """Return the fraction of right answers to each document, NaN where all were infra errors.

        Raises:
            TooManyInfraErrorsError: more than 2 % infra errors.
        """
        records = numbered(self.judge(responses, docs))
        _records.setdefault(self.task, []).extend(records)
        infra = [record for record in records if record.verdict == Verdict.INFRA_ERROR]
        if len(infra) > MAX_INFRA_FRACTION * len(records):
            raise TooManyInfraErrorsError(
                f"{self.task}: the sandbox failed on {len(infra)} of {len(records)} programs ({infra[0].message}); "
                "nothing is scored. Look at `python -m evals selfcheck`."
            )
        scores = iter([score(record) for record in records])
        # A response without text is one of log-likelihoods: one answer, the likeliest.
        return [mean_without_nan([next(scores) for _ in response.final_text or [""]]) for response in responses]


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


def judged_metric(
    name: str, computation: JudgedSamples, category: SamplingMethod = SamplingMethod.GENERATIVE
) -> SampleLevelMetric:
    """Return lighteval's metric for a computation over a whole task."""
    return SampleLevelMetric(
        metric_name=name,
        category=category,
        higher_is_better=True,
        sample_level_fn=computation,
        corpus_level_fn=mean_without_nan,
        batched_compute=True,
    )
