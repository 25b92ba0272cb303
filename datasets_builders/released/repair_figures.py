"""Section 2.4: figures of the repairs, tests and refactorings of a question dataset, for the card."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.synthesis.program_analysis.mutation.mutate import changed_lines
from datasets_builders.synthesis.program_analysis.mutation.tells import TellReport, surface_tells

REPAIRS = ("code_repair", "repair_as_diff", "faulty_line")
COLUMNS = ("kind", "languages", "path", "function", "messages", "code", "context", "mutation", "rewrite", "num_killed")
_SHOWN_FAILURE = re.compile(r" raises `| instead of `")
MAX_SHOWN = 12


def repair_figures(folder: Path) -> str:
    """Return a Markdown list: how repairs show their failure, what a text rule finds, kinds of faults and rewrites.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
    """
    rows = [
        row
        for shard in DatasetFolder(folder).shards
        for row in shard.rows([*COLUMNS, "mutants"])
        if row["kind"] in (*REPAIRS, "test_writing", "refactoring") and row["languages"] == ["Python"]
    ]
    repairs = [row for row in rows if row["kind"] in REPAIRS]
    if not repairs:
        return "No repairs."
    shown = sum(bool(_SHOWN_FAILURE.search(row["messages"][0]["content"])) for row in repairs)
    report = measure_tells(repairs)
    tests = [row for row in rows if row["kind"] == "test_writing"]
    killed, mutants = sum(row["num_killed"] for row in tests), sum(len(row["mutants"]) for row in tests)
    return "\n".join(
        [
            f"- {len(repairs):,} repairs; {shown / len(repairs):.1%} show what the code returns or raises instead.",
            f"- Rules about the tokens of a line, chosen on half of the functions, point out the faulty line in "
            f"{report.found_fraction:.1%} of the repairs of the other half; a line at random is faulty in "
            f"{report.chance:.1%}.",
            f"- Faults: {_shares(row['mutation'] for row in repairs)}.",
            f"- {len(tests):,} tests find {killed:,} of {mutants:,} faulty versions.",
            f"- Refactorings: {_shares(row['rewrite'] for row in rows if row['kind'] == 'refactoring')}.",
        ]
    )


def measure_tells(repairs: Iterable[Mapping[str, Any]]) -> TellReport:
    """Return how many repairs a rule about the text of a line finds.

    Args:
        repairs: rows of `synthetic_qa`, with `code` the faulty program.
    """
    faults = []
    for row in repairs:
        right = _right_program(row)
        if right is None:
            continue
        changed = {
            number + 1
            for _, _, _, start, end in changed_lines(right, row["code"])
            for number in range(start, max(end, start + 1))
        }
        faults.append((f"{row['path']}\0{row['function']}", row["code"], changed))
    return surface_tells(faults)


def _right_program(row: Mapping[str, Any]) -> str | None:
    """Return the program as it should be, where the row tells it as code."""
    if row["kind"] != "code_repair" or not row["code"]:
        return None
    function = row["messages"][-1]["content"].removeprefix("```python\n").removesuffix("\n```")
    program = f"{row['context']}\n\n\n{function}" if row["context"] else function
    try:
        ast.parse(row["code"])
    except SyntaxError:
        return None
    return program


def _shares(values: Iterable[str]) -> str:
    counts = Counter(values)
    total = sum(counts.values())
    parts = [f"{value} {count / total:.0%}" for value, count in counts.most_common(MAX_SHOWN)]
    return ", ".join([*parts, *(["others"] if len(counts) > MAX_SHOWN else [])]) or "none"
