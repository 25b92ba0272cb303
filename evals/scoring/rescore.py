"""Judging the answers of an earlier run anew, without the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evals.errors import UsageError
from evals.models.answer_file import Answer
from evals.report.runs import read_results, read_samples, write_json
from evals.scoring.results import entry_of, prepared, write_samples


def score_again(output: Path, data_dir: Path | None = None) -> dict[str, Any]:
    """Judge the answers of an earlier run anew, without the model: after a mended judge, or on another machine.

    Args:
        output: of that run, with results.json and samples/. Both are replaced; baselines are not asked again and go.
        data_dir: as for `run`.

    Returns:
        The new content of results.json. Tasks that were unscorable then, or are now, say why.

    Raises:
        UsageError: no run there, or an answer to a question that the data do not hold.
    """
    from evals.tasks.all_tasks import BENCHMARKS
    from evals.tasks.benchmark import UNSCORABLE
    from evals.tasks.records import ended, numbered

    results = read_results(output)
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
            results["tasks"][name] = {"value": None, "reason": str(error)}
            continue
        known = {benchmark.identify(row): row for row in rows}
        lost = {line["id"] for line in lines} - known.keys()
        if lost:
            raise UsageError(f"{samples}: {len(lost)} answers belong to no row of {source}")
        asked = [known[line["id"]] for line in lines]
        judged = numbered(benchmark.judge(asked, [line["prediction"] for line in lines], not results["base"]))
        records = [ended(record, answer_in(line)) for record, line in zip(judged, lines, strict=True)]
        rows = list({line["id"]: known[line["id"]] for line in lines}.values())
        task = prepared(benchmark, rows, source, isolation)
        results["tasks"][name] = entry_of(task, records)
        write_samples(samples, task, records)
    write_json(output / "results.json", results)
    return results


def answer_in(line: dict[str, Any]) -> Answer:
    """Return the answer that a line of samples keeps, with how it ended."""
    return Answer(text=line["prediction"], finish_reason=line.get("finish_reason", ""), fault=line.get("fault", ""))
