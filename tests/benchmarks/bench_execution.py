"""Programs per second: the sandbox with and without its fork server, beside a bare subprocess that isolates nothing.

python tests/benchmarks/bench_execution.py [--programs N]
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evals.execution import Executor, Limits, Program, probe_isolation
from evals.execution.bubblewrap import interpreter_words
from evals.execution.executor import LADDER
from evals.execution.running import run_once

WORKERS = 2
SOURCE = "def f(x):\n    return sorted(x)[0]\nassert f([3, 1, 2]) == 1\n"
LIMITS = Limits(memory_bytes=2 << 30)


def bare(source: str) -> bool:
    """Run a program with the same interpreter and flags, and no isolation; whether it ended well."""
    return subprocess.run([*interpreter_words(), "-c", source], capture_output=True).returncode == 0


def rate(run: Callable[[], list[bool]]) -> float:
    """Return how many programs per second ran."""
    start = time.perf_counter()
    passed = run()
    assert all(passed)
    return len(passed) / (time.perf_counter() - start)


def main() -> None:
    """Print a line per way of running."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=200)
    num_programs = parser.parse_args().programs
    with ThreadPoolExecutor(WORKERS) as pool:
        bare_rate = rate(lambda: list(pool.map(bare, [SOURCE] * num_programs)))
        print(f"{'bare subprocess':30s} {bare_rate:6.1f} programs/s, {WORKERS} workers")
        for name in LADDER:
            sandbox, reason = probe_isolation(name)
            if not sandbox:
                print(f"{name:30s} not to be had on this machine: {reason}")
                continue
            for packages in ((), ("numpy",)):
                program = Program("".join(f"import {package}\n" for package in packages) + SOURCE, packages=packages)

                def alone(program: Program = program, sandbox=sandbox) -> list[bool]:
                    ran = pool.map(lambda _: run_once(sandbox, program, LIMITS), range(num_programs))
                    return [result.verdict == "pass" for result in ran]

                alone_rate = rate(alone)
                with Executor(LIMITS, isolation=name, workers=WORKERS) as executor:

                    def forked(program: Program = program, executor: Executor = executor) -> list[bool]:
                        return [result.verdict == "pass" for result in executor.run_batch([program] * num_programs)]

                    forked_rate = rate(forked)
                label = " ".join([name, *packages])
                print(
                    f"{label:30s} {forked_rate:6.1f} programs/s, {forked_rate / alone_rate:.1f} times as many as "
                    f"without the fork server ({alone_rate:.1f}), {forked_rate / bare_rate:.1f} of bare"
                )
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
