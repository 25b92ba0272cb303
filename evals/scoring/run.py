"""Section 4.1: scoring a model through lighteval: rows loaded, tasks run, results with intervals and baselines.

lighteval imports all of its own tasks at start, and some of those fetch files on import; only ours are registered here.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.benchmarks.held_out_execution import NAME as HELD_OUT
from evals.errors import UsageError
from evals.models.model_folder import check_model, loading, model_revision
from evals.report.runs import read_results, write_json
from evals.scoring.hub_scores import write_scores
from evals.scoring.options import RunOptions
from evals.scoring.results import PreparedTask, add_baselines, entry_of, prepared, write_samples

if TYPE_CHECKING:
    from evals.models.accelerate import LoadedModel
    from evals.models.endpoint import EndpointModel
    from evals.tasks.records import SampleRecord

LANGUAGE_PLACE = "{language}"  # in a prefill
PACKAGES = ("lighteval", "transformers", "torch")


def run(options: RunOptions) -> dict[str, Any]:
    """Score a model, and write results.json, samples/ and .eval_results/ below the output folder.

    Returns:
        The content of results.json.

    Raises:
        UsageError: no such model, or the output folder holds something else.
        TooManyInfraErrorsError: the sandbox failed on more than 2 % of the programs.

    Source: paper 4 (greedy, pass@1); intervals and paired tests are ours.
    """
    if options.backend == "accelerate":
        for model in filter(None, (options.model, options.baseline_model)):
            check_model(model)
    check_output(options.output, options.model)
    prefills = prefills_of(options)
    tasks, unscorable = prepare_tasks(options)
    records = score_model(options.model, tasks, options, unscorable, prefills) if tasks else {}
    results: dict[str, Any] = {name: {"value": None, "reason": reason} for name, reason in unscorable.items()}
    tasks = [task for task in tasks if task.name in records]
    baselines: dict[str, list[SampleRecord]] = {}
    if options.baseline_model and tasks:
        baselines = score_model(options.baseline_model, tasks, options, {}, prefills)
    for task in tasks:
        results[task.name] = entry_of(task, records[task.name])
        add_baselines(results[task.name], task, records[task.name], baselines.get(task.name), options)
        path = options.output / "samples" / f"{task.name}.jsonl"
        write_samples(path, task, records[task.name], baselines.get(task.name))
    results = {name: results[name] for name in options.tasks}
    answer = {
        "model": options.model,
        "revision": model_revision(options.model) if options.backend == "accelerate" else None,
        "preset": options.preset,
        "base": options.base,
        "limit": options.limit,
        "backend": options.backend,
        "sampling": {
            "num_samples": options.num_samples,
            "temperature": options.temperature,
            "top_p": options.top_p if options.temperature else None,
            "seed": options.seed if options.temperature else None,
            "max_new_tokens": options.max_new_tokens,
            "system_prompt": options.system_prompt,
            "prefill": options.prefill,
            "reasoning_effort": options.reasoning_effort,
            "extra_body": options.extra_body,
        },
        "tasks": results,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    write_json(options.output / "results.json", answer)
    write_scores(options.output, answer)
    return answer


def check_output(folder: Path, model: str) -> None:
    """Refuse an output folder that cannot take the results of this model.

    Raises:
        UsageError: it is a file, is named like one, cannot be written, or holds another model's results.
    """
    if folder.is_file() or folder.suffix in (".json", ".jsonl"):
        raise UsageError(f"--output {folder}: give a folder; results.json and samples/ are written into it")
    if (folder / "results.json").is_file():
        other = read_results(folder)["model"]
        if other != model and Path(other).absolute() != Path(model).absolute():
            raise UsageError(f"--output {folder} holds the results of {other}; give another folder, or remove it")
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise UsageError(f"--output {folder}: {existing} cannot be written")


def prefills_of(options: RunOptions) -> dict[str, str]:
    """Return how the answers to each task begin, with the task's language in its place.

    Raises:
        UsageError: a task has no language, or no answer that is written.
    """
    from evals.tasks.benchmark import ExecutedBenchmark
    from evals.tasks.catalog import BENCHMARKS

    prefills = {}
    for name in options.tasks:
        benchmark = BENCHMARKS.get(name)
        if options.prefill and benchmark and benchmark.options:
            raise UsageError(f"--prefill begins answers that are written, and {name} compares options: leave it out")
        language = benchmark.language if isinstance(benchmark, ExecutedBenchmark) else ""
        if LANGUAGE_PLACE in options.prefill and not language:
            raise UsageError(f"--prefill {options.prefill!r}: {name} asks for no program, so that it has no language")
        prefills[name] = options.prefill.replace(LANGUAGE_PLACE, language.partition("_")[0])
    return prefills


def prepare_tasks(options: RunOptions) -> tuple[list[PreparedTask], dict[str, str]]:
    """Load the rows of each task.

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
    from evals.tasks.catalog import BENCHMARKS

    benchmark = BENCHMARKS[name]
    rows, source = benchmark.load(options.data_dir)
    rows = rows[: options.limit]
    isolation = benchmark.require()  # refuse before the model has generated, not after
    instruct = not options.base
    benchmark.prepare(options.model)
    prompts = [benchmark.prompt(row, options.preset, instruct) for row in rows]
    return prepared(benchmark, rows, source, isolation, benchmark.task_name(options.preset, instruct), prompts)


def _prepare_held_out(options: RunOptions) -> PreparedTask:
    from evals.tasks.held_out_execution import NAME
    from evals.tasks.lighteval_tasks import held_out_rows

    rows, source = held_out_rows(options.held_out)
    rows = rows[: options.limit]
    ids = [row["mid"] for row in rows]
    columns = ("mid", "question", "answer")
    return PreparedTask(
        name=HELD_OUT,
        lighteval_name=NAME,
        metric="exact_match",
        rows=rows,
        ids=ids,
        columns=columns,
        source=source,
        isolation=None,
        clusters=ids,
        subsets=[{}] * len(ids),
        prompts=[row["question"] for row in rows],
        references=[row["answer"] for row in rows],
    )


@contextlib.contextmanager
def gradients_kept() -> Iterator[None]:
    """Put torch's gradient mode back afterwards.

    lighteval turns gradients off for the whole process when its transformers model is imported: whoever scored a model
    could train none.
    """
    import torch

    enabled = torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_grad_enabled(enabled)


@gradients_kept()
def score_model(
    model: str,
    tasks: Sequence[PreparedTask],
    options: RunOptions,
    unscorable: dict[str, str],
    prefills: Mapping[str, str],
) -> dict[str, list[SampleRecord]]:
    """Generate and judge; return each task's SampleRecords in the order of its rows.

    A task that needs what the model's server does not give is left out, and the reason added to `unscorable`.

    A pipeline of its own for every task: lighteval caches generations when a pipeline has them all, and a killed run
    shall keep the tasks that it finished.
    """
    from lighteval.logging.evaluation_tracker import EvaluationTracker
    from lighteval.pipeline import ParallelismManager, Pipeline, PipelineParameters

    from evals.models.openai_server import NoLogLikelihoodsError
    from evals.tasks.lighteval_tasks import give_rows, take_records
    from evals.tasks.records import MAX_NEW_TOKENS_VARIABLE, NUM_SAMPLES_VARIABLE, UnansweredError

    os.environ[NUM_SAMPLES_VARIABLE] = str(options.num_samples)
    if options.max_new_tokens:
        os.environ[MAX_NEW_TOKENS_VARIABLE] = str(options.max_new_tokens)
    register_our_tasks_only()
    loaded = load_model(replace(options, model=model))
    records = {}
    for task in tasks:
        loaded.prefill = prefills[task.name]
        give_rows(task.lighteval_name, task.rows)
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
        except UnansweredError as error:
            unscorable[task.name] = str(error)
            unjudged = take_records(task.lighteval_name)
            write_samples(options.output / "samples" / f"{task.name}.jsonl", task, unjudged)
            continue
        pipeline.save_and_push_results()
        place = {identifier: number for number, identifier in enumerate(task.ids)}
        records[task.name] = sorted(
            take_records(task.lighteval_name), key=lambda record: (place[record.id], record.sample)
        )
    return records


def load_model(options: RunOptions) -> LoadedModel | EndpointModel:
    """Return the model as lighteval asks it.

    Raises:
        EndpointError: the server cannot be reached, or does not have the model.
        UsageError: transformers cannot load it.
    """
    if options.backend == "endpoint":
        from evals.models.endpoint import EndpointModel

        return EndpointModel(options)
    from evals.models.accelerate import LoadedModel

    with loading(options.model):
        return LoadedModel(options)


def register_our_tasks_only() -> None:
    """Keep lighteval from importing its own tasks, of which some need a network on import."""
    from lighteval.tasks.registry import Registry

    for loader in ("_load_from_files", "_load_from_subdirs"):
        setattr(Registry, loader, staticmethod(lambda *arguments, **more: {}))


def our_tasks_module() -> Path:
    """Return the file that names all of our tasks."""
    return Path(__file__).parents[1] / "tasks" / "all_tasks.py"
