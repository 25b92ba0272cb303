"""Judging the answers of an earlier run anew, without the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.benchmarks.rows import Row
from evals.errors import UsageError
from evals.models.answer_file import Answer
from evals.report.runs import read_results, read_samples, write_json
from evals.scoring.hub_scores import write_scores
from evals.scoring.results import entry_of, prepared, write_samples

if TYPE_CHECKING:
    from evals.tasks.benchmark import Benchmark


def score_again(output: Path, data_dir: Path | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """Judge the answers of an earlier run anew, without the model: after a mended judge, or on another machine.

    Args:
        output: of that run, with results.json and samples/. Both are replaced; baselines are not asked again and go.
        data_dir: as for `run`.

    Returns:
        (the new content of results.json, reasons by task). A task that cannot be judged today, for want of its data or
        tools, keeps its entry and its samples, and has a reason.

    Raises:
        UsageError: no run there, or an answer to a question that the data do not hold.
    """
    from evals.tasks.benchmark import UNSCORABLE
    from evals.tasks.catalog import BENCHMARKS
    from evals.tasks.records import ended, numbered

    results = read_results(output)
    unjudged: dict[str, str] = {}
    for name, old in results["tasks"].items():
        samples = output / "samples" / f"{name}.jsonl"
        if name not in BENCHMARKS or old["value"] is None or not samples.is_file():
            continue
        lines = read_samples(samples)
        benchmark = BENCHMARKS[name]
        try:
            rows, source = benchmark.load(data_dir)
            isolation = benchmark.require()
        except UNSCORABLE as error:
            unjudged[name] = str(error)
            continue
        known = {benchmark.identify(row): row for row in rows}
        lost = {line["id"] for line in lines} - known.keys()
        if lost:
            raise UsageError(f"{samples}: {len(lost)} answers belong to no row of {source}")
        asked = [known[line["id"]] for line in lines]
        judged = numbered(benchmark.judge(asked, [line["prediction"] for line in lines], not results["base"]))
        records = [ended(record, answer_in(line)) for record, line in zip(judged, lines, strict=True)]
        rows = list({line["id"]: known[line["id"]] for line in lines}.values())
        task = prepared(benchmark, rows, source, isolation, prompts=prompts_of(benchmark, rows, lines, results))
        results["tasks"][name] = entry_of(task, records)
        write_samples(samples, task, records)
    write_json(output / "results.json", results)
    write_scores(output, results)
    return results, unjudged


def answer_in(line: dict[str, Any]) -> Answer:
    """Return the answer that a line of samples keeps, with how it ended."""
    return Answer(text=line["prediction"], finish_reason=line.get("finish_reason", ""), fault=line.get("fault", ""))


def prompts_of(
    benchmark: Benchmark, rows: Sequence[Row], lines: Sequence[dict[str, Any]], results: dict[str, Any]
) -> list[str]:
    """Return what the model was asked, as samples keep it; else as it is asked today, if that takes no model."""
    kept = {line["id"]: line["prompt"] for line in lines if line.get("prompt")}
    return [kept.get(benchmark.identify(row)) or _prompt_of_today(benchmark, row, results) for row in rows]


def _prompt_of_today(benchmark: Benchmark, row: Row, results: dict[str, Any]) -> str:
    if benchmark.needs_model:
        return ""
    return benchmark.prompt(row, results["preset"], not results["base"])
