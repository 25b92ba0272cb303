"""Section 4.1: benchmarks as custom tasks of lighteval: one for every preset, for base and for instruct models.

They work under lighteval's own commands too. Rows are loaded and checked here then as for `evals run`: from the folder
that LING_BENCHMARKS_DIR names, else from the Hub at the pinned revision. Answers are judged in the sandbox alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from lighteval.metrics.metrics_sample import SampleLevelComputation, SamplingMetric
from lighteval.metrics.utils.metric_utils import SampleLevelMetric
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.lighteval_task import LightevalTask, LightevalTaskConfig
from lighteval.tasks.requests import Doc, SamplingMethod

from evals.benchmarks.held_out_execution import load_held_out
from evals.benchmarks.rows import BenchmarkDataError, Row
from evals.execution import IsolationUnavailableError, Verdict
from evals.models.responses import answers_of
from evals.report.statistics import standard_error
from evals.scoring.summary import score_of
from evals.tasks.benchmark import PRESETS, UNSCORABLE, Benchmark
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.held_out_execution import DATA_FOLDER_VARIABLE, MAX_NEW_TOKENS, judge_answer
from evals.tasks.held_out_execution import NAME as HELD_OUT_TASK
from evals.tasks.records import (
    MAX_INFRA_FRACTION,
    SampleRecord,
    TooManyInfraErrorsError,
    UnansweredError,
    check_answered,
    ended,
    generation_size,
    mean_without_nan,
    num_samples,
    numbered,
    score,
)

MIN_EMPTY = 20  # answers: of fewer, all may be empty
# Filled by the metrics, emptied by take_records: lighteval keeps scores, but not why they are so.
_records: dict[str, list[SampleRecord]] = {}
# Of each task. No document carries its row: lighteval writes documents as a table, and rows are of all shapes.
_rows: dict[str, list[Row]] = {}


def take_records(task: str) -> list[SampleRecord]:
    """Return the records of a task since the last call."""
    return _records.pop(task, [])


def give_rows(task: str, rows: Sequence[Row]) -> None:
    """Let these be the rows of a task, instead of those that it would load."""
    _rows[task] = list(rows)


@dataclass
class Task(LightevalTaskConfig):
    """A task that loads its rows itself: lighteval would take what is on the Hub at that moment, unchecked.

    Args:
        load_rows: returns the rows with all that prompts and judges need.
        prompts_hash (`str`): of the prompts, once they are known. lighteval names its cache of answers by all fields of
            a task, so that an answer to another question is never taken for this one's.
    """

    load_rows: Callable[[], list[Row]] = list
    prompts_hash: str = ""


lightevals_rows = LightevalTask.download_dataset_worker


def rows_of_task(task: LightevalTask) -> object:
    """Return the rows of a task by their split; of a task that is not ours as lighteval has them.

    Raises:
        BadParameter: they cannot be had, or answers could not be judged; lighteval's commands say why in a line.
    """
    config = task.config
    if not isinstance(config, Task):
        return lightevals_rows(task)
    try:
        if config.name not in _rows:
            give_rows(config.name, config.load_rows())
        lines = [dict(row) for row in _rows[config.name]]  # lighteval writes into them
        prompts = [config.prompt_function(line, config.name).query for line in lines]
    except (*UNSCORABLE, IsolationUnavailableError) as error:
        raise typer.BadParameter(f"{config.name}: {error}", param_hint="TASKS") from error
    config.prompts_hash = hashlib.sha256(json.dumps(prompts).encode()).hexdigest()
    return dict.fromkeys(config.evaluation_splits, lines)


setattr(LightevalTask, "download_dataset_worker", staticmethod(rows_of_task))  # noqa: B010 - mypy knows the original


class JudgedSamples(SamplingMetric, SampleLevelComputation):
    """Scores all samples of a task at once; `judge` gives one record per sample.

    A sample whose verdict is infra_error scores NaN, which the mean leaves out.
    """

    task = ""
    metric = ""

    def __init__(self) -> None:
        self.records: list[SampleRecord] = []
        self.clusters: list[str] = []

    def cluster(self, row: Row) -> str:
        """Return what a row has in common with others that are not independent of it."""
        raise TypeError(f"{type(self).__name__} must define cluster()")

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
        check_not_silent(self.task, records)
        self.records += records
        self.clusters += [
            self.cluster(row_of(doc)) for doc, response in asked(docs, responses) for _ in response.final_text or [""]
        ]
        infra = [record for record in records if record.verdict == Verdict.INFRA_ERROR and not record.fault]
        if len(infra) > MAX_INFRA_FRACTION * len(records):
            raise TooManyInfraErrorsError(
                f"{self.task}: the sandbox failed on {len(infra)} of {len(records)} programs ({infra[0].message}); "
                "nothing is scored. Look at `python -m evals selfcheck`."
            )
        scores = iter([score(record) for record in records])
        # A response without text is one of log-likelihoods: one answer, the likeliest.
        return [mean_without_nan([next(scores) for _ in response.final_text or [""]]) for response in responses]

    def aggregate(self, scores: Sequence[float]) -> dict[str, float]:
        """Return the score as `evals run` has it: with its standard error, its 95 % interval and n.

        lighteval gives the scores alone: which answers belong to one problem, and which problems to one cluster, was
        noted when they were judged.
        """
        entry = score_of(self.records, self.clusters)
        known = [(value, cluster) for value, cluster in self._problems() if not math.isnan(value)]
        low, high = entry["interval"]
        values = {
            self.metric: entry["value"],
            f"{self.metric}_stderr": standard_error(*zip(*known, strict=True)),
            f"{self.metric}_95_low": low,
            f"{self.metric}_95_high": high,
            f"{self.metric}_n": float(entry["n"]),
        }
        if num_empty := sum(map(is_empty, self.records)):
            values[f"{self.metric}_empty"] = float(num_empty)
        others = {f"pass@{k}": value for k, value in entry.get("pass_at_k", {}).items() if f"pass@{k}" != self.metric}
        return values | others

    def _problems(self) -> list[tuple[float, str]]:
        """Return the score of each problem with its cluster."""
        scores: dict[str, list[float]] = {}
        clusters = {}
        for record, cluster in zip(self.records, self.clusters, strict=True):
            scores.setdefault(record.id, []).append(score(record))
            clusters[record.id] = cluster
        return [(mean_without_nan(own), clusters[name]) for name, own in scores.items()]


def is_empty(record: SampleRecord) -> bool:
    """Return whether there is no text, and nobody who says why: lighteval's clients take a failed request for that."""
    return not (record.prediction.strip() or record.finish_reason or record.fault)


def check_not_silent(task: str, records: Sequence[SampleRecord]) -> None:
    """Refuse to score a task of which no answer has a text.

    Raises:
        UnansweredError: that is so, of MIN_EMPTY answers or more.
    """
    if len(records) >= MIN_EMPTY and all(map(is_empty, records)):
        raise UnansweredError(f"all {len(records)} answers to {task} are empty: look at what the model's server says")


def row_of(doc: Doc) -> Row:
    """Return the row that a document was made of, whose number lighteval gives it as its id."""
    return _rows[doc.task_name.partition("|")[0]][int(doc.id)]


def asked(docs: Sequence[Doc], responses: Sequence[ModelResponse]) -> list[tuple[Doc, ModelResponse]]:
    """Return each document with the response to it."""
    return list(zip(docs, responses, strict=True))


class JudgedAnswers(JudgedSamples):
    """What a model wrote, judged by a benchmark."""

    def __init__(self, benchmark: Benchmark, task: str, instruct: bool) -> None:
        super().__init__()
        self.benchmark, self.task, self.instruct, self.metric = benchmark, task, instruct, benchmark.metric

    def cluster(self, row: Row) -> str:
        """Return the problem, which may be there in several languages or places."""
        return self.benchmark.cluster(row)

    def judge(self, responses: Sequence[ModelResponse], docs: Sequence[Doc]) -> list[SampleRecord]:
        """Let the benchmark judge every answer to its row."""
        pairs = [(row_of(doc), answer) for doc, response in asked(docs, responses) for answer in response.final_text]
        return self.benchmark.judge([row for row, _ in pairs], [answer for _, answer in pairs], self.instruct)


class LikeliestOption(JudgedSamples):
    """The option with the highest log-likelihood, taken as the answer."""

    def __init__(self, benchmark: Benchmark, task: str, instruct: bool) -> None:
        super().__init__()
        self.benchmark, self.task, self.instruct, self.metric = benchmark, task, instruct, benchmark.metric

    def cluster(self, row: Row) -> str:
        """Return the problem, which may be there in several languages or places."""
        return self.benchmark.cluster(row)

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
    metric = "exact_match"

    def cluster(self, row: Row) -> str:
        """Return the question itself: each is about a function of its own."""
        return str(row["mid"])

    def judge(self, responses: Sequence[ModelResponse], docs: Sequence[Doc]) -> list[SampleRecord]:
        """Compare each prediction with what the call returned."""
        return [
            judge_answer(row_of(doc)["mid"], answer, row_of(doc)["answer"])
            for response, doc in zip(responses, docs, strict=True)
            for answer in response.final_text
        ]


def question_of(line: Row, task_name: str) -> Doc:
    """Return the question as it was asked in training; lighteval puts it into the chat template."""
    return Doc(task_name=task_name, query=line["question"], choices=[""], gold_index=0)


def tasks_table() -> list[Task]:
    """Return the tasks of all benchmarks."""
    return [*(task for benchmark in BENCHMARKS.values() for task in tasks_of(benchmark)), held_out_task()]


def tasks_of(benchmark: Benchmark) -> list[Task]:
    """Return a benchmark's tasks: one for every preset, for base and for instruct models.

    Benchmarks of code have their own name too, which lighteval leaves free: it asks chat models in the standard way.
    """
    tasks = [task_of(benchmark, preset, instruct) for preset in PRESETS for instruct in (True, False)]
    if benchmark.group == "code":
        tasks.append(task_of(benchmark, "standard", True, benchmark.name))
    return tasks


def task_of(benchmark: Benchmark, preset: str, instruct: bool, name: str = "") -> Task:
    """Return the task that asks a benchmark's questions in one of its ways."""
    name = name or benchmark.task_name(preset, instruct)
    options = benchmark.options

    def load_rows() -> list[Row]:
        rows = benchmark.load(None)[0]
        benchmark.require()  # refuse before the model has generated, not after
        return rows

    def to_doc(row: Row, task_name: str) -> Doc:
        query = benchmark.prompt(row, preset, instruct)
        choices = [benchmark.continuation_of(option) for option in options] or [""]
        gold = benchmark.gold(row) if options else None
        gold_index = options.index(gold) if gold is not None else 0
        return Doc(task_name=task_name, query=query, choices=choices, gold_index=gold_index)

    computation = (LikeliestOption if options else JudgedAnswers)(benchmark, name, instruct)
    method = SamplingMethod.LOGPROBS if options else SamplingMethod.GENERATIVE
    source = benchmark.source
    return Task(
        name=name,
        prompt_function=to_doc,
        load_rows=load_rows,
        hf_repo=source.hub_id,
        hf_subset=source.hub_config,
        hf_revision=source.revision or None,
        hf_avail_splits=[source.split],
        evaluation_splits=[source.split],
        metrics=[judged_metric(computation, method)],
        generation_size=None if options else generation_size(benchmark.max_new_tokens),
        stop_sequence=[] if instruct else list(benchmark.base_stops),
        version=1,
    )


def held_out_rows(folder: Path | None) -> tuple[list[Row], str]:
    """Return the held-out questions with their answers, and where they came from.

    Raises:
        BenchmarkDataError: as `load_held_out`.
    """
    rows, source = load_held_out(folder)
    questions = [row["messages"][0]["content"] for row in rows]
    return [
        {"mid": row["mid"], "question": question, "answer": row["answer"]}
        for row, question in zip(rows, questions, strict=True)
    ], source


def held_out_task() -> Task:
    """Return the task of held-out calls, over the folder that an environment variable names."""

    def load_rows() -> list[Row]:
        folder = os.environ.get(DATA_FOLDER_VARIABLE)
        if not folder:
            raise BenchmarkDataError(f"let {DATA_FOLDER_VARIABLE} name a dataset folder of the sft builder")
        return held_out_rows(Path(folder))[0]

    return Task(
        name=HELD_OUT_TASK,
        prompt_function=question_of,
        load_rows=load_rows,
        hf_repo=DATA_FOLDER_VARIABLE,
        hf_subset="default",
        hf_avail_splits=["validation"],
        evaluation_splits=["validation"],
        metrics=[judged_metric(ExactValue())],
        generation_size=generation_size(MAX_NEW_TOKENS),
        stop_sequence=[],
        version=1,
    )


def judged_metric(
    computation: JudgedSamples, category: SamplingMethod = SamplingMethod.GENERATIVE
) -> SampleLevelMetric:
    """Return lighteval's metric for a computation over a whole task."""
    return SampleLevelMetric(
        metric_name=computation.metric,
        category=category,
        higher_is_better=True,
        sample_level_fn=computation,
        corpus_level_fn=computation.aggregate,
        batched_compute=True,
    )
