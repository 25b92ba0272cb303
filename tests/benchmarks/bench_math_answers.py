"""How many pairs of answers in LaTeX are judged right: by us, and by math-verify.

    python tests/benchmarks/bench_math_answers.py [--math-verify FOLDER] [--data-dir DIR]

The pairs are those of tests/evals/tasks/math_pairs.py and, with GSM8K's rows, its numbers in several spellings, against
themselves and against their neighbours. math-verify: `pip install --target FOLDER math-verify`; it is not run on
answers of models here, as it would be without a sandbox.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from evals.benchmarks.rows import BenchmarkDataError
from evals.tasks.catalog import BENCHMARKS
from evals.tasks.hendrycks_math import judged_pairs
from evals.tasks.numbers import final_number
from tests.evals.tasks.math_pairs import PAIRS

SPELLINGS = ("{n}", "{n:,}", "\\${n}", "{n}.00", "{n}\\text{{ dollars}}", "x = {n}")
VERIFY = """
import json, logging, sys
sys.path.insert(0, sys.argv[1])
from math_verify import parse, verify
logging.disable(logging.CRITICAL)
def read(text):
    return parse("$\\\\boxed{" + text + "}$")
print(json.dumps([bool(verify(read(truth), read(said))) for truth, said in json.load(sys.stdin)]))
"""


def number_pairs(data_dir: Path | None) -> list[tuple[str, str, bool]]:
    """Return pairs made of the numbers of GSM8K; none without its rows."""
    try:
        rows = BENCHMARKS["gsm8k"].load(data_dir)[0][:144]
    except BenchmarkDataError:
        return []
    values = [int(final_number(row["answer"])) for row in rows]
    pairs = []
    for index, value in enumerate(values):
        spelling = SPELLINGS[index % len(SPELLINGS)]
        pairs.append((str(value), spelling.format(n=value), True))
        other = values[index - 1]
        pairs.append((str(value), spelling.format(n=other), value == other))
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--math-verify", type=Path)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    pairs = [*PAIRS, *number_pairs(options.data_dir)]
    start = time.monotonic()
    ours = [verdict == "pass" for verdict in judged_pairs([(truth, said) for truth, said, _ in pairs])]
    judgements = {"ours": (ours, time.monotonic() - start)}
    if options.math_verify:
        command = [sys.executable, "-c", VERIFY, str(options.math_verify)]
        start = time.monotonic()
        given = json.dumps([pair[:2] for pair in pairs])
        ended = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
        judgements["math-verify"] = json.loads(ended.stdout.splitlines()[-1]), time.monotonic() - start
    for whose, (verdicts, seconds) in judgements.items():
        right = sum(verdict is pair[2] for verdict, pair in zip(verdicts, pairs, strict=True))
        print(f"{whose}: {right} of {len(pairs)} pairs judged right, {seconds:.1f} s")


if __name__ == "__main__":
    main()
