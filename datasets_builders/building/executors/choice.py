"""From the config's `executor` to the executor of a stage. Each one's module is imported when it is chosen.

datatrove's own executors import the Hub's client, which nothing needs that only describes a dataset.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from datatrove.pipeline.base import PipelineStep

from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.executors.options import LocalOptions, RayOptions, SlurmOptions, executor_options

if TYPE_CHECKING:
    from datasets_builders.building.executors.ranks import RankExecutor


def prepare_executor(config: BuilderConfig, output_folder: Path, modules: Collection[str]) -> None:
    """Make ready what runs the stages.

    Args:
        config (`BuilderConfig`): with `executor` and `workers`.
        output_folder (`Path`): of the dataset.
        modules (collection of `str`): those of the steps.

    Raises:
        ConfigError: the executor cannot run here.

    Source: ours.
    """
    options = executor_options(config.executor)
    if isinstance(options, LocalOptions) and config.workers > 1:
        from datasets_builders.building.executors.local import start_fork_server

        start_fork_server(modules)
    if isinstance(options, SlurmOptions):
        from datasets_builders.building.executors.slurm import check_slurm

        check_slurm(output_folder, modules)
    if isinstance(options, RayOptions):
        from datasets_builders.building.executors.ray import check_ray

        check_ray(options)


def cancel_other_jobs(config: BuilderConfig, build_folder: Path, is_same_build: bool) -> None:
    """Cancel the jobs of a killed driver that this run will not wait for.

    Args:
        config (`BuilderConfig`): of this run.
        build_folder (`Path`): the `.build` folder of the dataset.
        is_same_build (`bool`): whether this run continues that driver's build.

    Raises:
        BuildError: they cannot be cancelled, or there may be some and this machine cannot ask for them.

    Source: ours.
    """
    from datasets_builders.building.executors.slurm_queue import cancel_jobs, jobs_left

    if not (is_same_build and isinstance(executor_options(config.executor), SlurmOptions)):
        cancel_jobs(jobs_left(build_folder))


def executor_of_stage(
    config: BuilderConfig, pipeline: list[PipelineStep], tasks: int, logging_dir: Path, job_name: str
) -> "RankExecutor":
    """Return what runs a stage.

    Args:
        config (`BuilderConfig`): with `executor` and `workers`.
        pipeline (list of `PipelineStep`): of the stage.
        tasks (`int`): ranks.
        logging_dir (`Path`): for completion markers and logs.
        job_name (`str`): of the stage, where jobs have names.

    Source: ours.
    """
    options, workers = executor_options(config.executor), min(config.workers, tasks)
    if isinstance(options, SlurmOptions):
        from datasets_builders.building.executors.slurm import SlurmExecutor

        return SlurmExecutor(pipeline, tasks, workers, logging_dir, job_name, options)
    if isinstance(options, RayOptions):
        from datasets_builders.building.executors.ray import RayExecutor

        return RayExecutor(pipeline, tasks, workers, logging_dir, options)
    from datasets_builders.building.executors.local import LocalExecutor

    return LocalExecutor(pipeline, tasks, workers, logging_dir=str(logging_dir))
