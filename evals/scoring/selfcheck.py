"""Gold solutions first: a task whose gold fails says something about us, not about a model."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.held_out_execution import NAME as HELD_OUT
from evals.benchmarks.held_out_execution import load_held_out
from evals.execution import Executor, Limits, Program
from evals.tasks.records import SampleRecord, record_of

LIMITS = Limits(wall_seconds=20.0, cpu_seconds=20.0, memory_bytes=2 << 30)


def selfcheck(
    data_dir: Path | None, held_out: Path | None, limit: int | None = None, tasks: Sequence[str] | None = None
) -> int:
    """Score the gold solutions of each task, print a line for each, and return the process's status.

    Returns:
        0 if all gold solutions pass, 1 if one fails, 2 if no task could be checked.
    """
    from evals.tasks.benchmark import UNSCORABLE
    from evals.tasks.catalog import BENCHMARKS

    status = 2
    with Executor() as executor:
        print(f"isolation: {executor.isolation}")
    for name in tasks or (*BENCHMARKS, HELD_OUT):
        start, num_unknown = time.monotonic(), 0
        try:
            if name == HELD_OUT:
                records = check_held_out(held_out, limit)
            else:
                benchmark = BENCHMARKS[name]
                rows = benchmark.load(data_dir)[0][:limit]
                known = [(row, gold) for row in rows if (gold := benchmark.gold(row)) is not None]
                num_unknown = len(rows) - len(known)
                records = benchmark.judge([row for row, _ in known], [gold for _, gold in known], instruct=False)
        except UNSCORABLE as error:
            print(f"{name}: unscorable: {error}")
            continue
        failed = [record for record in records if record.verdict != "pass"]
        line = f"{name}: {len(records) - len(failed)}/{len(records)} gold solutions pass"
        line += f" ({num_unknown} rows have none)" if num_unknown else ""
        print(f"{line}, {time.monotonic() - start:.1f} s", *describe_failures(failed)[:5], sep="\n  ", flush=True)
        status = max(status % 2, int(bool(failed)))
    return status


def check_held_out(folder: Path | None, limit: int | None) -> list[SampleRecord]:
    """Run the held-out calls again and compare what they return with the stored answers."""
    rows = load_held_out(folder)[0][:limit]
    # By value and not by repr: the elements of a set have no order.
    check = "{code}\nimport ast\nassert {call} == ast.literal_eval({answer!r})\n"
    programs = [Program(check.format(**{name: row[name] for name in ("code", "call", "answer")})) for row in rows]
    with Executor(LIMITS) as executor:
        results = executor.run_batch(programs)
    return [record_of(row["mid"], row["answer"], result) for row, result in zip(rows, results, strict=True)]


def describe_failures(failed: Sequence[SampleRecord]) -> list[str]:
    """Return a line per gold solution that did not pass, and, when they are many, a line that counts their verdicts."""
    lines = [f"{record.id}: {record.verdict} {record.message[:160]}" for record in failed]
    if len(lines) > 5:
        lines.insert(0, f"verdicts of those that fail: {dict(Counter(record.verdict for record in failed))}")
    return lines
