"""Verified rows a second of program analysis in JavaScript, TypeScript, Java, Go and C++.

`python tests/benchmarks/bench_program_languages.py LANGUAGE FOLDER [FOLDER ...] [--functions N] [--isolation NAME]`:
folders are of `source_code` datasets. One process does all. Processor seconds are those of compilers, programs and this
process together; they are known under `--isolation rlimits` alone, whose processes are children of this one, and are
what to compare on a machine that others use too.
"""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow.parquet as pq

from datasets_builders.synthesis.program_analysis.other_languages.extraction import extract
from datasets_builders.synthesis.program_analysis.other_languages.languages import PROGRAM_LANGUAGES
from datasets_builders.synthesis.program_analysis.other_languages.observation import ObservationSettings, observe
from datasets_builders.synthesis.program_analysis.other_languages.questions import questions_about
from datasets_builders.synthesis.program_analysis.other_languages.sample import ProgramSample
from evals.execution import Executor

BATCH = 384  # as the builder's step


def processor_seconds() -> tuple[float, float]:
    """Return the processor time of this process and of its children."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime, others.ru_utime + others.ru_stime


def main() -> None:
    """Print functions, rows, seconds and rows a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("language", choices=sorted(PROGRAM_LANGUAGES))
    parser.add_argument("folders", nargs="+", help="of source_code datasets")
    parser.add_argument("--functions", type=int, default=200, help="ask about so many, chosen at random")
    parser.add_argument("--isolation", default="auto")
    options = parser.parse_args()
    language = PROGRAM_LANGUAGES[options.language]
    samples: dict[str, ProgramSample] = {}
    num_files = 0
    start = processor_seconds()[0]
    for path in [path for folder in options.folders for path in sorted(Path(folder, "data").glob("*.parquet"))]:
        for row in pq.read_table(path, columns=["content", "path", "language"]).to_pylist():
            if row["language"] == language.name:
                num_files += 1
                for found in extract(language.dialect, row["content"], row["path"]):
                    if isinstance(found, ProgramSample):
                        samples.setdefault(found.code, found)
    chosen = random.Random(0).sample(list(samples.values()), min(options.functions, len(samples)))
    # That of the functions asked about.
    extraction = (processor_seconds()[0] - start) * len(chosen) / max(len(samples), 1)
    kinds: Counter[str] = Counter()
    with Executor(isolation=options.isolation, workers=1) as executor:
        own, others = processor_seconds()
        wall = time.monotonic()
        for first in range(0, len(chosen), BATCH):
            batch = chosen[first : first + BATCH]
            observations = observe(executor, language, batch, ObservationSettings())
            for sample, observation in zip(batch, observations, strict=True):
                kinds.update(question.kind for question in questions_about(sample, observation))
        wall = time.monotonic() - wall
        own, others = (now - then for now, then in zip(processor_seconds(), (own, others), strict=True))
    num_rows = sum(kinds.values())
    print(f"{options.language}: {num_files:,} files, {len(samples):,} functions, {len(chosen):,} asked about")
    print(f"{num_rows:,} verified rows: {dict(kinds)}")
    print(f"{num_rows / wall:.0f} rows a second of the clock ({wall:.0f} s)")
    if options.isolation == "rlimits":
        total = extraction + own + others
        print(
            f"{num_rows / total:.0f} rows a second of one core, {2 * num_rows / total:.0f} of two: {extraction:.1f} s "
            f"extraction, {own:.1f} s own, {others:.1f} s compilers and programs"
        )


if __name__ == "__main__":
    main()
