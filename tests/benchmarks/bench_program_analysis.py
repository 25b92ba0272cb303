"""Verified rows a second of program analysis in Python, and where the processor time goes.

`python tests/benchmarks/bench_program_analysis.py FOLDER [--functions N]`: FOLDER is of a `source_code` dataset. One
process does all, so that rows a second of processor time is what one core gives; seconds of the clock depend on who
else uses the machine. Rows that nothing checks are not counted.
"""

import argparse
import random
import resource
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow.parquet as pq

from datasets_builders.synthesis.program_analysis.extraction import FunctionSample, extract_functions
from datasets_builders.synthesis.program_analysis.jobs import ObservationSettings
from datasets_builders.synthesis.program_analysis.observation import observe
from datasets_builders.synthesis.program_analysis.questions import questions_about
from evals.execution import Executor

BATCH = 64


def own_seconds() -> float:
    """Return the processor time of this process."""
    return sum(resource.getrusage(resource.RUSAGE_SELF)[:2])


def main() -> None:
    """Print a table of seconds by part, and rows a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", help="of a source_code dataset")
    parser.add_argument("--functions", type=int, default=0, help="ask about so many, chosen at random; 0: all")
    options = parser.parse_args()
    seconds: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    in_sandbox: list[float] = []

    start = own_seconds()
    samples = []
    for path in sorted(Path(options.folder, "data").glob("*.parquet")):
        for row in pq.read_table(path, columns=["content", "path", "language"]).to_pylist():
            if row["language"] == "Python":
                found = extract_functions(row["content"], row["path"])
                samples += [sample for sample in found if isinstance(sample, FunctionSample)]
    seconds["extraction"] = own_seconds() - start
    num_all = len(samples)
    if options.functions:
        samples = random.Random(0).sample(samples, min(options.functions, num_all))
        seconds["extraction"] *= len(samples) / num_all

    with Executor(workers=1) as executor:
        for first in range(0, len(samples), BATCH):
            batch = samples[first : first + BATCH]
            start = own_seconds()
            observations = observe(executor, batch, ObservationSettings(), in_sandbox.append)
            seconds["arguments, mutants, records"] += own_seconds() - start
            start = own_seconds()
            for sample, observation in zip(batch, observations, strict=True):
                for question in questions_about(sample, observation):
                    kinds[question.kind] += question.verified_by != "none"
            seconds["questions"] += own_seconds() - start
    seconds["sandbox"] = sum(in_sandbox)
    num_rows, total = sum(kinds.values()), sum(seconds.values())
    print("| part | processor seconds | share |\n| --- | ---: | ---: |")
    for name, value in seconds.items():
        print(f"| {name} | {value:.1f} | {value / total:.0%} |")
    print(f"{len(samples):,} of {num_all:,} functions and classes, {num_rows:,} verified rows: {dict(kinds)}")
    print(f"{num_rows / total:.0f} rows a second of one core, {2 * num_rows / total:.0f} of two")


if __name__ == "__main__":
    main()
