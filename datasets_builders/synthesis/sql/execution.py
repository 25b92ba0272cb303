"""Section 2.4: queries run on databases inside the sandbox, and results compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.execution import Executor, Limits, Program, Verdict

DRIVER = Path(__file__).with_name("sandbox_sql_driver.py").read_text(encoding="utf-8")
JOBS_PER_PROGRAM = 64
SECONDS_PER_JOB = 2.0


@dataclass(frozen=True)
class SqlJob:
    """Databases, each as the script that makes it, and the queries that each of them is asked."""

    setups: tuple[str, ...]
    queries: tuple[str, ...]


@dataclass(frozen=True)
class SqlResult:
    """The rows of a query, or what went wrong.

    `reversed_rows` are those of a second run, in which SQLite gives what no ORDER BY settles the other way round; equal
    to `rows` where the query settles all.
    """

    rows: list[list[Any]] | None
    error: str = ""
    reversed_rows: list[list[Any]] | None = None

    def is_settled(self, ordered: bool) -> bool:
        """Return whether both runs gave the same rows: no LIMIT cuts through a tie, no order is left to chance."""
        return self.rows is not None and _same_rows(self.rows, self.reversed_rows, ordered)

    def equals(self, other: SqlResult, ordered: bool) -> bool:
        """Return whether both have rows, and the same ones in both runs; in the same order where that counts."""
        return _same_rows(self.rows, other.rows, ordered) and _same_rows(
            self.reversed_rows, other.reversed_rows, ordered
        )


def _same_rows(first: list[list[Any]] | None, second: list[list[Any]] | None, ordered: bool) -> bool:
    if first is None or second is None:
        return False
    return first == second if ordered else sorted(first, key=repr) == sorted(second, key=repr)


def run_queries(executor: Executor, jobs: Sequence[SqlJob]) -> list[list[list[SqlResult]]]:
    """Run queries in the sandbox.

    Args:
        executor (`Executor`): the sandbox.
        jobs (`Sequence[SqlJob]`): what to run.

    Returns:
        For each job, for each database, the results of the queries. What did not finish has an error.

    Raises:
        RuntimeError: the sandbox itself failed.
    """
    groups = [
        list(range(start, min(start + JOBS_PER_PROGRAM, len(jobs)))) for start in range(0, len(jobs), JOBS_PER_PROGRAM)
    ]
    answers = [[[SqlResult(None, "not run") for _ in job.queries] for _ in job.setups] for job in jobs]
    programs = [
        Program(DRIVER, files={"jobs.json": json.dumps([vars(jobs[index]) for index in group]).encode()})
        for group in groups
    ]
    seconds = SECONDS_PER_JOB * JOBS_PER_PROGRAM
    limits = Limits(wall_seconds=seconds, cpu_seconds=seconds, output_bytes=64 << 20)
    for group, execution in zip(groups, executor.run_batch(programs, limits), strict=True):
        if execution.verdict is Verdict.INFRA_ERROR:
            raise RuntimeError(
                f"the sandbox ({execution.isolation}) failed to run a program: {execution.message or 'no message'}. "
                "Free memory and disk space, then run the same command again; it continues"
            )
        for line in execution.stdout.splitlines():
            row = json.loads(line)
            answers[group[row["job"]]] = [
                [
                    SqlResult(found.get("rows"), found.get("error", ""), found.get("reversed_rows", found.get("rows")))
                    for found in results
                ]
                for results in row["results"]
            ]
    return answers
