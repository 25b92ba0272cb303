"""What a run leaves: an entry of results.json for each task, every answer, a line on the terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.benchmarks.held_out_execution import NAME as HELD_OUT
from evals.benchmarks.held_out_execution import majority_answer
from evals.benchmarks.rows import Row, content_hash
from evals.report.statistics import mcnemar_exact, wilson_interval
from evals.scoring.options import RunOptions
from evals.scoring.summary import summarize

if TYPE_CHECKING:
    from evals.tasks.benchmark import Benchmark
    from evals.tasks.records import SampleRecord


@dataclass(frozen=True)
class PreparedTask:
    """A task and its rows, for lighteval.

    Args:
        prompts: of each row, what the model reads; empty where they are not known.
        references: of each row, a right answer; empty where there is none.
    """

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
    prompts: Sequence[str] = ()
    references: Sequence[str] = ()


def prepared(
    benchmark: Benchmark,
    rows: list[Row],
    source: str,
    isolation: str | None,
    lighteval_name: str = "",
    prompts: Sequence[str] = (),
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
        prompts=prompts,
        references=[benchmark.gold(row) or "" for row in rows],
    )


def entry_of(task: PreparedTask, records: Sequence[SampleRecord]) -> dict[str, Any]:
    """Return a task's entry of results.json."""
    place = {identifier: number for number, identifier in enumerate(task.ids)}
    places = [place[record.id] for record in records]
    entry: dict[str, Any] = {"metric": task.metric}
    entry |= summarize(records, [task.clusters[i] for i in places], [task.subsets[i] for i in places])
    entry["isolation"] = task.isolation
    entry["data"] = {"source": task.source, "rows": len(task.rows), "sha256": content_hash(task.rows, task.columns)}
    entry["baselines"] = {}
    return entry


def add_baselines(
    result: dict[str, Any],
    task: PreparedTask,
    records: Sequence[SampleRecord],
    initial: Sequence[SampleRecord] | None,
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


def write_samples(
    path: Path, task: PreparedTask, records: Sequence[SampleRecord], initial: Sequence[SampleRecord] | None = None
) -> None:
    """Write one line per answer: id, prediction, verdict, message, and the problem's cluster.

    The first answer to each problem has its prompt and a right answer ("reference") too, where they are known, and
    what other weights said ("baseline_prediction"), where they were asked.
    """
    others = {record.id: record.prediction for record in initial or ()}
    cluster = dict(zip(task.ids, task.clusters, strict=True))
    prompts = dict(zip(task.ids, task.prompts, strict=True)) if task.prompts else {}
    references = dict(zip(task.ids, task.references, strict=True)) if task.references else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    # A lone half of a surrogate pair then stands as \ud800, which JSON reads as that.
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        for record in records:
            line = {**record.as_dict(), "cluster": cluster[record.id]}
            problem = {"prompt": prompts.get(record.id), "reference": references.get(record.id)}
            problem["baseline_prediction"] = others.get(record.id)
            line |= {key: text for key, text in problem.items() if text and record.sample == 0}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def num_scored(results: dict[str, Any]) -> int:
    """Return how many tasks have a score."""
    return sum(task["value"] is not None for task in results["tasks"].values())


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
        if cut := task.get("finish_reasons", {}).get("length"):
            print(f"  {cut} answers were cut at the limit of tokens, {task['without_text']} of them before any text")
        for fault, number in task.get("faults", {}).items():
            print(f"  {number} answers did not come and are left out: {fault}")
        unread = [f"{n} {how.replace('_', ' ')}" for how, n in task.get("extraction", {}).items() if how != "fenced"]
        if unread:
            print(f"  answers without a closed block of the right language: {', '.join(unread)}")
        for label, baseline in task["baselines"].items():
            extra = f", McNemar p={baseline['mcnemar_p']:.3g}" if "mcnemar_p" in baseline else ""
            print(f"  {label.replace('_', ' ')}: {baseline['value']:.1%}{extra}")
