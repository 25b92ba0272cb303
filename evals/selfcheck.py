"""Section 4: gold solutions first: a task whose gold fails says something about us, not about a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from evals.benchmarks.held_out_execution import load_held_out
from evals.benchmarks.humaneval import load_humaneval
from evals.benchmarks.rows import BenchmarkDataError
from evals.execution import ExecutionResult, Executor, Limits, Program, Verdict

LIMITS = Limits(wall_seconds=20.0, cpu_seconds=20.0, memory_bytes=2 << 30)


def selfcheck(data_dir: Path | None, held_out: Path | None, limit: int | None = None) -> int:
    """Score the gold solutions of each task, print a line for each, and return the process's status.

    Returns:
        0 if all gold solutions pass, 1 if one fails, 2 if no task could be checked.

    Source: ours.
    """
    status = 2
    with Executor(LIMITS) as executor:
        print(f"isolation: {executor.isolation}")
        for name, check in (("humaneval", check_humaneval), ("held_out_execution", check_held_out)):
            try:
                ids, results = check(data_dir if name == "humaneval" else held_out, executor, limit)
            except BenchmarkDataError as error:
                print(f"{name}: unscorable: {error}")
                continue
            failed = describe_failures(ids, results)
            print(f"{name}: {len(ids) - len(failed)}/{len(ids)} gold solutions pass", *failed[:5], sep="\n  ")
            status = max(status % 2, int(bool(failed)))
    return status


def check_humaneval(
    data_dir: Path | None, executor: Executor, limit: int | None
) -> tuple[list[str], list[ExecutionResult]]:
    """Run HumanEval's canonical solutions."""
    from evals.tasks.humaneval import run_completions

    rows = load_humaneval(data_dir)[0][:limit]
    results = run_completions(rows, [row["canonical_solution"] for row in rows], executor)
    return [row["task_id"] for row in rows], results


def check_held_out(
    folder: Path | None, executor: Executor, limit: int | None
) -> tuple[list[str], list[ExecutionResult]]:
    """Run the held-out calls again and compare what they return with the stored answers."""
    rows = load_held_out(folder)[0][:limit]
    # By value and not by repr: the elements of a set have no order.
    check = "{code}\nimport ast\nassert {call} == ast.literal_eval({answer!r})\n"
    programs = [Program(check.format(**{name: row[name] for name in ("code", "call", "answer")})) for row in rows]
    return [row["mid"] for row in rows], executor.run_batch(programs)


def describe_failures(ids: Sequence[str], results: Sequence[ExecutionResult]) -> list[str]:
    """Return a line per gold solution that did not pass, and a line that counts their verdicts."""
    failed = [(i, result) for i, result in zip(ids, results, strict=True) if result.verdict is not Verdict.PASS]
    lines = [
        f"{i}: {result.verdict.value} {(result.message or result.stderr.strip().rsplit(chr(10), 1)[-1])[:160]}"
        for i, result in failed
    ]
    if len(lines) > 5:
        counts = Counter(result.verdict.value for _, result in failed)
        lines.insert(0, f"verdicts of those that fail: {dict(counts)}")
    return lines
