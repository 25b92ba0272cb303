"""Section 4.1: scores in the Hub's form, `.eval_results/NAME.yaml` in a model's repository, as its page shows them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

FOLDER = ".eval_results"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
REVISION = re.compile(r"@([0-9a-f]{40})$")


def score_files(results: dict[str, Any], source_url: str | None = None) -> dict[str, bytes]:
    """Return the files for a run's scores by their paths: one per task, as the Hub wants it.

    Left out is what is no score of the benchmark that the Hub would show it under: a task without a score, the first
    rows alone (`--limit`), rows that are no dataset of the Hub, results that do not say how they were measured.

    Args:
        results: content of results.json.
        source_url (`str`, *optional*): of the answers.

    Source: the format is huggingface_hub's `EvalResultEntry`; values are percentages, as in its documentation.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    from evals.tasks.catalog import BENCHMARKS

    files = {}
    for name, task in results["tasks"].items():
        benchmark = BENCHMARKS.get(name)
        is_told = "sampling" in results and "data" in task
        if task["value"] is None or results.get("limit") or not benchmark or not is_told:
            continue
        if not HUB_ID.fullmatch(benchmark.source.hub_id):
            continue
        revision = REVISION.search(task["data"]["source"])
        entry = EvalResultEntry(
            dataset_id=benchmark.source.hub_id,
            task_id=name,
            value=round(100 * task["value"], 2),
            dataset_revision=revision[1] if revision else None,
            source_url=source_url,
            source_name="Answers and verdicts" if source_url else None,
            notes=notes_of(results, task),
        )
        text = yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=True, width=1000)
        files[f"{FOLDER}/{name}.yaml"] = text.encode()
    return files


def notes_of(results: dict[str, Any], task: dict[str, Any]) -> str:
    """Return in a line what a score was measured with, where it is not what everybody takes for granted."""
    low, high = task["interval"]
    sampling = results["sampling"]
    parts = [
        f"{task['metric']} in %, n={task['n']}, 95 % interval {100 * low:.1f} to {100 * high:.1f}",
        f"{results['preset']} prompts, {'completion' if results['base'] else 'chat'}",
        f"temperature {sampling['temperature']:g}" if sampling["temperature"] else "greedy",
    ]
    if sampling["num_samples"] > 1:
        parts.append(f"{sampling['num_samples']} answers to each problem")
    parts += [f"{key.replace('_', ' ')} {sampling[key]!r}" for key in ("system_prompt", "prefill") if sampling[key]]
    return "; ".join(parts)


def write_scores(output: Path, results: dict[str, Any]) -> None:
    """Write the files for a run's scores below its output folder, in place of those of an earlier run."""
    folder = output / FOLDER
    for earlier in folder.glob("*.yaml"):
        earlier.unlink()
    for name, content in score_files(results).items():
        folder.mkdir(exist_ok=True)
        (output / name).write_bytes(content)
