"""Section 2.4: figures of a question dataset, counted from its shards for the card."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder


def figures_section(folder: Path) -> str:
    """Return a Markdown table: rows, functions, modules and the share of the commonest answer, by kind and split.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
    """
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    everything = []
    for shard in DatasetFolder(folder).shards:
        for row in shard.rows(["kind", "function", "module", "path", "messages"]):
            groups.setdefault((row["kind"], shard.split), []).append(row)
            everything.append(row)
    lines = [
        "| kind | split | rows | functions | modules | commonest answer |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for (kind, split), rows in sorted(groups.items()):
        lines.append(f"| {kind} | {split} | {_cells(rows)} |")
    lines.append(f"| all | all | {_cells(everything)} |")
    return "\n".join(lines)


def _cells(rows: list[dict[str, Any]]) -> str:
    functions = {(row["path"], row["function"]) for row in rows}
    answers = Counter(row["messages"][-1]["content"] for row in rows)
    share = max(answers.values(), default=0) / max(len(rows), 1)
    return f"{len(rows):,} | {len(functions):,} | {len({row['module'] for row in rows}):,} | {share:.1%}"


def held_out_functions(folder: Path) -> list[dict[str, Any]]:
    """Return the functions of the validation split: path, module, function, cluster and number of questions.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
    """
    names = ("path", "module", "function", "cluster")
    rows = DatasetFolder(folder).rows(names, "validation")
    counts = Counter(tuple(row[name] for name in names) for row in rows)
    return [dict(zip(names, key, strict=True)) | {"num_questions": count} for key, count in sorted(counts.items())]
