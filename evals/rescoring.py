"""Section 4: judging the answers of an earlier run anew, without the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evals.running import PreparedTask, RunOptions, summarise, write_json, write_samples


def score_again(output: Path, data_dir: Path | None = None) -> dict[str, Any]:
    """Judge the answers of an earlier run anew, without the model: after a mended judge, or on another machine.

    Args:
        output: of that run, with results.json and samples/. Both are replaced; baselines are not asked again and go.
        data_dir: as for `run`.

    Returns:
        The new content of results.json. Tasks that were unscorable then, or are now, say why.

    Raises:
        FileNotFoundError: no run there.
        ValueError: an answer to a question that the data do not hold.

    Source: ours.
    """
    from evals.tasks.all_tasks import BENCHMARKS
    from evals.tasks.benchmark import UNSCORABLE

    path = output / "results.json"
    if not path.is_file():
        raise FileNotFoundError(f"{output}: no results.json there; give the --output of an earlier `evals run`")
    results = json.loads(path.read_text(encoding="utf-8"))
    options = RunOptions(results["model"], tuple(results["tasks"]), output, data_dir=data_dir, base=results["base"])
    for name, old in results["tasks"].items():
        samples = output / "samples" / f"{name}.jsonl"
        if name not in BENCHMARKS or old["value"] is None or not samples.is_file():
            continue
        lines = map(json.loads, samples.read_text(encoding="utf-8").splitlines())
        answers = {line["id"]: line["prediction"] for line in lines}
        benchmark = BENCHMARKS[name]
        try:
            rows, source = benchmark.load(data_dir)
            isolation = benchmark.require()
        except UNSCORABLE as error:
            results["tasks"][name] = {"value": None, "reason": str(error)}
            continue
        rows = [row for row in rows if benchmark.identify(row) in answers]
        ids = [benchmark.identify(row) for row in rows]
        if len(ids) != len(answers):
            raise ValueError(f"{samples}: {len(answers) - len(ids)} answers belong to no row of {source}")
        records = benchmark.judge(rows, [answers[identifier] for identifier in ids], instruct=not options.base)
        columns = benchmark.source.columns
        task = PreparedTask(name, "", benchmark.metric, rows, ids, columns, source, isolation)
        results["tasks"][name] = summarise(task, records, options)
        write_samples(samples, records)
    write_json(path, results)
    return results
