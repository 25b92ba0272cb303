"""Whole builds of `source_code`, MB/s of text read, with 1 and 2 workers in turns; the bytes must be the same.

make corpus
python tests/benchmarks/bench_source_code.py

The input is what the config names, by default the archives of `make corpus`: decompression, every stage, the shards,
the card and the report are all in the time. Two builds at once, of one worker each, show what the machine gives to a
second process that shares nothing with the first: more than that two workers cannot gain.
"""

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
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
    speeds: dict[str, list[float]] = {"1 worker": [], "2 workers": [], "two builds": []}
    digests = set()
    for number in range(options.rounds):
        load = os.getloadavg()[0]
        for found, workers, builds in zip(speeds.values(), (1, 2, 1), (1, 1, 2), strict=True):
            jobs = [(options.config, workers, options.overrides)] * builds
            start, used = time.perf_counter(), processor_seconds()
            with ThreadPoolExecutor(builds) as pool:
                sizes, hashes = zip(*pool.map(build, jobs), strict=True)
            found.append(sum(sizes) / (time.perf_counter() - start))
            digests.update(hashes)
            if builds == 1:
                per_second = sum(sizes) / (processor_seconds() - used)
                print(f"{workers} workers: {per_second:.2f} MB a second of processor time, all processes together")
        line = ", ".join(f"{name} {found[-1]:.2f} MB/s" for name, found in speeds.items())
        print(f"round {number + 1}: {line}, load before {load:.1f}", flush=True)
    single, double, limit = (statistics.median(found) for found in speeds.values())
    for name, found in speeds.items():
        print(f"{name}: median {statistics.median(found):.2f} MB/s, {min(found):.2f} to {max(found):.2f}")
    same = "equal" if len(digests) == 1 else "DIFFERENT"
    gains = f"2 workers {double / single:.2f}, two builds {limit / single:.2f}"
    print(f"over 1 worker: {gains}; {sizes[0]:.1f} MB; shards {same}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest process: {peak:.0f} MiB")


def processor_seconds() -> float:
    """Return the processor time of the builds that have ended; on a shared machine the clock tells less."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def build(given: tuple[str, int, list[str]]) -> tuple[float, str]:
    """Build once from config, workers and overrides; return MB of text read and a digest of the shards."""
    config, workers, overrides = given
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "datasets_builders", "source_code", "--config", config]
        command += [f"output_dir={folder}/out", f"workers={workers}", *overrides]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        steps = json.loads(Path(folder, "out", "ledger.json").read_text())["steps"]
        shards = sorted(Path(folder, "out", "data").glob("*.parquet"))
        return steps[0]["bytes_out"] / 1e6, hashlib.sha256(b"".join(path.read_bytes() for path in shards)).hexdigest()


if __name__ == "__main__":
    main()
