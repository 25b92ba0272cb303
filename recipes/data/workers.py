"""Section 3.2: work on data spread over processes, its results in the order of the tasks."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

_work: Callable[[Any], Any] | None = None


def ordered_map(
    make_worker: Callable[..., Callable[[Task], Result]],
    arguments: tuple[Any, ...],
    tasks: Iterable[Task],
    num_workers: int | None = None,
) -> Iterator[Result]:
    """Yield the result of each task, in their order; at most two tasks a worker are under way.

    Args:
        make_worker: called once in each process; gives what does a task.
        arguments: of `make_worker`.
        tasks: read as they are needed, so that memory does not grow with their number.
        num_workers: processes; one per core by default. A single task, and all tasks where it is 1, are done here.
    """
    waiting_tasks = iter(tasks)
    first, second = next(waiting_tasks, None), next(waiting_tasks, None)
    if first is None:
        return
    count = num_workers if num_workers is not None else len(os.sched_getaffinity(0))
    if second is None or count <= 1:
        worker = make_worker(*arguments)
        yield from map(worker, chain([first], [] if second is None else [second], waiting_tasks))
        return
    # Not forked: this process may have threads of torch and of a process group.
    with ProcessPoolExecutor(count, get_context("spawn"), _start, (make_worker, arguments)) as pool:
        under_way: deque[Future[Result]] = deque()
        for task in chain([first, second], waiting_tasks):
            under_way.append(pool.submit(_do, task))
            if len(under_way) == 2 * count:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()


def _start(make_worker: Callable[..., Callable[[Any], Any]], arguments: tuple[Any, ...]) -> None:
    global _work
    # A pool's processes wait for ever for the next task of a process that was killed.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _work = make_worker(*arguments)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: Any) -> Any:
    assert _work is not None
    return _work(task)


__all__ = ["ordered_map"]
