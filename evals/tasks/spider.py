"""Section 4.4.4: Spider, execution accuracy: the answer's rows are those of the gold query. SQL runs in the sandbox."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evals.benchmarks.rows import Row
from evals.benchmarks.source import BenchmarkSource
from evals.benchmarks.spider import SPIDER, SPIDER_DEV, load_spider
from evals.execution import ExecutionResult, Executor, Limits, Program, Verdict
from evals.tasks.answers import Extraction
from evals.tasks.benchmark import ExecutedBenchmark
from evals.tasks.records import SampleRecord, record_of
from evals.tasks.sql_text import first_statement, is_ordered, query_in, with_sort_keys, without_distinct

PROMPT = (
    "{schema}\n\n\n-- Using valid SQLite, answer the following questions for the tables provided above.\n"
    "Question: {question}\n"
)
LAST_SENTENCE = "Please output only the final SQL query, starts with keyword `SELECT`."
# Read-only, twice over: the file is opened so, and its copy lies in a sandbox of its own.
QUERY = """
import json, sqlite3, sys
connection = sqlite3.connect("file:database.sqlite?mode=ro", uri=True)
connection.text_factory = lambda content: content.decode(errors="ignore")
rows = connection.execute(sys.stdin.read()).fetchmany({max_rows})
print(json.dumps([[value.hex() if isinstance(value, bytes) else value for value in row] for row in rows]))
"""
OTHER_ORDER = "other order"
MAX_ROWS = 20000
MAX_COLUMNS = 6  # of which every order is tried


class Spider(ExecutedBenchmark):
    """Execution accuracy on the test databases; columns may come in another order, rows too without ORDER BY."""

    metric = "execution_accuracy"
    max_new_tokens = 512
    base_stops = (";", "\n\n")
    limits = Limits(
        wall_seconds=60.0, cpu_seconds=60.0, memory_bytes=1 << 30, output_bytes=8 << 20, disk_bytes=512 << 20
    )
    language = "sql"

    def __init__(self, name: str, source: BenchmarkSource) -> None:
        self.name, self.source = name, source
        self.title = f"{source.num_rows:,} questions over SQLite databases"

    def load(self, data_dir: Path | None) -> tuple[list[Row], str]:
        return load_spider(self.source, data_dir)

    def require(self) -> str:
        with Executor(self.limits) as executor:
            return executor.isolation

    def subsets(self, row: Row) -> dict[str, str]:
        return {"hardness": row["hardness"]} if row["hardness"] else {}

    def prompt(self, row: Row, preset: str, instruct: bool) -> str:
        text = PROMPT.format(schema=row["schema"], question=row["question"])
        return text + LAST_SENTENCE if instruct else f"{text}SELECT"

    def code_of_answer(self, row: Row, answer: str) -> Extraction:
        return query_in(answer)

    def program(self, row: Row, code: str) -> Program:
        """Return the program that runs one query."""
        database = Path(row["database"]).read_bytes()
        return Program(QUERY.format(max_rows=MAX_ROWS), stdin=code, files={"database.sqlite": database})

    def judge(self, rows: Sequence[Row], answers: Sequence[str], instruct: bool) -> list[SampleRecord]:
        if instruct:
            found = [self.code_of_answer(row, answer) for row, answer in zip(rows, answers, strict=True)]
        else:
            found = [Extraction(completed(first_statement(answer)), "") for answer in answers]
        # DISTINCT is left out of both, as by the official judge.
        queries = [without_distinct(extraction.code) for extraction in found]
        golds = [without_distinct(row["query"]) for row in rows]
        with Executor(self.limits) as executor:
            theirs = executor.run_batch(self.program(row, query) for row, query in zip(rows, queries, strict=True))
            ours = executor.run_batch(self.program(row, query) for row, query in zip(rows, golds, strict=True))
            judgements = [judged(*pair) for pair in zip(theirs, ours, golds, strict=True)]
            for index, result in enumerate(judgements):
                keyed = with_sort_keys(golds[index]) if result.message == OTHER_ORDER else None
                if keyed:
                    sorted_rows = executor.run(self.program(rows[index], keyed[0]))
                    judgements[index] = judged_with_ties(result, sorted_rows, keyed[1])
        return [
            record_of(self.identify(row), answer, result, extraction.how, extraction.code)
            for row, answer, extraction, result in zip(rows, answers, found, judgements, strict=True)
        ]

    def gold(self, row: Row) -> str:
        return row["query"]


def completed(query: str) -> str:
    """Return a base model's query with the SELECT that the prompt ended with."""
    query = query.strip()
    return query if re.match(r"(?i)(select|with)\b", query) else f"SELECT {query}"


def judged(result: ExecutionResult, gold: ExecutionResult, query: str) -> ExecutionResult:
    """Return the result with the verdict of the comparison; a gold query that fails is our own error."""
    if gold.verdict is not Verdict.PASS:
        return replace(gold, verdict=Verdict.INFRA_ERROR, message=f"the gold query failed: {gold.stderr[-200:]}")
    if result.verdict is not Verdict.PASS:
        return result
    found, expected = json.loads(result.stdout), json.loads(gold.stdout)
    if same_rows(found, expected, is_ordered(query)):
        return result
    other = OTHER_ORDER if same_rows(found, expected, ordered=False) else "other rows"
    return replace(result, verdict=Verdict.FAIL, message=other)


def judged_with_ties(result: ExecutionResult, keyed: ExecutionResult, num_keys: int) -> ExecutionResult:
    """Return the result as passed if its rows differ in order only among those that the gold query does not order.

    Args:
        result: of an answer whose rows come in another order.
        keyed: of the gold query with what it is ordered by in its last columns.
        num_keys: how many those are.
    """
    if keyed.verdict is not Verdict.PASS:
        return result
    found, start = json.loads(result.stdout), 0
    for _, group in itertools.groupby(json.loads(keyed.stdout), key=lambda row: row[-num_keys:]):
        rows = [row[:-num_keys] for row in group]
        if not same_rows(found[start : start + len(rows)], rows, ordered=False):
            return result
        start += len(rows)
    return replace(result, verdict=Verdict.PASS, message="")


def same_rows(found: list[list], expected: list[list], ordered: bool) -> bool:
    """Return whether two results are equal, in some order of the columns; as sets with counts unless ordered.

    Without rows the columns do not count.
    """
    if len(found) != len(expected) or (found and len(found[0]) != len(expected[0])):
        return False
    if not found:
        return True
    width = len(found[0])
    wanted = [tuple(map(_value, row)) for row in expected]
    given = [tuple(map(_value, row)) for row in found]
    counted = Counter(wanted)
    orders = itertools.permutations(range(width)) if width <= MAX_COLUMNS else [tuple(range(width))]
    for order in orders:
        turned = [tuple(row[i] for i in order) for row in given]
        if turned == wanted if ordered else Counter(turned) == counted:
            return True
    return False


def _value(value: object) -> object:
    # 1 and 1.0 are equal in Python; a float is rounded because sums depend on the order of their terms.
    return round(value, 6) if isinstance(value, float) else value


SPIDERS = (Spider("spider", SPIDER), Spider("spider_dev", SPIDER_DEV))
