"""Section 4.2: LiveCodeBench, code generation: the problems of 2024-08 to 2024-11 (22 easy, 34 medium, 45 hard)."""

from __future__ import annotations

import base64
import json
import pickletools
import zlib
from collections import Counter
from pathlib import Path

from evals.benchmarks.rows import BenchmarkDataError, Row
from evals.benchmarks.source import BenchmarkSource

FIRST_DAY, LAST_DAY = "2024-08-01", "2024-11-30"
DIFFICULTIES = {"easy": 22, "medium": 34, "hard": 45}
COLUMNS = (
    *("question_title", "question_content", "question_id", "contest_date", "starter_code", "difficulty"),
    *("public_test_cases", "private_test_cases", "metadata"),
)
# The parquet copy; release_v5 holds every problem up to 2025-01.
LIVECODEBENCH = BenchmarkSource(
    name="livecodebench",
    file_names=("test.jsonl", "test.jsonl.gz", "test.parquet", "test5.jsonl"),
    hub_id="lighteval/code_generation_lite",
    hub_config="release_v5",
    columns=COLUMNS,
    num_rows=880,
    license="cc, not for redistribution",
)


def load_livecodebench(
    source: BenchmarkSource, data_dir: Path | None, difficulties: dict[str, int] = DIFFICULTIES
) -> tuple[list[Row], str]:
    """Load the problems of the paper's four months, with all tests as plain lists.

    Returns:
        (rows with `tests` [{input, output, testtype}] and `function` (None for programs that read stdin), where from).

    Raises:
        BenchmarkDataError: another number of problems of a difficulty, or tests that are not what they should be.
    """
    rows, where = source.load(data_dir)
    rows = [row for row in rows if FIRST_DAY <= str(row["contest_date"])[:10] <= LAST_DAY]
    found = Counter(row["difficulty"] for row in rows)
    if found != Counter(difficulties):
        raise BenchmarkDataError(
            f"{where} has {dict(found)} problems from {FIRST_DAY} to {LAST_DAY}, not {difficulties}"
        )
    answer = []
    for row in rows:
        try:
            tests = json.loads(row["public_test_cases"]) + decode_private(row["private_test_cases"])
            function = json.loads(row["metadata"] or "{}").get("func_name")
        except (ValueError, TypeError, zlib.error) as error:
            raise BenchmarkDataError(f"{where}: the tests of {row['question_id']} cannot be read: {error}") from error
        kept = {key: row[key] for key in ("question_content", "question_id", "difficulty", "starter_code")}
        answer.append({**kept, "task_id": row["question_id"], "tests": tests, "function": function})
    return answer, where


# What the pickle of one text consists of, in every protocol: nothing here calls or imports anything.
TEXT_OPCODES = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}
TEXTS = {"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}


def decode_private(text: str) -> list[dict[str, str]]:
    """Return the private tests: JSON, or the base64 of a compressed pickle of JSON.

    The pickle is read as a list of instructions and never run: one that holds more than a text is refused.

    Raises:
        ValueError, zlib.error: the text is neither.
    """
    try:
        return json.loads(text)
    except ValueError:
        content = zlib.decompress(base64.b64decode(text))
    steps = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(content)]
    texts = [str(argument) for name, argument in steps if name in TEXTS]
    other = {name for name, _ in steps} - TEXTS - TEXT_OPCODES
    if len(texts) != 1 or other:
        raise ValueError(f"a pickle of {', '.join(sorted(other)) or f'{len(texts)} texts'} where one text was expected")
    return json.loads(texts[0])
