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
import traceback
from copy import deepcopy
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.utils.logging import logger
from datatrove.utils.stats import PipelineStats

from datasets_builders.building.errors import BuildError
from datasets_builders.building.steps import MACHINE_ERRNOS

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PRELOADED_MODULES = [
    "datasets_builders.building.worker_start",
    "datasets_builders.building.executor",
    "datasets_builders.building.shards",
]


class BuildExecutor(LocalPipelineExecutor):
    """Run the ranks of one stage: in this process with one worker, else one forked process per rank.

    Completed ranks are skipped by datatrove's completion markers in `logging_dir`.

    Source: ours.
    """

    def run(self) -> None:
        """Run all ranks that are not completed.

        Raises:
            OSError: the machine failed (disk full) in some rank.
            BuildError: a rank failed otherwise, or its process was killed.
        """
        ranks = self.get_incomplete_ranks()
        if not ranks:
            return
        self.save_executor_as_json()
        if min(self.workers, len(ranks)) > 1:
            self._run_in_processes(ranks)
            return
        pipeline = self.pipeline
        for rank in ranks:
            self.pipeline = deepcopy(pipeline)  # a step keeps state, which must not leak into the next rank
            self._run_for_rank(rank)
        self.pipeline = pipeline

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        logger.disable("datatrove")  # it would print a page per rank beside the progress bar
        return super()._run_for_rank(rank, local_rank, node_rank)

    def _run_in_processes(self, ranks: list[int]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([*PRELOADED_MODULES, *sorted({type(step).__module__ for step in self.pipeline})])
        waiting, running = list(ranks), {}
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    rank = waiting.pop(0)
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


def _run_in_worker(executor: BuildExecutor, rank: int, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    try:
        executor._run_for_rank(rank)
    except Exception as error:
        number = getattr(error, "errno", None)
        sender.send((number, str(error), traceback.format_exc()))
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
        raise BuildError(
            f"the worker of rank {rank} ended with code {process.exitcode} without a word (killed, for memory?); "
            "run again with fewer workers or more num_tasks"
        )
    number, message, trace = receiver.recv()
    if number in MACHINE_ERRNOS:
        raise OSError(number, message)
    raise BuildError(f"rank {rank}: {message}\n{trace}")
