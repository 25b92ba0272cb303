"""Programs per second: the sandbox beside a bare subprocess that isolates nothing, in one run.

python tests/benchmarks/bench_execution.py
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evals.execution import Executor, Program, probe_isolation
from evals.execution.bubblewrap import interpreter_words
from evals.execution.executor import LADDER

NUM_PROGRAMS, WORKERS = 200, 2
SOURCE = "def f(x):\n    return sorted(x)[0]\nassert f([3, 1, 2]) == 1\n"


def bare(source: str) -> int:
    """Run a program with the same interpreter and flags, and no isolation."""
    return subprocess.run([*interpreter_words(), "-c", source], capture_output=True).returncode


def main() -> None:
    """Print a line per way of running."""
    start = time.perf_counter()
    with ThreadPoolExecutor(WORKERS) as pool:
        assert not any(pool.map(bare, [SOURCE] * NUM_PROGRAMS))
    bare_rate = NUM_PROGRAMS / (time.perf_counter() - start)
    print(f"{'bare subprocess':20s} {bare_rate:6.1f} programs/s, {WORKERS} workers")
    for name in LADDER:
        if not probe_isolation(name)[0]:
            print(f"{name:20s} not to be had on this machine")
            continue
        with Executor(isolation=name, workers=WORKERS) as executor:
            start = time.perf_counter()
            results = executor.run_batch([Program(SOURCE)] * NUM_PROGRAMS)
            rate = NUM_PROGRAMS / (time.perf_counter() - start)
        assert all(result.verdict == "pass" for result in results)
        print(f"{name:20s} {rate:6.1f} programs/s, {rate / bare_rate:.2f} of bare")


if __name__ == "__main__":
    main()
