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
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.benchmarks.held_out_execution import NAME as HELD_OUT
from evals.benchmarks.held_out_execution import load_held_out, majority_answer
from evals.benchmarks.rows import Row, content_hash
from evals.report.statistics import mcnemar_exact, wilson_interval

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


def run(options: RunOptions) -> dict[str, Any]:
    """Score a model, and write results.json and samples/ below the output folder.

    Returns:
        The content of results.json.

    Raises:
        FileNotFoundError: the model folder does not exist.
        TooManyInfraErrorsError: the sandbox failed on more than 2 % of the programs.

    Source: paper 4 (greedy, pass@1); intervals and paired tests are ours.
    """
    for model in filter(None, (options.model, options.baseline_model)):
        check_model(model)
    prepared, unscorable = prepare_tasks(options)
    results: dict[str, Any] = {name: {"value": None, "reason": reason} for name, reason in unscorable.items()}
    if prepared:
        records = score_model(options.model, prepared, options)
        baselines = score_model(options.baseline_model, prepared, options) if options.baseline_model else {}
        for task in prepared:
            results[task.name] = summarise(task, records[task.name], options)
            add_baselines(results[task.name], task, records[task.name], baselines.get(task.name), options)
            write_samples(options.output / "samples" / f"{task.name}.jsonl", records[task.name])
    answer = {
        "model": options.model,
        "preset": options.preset,
        "base": options.base,
        "tasks": results,
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    write_json(options.output / "results.json", answer)
    return answer


def check_model(model: str) -> None:
    """Raise FileNotFoundError for a path that is no model folder; names of the Hub pass."""
    folder = Path(model)
    looks_like_path = folder.is_absolute() or model.count("/") != 1 or folder.exists()
    if looks_like_path and not (folder / "config.json").is_file():
        raise FileNotFoundError(f"--model {model}: no config.json there; give a model folder, or org/name on the Hub")


def prepare_tasks(options: RunOptions) -> tuple[list[PreparedTask], dict[str, str]]:
    """Load the rows of each task and write them where lighteval will read them.

    Returns:
        (tasks that can be scored, reasons why the others cannot).
    """
    from evals.tasks.benchmark import UNSCORABLE

    prepared, unscorable = [], {}
    for name in options.tasks:
        try:
            prepared.append(_prepare_held_out(options) if name == HELD_OUT else _prepare_benchmark(name, options))
        except UNSCORABLE as error:
            unscorable[name] = str(error)
    return prepared, unscorable


def _prepare_benchmark(name: str, options: RunOptions) -> PreparedTask:
    from evals.tasks.all_tasks import BENCHMARKS

    benchmark = BENCHMARKS[name]
    rows, source = benchmark.load(options.data_dir)
    rows = rows[: options.limit]
    isolation = benchmark.require()  # refuse before the model has generated, not after
    instruct = not options.base
    prompts = [benchmark.prompt(row, options.preset, instruct) for row in rows]
    os.environ[benchmark.folder_variable] = str(lay_out(options.output, name, rows, prompts))
    return PreparedTask(
        name,
        benchmark.task_name(options.preset, instruct),
        benchmark.metric,
        rows,
        [benchmark.identify(row) for row in rows],
        benchmark.source.columns,
        source,
        isolation,
    )


def _prepare_held_out(options: RunOptions) -> PreparedTask:
    rows, source = load_held_out(options.held_out)
    rows = rows[: options.limit]
    lines = [{"mid": row["mid"], "question": row["messages"][0]["content"], "answer": row["answer"]} for row in rows]
    questions = [line["question"] for line in lines]
    os.environ["LING_HELD_OUT_FOLDER"] = str(lay_out(options.output, HELD_OUT, lines, questions))
    from evals.tasks.held_out_execution import NAME

    ids = [row["mid"] for row in lines]
    return PreparedTask(HELD_OUT, NAME, "exact_match", lines, ids, ("mid", "question", "answer"), source, None)


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


def score_model(model: str, tasks: Sequence[PreparedTask], options: RunOptions) -> dict[str, list[Any]]:
    """Generate and judge; return each task's SampleRecords in the order of its rows.

    A pipeline of its own for every task: lighteval caches generations when a pipeline has them all, and a killed run
    shall keep the tasks that it finished.
    """
    import torch
    from lighteval.logging.evaluation_tracker import EvaluationTracker
    from lighteval.models.model_input import GenerationParameters
    from lighteval.models.model_loader import load_model
    from lighteval.models.transformers.transformers_model import TransformersModelConfig
    from lighteval.pipeline import ParallelismManager, Pipeline, PipelineParameters

    from evals.tasks.scoring import MAX_NEW_TOKENS_VARIABLE, take_records

    if options.max_new_tokens:
        os.environ[MAX_NEW_TOKENS_VARIABLE] = str(options.max_new_tokens)
    register_our_tasks_only()
    keep_cache_out_of_the_model()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = TransformersModelConfig(
        model_name=model,
        trust_remote_code=True,
        dtype="bfloat16" if device == "cuda" else "float32",
        device=device,
        batch_size=options.batch_size,
        override_chat_template=not options.base,
        generation_parameters=GenerationParameters(temperature=0.0),
        # lighteval keys its cache of generations by the model's name: another training run has the same one.
        cache_dir=str(options.output / "cache" / model_fingerprint(model)),
    )
    loaded = load_model(config)
    loaded.cleanup = lambda: None  # a pipeline drops its model at the end; ours goes on to the next task
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
        pipeline.evaluate()
        pipeline.save_and_push_results()
        by_id = {record.id: record for record in take_records(task.lighteval_name)}
        records[task.name] = [by_id[identifier] for identifier in task.ids]
    return records


def register_our_tasks_only() -> None:
    """Keep lighteval from importing its own tasks, of which some need a network on import."""
    from lighteval.tasks.registry import Registry

    Registry._load_from_files = staticmethod(lambda files, module_prefix: {})
    Registry._load_from_subdirs = staticmethod(lambda subdirs: {})


def keep_cache_out_of_the_model() -> None:
    """Make lighteval name a model's cache by the last part of its path.

    It joins cache folder and model name; where the name is an absolute path, that is the model's own folder.
    """
    from lighteval.models.transformers import transformers_model
    from lighteval.utils.cache_management import SampleCache

    class CacheBesideResults(SampleCache):
        """lighteval's cache of generations, below the folder that it was given."""

        def __init__(self, model_config: Any) -> None:
            super().__init__(model_config.model_copy(update={"model_name": Path(model_config.model_name).name}))

    transformers_model.SampleCache = CacheBesideResults


def our_tasks_module() -> Path:
    """Return the file that names all of our tasks."""
    return Path(__file__).parent / "tasks" / "all_tasks.py"


def model_fingerprint(model: str) -> str:
    """Return a hash that changes when the files of a local model do; of its name for a model on the Hub."""
    files = sorted(path for path in Path(model).glob("*") if path.is_file()) if Path(model).is_dir() else []
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([model, facts]).encode()).hexdigest()[:16]


def summarise(task: PreparedTask, records: Sequence[Any], options: RunOptions) -> dict[str, Any]:
    """Return a task's entry of results.json; infra errors are left out of n."""
    scored = [record for record in records if record.verdict != "infra_error"]
    num_right = sum(record.verdict == "pass" for record in scored)
    return {
        "metric": task.metric,
        "value": num_right / len(scored) if scored else None,
        "n": len(scored),
        "interval": list(wilson_interval(num_right, len(scored))) if scored else None,
        "verdicts": dict(sorted(Counter(record.verdict for record in records).items())),
        "extraction": dict(sorted(Counter(record.extraction for record in records if record.extraction).items())),
        "isolation": task.isolation,
        "data": {"source": task.source, "rows": len(task.rows), "sha256": content_hash(task.rows, task.columns)},
        "baselines": {},
    }


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


def write_samples(path: Path, records: Sequence[Any]) -> None:
    """Write one line per sample: id, prediction, verdict, message."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(record.as_dict(), ensure_ascii=False) + "\n" for record in records)


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
        unread = [f"{n} {how.replace('_', ' ')}" for how, n in task.get("extraction", {}).items() if how != "fenced"]
        if unread:
            print(f"  answers without a closed block of the right language: {', '.join(unread)}")
        for label, baseline in task["baselines"].items():
            extra = f", McNemar p={baseline['mcnemar_p']:.3g}" if "mcnemar_p" in baseline else ""
            print(f"  {label.replace('_', ' ')}: {baseline['value']:.1%}{extra}")
