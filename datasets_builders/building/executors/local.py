"""datatrove's local executor, with two of its habits changed for long runs on one machine.

datatrove's own `run` waits forever when a worker is killed (out of memory), and leaves workers and a manager process
behind when it is killed itself: they would go on writing beside the run that continues. Here every rank is a process
of its own that dies with its parent, and a dead one is an error.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running
from pathlib import Path
from typing import Self

from datatrove.executor.local import LocalPipelineExecutor

from datasets_builders.building.document_step import DocumentStep
from datasets_builders.building.executors.options import LocalOptions
from datasets_builders.building.executors.ranks import (
    RankExecutor,
    Report,
    error_of_rank,
    error_of_silent_rank,
    told_of,
)
from datasets_builders.building.kept import kept_between_ranks

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PRELOADED_MODULES = [
    "datasets_builders.building.executors.worker_start",
    "datasets_builders.building.executors.local",
    "datasets_builders.building.shards",
    "pandas",  # pyarrow imports it for its first row, in each process anew: most of what a small shard would cost
]


def start_fork_server(modules: Iterable[str]) -> None:
    """Start the process from which workers are forked, with what they import; it gets ready beside this one.

    Args:
        modules (iterable of `str`): those of the steps.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload([*PRELOADED_MODULES, *sorted(set(modules))])
    resource_tracker.ensure_running()  # beforehand, since it unblocks the signal
    # Ctrl-C reaches all processes of a terminal, and this one ignores it only when it has imported everything.
    with ctrl_c_later():
        ensure_running()


@contextmanager
def ctrl_c_later() -> Iterator[None]:
    """Hold Ctrl-C back until the end, for this process and for those that it starts in between.

    A mask of signals is that of one thread, and what is begun inherits it. The signal then comes to another thread
    (that of the progress, of a library), for which Python runs the handler in the main thread all the same: so the
    handler waits too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


class LocalExecutor(RankExecutor[LocalOptions], LocalPipelineExecutor):
    """Run the ranks of one stage: in this process with one worker, else one forked process per rank."""

    @classmethod
    def prepare(cls, options: LocalOptions, workers: int, output_folder: Path, modules: Collection[str]) -> None:
        """Start the process from which workers are forked, where there are to be several."""
        if workers > 1:
            start_fork_server(modules)

    @classmethod
    def of_stage(
        cls,
        options: LocalOptions,
        pipeline: Sequence[DocumentStep],
        tasks: int,
        workers: int,
        logging_dir: Path,
        job_name: str,
    ) -> Self:
        """Return what runs a stage."""
        return cls(list(pipeline), tasks, workers, logging_dir=str(logging_dir))

    def complete(self, report: Report) -> None:
        """Run all ranks that are not done."""
        ranks = self.ranks_by_size()
        if not ranks:
            return
        self.save_executor_as_json()
        if min(self.workers, len(ranks)) > 1:
            self._run_in_processes(ranks)
            return
        with kept_between_ranks():
            for rank in ranks:
                self._run_for_rank(rank)

    def _run_in_processes(self, ranks: list[int]) -> None:
        context = multiprocessing.get_context("forkserver")
        waiting = list(ranks)
        running: dict[int, tuple[ForkServerProcess, Connection]] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    rank = waiting.pop(0)
                    with ctrl_c_later():  # what is begun is known, and so killed below
                        running[rank] = self._start(context, rank)
                wait([process.sentinel for process, _ in running.values()])
                for rank in [rank for rank, (process, _) in running.items() if not process.is_alive()]:
                    _check_end(rank, *running.pop(rank))
        finally:
            for process, _ in running.values():
                process.kill()
            for process, _ in running.values():
                process.join()

    def _start(self, context: ForkServerContext, rank: int) -> tuple[ForkServerProcess, Connection]:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_run_in_worker, args=(self, rank, sender), daemon=True)
        process.start()
        sender.close()
        return process, receiver


def _run_in_worker(executor: LocalExecutor, rank: int, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    try:
        executor._run_for_rank(rank)
    except Exception as error:
        with suppress(BrokenPipeError):  # nobody listens any more: the run was given up
            sender.send(told_of(error))
        sys.exit(1)


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when the fork server ends, which it does when the main process is gone."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent or parent == 1:
        os._exit(1)


def _check_end(rank: int, process: ForkServerProcess, receiver: Connection) -> None:
    process.join()
    if process.exitcode == 0:
        return
    if not receiver.poll():
        raise error_of_silent_rank(rank, f"ended with code {process.exitcode}")
    raise error_of_rank(rank, *receiver.recv())
