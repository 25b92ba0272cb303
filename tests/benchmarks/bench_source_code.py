"""Whole builds of `source_code`, MB/s of text read, with 1 and 2 workers in turns; the bytes must be the same.

make corpus
python tests/benchmarks/bench_source_code.py

The input is what the config names, by default the archives of `make corpus`: decompression, every stage, the shards,
the card and the report are all in the time.
"""

import argparse
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
CONFIG = "datasets_builders/source_code/configs/corpus.yaml"


def main() -> None:
    """Print a line per round, then medians, spread and ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    options = parser.parse_args()
    speeds: dict[int, list[float]] = {1: [], 2: []}
    digests = set()
    for number in range(options.rounds):
        load = os.getloadavg()[0]
        for workers, found in speeds.items():
            megabytes, seconds, digest = build(options.config, workers, options.overrides)
            found.append(megabytes / seconds)
            digests.add(digest)
        line = ", ".join(f"{workers} workers {found[-1]:.2f} MB/s" for workers, found in speeds.items())
        print(f"round {number + 1}: {line}, load before {load:.1f}", flush=True)
    one, two = (statistics.median(found) for found in speeds.values())
    for workers, found in speeds.items():
        print(f"{workers} workers: median {statistics.median(found):.2f} MB/s, {min(found):.2f} to {max(found):.2f}")
    same = "equal" if len(digests) == 1 else "DIFFERENT"
    print(f"2 workers over 1: {two / one:.2f}; {megabytes:.1f} MB of text; shards {same}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {peak:.0f} MiB")


def build(config: str, workers: int, overrides: list[str]) -> tuple[float, float, str]:
    """Build once; return MB of text read, seconds, and a digest of the shards."""
    import json

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "datasets_builders", "source_code", "--config", config]
        command += [f"output_dir={folder}/out", f"workers={workers}", *overrides]
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        seconds = time.perf_counter() - start
        steps = json.loads(Path(folder, "out", "ledger.json").read_text())["steps"]
        shards = sorted(Path(folder, "out", "data").glob("*.parquet"))
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in shards)).hexdigest()
    return steps[0]["bytes_out"] / 1e6, seconds, digest


if __name__ == "__main__":
    main()
