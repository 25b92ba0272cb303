"""Gold solutions of HumanEval+ per second: ours, isolated, beside evalplus's own harness, in turns.

python -m venv peer && peer/bin/pip install evalplus==0.3.1
python tests/benchmarks/bench_humanevalplus.py --data-dir DIR --evalplus-python peer/bin/python [--leave-out-slow]

evalplus's time is that of its `evaluate`: its imports are left out, and so is the first run, which computes and caches
the expected outputs. What ours prepares once is left out too. evalplus's PyPI release fails one gold solution
(HumanEval/32), which the fast path ends early. Seven gold solutions themselves compute for a second or more each,
which no harness can change; --leave-out-slow leaves them out for both.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from evals.execution import Executor
from evals.tasks.humaneval import HumanEvalPlus

WORKERS, ROUNDS = 2, 5
SLOW = {f"HumanEval/{number}" for number in (15, 36, 59, 83, 94, 130, 139)}
THEIRS = """
import sys, time
from evalplus.evaluate import evaluate
start = time.perf_counter()
evaluate("humaneval", sys.argv[1], parallel=int(sys.argv[2]), i_just_wanna_run=True)
print("SECONDS", time.perf_counter() - start, flush=True)
import os
os._exit(0)  # it leaves a thread behind that sleeps for 20 seconds
"""


def main() -> None:
    """Print a line per round and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with the humanevalplus data, both formats")
    parser.add_argument("--evalplus-python", required=True, help="the interpreter of an environment with evalplus")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--leave-out-slow", action="store_true", help="the seven solutions that compute for long")
    options = parser.parse_args()
    left_out = SLOW if options.leave_out_slow else set()
    benchmark = HumanEvalPlus()
    rows = [row for row in benchmark.load(options.data_dir)[0] if row["task_id"] not in left_out]
    programs = [benchmark.program(row, benchmark.gold(row)) for row in rows]

    def ours() -> float:
        with Executor(benchmark.limits, workers=WORKERS) as executor:
            start = time.perf_counter()
            results = executor.run_batch(programs)
        seconds = time.perf_counter() - start
        assert all(result.verdict == "pass" for result in results)
        return len(rows) / seconds

    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder, "samples.jsonl")
        lines = [json.dumps({"task_id": row["task_id"], "completion": benchmark.gold(row)}) for row in rows]
        samples.write_text("\n".join(lines) + "\n")
        data = Path(folder, "problems.jsonl.gz")
        with (
            gzip.open(options.data_dir / "humanevalplus" / "HumanEvalPlus.jsonl.gz", "rt") as whole,
            gzip.open(data, "wt") as chosen,
        ):
            chosen.writelines(line for line in whole if json.loads(line)["task_id"] not in left_out)

        def theirs() -> float:
            command = [options.evalplus_python, "-c", THEIRS, str(samples), str(WORKERS)]
            environment = {**os.environ, "HUMANEVAL_OVERRIDE_PATH": str(data)}
            Path(folder, "samples_eval_results.json").unlink(missing_ok=True)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
            seconds = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("SECONDS")]
            if not seconds:
                raise SystemExit(f"evalplus failed:\n{done.stderr[-2000:]}")
            return len(rows) / float(seconds[0])

        print(f"evalplus's first run, which computes expected outputs: {theirs():.1f} programs/s", flush=True)
        ratios = []
        for number in range(options.rounds):
            first, second = (theirs(), ours()) if number % 2 else (ours(), theirs())
            mine, peers = (second, first) if number % 2 else (first, second)
            ratios.append(mine / peers)
            print(f"round {number + 1}: ours {mine:.1f}, evalplus {peers:.1f} programs/s, ratio {ratios[-1]:.2f}")
        load = os.getloadavg()[0]
    print(f"median ratio {statistics.median(ratios):.2f} ({WORKERS} workers, {len(rows)} programs, load {load:.1f})")


if __name__ == "__main__":
    main()
