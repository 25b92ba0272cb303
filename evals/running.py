"""Section 4: scoring a model through lighteval: data laid out, tasks run, results with intervals and baselines.

lighteval imports all of its own tasks at start, and some of those fetch files on import; only ours are registered here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.benchmarks.held_out_execution import NAME as HELD_OUT
from evals.benchmarks.held_out_execution import load_held_out, majority_answer
from evals.benchmarks.rows import Row, content_hash
from evals.models import check_model, gradients_kept
from evals.report.statistics import mcnemar_exact, wilson_interval
from evals.summary import summarise

if TYPE_CHECKING:
    from evals.tasks.benchmark import Benchmark

PACKAGES = ("lighteval", "transformers", "torch")


@dataclass(frozen=True)
class RunOptions:
    """What `python -m evals run` was asked for; fields as its flags."""

    model: str
    tasks: tuple[str, ...]
    output: Path
    baseline_model: str | None = None
    held_out: Path | None = None
    data_dir: Path | None = None
    preset: str = "standard"
    base: bool = False
    limit: int | None = None
    batch_size: int = 16
    max_new_tokens: int | None = None
    num_samples: int = 1
    temperature: float = 0.0
    top_p: float = 0.95
    seed: int = 0
    backend: str = "accelerate"
    base_url: str = ""
    api_key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 16

    def __post_init__(self) -> None:
        if self.num_samples > 1 and self.temperature <= 0:
            raise ValueError(
                f"--num-samples {self.num_samples} needs --temperature above 0: greedy answers are all the same"
            )
        if self.backend == "endpoint" and self.baseline_model:
            raise ValueError(
                "--baseline-model is compared with --backend accelerate only; `evals report` compares runs"
            )


@dataclass(frozen=True)
class PreparedTask:
    """A task whose rows are laid out for lighteval."""

    name: str
    lighteval_name: str
    metric: str
    rows: list[Row]
    ids: list[str]
    columns: tuple[str, ...]
    source: str
    isolation: str | None
    clusters: list[str]
    subsets: list[dict[str, str]]


def run(options: RunOptions) -> dict[str, Any]:
    """Score a model, and write results.json and samples/ below the output folder.

    Returns:
        The content of results.json.

    Raises:
        FileNotFoundError: the model folder does not exist.
        TooManyInfraErrorsError: the sandbox failed on more than 2 % of the programs.

    Source: paper 4 (greedy, pass@1); intervals and paired tests are ours.
    """
    if options.backend == "accelerate":
        for model in filter(None, (options.model, options.baseline_model)):
            check_model(model)
    tasks, unscorable = prepare_tasks(options)
    records = score_model(options.model, tasks, options, unscorable) if tasks else {}
    results: dict[str, Any] = {name: {"value": None, "reason": reason} for name, reason in unscorable.items()}
    tasks = [task for task in tasks if task.name in records]
    baselines = score_model(options.baseline_model, tasks, options, {}) if options.baseline_model and tasks else {}
    for task in tasks:
        results[task.name] = entry_of(task, records[task.name])
        add_baselines(results[task.name], task, records[task.name], baselines.get(task.name), options)
        write_samples(options.output / "samples" / f"{task.name}.jsonl", task, records[task.name])
    results = {name: results[name] for name in options.tasks}
    answer = {
        "model": options.model,
        "preset": options.preset,
        "base": options.base,
        "backend": options.backend,
        "sampling": {
            "num_samples": options.num_samples,
            "temperature": options.temperature,
            "top_p": options.top_p if options.temperature else None,
            "seed": options.seed if options.temperature else None,
            "max_new_tokens": options.max_new_tokens,
        },
        "tasks": results,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    write_json(options.output / "results.json", answer)
    return answer


def prepare_tasks(options: RunOptions) -> tuple[list[PreparedTask], dict[str, str]]:
    """Load the rows of each task and write them where lighteval will read them.

    Returns:
        (tasks that can be scored, reasons why the others cannot).
    """
    from evals.tasks.benchmark import UNSCORABLE

    tasks, unscorable = [], {}
    for name in options.tasks:
        try:
            tasks.append(_prepare_held_out(options) if name == HELD_OUT else _prepare_benchmark(name, options))
        except UNSCORABLE as error:
            unscorable[name] = str(error)
    return tasks, unscorable


def _prepare_benchmark(name: str, options: RunOptions) -> PreparedTask:
    from evals.tasks.all_tasks import BENCHMARKS

    benchmark = BENCHMARKS[name]
    rows, source = benchmark.load(options.data_dir)
    rows = rows[: options.limit]
    isolation = benchmark.require()  # refuse before the model has generated, not after
    instruct = not options.base
    benchmark.prepare(options.model)
    prompts = [benchmark.prompt(row, options.preset, instruct) for row in rows]
    os.environ[benchmark.folder_variable] = str(lay_out(options.output, name, rows, prompts))
    return prepared(benchmark, rows, source, isolation, benchmark.task_name(options.preset, instruct))


def prepared(
    benchmark: Benchmark, rows: list[Row], source: str, isolation: str | None, lighteval_name: str = ""
) -> PreparedTask:
    """Return the task of a benchmark's rows."""
    return PreparedTask(
        name=benchmark.name,
        lighteval_name=lighteval_name,
        metric=benchmark.metric,
        rows=rows,
        ids=[benchmark.identify(row) for row in rows],
        columns=benchmark.source.columns,
        source=source,
        isolation=isolation,
        clusters=[benchmark.cluster(row) for row in rows],
        subsets=[benchmark.subsets(row) for row in rows],
    )


def _prepare_held_out(options: RunOptions) -> PreparedTask:
    rows, source = load_held_out(options.held_out)
    rows = rows[: options.limit]
    lines = [{"mid": row["mid"], "question": row["messages"][0]["content"], "answer": row["answer"]} for row in rows]
    questions = [line["question"] for line in lines]
    os.environ["LING_HELD_OUT_FOLDER"] = str(lay_out(options.output, HELD_OUT, lines, questions))
    from evals.tasks.held_out_execution import NAME

    ids = [row["mid"] for row in lines]
    columns = ("mid", "question", "answer")
    return PreparedTask(HELD_OUT, NAME, "exact_match", lines, ids, columns, source, None, ids, [{}] * len(ids))


def lay_out(output: Path, name: str, rows: Sequence[Row], prompts: Sequence[str]) -> Path:
    """Write rows as a dataset folder with a test split; return the folder.

    The folder is named by the prompts: lighteval caches generations by it and a row's number, so that an answer to
    another question is never taken for this one's.
    """
    digest = hashlib.sha256(json.dumps(list(prompts)).encode()).hexdigest()[:12]
    folder = (output / "data" / f"{name}-{digest}").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "test.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return folder


@gradients_kept()
def score_model(
    model: str, tasks: Sequence[PreparedTask], options: RunOptions, unscorable: dict[str, str]
) -> dict[str, list[Any]]:
    """Generate and judge; return each task's SampleRecords in the order of its rows.

    A task that needs what the model's server does not give is left out, and the reason added to `unscorable`.

    A pipeline of its own for every task: lighteval caches generations when a pipeline has them all, and a killed run
    shall keep the tasks that it finished.
    """
    from lighteval.logging.evaluation_tracker import EvaluationTracker
    from lighteval.pipeline import ParallelismManager, Pipeline, PipelineParameters

    from evals.endpoint import NoLogLikelihoodsError
    from evals.models import load_model
    from evals.tasks.scoring import MAX_NEW_TOKENS_VARIABLE, NUM_SAMPLES_VARIABLE, take_records

    os.environ[NUM_SAMPLES_VARIABLE] = str(options.num_samples)
    if options.max_new_tokens:
        os.environ[MAX_NEW_TOKENS_VARIABLE] = str(options.max_new_tokens)
    register_our_tasks_only()
    loaded = load_model(replace(options, model=model))
    records = {}
    for task in tasks:
        pipeline = Pipeline(
            tasks=f"{task.lighteval_name}|0",
            pipeline_parameters=PipelineParameters(
                launcher_type=ParallelismManager.ACCELERATE, custom_tasks_directory=str(our_tasks_module())
            ),
            evaluation_tracker=EvaluationTracker(output_dir=str(options.output / "lighteval"), save_details=True),
            model=loaded,
        )
        try:
            pipeline.evaluate()
        except NoLogLikelihoodsError as error:
            unscorable[task.name] = str(error)
            continue
        pipeline.save_and_push_results()
        place = {identifier: number for number, identifier in enumerate(task.ids)}
        records[task.name] = sorted(
            take_records(task.lighteval_name), key=lambda record: (place[record.id], record.sample)
        )
    return records


def register_our_tasks_only() -> None:
    """Keep lighteval from importing its own tasks, of which some need a network on import."""
    from lighteval.tasks.registry import Registry

    Registry._load_from_files = staticmethod(lambda files, module_prefix: {})
    Registry._load_from_subdirs = staticmethod(lambda subdirs: {})


def our_tasks_module() -> Path:
    """Return the file that names all of our tasks."""
    return Path(__file__).parent / "tasks" / "all_tasks.py"


def entry_of(task: PreparedTask, records: Sequence[Any]) -> dict[str, Any]:
    """Return a task's entry of results.json."""
    place = {identifier: number for number, identifier in enumerate(task.ids)}
    places = [place[record.id] for record in records]
    entry = {"metric": task.metric}
    entry |= summarise(records, [task.clusters[i] for i in places], [task.subsets[i] for i in places])
    entry["isolation"] = task.isolation
    entry["data"] = {"source": task.source, "rows": len(task.rows), "sha256": content_hash(task.rows, task.columns)}
    entry["baselines"] = {}
    return entry


def add_baselines(
    result: dict[str, Any],
    task: PreparedTask,
    records: Sequence[Any],
    initial: Sequence[Any] | None,
    options: RunOptions,
) -> None:
    """Add the majority answer, and other weights with a paired test, to a task's entry."""
    if task.name == HELD_OUT and options.held_out:
        from evals.tasks.held_out_execution import judge_answer

        majority = majority_answer(options.held_out)
        right = [judge_answer(row["mid"], majority, row["answer"]).verdict == "pass" for row in task.rows]
        result["baselines"]["majority_answer"] = {
            "answer": majority,
            "value": sum(right) / len(right),
            "interval": list(wilson_interval(sum(right), len(right))),
        }
    if initial is not None:
        pairs = [
            (ours.verdict == "pass", theirs.verdict == "pass")
            for ours, theirs in zip(records, initial, strict=True)
            if "infra_error" not in (ours.verdict, theirs.verdict)
        ]
        num_right = sum(theirs for _, theirs in pairs)
        result["baselines"]["initial_weights"] = {
            "model": options.baseline_model,
            "value": num_right / len(pairs) if pairs else math.nan,
            "interval": list(wilson_interval(num_right, len(pairs))),
            "mcnemar_p": mcnemar_exact(
                sum(ours and not theirs for ours, theirs in pairs), sum(theirs and not ours for ours, theirs in pairs)
            ),
        }


def write_samples(path: Path, task: PreparedTask, records: Sequence[Any]) -> None:
    """Write one line per answer: id, prediction, verdict, message, and the problem's cluster."""
    cluster = dict(zip(task.ids, task.clusters, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    # A lone half of a surrogate pair then stands as \ud800, which JSON reads as that.
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        for record in records:
            file.write(json.dumps({**record.as_dict(), "cluster": cluster[record.id]}, ensure_ascii=False) + "\n")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    temporary.replace(path)


def print_results(results: dict[str, Any]) -> None:
    """Print a line per task and baseline."""
    for name, task in results["tasks"].items():
        if task["value"] is None:
            print(f"{name}: unscorable: {task.get('reason', 'every sample was an infra error')}", file=sys.stderr)
            continue
        low, high = task["interval"]
        isolation = f", isolation {task['isolation']}" if task["isolation"] else ""
        print(f"{name}: {task['metric']} {task['value']:.1%} (n={task['n']}, 95 % {low:.1%} to {high:.1%}{isolation})")
        if "exact_match" in task:
            print(f"  exact match {task['exact_match']:.1%}")
        if "pass_at_k" in task:
            print("  " + ", ".join(f"pass@{k} {value:.1%}" for k, value in task["pass_at_k"].items()))
        for label, part in task.get("subsets", {}).items():
            if part["value"] is not None and len(task["subsets"]) <= 12:
                print(f"  {label}: {part['value']:.1%} (n={part['n']})")
        unread = [f"{n} {how.replace('_', ' ')}" for how, n in task.get("extraction", {}).items() if how != "fenced"]
        if unread:
            print(f"  answers without a closed block of the right language: {', '.join(unread)}")
        for label, baseline in task["baselines"].items():
            extra = f", McNemar p={baseline['mcnemar_p']:.3g}" if "mcnemar_p" in baseline else ""
            print(f"  {label.replace('_', ' ')}: {baseline['value']:.1%}{extra}")
