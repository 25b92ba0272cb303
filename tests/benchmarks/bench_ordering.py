"""Ordering of a random graph of 100,000 files and 1,000,000 imports, both policies, seconds and peak memory.

python tests/benchmarks/bench_ordering.py
"""

import argparse
import os
import random
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.repositories.ordering import CYCLE_POLICIES, order_files


def main() -> None:
    """Print a line per policy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--imports", type=int, default=1_000_000)
    options = parser.parse_args()
    generator = random.Random(0)
    paths = [f"folder{number % 997}/file{number:06d}.py" for number in range(options.files)]
    edges = [(generator.choice(paths), generator.choice(paths)) for _ in range(options.imports)]
    print(f"{len(paths):,} files, {len(edges):,} imports, load {os.getloadavg()[0]:.1f}")
    for policy in CYCLE_POLICIES:
        start = time.perf_counter()
        ordering = order_files(paths, edges, policy)
        seconds = time.perf_counter() - start
        print(f"{policy:6s} {seconds:.2f} s, {len(ordering.broken_edges):,} imports broken")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB, the graph's own included")


if __name__ == "__main__":
    main()
