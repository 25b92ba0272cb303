"""Answers that are known to be right for MultiPL-E, which has none of its own.

For six languages the bodies of HumanEvalPack's solutions, with types and names turned into those of MultiPL-E's
prompts, where that fits: `multipl_e_gold_fitting.json` names the rows. For other rows, and for PHP, C# and Bash, ours:
`gold_programs/LANGUAGE.txt`, the completions of the prompts one after another, each below a line `=== NAME OF THE ROW`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.humanevalfix import LANGUAGES as PACK_LANGUAGES
from evals.benchmarks.humanevalfix import humanevalfix_source
from evals.benchmarks.rows import BenchmarkDataError, Row

FITTING = Path(__file__).with_name("multipl_e_gold_fitting.json")
OURS = Path(__file__).with_name("gold_programs")
NAME_LINE = re.compile(r"^=== (\S+)\n", re.MULTILINE)
# TypeScript takes JavaScript's bodies.
FROM_PACK = {"typescript": "javascript", **{name: name for name in PACK_LANGUAGES if name != "python"}}
# Types of HumanEvalPack's solutions to those of MultiPL-E's prompts.
TYPES = {
    "cpp": ((r"\bint\b", "long"),),
    "java": (
        (r"\bInteger\b", "Long"),
        (r"\bint\b", "long"),
        (r"(?<!Array)\bList<", "ArrayList<"),
        (r"\bDouble\b", "Float"),
        (r"\bdouble\b", "float"),
    ),
    "rust": ((r"\b[iu](?:32|64)\b", "isize"),),
    "typescript": ((r"\b(var|let) (\w+) =", r"\1 \2: any ="),),
}


def add_gold(rows: Sequence[Row], language: str, data_dir: Path | None) -> list[Row]:
    """Return the rows with a column `gold`: a right completion, or None where none is known.

    Args:
        rows: of HumanEval in MultiPL-E.
        data_dir: has humanevalpack/ too; without it, rows whose gold comes from there have none.
    """
    solutions = our_solutions(language)
    if language in FROM_PACK:
        try:
            pack, _ = humanevalfix_source(FROM_PACK[language]).load(data_dir)
        except BenchmarkDataError:
            pack = []
        by_number = {row["task_id"].split("/")[1]: row for row in pack}
        for row in rows:
            number = row["name"].split("_")[1]
            if number in by_number and int(number) in _fitting()[language]:
                solutions[row["name"]] = transplanted(by_number[number], row, language)
    return [{**row, "gold": solutions.get(row["name"])} for row in rows]


def transplanted(pack_row: Row, row: Row, language: str) -> str:
    """Return the body of a HumanEvalPack solution as the completion of a MultiPL-E prompt."""
    closing = r"\}\s*\}\s*\Z" if language == "java" else r"\}\s*\Z"
    body = re.sub(closing, "", pack_row["canonical_solution"].rstrip())
    for pattern, replacement in TYPES.get(language, ()):
        body = re.sub(pattern, replacement, body)
    if language == "cpp":
        return f"    using namespace std;\n{body}"
    if language in ("javascript", "typescript", "go"):  # the tests of these do not begin by closing the function
        own = re.findall(r"(\w+)\s*\(", row["prompt"].strip().splitlines()[-1])[0]
        return re.sub(rf"\b{pack_row['entry_point']}\b", own, body) + "}\n"
    return body


def our_solutions(language: str) -> dict[str, str]:
    """Return our own completions of the prompts in a language, by the names of the rows."""
    path = OURS / f"{language}.txt"
    parts = NAME_LINE.split(path.read_text(encoding="utf-8")) if path.is_file() else [""]
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@functools.cache
def _fitting() -> dict[str, list[int]]:
    return json.loads(FITTING.read_text(encoding="utf-8"))
