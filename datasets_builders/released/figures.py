"""Section 2.4: figures of a question dataset, counted from its shards for the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.released.answers_read import RANKED_ANSWERS

MAX_SHOWN = 40
ALL = ("all", "all")


def figures_section(folder: Path) -> str:
    """Return a Markdown table: rows, functions, modules and the share of the commonest answer, by kind and split.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
    """
    groups: dict[tuple[str, str], _Group] = {}
    for shard in DatasetFolder(folder).shards:
        for row in shard.rows(["kind", "function", "module", "path", "messages"]):
            for key in ((row["kind"], shard.split), ALL):
                groups.setdefault(key, _Group()).add(row)
    lines = [
        "| kind | split | rows | functions | modules | commonest answer |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for key, group in sorted(groups.items(), key=lambda item: (item[0] == ALL, item[0])):
        lines.append(f"| {' | '.join(key)} | {group.cells()} |")
    return "\n".join(lines)


@dataclass
class _Group:
    """Counts of some rows; of texts their hashes, so that a million rows take little memory."""

    num_rows: int = 0
    functions: set[int] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row."""
        self.num_rows += 1
        if row["function"]:
            self.functions.add(hash((row["path"], row["function"])))
            self.modules.add(row["module"])
        self.answers[hash(row["messages"][-1]["content"])] += 1

    def cells(self) -> str:
        """Return the cells of the table's line."""
        share = max(self.answers.values(), default=0) / max(self.num_rows, 1)
        return f"{self.num_rows:,} | {len(self.functions):,} | {len(self.modules):,} | {share:.1%}"


def ratio_section(folder: Path, ratio: Mapping[str, float]) -> str:
    """Return Markdown tables: training rows by source and licence, by category beside the wanted ratio, by language.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
        ratio: of categories; may be empty.
    """
    sources: Counter[tuple[str, str, str]] = Counter()
    languages: Counter[str] = Counter()
    for row in DatasetFolder(folder).rows(["source", "category", "license", "languages"], "train"):
        sources[row["source"], row["category"], row["license"] or "unknown"] += 1
        languages[row["languages"][0] if row["languages"] else "none"] += 1
    total = sum(sources.values())
    lines = ["| source | category | licence | training rows |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(key)} | {count:,} |" for key, count in sources.most_common(MAX_SHOWN)]
    if left := sources.most_common()[MAX_SHOWN:]:
        lines.append(f"| {len(left)} more | | | {sum(count for _, count in left):,} |")
    lines += ["", "| category | training rows | part | wanted |", "| --- | --- | --- | --- |"]
    weights = sum(ratio.values())
    for category in sorted({category for _, category, _ in sources} | set(ratio)):
        count = sum(found for (_, name, _), found in sources.items() if name == category)
        wanted = f"{ratio[category] / weights:.1%}" if weights and category in ratio else "no limit"
        lines.append(f"| {category} | {count:,} | {count / max(total, 1):.1%} | {wanted} |")
    lines += ["", "| programming language, the first of a row | training rows |", "| --- | --- |"]
    lines += [f"| {name} | {count:,} |" for name, count in languages.most_common(MAX_SHOWN)]
    return "\n".join(lines)


def models_section(folder: Path) -> str:
    """Return Markdown tables: pairs by source, how many hold answers of the model to be trained, and by model.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
    """
    sources: Counter[tuple[str, str]] = Counter()
    policies: Counter[str] = Counter()
    chosen: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    columns = ["kind", "source", "license", "chosen_model", "rejected_model", "on_policy"]
    for row in DatasetFolder(folder).rows(columns):
        sources[row["source"], row["license"] or "unknown"] += 1
        if row["kind"] == RANKED_ANSWERS:
            policies[row["on_policy"]] += 1
            chosen[row["chosen_model"] or "unknown"] += 1
            rejected[row["rejected_model"] or "unknown"] += 1
    total = max(sum(policies.values()), 1)
    lines = ["| source | licence | pairs |", "| --- | --- | --- |"]
    lines += [f"| {' | '.join(key)} | {count:,} |" for key, count in sources.most_common(MAX_SHOWN)]
    lines += ["", "| answers of the model to be trained | ranked pairs | part |", "| --- | --- | --- |"]
    lines += [f"| {name} | {count:,} | {count / total:.1%} |" for name, count in policies.most_common()]
    lines += ["", "| model | chosen | rejected |", "| --- | --- | --- |"]
    lines += [f"| {name} | {chosen[name]:,} | {rejected[name]:,} |" for name, _ in (chosen + rejected).most_common()]
    return "\n".join(lines)


def held_out_functions(folder: Path) -> list[dict[str, Any]]:
    """Return the functions of the validation split: path, module, function, cluster and number of questions.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
    """
    names = ("path", "module", "function", "cluster")
    rows = DatasetFolder(folder).rows(names, "validation")
    counts = Counter(tuple(row[name] for name in names) for row in rows)
    return [dict(zip(names, key, strict=True)) | {"num_questions": count} for key, count in sorted(counts.items())]
