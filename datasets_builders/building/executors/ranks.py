"""What the executors share: how one rank is run, and in which order the ranks are."""

import resource
import traceback
from collections import deque
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Generic, Self, TypeVar

from datatrove.data import DocumentsPipeline
from datatrove.executor.base import PipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.logging import logger
from datatrove.utils.stats import PipelineStats

from datasets_builders.building.document_step import DocumentStep
from datasets_builders.building.errors import BuildError
from datasets_builders.building.executors.options import ExecutorOptions
from datasets_builders.building.steps import MACHINE_ERRNOS

Report = Callable[[str], None]
Options = TypeVar("Options", bound=ExecutorOptions)
# A pipe holds 64 KiB, and nobody reads it before the process has ended; a character is at most four bytes.
MAX_MESSAGE_CHARACTERS = 4_000
MAX_TRACE_CHARACTERS = 8_000


class RankExecutor(PipelineExecutor, Generic[Options]):
    """Base of the executors, beside datatrove's. A rank is done when its completion marker is there."""

    @classmethod
    def prepare(cls, options: Options, workers: int, output_folder: Path, modules: Collection[str]) -> None:
        """Make ready what runs the stages, and raise `ConfigError` where it cannot run here.

        Args:
            options (`ExecutorOptions`): of the config.
            workers (`int`): ranks that run at once.
            output_folder (`Path`): of the dataset.
            modules (collection of `str`): those of the steps.
        """

    @classmethod
    def of_stage(
        cls,
        options: Options,
        pipeline: Sequence[DocumentStep],
        tasks: int,
        workers: int,
        logging_dir: Path,
        job_name: str,
    ) -> Self:
        """Return what runs a stage; see `executor_of_stage`."""
        raise TypeError(f"{cls.__name__} must define of_stage()")

    def complete(self, report: Report) -> None:
        """Run all ranks that are not done.

        Args:
            report (function): is given lines for the user.

        Raises:
            OSError: the machine failed (disk full) in some rank.
            BuildError: a rank failed otherwise, or its process was killed.
        """
        raise TypeError(f"{type(self).__name__} must define complete()")

    def script(self) -> str:
        """Return what would be submitted for all ranks, or an empty string where nothing is; writes nothing."""
        return ""

    def ranks_by_size(self) -> list[int]:
        """Return the ranks that are not done, the largest first, so that no long one is left for the end."""
        weight = getattr(self.pipeline[0], "weight", None)
        ranks = self.get_incomplete_ranks()
        return sorted(ranks, key=lambda rank: -weight(rank, self.world_size)) if weight else ranks

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        """Run the steps of a rank, keep their statistics and mark the rank as done.

        As datatrove's own does, without its log: a page per rank beside the progress bar, and a quarter of what a small
        rank costs.
        """
        if self.is_rank_completed(rank):
            return PipelineStats()
        logger.disable("datatrove")
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a stage writes a file per rank of the next one
        steps = deepcopy(self.pipeline)  # a step keeps state, which must not leak into the next rank
        self._set_distributed_environment(node_rank)
        documents = DocumentsPipeline(None)
        for step in steps:
            documents = step(documents, rank, self.world_size)
        deque(documents or (), maxlen=0)
        stats = PipelineStats([step.stats for step in steps if isinstance(step, PipelineStep)])
        with self.logging_dir.open(f"stats/{rank:05d}.json", "w") as file:
            stats.save_to_disk(file)
        self.mark_rank_as_completed(rank)
        return stats


def told_of(error: Exception) -> tuple[int | None, str, str]:
    """Return what the driver is told of an error that is being handled: `errno`, message and trace.

    Exceptions of a step need not survive the way. Of a long message the start is kept, of a long trace the end.
    """
    message = str(error)[:MAX_MESSAGE_CHARACTERS]
    if isinstance(error, BuildError):  # its message says what to do
        return None, message, ""
    trace = traceback.format_exc().replace(str(error), message)
    return getattr(error, "errno", None), message, trace[-MAX_TRACE_CHARACTERS:]


def error_of_rank(rank: int, number: int | None, message: str, trace: str) -> Exception:
    """Return what is raised for an error in a rank's process.

    Args:
        number (`int`, *optional*): `errno`; of the machine's own errors it gives an `OSError`.
    """
    if number in MACHINE_ERRNOS:
        return OSError(number, message)
    return BuildError(f"rank {rank}: {message}\n{trace}".rstrip())


def error_of_silent_rank(rank: int, how: str) -> BuildError:
    """Return what is raised for a rank that ended without an error of its own."""
    return BuildError(
        f"the worker of rank {rank} {how} without a word (killed, for memory?); run again with more memory for each, "
        "fewer workers or more num_tasks"
    )
