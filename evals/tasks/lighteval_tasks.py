"""Section 4.1: benchmarks as custom tasks of lighteval: one for every preset, for base and for instruct models."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lighteval.metrics.metrics_sample import SampleLevelComputation, SamplingMetric
from lighteval.metrics.utils.metric_utils import SampleLevelMetric
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc, SamplingMethod

from evals.benchmarks.rows import Row
from evals.execution import Verdict
from evals.models.responses import answers_of
from evals.tasks.benchmark import PRESETS, Benchmark
from evals.tasks.held_out_execution import DATA_FOLDER_VARIABLE, MAX_NEW_TOKENS, judge_answer
from evals.tasks.held_out_execution import NAME as HELD_OUT_TASK
from evals.tasks.records import (
    MAX_INFRA_FRACTION,
    SampleRecord,
    TooManyInfraErrorsError,
    check_answered,
    ended,
    generation_size,
    mean_without_nan,
    num_samples,
    numbered,
    score,
)

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

    # lighteval gives a batched metric whole lists; the signature of its base class is that of one document.
    def compute(self, responses: list[ModelResponse], docs: list[Doc]) -> list[float]:  # type: ignore[override]
        """Return the fraction of right answers to each document, NaN where all were infra errors.

        Raises:
            TooManyInfraErrorsError: more than 2 % infra errors.
            UnansweredError: too few answers came.
        """
        answers = [answer for response in responses for answer in answers_of(response)]
        judged = zip(numbered(self.judge(responses, docs)), answers, strict=True)
        records = [ended(record, answer) for record, answer in judged]
        _records.setdefault(self.task, []).extend(records)
        check_answered(self.task, records)
        infra = [record for record in records if record.verdict == Verdict.INFRA_ERROR and not record.fault]
        if len(infra) > MAX_INFRA_FRACTION * len(records):
            raise TooManyInfraErrorsError(
                f"{self.task}: the sandbox failed on {len(infra)} of {len(records)} programs ({infra[0].message}); "
                "nothing is scored. Look at `python -m evals selfcheck`."
            )
        scores = iter([score(record) for record in records])
        # A response without text is one of log-likelihoods: one answer, the likeliest.
        return [mean_without_nan([next(scores) for _ in response.final_text or [""]]) for response in responses]


def row_of(doc: Doc) -> Row:
    """Return the row that a document was made of."""
    return doc.specific or {}


class JudgedAnswers(JudgedSamples):
    """What a model wrote, judged by a benchmark."""

    def __init__(self, benchmark: Benchmark, task: str, instruct: bool) -> None:
        self.benchmark, self.task, self.instruct = benchmark, task, instruct

    def judge(self, responses: Sequence[ModelResponse], docs: Sequence[Doc]) -> list[SampleRecord]:
        """Let the benchmark judge every answer to its row."""
        asked = zip(docs, responses, strict=True)
        pairs = [(row_of(doc), answer) for doc, response in asked for answer in response.final_text]
        return self.benchmark.judge([row for row, _ in pairs], [answer for _, answer in pairs], self.instruct)


class LikeliestOption(JudgedSamples):
    """The option with the highest log-likelihood, taken as the answer."""

    def __init__(self, benchmark: Benchmark, task: str, instruct: bool) -> None:
        self.benchmark, self.task, self.instruct = benchmark, task, instruct

    def num_samples(self) -> int:
        """Return 1: log-likelihoods are the same at every time of asking."""
        return 1

    def judge(self, responses: Sequence[ModelResponse], docs: Sequence[Doc]) -> list[SampleRecord]:
        """Compare each likeliest option with the right one."""
        options = self.benchmark.options
        likeliest = [options[max(range(len(options)), key=response.logprobs.__getitem__)] for response in responses]
        return self.benchmark.judge([row_of(doc) for doc in docs], likeliest, self.instruct)


class ExactValue(JudgedSamples):
    """Exact match of the predicted value."""

    task = HELD_OUT_TASK

    def judge(self, responses: Sequence[ModelResponse], docs: Sequence[Doc]) -> list[SampleRecord]:
        """Compare each prediction with what the call returned."""
        return [
            judge_answer(row_of(doc)["mid"], answer, row_of(doc)["answer"])
            for response, doc in zip(responses, docs, strict=True)
            for answer in response.final_text
        ]


def question_of(line: Row, task_name: str) -> Doc:
    """Return the question as it was asked in training; lighteval puts it into the chat template."""
    specific = {"mid": line["mid"], "answer": line["answer"]}
    return Doc(task_name=task_name, query=line["question"], choices=[""], gold_index=0, specific=specific)


def tasks_of(benchmark: Benchmark) -> list[LightevalTaskConfig]:
    """Return a benchmark's tasks; where the rows lie is read from the environment at each call."""
    return [task_of(benchmark, preset, instruct) for preset in PRESETS for instruct in (True, False)]


def task_of(benchmark: Benchmark, preset: str, instruct: bool) -> LightevalTaskConfig:
    """Return the task that asks a benchmark's questions in one of its ways."""
    name = benchmark.task_name(preset, instruct)
    options = benchmark.options

    def to_doc(row: Row, task_name: str) -> Doc:
        query = benchmark.prompt(row, preset, instruct)
        choices = [benchmark.continuation_of(option) for option in options] or [""]
        gold_index = options.index(benchmark.gold(row)) if options else 0
        return Doc(task_name=task_name, query=query, choices=choices, gold_index=gold_index, specific=dict(row))

    computation = (LikeliestOption if options else JudgedAnswers)(benchmark, name, instruct)
    method = SamplingMethod.LOGPROBS if options else SamplingMethod.GENERATIVE
    folder = os.environ.get(benchmark.folder_variable)
    source = benchmark.source
    return LightevalTaskConfig(
        name=name,
        prompt_function=to_doc,
        hf_repo=folder or source.hub_id,
        hf_subset="default" if folder else source.hub_config,
        hf_avail_splits=["test"] if folder else [source.split],
        evaluation_splits=["test"] if folder else [source.split],
        metrics=[judged_metric(benchmark.metric, computation, method)],
        generation_size=None if options else generation_size(benchmark.max_new_tokens),
        stop_sequence=[] if instruct else list(benchmark.base_stops),
        version=1,
    )


def held_out_task() -> LightevalTaskConfig:
    """Return the task of held-out calls; where its rows lie is read from the environment at each call."""
    return LightevalTaskConfig(
        name=HELD_OUT_TASK,
        prompt_function=question_of,
        hf_repo=os.environ.get(DATA_FOLDER_VARIABLE, DATA_FOLDER_VARIABLE),
        hf_subset="default",
        hf_avail_splits=["test"],
        evaluation_splits=["test"],
        metrics=[judged_metric("exact_match", ExactValue())],
        generation_size=generation_size(MAX_NEW_TOKENS),
        stop_sequence=[],
        version=1,
    )


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
