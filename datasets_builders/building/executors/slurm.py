"""datatrove's Slurm executor under a driver: the build's own process submits a stage, waits for it, and goes on.

A stage is one job array (several, above `max_array_size`); what runs between two stages, such as the clusters of
near-duplicates, runs in the driver. A rank is done when its completion marker is there; the queue only tells whether
to wait on. A driver that is killed leaves its jobs running, and the next one waits for them; Ctrl-C cancels them.

Left out of datatrove's: its job that merges statistics, which stays in the queue for ever when a task fails, and
`srun`, which a single task does not need.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Self

from datatrove.executor.base import DistributedEnvVars
from datatrove.executor.slurm import SlurmPipelineExecutor
from datatrove.utils.logging import logger
from datatrove.utils.stats import PipelineStats

from datasets_builders.building.atomic import write_json
from datasets_builders.building.document_step import DocumentStep
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.executors.options import SlurmOptions
from datasets_builders.building.executors.ranks import (
    RankExecutor,
    Report,
    error_of_rank,
    error_of_silent_rank,
    told_of,
)
from datasets_builders.building.executors.slurm_queue import StageJobs, cancel_jobs, queued

TASK_VARIABLE = "SLURM_ARRAY_TASK_ID"
# A marker may reach the driver's side of a shared file system later than the end of its job reaches the queue.
POLLS_WITHOUT_JOBS = 4
POLLS_WITHOUT_QUEUE = 40


class SlurmExecutor(RankExecutor[SlurmOptions], SlurmPipelineExecutor):
    """Run the ranks of one stage as tasks of a job array.

    Args:
        pipeline (list): steps.
        tasks (`int`): ranks.
        workers (`int`): tasks that run at once.
        logging_dir (`Path`): on a file system that the nodes share, as is all that the steps read and write.
        job_name (`str`): in the queue.
        options (`SlurmOptions`): of the config.
    """

    slurm_logs_folder: str

    def __init__(
        self,
        pipeline: Sequence[DocumentStep],
        tasks: int,
        workers: int,
        logging_dir: Path,
        job_name: str,
        options: SlurmOptions,
    ) -> None:
        self.jobs = StageJobs(logging_dir)
        extra = ({"account": options.account} if options.account else {}) | options.sbatch_args
        super().__init__(
            list(pipeline),
            tasks,
            options.time,
            options.partition,
            cpus_per_task=options.cpus_per_task,
            mem_per_cpu_gb=options.mem_per_cpu_gb,
            workers=workers,
            job_name=job_name,
            qos=options.qos,
            env_command=options.env_command or _activation(options.venv_path),
            sbatch_args=extra,
            max_array_size=options.max_array_size,
            job_id_retriever=self.jobs,
            logging_dir=str(logging_dir),
            requeue_signals=None,
            mail_type=options.mail_type,
            mail_user=options.mail_user,
            tasks_per_job=options.tasks_per_job,
            with_srun=False,
        )
        self.folder = logging_dir
        self.poll_seconds = options.poll_seconds
        self.python = "python" if self.env_command else sys.executable

    @classmethod
    def prepare(cls, options: SlurmOptions, workers: int, output_folder: Path, modules: Collection[str]) -> None:
        """Raise `ConfigError` where no stage could be submitted."""
        check_slurm(output_folder, modules)

    @classmethod
    def of_stage(
        cls,
        options: SlurmOptions,
        pipeline: Sequence[DocumentStep],
        tasks: int,
        workers: int,
        logging_dir: Path,
        job_name: str,
    ) -> Self:
        """Return what runs a stage."""
        return cls(pipeline, tasks, workers, logging_dir, job_name, options)

    def complete(self, report: Report) -> None:
        """Submit, wait, and find out what failed."""
        logger.disable("datatrove")
        try:
            if self.jobs.file.exists():
                self._wait(report)  # of a driver that was killed
            if self.get_incomplete_ranks():
                self._submit()
                self._wait(report)
        except KeyboardInterrupt:
            cancel_jobs([self.jobs])
            raise
        if missing := self.get_incomplete_ranks():
            raise self._error_of(missing[0])

    def _submit(self) -> None:
        Path(self.slurm_logs_folder).mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("failures/*.json"):
            path.unlink()
        self.jobs.note(self.tasks)
        try:
            self.launch_job()
        except subprocess.CalledProcessError as error:
            script = self.folder / "launch_script.slurm"
            raise BuildError(
                f"sbatch refused {script} with exit code {error.returncode}; it says why above. Jobs that it had taken "
                "go on, run the same command again to wait for them and to submit the rest"
            ) from None

    def launch_merge_stats(self) -> None:
        """Do nothing: nobody reads the merged statistics."""

    def _wait(self, report: Report) -> None:
        """Return when all ranks are done or no job is left in the queue."""
        told, without_jobs, without_queue = "", 0, 0
        while incomplete := self.get_incomplete_ranks():
            tasks = queued([self.jobs])
            without_queue = without_queue + 1 if tasks is None else 0
            without_jobs = without_jobs + 1 if tasks == [] else 0
            if without_queue > POLLS_WITHOUT_QUEUE:
                raise BuildError("squeue gives no answer; the jobs go on, run the same command again to wait for them")
            if without_jobs > POLLS_WITHOUT_JOBS:
                self.jobs.forget()
                return
            line = f"{self.job_name}: {self.tasks - len(incomplete)} of {self.tasks} parts done"
            if tasks:
                states = Counter(state for _, state in tasks)
                line += f"; jobs {', '.join(sorted({job for job, _ in tasks}, key=int))}: "
                line += ", ".join(f"{count} {state}" for state, count in states.items())
            if line != told:
                report(line)
                told = line
            time.sleep(self.poll_seconds)

    def _error_of(self, rank: int) -> Exception:
        """Return why a rank is not done, the first that says so before those that were killed."""
        failures = sorted(self.folder.glob("failures/*.json"))
        if failures:
            return error_of_rank(int(failures[0].stem), *json.loads(failures[0].read_text(encoding="utf-8")))
        return error_of_silent_rank(rank, f"(log in {self.slurm_logs_folder}) ended, or ran out of {self.time},")

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        try:
            return super()._run_for_rank(rank, local_rank, node_rank)
        except Exception as error:
            write_json(self.folder / "failures" / f"{rank:05d}.json", told_of(error))
            raise

    def get_distributed_env(self, node_rank: int = -1) -> DistributedEnvVars:
        """Return datatrove's variables without a call of scontrol: no step of ours spans nodes."""
        return DistributedEnvVars(
            datatrove_node_ips="localhost",
            datatrove_cpus_per_task=str(self.cpus_per_task),
            datatrove_mem_per_cpu=str(self.mem_per_cpu_gb),
            datatrove_gpus_on_node="0",
            datatrove_executor="SLURM",
        )

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        """Return the options of sbatch; unlike datatrove's, without making a folder, so that a dry run can ask."""
        log = f"{self.slurm_logs_folder.replace('%', '%%')}/%A_%a.out"
        chosen = {"qos": self.qos, "mail-user": self.mail_user, "mail-type": self.mail_user and self.mail_type}
        return _as_written(
            {
                "job-name": f"{self.job_name}-{self.jobs.mark}",
                "partition": self.partition,
                "time": self.time,
                "nodes": 1,
                "ntasks": 1,
                "cpus-per-task": self.cpus_per_task,
                "mem-per-cpu": f"{self.mem_per_cpu_gb}G",
                "array": f"0-{max_array - 1}%{self.workers}",
                "output": log,
                "error": log,
                **{name: value for name, value in chosen.items() if value},
                "requeue": True,  # after the failure of a node
                **self._sbatch_args,
            }
        )

    def get_launch_file_contents(self, sbatch_args: dict[str, Any], run_script: str) -> str:
        """Return the script, with the interpreter named: datatrove's counts on a command on the nodes' PATH."""
        pickled = str(self.logging_dir.resolve_paths("executor.pik"))
        command = [self.python, "-m", "datatrove.tools.launch_pickled_pipeline", pickled]
        return super().get_launch_file_contents(sbatch_args, f"exec {shlex.join(command)}")

    def script(self) -> str:
        """Return the script of sbatch."""
        num_jobs = -(-self.tasks // self.tasks_per_job)
        return self.get_launch_file_contents(self.get_sbatch_args(min(num_jobs, self.max_array_size)), "")


def check_slurm(output_folder: Path, modules: Collection[str]) -> None:
    """Raise `ConfigError` where no stage could be submitted.

    Args:
        output_folder (`Path`): of the dataset.
        modules (collection of `str`): those of the steps.
    """
    for command in ("sbatch", "squeue", "scancel"):
        if shutil.which(command) is None:
            raise ConfigError(f"executor kind is slurm, but there is no {command} here; run the driver on a login node")
    if TASK_VARIABLE in os.environ:
        raise ConfigError("the driver of a build cannot be a task of a job array; submit it as a job of its own")
    if "__main__" in modules:
        raise ConfigError(
            "a step is defined in the script that is run, where the nodes cannot import it; "
            "move the builder to a module of its own, on the PYTHONPATH"
        )
    if not str(output_folder).isprintable():
        raise ConfigError(f"output_dir {str(output_folder)!r} has a line break or the like, which #SBATCH cannot have")


def _as_written(options: dict[str, Any]) -> dict[str, str]:
    """Return the options as datatrove writes them: what is true is a flag without a value, false and null are none.

    sbatch reads quotes in its lines as a shell does.
    """
    if options["requeue"] is False:
        options["no-requeue"] = True  # a cluster may requeue by default
    if options.get("no-requeue"):
        options["requeue"] = None
    return {
        name: "" if value is True else shlex.quote(str(value))
        for name, value in options.items()
        if value is not None and value is not False
    }


def _activation(venv_path: str) -> str:
    """Return the line that enters a virtual environment."""
    return f"source {shlex.quote(str(Path(venv_path).expanduser().absolute()))}/bin/activate" if venv_path else ""
