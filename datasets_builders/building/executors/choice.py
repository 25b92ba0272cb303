"""From the config's `executor` to the executor of a stage."""

import importlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.document_step import DocumentStep
from datasets_builders.building.executors.options import ExecutorOptions, executor_options
from datasets_builders.building.executors.slurm_queue import cancel_jobs, jobs_left

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
    """
    options = executor_options(config.executor)
    _class_of(options).prepare(options, config.workers, output_folder, modules)


def cancel_other_jobs(config: BuilderConfig, build_folder: Path, is_same_build: bool) -> None:
    """Cancel the jobs of a killed driver that this run will not wait for.

    Args:
        config (`BuilderConfig`): of this run.
        build_folder (`Path`): the `.build` folder of the dataset.
        is_same_build (`bool`): whether this run continues that driver's build.

    Raises:
        BuildError: they cannot be cancelled, or there may be some and this machine cannot ask for them.
    """
    if not (is_same_build and executor_options(config.executor).waits_for_jobs):
        cancel_jobs(jobs_left(build_folder))


def executor_of_stage(
    config: BuilderConfig, pipeline: Sequence[DocumentStep], tasks: int, logging_dir: Path, job_name: str
) -> "RankExecutor[Any]":
    """Return what runs a stage.

    Args:
        config (`BuilderConfig`): with `executor` and `workers`.
        pipeline (sequence of `DocumentStep`): of the stage.
        tasks (`int`): ranks.
        logging_dir (`Path`): for completion markers and logs.
        job_name (`str`): of the stage, where jobs have names.
    """
    options = executor_options(config.executor)
    return _class_of(options).of_stage(options, pipeline, tasks, min(config.workers, tasks), logging_dir, job_name)


def _class_of(options: ExecutorOptions) -> "type[RankExecutor[Any]]":
    """Return the executor that takes options; its module is imported now.

    datatrove's own executors import the Hub's client, which nothing needs that only describes a dataset.
    """
    module, _, name = options.executor.partition(":")
    found: type[RankExecutor[Any]] = getattr(importlib.import_module(module), name)
    return found
