"""Peak memory of a whole build of `source_code` over a small corpus and over one ten times as large.

python tests/benchmarks/bench_memory.py                    # 30 and 300 MB
python tests/benchmarks/bench_memory.py --megabytes 5      # 5 and 50 MB

The corpus is synthetic Python, seeded, in folders of 1,000 files; of the files a tenth are equal to an earlier one and
a tenth differ from one in a line. `num_tasks` and `num_shards` are the same for both, so that each part is ten times as
large too. Memory is the largest resident size that the kernel has seen of each process (VmHWM), looked up five times a
second: the main process, its workers, and the children that parse.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FACTOR = 10
LOOK_SECONDS = 0.2
FILES_OF_A_FOLDER = 1_000
FUNCTIONS_OF_A_FILE = (5, 80)
WORDS = [f"{first}{second}" for first in ("load", "value", "index", "token", "node", "path") for second in range(500)]
KINDS = {"parser_process": "parser", "forkserver": "worker", "resource_tracker": "tracker"}


def main() -> None:
    """Print a line per corpus, then the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=30, help="of the small corpus")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("overrides", nargs="*", metavar="field=value")
    options = parser.parse_args()
    peaks = []
    for factor in (1, FACTOR):
        with tempfile.TemporaryDirectory() as folder:
            size, num_files = write_corpus(Path(folder, "corpus"), options.megabytes * factor * 1e6)
            start = time.perf_counter()
            found = build(Path(folder), options.workers, options.overrides)
            seconds = time.perf_counter() - start
        peaks.append(found)
        largest = ", ".join(f"{kind} {peak:.0f} MiB" for kind, peak in sorted(found.items()))
        load = os.getloadavg()[0]
        print(f"{size / 1e6:.0f} MB, {num_files:,} files: {largest}; {seconds:.0f} s, load {load:.1f}", flush=True)
    small, large = peaks
    for kind in sorted(small):
        print(f"{kind}: {large[kind] / small[kind]:.2f} of the memory for {FACTOR} times the data")
    print(f"largest process: {max(large.values()) / max(small.values()):.2f}")


def write_corpus(folder: Path, num_bytes: float) -> tuple[int, int]:
    """Write files until they have so many bytes; return bytes and files."""
    total, files = 0, 0
    for files, text in enumerate(texts(random.Random(2503)), start=1):
        path = folder / f"part_{files // FILES_OF_A_FOLDER:04d}" / f"module_{files:06d}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
        total += len(text)
        if total >= num_bytes:
            break
    return total, files


def texts(draw: random.Random) -> Iterator[str]:
    """Give texts without end: new ones, and of earlier ones the same or with one line more."""
    earlier: list[str] = []
    while True:
        chance = draw.random()
        if earlier and chance < 0.2:
            text = draw.choice(earlier)
            yield text if chance < 0.1 else f"{text}LIMIT = {draw.randrange(10**6)}\n"
            continue
        text = "".join(function(draw, number) for number in range(draw.randint(*FUNCTIONS_OF_A_FILE)))
        earlier = [*earlier[-99:], text]
        yield text


def function(draw: random.Random, number: int) -> str:
    """Return a function of words that are drawn."""
    first, second, third, fourth = draw.choices(WORDS, k=4)
    return (
        f"def {first}_{number}({second}, {third}={draw.randrange(1000)}):\n"
        f"    # the {second} of a {fourth}\n"
        f"    if {second} > {third}:\n"
        f"        return {second} * {draw.randrange(1000)} + {third}\n"
        f"    return {fourth}_{number - 1}({third})\n\n\n"
    )


def build(folder: Path, workers: int, overrides: list[str]) -> dict[str, float]:
    """Build once; return the peak of each kind of process in MiB."""
    command = [sys.executable, "-m", "datasets_builders", "source_code", "decontaminate=[]"]
    command += [f"input_dir={folder}/corpus", f"output_dir={folder}/out", f"workers={workers}", *overrides]
    peaks: dict[str, float] = {}
    with tempfile.TemporaryFile("w+") as errors:  # a pipe that nobody reads would fill up and stop the build
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=errors)
        while process.poll() is None:
            for kind, peak in memory_of_session(process.pid):
                peaks[kind] = max(peak, peaks.get(kind, 0.0))
            time.sleep(LOOK_SECONDS)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(errors.read() or "the build failed")
    return peaks


def memory_of_session(session: int) -> Iterator[tuple[str, float]]:
    """Give (kind, peak in MiB) of each process that the build has started, itself included."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_of_session = int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == session
            peak = next((line for line in (entry / "status").read_text().splitlines() if line.startswith("VmHWM")), "")
            words = (entry / "cmdline").read_text()
        except (OSError, IndexError):
            continue  # it has just ended
        if is_of_session and peak:
            kind = (
                "main"
                if int(entry.name) == session
                else next((KINDS[kind] for kind in KINDS if kind in words), "other")
            )
            yield kind, int(peak.split()[1]) / 1024


if __name__ == "__main__":
    main()
