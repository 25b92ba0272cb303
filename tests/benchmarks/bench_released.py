"""Rows per second and memory of the SFT builder: synthetic conversations read, deduplicated, decontaminated, balanced.

python tests/benchmarks/bench_released.py                    # a million rows
python tests/benchmarks/bench_released.py --rows 200000      # where the machine is busy

The rows are questions and answers of some hundred words each, drawn from a vocabulary by a seed. One in twenty is an
exact copy of one before it, one in twenty a copy with a few words changed, one in a hundred holds a protected text.
What must go is counted beside what went. Memory is resident and looked at every half second: of all processes of a
build together, and of the largest of them. Processor time, which other load of the machine changes little, is theirs
too.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets_builders.released.sft import SFTBuilder, SFTConfig

NUM_WORDS, WORDS_OF_A_ROW, FILES = 40_000, range(60, 160), 8
EXACT, NEAR, PROTECTED = 20, 20, 100
GIB = 1 << 30
LOOK_SECONDS = 0.5


def main() -> None:
    """Make the rows, build, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="number of rows before deduplication")
    parser.add_argument("--workers", type=int, default=2, help="number of processes")
    parser.add_argument("--tasks", type=int, default=8, help="number of parts that each stage is cut into")
    parser.add_argument("--folder", type=Path, help="where the files go; a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        run(Path(name), options.rows, options.workers, options.tasks)


def run(folder: Path, num_rows: int, workers: int, tasks: int) -> None:
    """Build once in a folder and print the figures."""
    num_bytes, planted = write_rows(folder / "rows", num_rows)
    print(f"{num_rows:,} rows, {num_bytes / 1e6:,.0f} MB; planted: {planted}")
    config = SFTConfig(
        output_dir=str(folder / "sft"),
        sources=[{"dataset": str(folder / "rows"), "license": "mit"}],
        decontaminate=[],
        decontaminate_with=[f"{folder / 'protected.jsonl'}:text"],
        num_tasks=tasks,
        workers=workers,
    )
    builder = SFTBuilder(config)
    started = last = time.monotonic()

    def report(line: str) -> None:
        nonlocal last
        now = time.monotonic()
        print(f"  {now - last:7.1f} s  {line}", flush=True)
        last = now

    builder.report = report
    with Watch() as watch:
        result = builder.run()
    seconds = time.monotonic() - started
    reasons = {
        name: sum(result.ledger.step(name).reasons.values())
        for name in ("exact_dedup", "near_dedup", "decontamination")
    }
    print(f"gone: {reasons}; rows kept: {result.num_rows}")
    print(f"{num_rows / seconds:,.0f} rows/s, {num_bytes / 1e6 / seconds:.2f} MB/s, {seconds:.0f} s, {workers} workers")
    cpu_seconds = watch.cpu_seconds
    print(f"{num_rows / cpu_seconds:,.0f} rows per second of processor time, {cpu_seconds:.0f} s")
    print(f"memory: {watch.total_bytes / GIB:.2f} GiB in all, {watch.largest_bytes / GIB:.2f} GiB the largest process")


class Watch:
    """Looks at this process and all that descend from it, as /proc tells them, while it is open."""

    def __init__(self) -> None:
        self.total_bytes = self.largest_bytes = 0
        self._seconds: dict[int, float] = {}
        self._before = sum(self._look().values())
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def cpu_seconds(self) -> float:
        """Processor time of all processes seen."""
        return sum(self._seconds.values()) - self._before

    def _watch(self) -> None:
        while not self._end.wait(LOOK_SECONDS):
            self._seconds |= self._look()

    def _look(self) -> dict[int, float]:
        parents, sizes, seconds = {}, {}, {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            number = int(path.parent.name)
            parents[number] = int(fields[1])
            seconds[number] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            sizes[number] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        ours = {os.getpid()}
        while more := {number for number, parent in parents.items() if parent in ours} - ours:
            ours |= more
        self.total_bytes = max(self.total_bytes, sum(sizes.get(number, 0) for number in ours))
        self.largest_bytes = max(self.largest_bytes, *(sizes.get(number, 0) for number in ours))
        return {number: seconds[number] for number in ours if number in seconds}


def write_rows(folder: Path, num_rows: int) -> tuple[int, dict[str, int]]:
    """Write the rows as JSON Lines and the protected texts beside them; return their bytes and what was planted."""
    folder.mkdir(parents=True)
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randrange(3, 11))) for _ in range(NUM_WORDS)]
    protected = [" ".join(draw.choices(words, k=30)) for _ in range(500)]
    lines = (json.dumps({"text": text}) for text in protected)
    (folder.parent / "protected.jsonl").write_text("\n".join(lines), encoding="utf-8")
    planted = {"exact": 0, "near": 0, "protected": 0}
    files = [(folder / f"train-{number:05d}.jsonl").open("w", encoding="utf-8") for number in range(FILES)]
    for number, row in enumerate(rows(num_rows, words, protected, draw, planted)):
        files[number % FILES].write(json.dumps(row) + "\n")
    for file in files:
        file.close()
    return sum(path.stat().st_size for path in folder.iterdir()), planted


def rows(
    num_rows: int, words: list[str], protected: list[str], draw: random.Random, planted: dict[str, int]
) -> Iterator[dict[str, str]]:
    """Give the rows; every copy is one of the last original rows, so that nothing has to be remembered."""
    recent: list[list[str]] = []
    for number in range(num_rows):
        kind = number % EXACT
        if recent and kind == 7:
            text = draw.choice(recent)
            planted["exact"] += 1
        elif recent and kind == 13:
            text = list(draw.choice(recent))
            text[draw.randrange(len(text))] = draw.choice(words)
            planted["near"] += 1
        else:
            text = draw.choices(words, k=draw.choice(WORDS_OF_A_ROW))
            if number % PROTECTED == 1:
                text = [*text, draw.choice(protected)]
                planted["protected"] += 1
            else:
                recent = [*recent[-50:], text]
        half = len(text) // 3
        yield {"instruction": " ".join(text[:half]), "output": " ".join(text[half:])}


if __name__ == "__main__":
    main()
