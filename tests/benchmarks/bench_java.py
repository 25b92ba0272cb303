"""Java: compilers that stay, as the executor has them, beside a javac of its own for each program, in one run.

python tests/benchmarks/bench_java.py [--data-dir DIR] [--limit 164] [--rounds 3]
"""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evals.execution import Executor, Limits, Program
from evals.execution.executor import choose_sandbox
from evals.execution.running import run_once
from evals.tasks.catalog import BENCHMARKS

WORKERS = 2


def cold(programs: list[Program], limits: Limits) -> list[str]:
    """Compile and run each in a sandbox of its own."""
    sandbox = choose_sandbox("auto")
    with ThreadPoolExecutor(WORKERS) as pool:
        return [result.verdict for result in pool.map(lambda program: run_once(sandbox, program, limits), programs)]


def warm(programs: list[Program], limits: Limits) -> list[str]:
    """Run them as the executor does; its compilers start within the time."""
    with Executor(limits, workers=WORKERS) as executor:
        return [result.verdict for result in executor.run_batch(programs)]


def main() -> None:
    """Print a line per round and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("LING_BENCHMARKS_DIR"))
    parser.add_argument("--limit", type=int, default=164)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    benchmark = BENCHMARKS["humanevalfix_java"]
    rows = benchmark.load(arguments.data_dir and Path(arguments.data_dir))[0][: arguments.limit]
    programs = [benchmark.program(row, benchmark.gold(row)) for row in rows]
    ratios = []
    for _ in range(arguments.rounds):
        seconds = []
        for way in (cold, warm):
            start = time.perf_counter()
            assert set(way(programs, benchmark.limits)) == {"pass"}
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
        print(
            f"{len(programs)} programs, {WORKERS} workers: cold {seconds[0]:.1f} s, warm {seconds[1]:.1f} s, "
            f"{ratios[-1]:.2f} times as fast",
            flush=True,
        )
    print(f"median of {arguments.rounds} rounds: {median(ratios):.2f} times as fast")


if __name__ == "__main__":
    main()
