"""datatrove's Ray executor, with two of its habits changed.

datatrove's own `run` takes a task that raised for done, and hangs when the pool of processes that it opens within a
task loses one. Here a rank is one Ray task: Ray starts it again when its worker dies, and an error ends the stage.
"""

import logging
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self

from datatrove.executor.ray import RayPipelineExecutor
from datatrove.utils.logging import logger

from datasets_builders.building.document_step import DocumentStep
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.executors.options import RayOptions
from datasets_builders.building.executors.ranks import (
    RankExecutor,
    Report,
    error_of_rank,
    error_of_silent_rank,
    told_of,
)
from modeling_ling.command_line import how_to_install

BYTES_OF_A_GB = 1 << 30


class RayExecutor(RankExecutor[RayOptions], RayPipelineExecutor):
    """Run the ranks of one stage as tasks of Ray.

    Args:
        pipeline (list): steps.
        tasks (`int`): ranks.
        workers (`int`): tasks that run at once.
        logging_dir (`Path`): on a file system that the nodes share, as is all that the steps read and write.
        options (`RayOptions`): of the config.
    """

    def __init__(
        self, pipeline: Sequence[DocumentStep], tasks: int, workers: int, logging_dir: Path, options: RayOptions
    ) -> None:
        logger.disable("datatrove")  # it warns of every local folder
        super().__init__(
            list(pipeline),
            tasks,
            workers,
            logging_dir=str(logging_dir),
            cpus_per_task=options.cpus_per_task,
            mem_per_cpu_gb=options.mem_per_cpu_gb,
        )
        self.options = options

    @classmethod
    def prepare(cls, options: RayOptions, workers: int, output_folder: Path, modules: Collection[str]) -> None:
        """Raise `ConfigError` where Ray is not installed, or does not take the options."""
        check_ray(options)

    @classmethod
    def of_stage(
        cls,
        options: RayOptions,
        pipeline: Sequence[DocumentStep],
        tasks: int,
        workers: int,
        logging_dir: Path,
        job_name: str,
    ) -> Self:
        """Return what runs a stage."""
        return cls(pipeline, tasks, workers, logging_dir, options)

    def complete(self, report: Report) -> None:
        """Run all ranks that are not done."""
        import ray

        waiting = self.ranks_by_size()
        if not waiting:
            return
        self._connect(report)
        self.save_executor_as_json()
        task, executor, folder = _task_of(self.options), ray.put(self), Path.cwd()
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    rank = waiting.pop(0)
                    running[task.remote(executor, rank, folder)] = rank
                for reference in ray.wait(list(running))[0]:
                    _check_end(running.pop(reference), reference)
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
        if missing := self.get_incomplete_ranks():
            raise BuildError(
                f"rank {missing[0]} ended well, but its marker is not in {self.logging_dir.path}: "
                "all nodes of Ray must share the file system of output_dir"
            )

    def _connect(self, report: Report) -> None:
        """Connect to the cluster, once for a process, and say so when no node could ever run a task."""
        import ray

        if not ray.is_initialized():
            address = self.options.address
            is_local = not (address or os.environ.get("RAY_ADDRESS"))
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            try:
                ray.init(
                    address or None,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    include_dashboard=False if is_local else None,
                )
            except ConnectionError as error:
                raise ConfigError(f"executor: no Ray cluster at {address or 'RAY_ADDRESS'}: {error}") from None
        memory = self.mem_per_cpu_gb * self.cpus_per_task * BYTES_OF_A_GB
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= self.cpus_per_task and node.get("memory", 0) >= memory for node in nodes):
            report(
                f"no node of Ray has {self.cpus_per_task} processors and {memory / BYTES_OF_A_GB:g} GB for a task; "
                "waiting for one (or set cpus_per_task and mem_per_cpu_gb of the executor)"
            )


def _run_in_task(executor: RayExecutor, rank: int, folder: Path) -> tuple[int | None, str, str] | None:
    """Run one rank in the driver's folder, to which relative paths of the config belong; return what went wrong."""
    try:
        _enter(folder)
        executor._run_for_rank(rank)
    except Exception as error:
        return told_of(error)
    return None


def _enter(folder: Path) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise BuildError(
            f"a node of Ray cannot enter {folder}, where the driver was started ({error}); start it in a folder that "
            "all nodes share"
        ) from None


def _task_of(options: RayOptions) -> Any:
    """Return Ray's task that runs a rank.

    Raises:
        ConfigError: Ray does not take the options.
    """
    import ray

    memory = int(options.mem_per_cpu_gb * options.cpus_per_task * BYTES_OF_A_GB)
    wanted = {"num_cpus": options.cpus_per_task, "memory": memory, "max_retries": options.max_retries}
    try:
        return ray.remote(**(wanted | options.ray_remote_kwargs))(_run_in_task)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"executor: ray_remote_kwargs {options.ray_remote_kwargs}: {error}") from None


def _check_end(rank: int, reference: Any) -> None:
    import ray

    try:
        failure = ray.get(reference)
    except ray.exceptions.RayError as error:  # its worker, or its node, died again and again
        raise error_of_silent_rank(rank, f"({type(error).__name__}) ended") from error
    if failure is not None:
        raise error_of_rank(rank, *failure)


def check_ray(options: RayOptions) -> None:
    """Raise `ConfigError` where Ray is not installed, or does not take the options."""
    import importlib.util

    if importlib.util.find_spec("ray") is None:
        raise ConfigError(f"executor kind is ray, but Ray is not installed. {how_to_install('ray')}")
    _task_of(options)
