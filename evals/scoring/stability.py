"""Section 4.1: whether verdicts stay the same: gold and wrong programs, judged again and again, idle and under load."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path

from evals.benchmarks.rows import Row
from evals.execution import Executor
from evals.tasks.benchmark import UNSCORABLE, ExecutedBenchmark
from evals.tasks.catalog import BENCHMARKS

BUSY = "while True: pass"
# A gold solution with one of these replaced, once: a slip of the pen, as a wrong answer often is.
SLIPS = (
    (r"\+", "-"),
    (r"-(?!>)", "+"),
    (r"<=", "<"),
    (r">=", ">"),
    (r"==", "!="),
    (r"\b1\b", "2"),
    (r"\b0\b", "1"),
    (r"\btrue\b", "false"),
    (r"\bTrue\b", "False"),
    (r"\bmin\b", "max"),
    (r"\bmax\b", "min"),
    (r"\band\b", "or"),
    (r"&&", "||"),
    (r"\*", "+"),
    (r"%", "/"),
    (r"\breturn\b", "return;"),
)


@dataclass(frozen=True)
class Flip:
    """A program whose verdicts differ.

    Args:
        task (`str`): the benchmark.
        row (`str`): the problem.
        answer (`str`): the program's answer.
        verdicts (`dict`): how often it got which.
    """

    task: str
    row: str
    answer: str
    verdicts: dict[str, int]


@dataclass
class Stability:
    """What came of all repeats.

    Args:
        programs (`dict`): per task, how many gold and how many wrong programs.
        verdicts (`dict`): how often each verdict was given, over all repeats.
        flips: programs that did not always get the same one.
        machine (`str`): what ran it.
        isolation (`str`): the rung.
        repeats (`int`): idle, and as many under load.
        load (`int`): busy processes beside, under load.
        seconds (`float`): of all repeats.
        load_average (`list`): of the last minute, after each repeat.
    """

    programs: dict[str, dict[str, int]] = field(default_factory=dict)
    verdicts: dict[str, int] = field(default_factory=dict)
    flips: list[Flip] = field(default_factory=list)
    machine: str = ""
    isolation: str = ""
    repeats: int = 0
    load: int = 0
    seconds: float = 0.0
    load_average: list[float] = field(default_factory=list)

    def write(self, path: Path, command: str) -> None:
        """Write the record, with the command that made it."""
        text = json.dumps({"command": command, **asdict(self)}, indent=2, ensure_ascii=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")


def measure(
    tasks: Sequence[str],
    data_dir: Path | None,
    *,
    num_wrong: int,
    repeats: int,
    load: int,
    limit: int | None = None,
    repeats_folder: Path | None = None,
    after_task: Callable[[Stability], None] = lambda found: None,
) -> Stability:
    """Judge gold and wrong programs several times idle, and as often beside busy processes.

    Args:
        tasks: names of benchmarks that run code.
        data_dir: the benchmarks' folder, None for the Hub.
        num_wrong: wrong programs in all, spread over the tasks' rows.
        repeats: under each condition.
        load: busy processes under load.
        limit: rows of each task.
        repeats_folder: where each repeat is written down, and read from by a run that goes on.
        after_task: called with what is known so far, for a record that a kill leaves.
    """
    found = Stability(machine=f"{os.cpu_count()} cores, Python {platform.python_version()}", repeats=repeats, load=load)
    with Executor() as executor:
        found.isolation = executor.isolation
    benchmarks = {name: benchmark for name in tasks if isinstance(benchmark := BENCHMARKS[name], ExecutedBenchmark)}
    chosen = {name: answers(benchmark, data_dir, limit) for name, benchmark in benchmarks.items()}
    chosen = {name: pairs for name, pairs in chosen.items() if pairs[0]}
    for name, wrong in spread({name: pairs[1] for name, pairs in chosen.items()}, num_wrong).items():
        gold = chosen[name][0]
        found.programs[name] = {"gold": len(gold), "wrong": len(wrong)}
        verdicts: list[Counter[str]] = [Counter() for _ in (*gold, *wrong)]
        for busy in (0, load):
            for number in range(repeats):
                words = f"{name}: repeat {number + 1} of {repeats}, {busy} busy processes beside"
                repeat = _repeat(benchmarks[name], [*gold, *wrong], busy, number, repeats_folder)
                for counter, verdict in zip(verdicts, repeat.verdicts, strict=True):
                    counter[verdict] += 1
                found.load_average.append(repeat.load_average)
                found.seconds = round(found.seconds + repeat.seconds, 1)
                print(f"{words}: {repeat.seconds:.0f} s", flush=True)
        for (row, answer), counter in zip([*gold, *wrong], verdicts, strict=True):
            if len(counter) > 1:
                found.flips.append(Flip(name, benchmarks[name].identify(row), answer, dict(counter)))
        total = Counter(found.verdicts)
        for counter in verdicts:
            total.update(counter)
        found.verdicts = dict(total)
        after_task(found)
    return found


@dataclass(frozen=True)
class _Repeat:
    """A verdict per program, the seconds that they took, and the load average at the end."""

    verdicts: list[str]
    seconds: float
    load_average: float


def _repeat(
    benchmark: ExecutedBenchmark, pairs: Sequence[tuple[Row, str]], busy: int, number: int, folder: Path | None
) -> _Repeat:
    """Judge the programs once, or read what an earlier run of the same programs found."""
    texts = [[benchmark.identify(row), answer] for row, answer in pairs]
    key = hashlib.sha256(json.dumps([benchmark.name, busy, number, texts]).encode()).hexdigest()
    file = folder / f"{benchmark.name}-{busy}-{number}-{key[:16]}.json" if folder else None
    if file and file.is_file():
        return _Repeat(**json.loads(file.read_text(encoding="utf-8")))
    start = time.monotonic()
    with busy_processes(busy):
        verdicts = judge(benchmark, pairs)
    repeat = _Repeat(verdicts, round(time.monotonic() - start, 1), round(os.getloadavg()[0], 1))
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".part")
        unfinished.write_text(json.dumps(asdict(repeat)), encoding="utf-8")
        unfinished.replace(file)
    return repeat


def answers(
    benchmark: ExecutedBenchmark, data_dir: Path | None, limit: int | None
) -> tuple[list[tuple[Row, str]], list[tuple[Row, str]]]:
    """Return the benchmark's gold answers, and wrong ones made of them, each with its row; none if it is unscorable."""
    try:
        rows = benchmark.load(data_dir)[0][:limit]
    except UNSCORABLE as error:
        print(f"{benchmark.name}: unscorable: {error}")
        return [], []
    gold = [(row, text) for row in rows if (text := benchmark.gold(row)) is not None]
    # The first slips of all rows, then the second ones: a part of them is spread over the problems.
    wrong = zip_longest(*([(row, text) for text in slips(answer)] for row, answer in gold))
    return gold, [pair for pair in chain.from_iterable(wrong) if pair]


def slips(gold: str) -> list[str]:
    """Return the texts that differ from a right answer by one slip, without repeats."""
    found = dict.fromkeys(re.sub(pattern, other, gold, count=1) for pattern, other in SLIPS)
    found.pop(gold, None)
    return [*found, ""]


def spread(wrong: dict[str, list[tuple[Row, str]]], number: int) -> dict[str, list[tuple[Row, str]]]:
    """Return so many of the wrong answers, of each task in turn."""
    chosen: dict[str, list[tuple[Row, str]]] = {name: [] for name in wrong}
    turns = zip_longest(*([(name, pair) for pair in pairs] for name, pairs in wrong.items()))
    for name, pair in islice((turn for turn in chain.from_iterable(turns) if turn), number):
        chosen[name].append(pair)
    return chosen


def judge(benchmark: ExecutedBenchmark, pairs: Sequence[tuple[Row, str]]) -> list[str]:
    """Return a verdict per answer."""
    records = benchmark.judge([row for row, _ in pairs], [answer for _, answer in pairs], instruct=False)
    return [record.verdict for record in records]


@contextlib.contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """Keep this many processes busy for a while."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
