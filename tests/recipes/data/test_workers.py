"""Work spread over processes: results in the order of the tasks, and no process outlives the one that asked."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recipes.data.workers import ordered_map

ROOT = Path(__file__).resolve().parents[3]
KILLED = """
import os, sys
sys.path.insert(0, {root!r})
from tests.recipes.data.test_workers import make_slow
from recipes.data.workers import ordered_map
if __name__ == "__main__":
    for pid in ordered_map(make_slow, (), range(1000), 2):
        print(pid, flush=True)
"""


def make_adder(amount: int) -> Callable[[int], tuple[int, int]]:
    return lambda task: (task + amount, os.getpid())


def make_slow() -> Callable[[int], int]:
    def work(task: int) -> int:
        sum(range(3_000_000 if task > 1 else 1))
        return os.getpid()

    return work


@pytest.mark.parametrize(("num_tasks", "num_workers"), [(0, 2), (1, 2), (9, 1), (9, 2), (2, 3)])
def test_results_come_in_the_order_of_the_tasks(num_tasks: int, num_workers: int) -> None:
    results = list(ordered_map(make_adder, (10,), range(num_tasks), num_workers))
    assert [value for value, _ in results] == list(range(10, 10 + num_tasks))
    elsewhere = {pid for _, pid in results} - {os.getpid()}
    assert bool(elsewhere) == (num_tasks > 1 and num_workers > 1)


def test_tasks_are_read_as_they_are_needed() -> None:
    read = []

    def tasks() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    results = ordered_map(make_adder, (0,), tasks(), 2)
    assert next(results)[0] == 0
    assert len(read) <= 6


def test_workers_end_with_a_process_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED.format(root=str(ROOT)), encoding="utf-8")
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    worker = os.pidfd_open(int(process.stdout.readline()))
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Readable once the worker is gone.
    assert select.select([worker], [], [], 60)[0] == [worker]
    os.close(worker)
    process.stdout.close()
