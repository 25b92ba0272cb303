"""datatrove's Slurm executor under a driver: the build's own process submits a stage, waits for it, and goes on.

A stage is one job array (several, above `max_array_size`); what runs between two stages, such as the clusters of
near-duplicates, runs in the driver. A rank is done when its completion marker is there; the queue only tells whether
to wait on. A driver that is killed leaves its jobs running, and the next one waits for them; Ctrl-C cancels them.

Left out of datatrove's: its job that merges statistics, which stays in the queue for ever when a task fails, and
`srun`, which a single task does not need.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from datatrove.executor.base import DistributedEnvVars
from datatrove.executor.slurm import SlurmPipelineExecutor
from datatrove.utils.logging import logger
from datatrove.utils.stats import PipelineStats

from datasets_builders.building.atomic import write_json
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.executors.options import SlurmOptions
from datasets_builders.building.executors.ranks import RankExecutor, Report, error_of_rank, error_of_silent_rank

TASK_VARIABLE = "SLURM_ARRAY_TASK_ID"
JOBS_FILE = "jobs.txt"
# A marker may reach the driver's side of a shared file system later than the end of its job reaches the queue.
POLLS_WITHOUT_JOBS = 4
POLLS_WITHOUT_QUEUE = 40
CANCEL_SECONDS = 120.0
_SUBMITTED = re.compile(r"Submitted batch job (\d+)")


class SlurmExecutor(RankExecutor, SlurmPipelineExecutor):
    """Run the ranks of one stage as tasks of a job array.

    Args:
        pipeline (list): steps.
        tasks (`int`): ranks.
        workers (`int`): tasks that run at once.
        logging_dir (`Path`): on a file system that the nodes share, as is all that the steps read and write.
        job_name (`str`): in the queue.
        options (`SlurmOptions`): of the config.

    Source: ours.
    """

    def __init__(
        self, pipeline: list[Any], tasks: int, workers: int, logging_dir: Path, job_name: str, options: SlurmOptions
    ) -> None:
        extra = ({"account": options.account} if options.account else {}) | options.sbatch_args
        super().__init__(
            pipeline,
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
            job_id_retriever=_JobIds(logging_dir / JOBS_FILE),
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

    def complete(self, report: Report) -> None:
        """Submit, wait, and find out what failed."""
        logger.disable("datatrove")
        jobs = _JobIds(self.folder / JOBS_FILE)
        try:
            if jobs.read():
                self._wait(jobs.read(), report)  # of a driver that was killed
            if self.get_incomplete_ranks():
                jobs.clear()
                self._submit()
                self._wait(jobs.read(), report)
        except KeyboardInterrupt:
            cancel_jobs(jobs.read())
            raise
        if missing := self.get_incomplete_ranks():
            raise self._error_of(missing[0])

    def _submit(self) -> None:
        Path(self.slurm_logs_folder).mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("failures/*.json"):
            path.unlink()
        try:
            self.launch_job()
        except subprocess.CalledProcessError as error:
            script = self.folder / "launch_script.slurm"
            raise BuildError(f"sbatch refused {script} with exit code {error.returncode}; it says why above") from None

    def launch_merge_stats(self) -> None:
        """Do nothing: nobody reads the merged statistics."""

    def _wait(self, jobs: Sequence[str], report: Report) -> None:
        """Return when all ranks are done or no job is left in the queue."""
        told, without_jobs, without_queue = "", 0, 0
        while incomplete := self.get_incomplete_ranks():
            states = queued(jobs)
            without_queue = without_queue + 1 if states is None else 0
            without_jobs = without_jobs + 1 if states is not None and not states else 0
            if without_queue > POLLS_WITHOUT_QUEUE:
                raise BuildError("squeue gives no answer; the jobs go on, run the same command again to wait for them")
            if without_jobs > POLLS_WITHOUT_JOBS:
                return
            line = f"{self.job_name}: {self.tasks - len(incomplete)} of {self.tasks} parts done"
            if states:
                line += f"; jobs {', '.join(jobs)}: " + ", ".join(f"{count} {state}" for state, count in states.items())
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
            told = [getattr(error, "errno", None), str(error), traceback.format_exc()]
            write_json(self.folder / "failures" / f"{rank:05d}.json", told)
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
        log = f"{self.slurm_logs_folder}/%A_%a.out"
        chosen = {"qos": self.qos, "mail-user": self.mail_user, "mail-type": self.mail_user and self.mail_type}
        return {
            "job-name": self.job_name,
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
            "requeue": "",  # after the failure of a node
            **self._sbatch_args,
        }

    def get_launch_file_contents(self, sbatch_args: dict[str, Any], run_script: str) -> str:
        """Return the script, with the interpreter named: datatrove's counts on a command on the nodes' PATH."""
        pickled = self.logging_dir.resolve_paths("executor.pik")
        command = [self.python, "-m", "datatrove.tools.launch_pickled_pipeline", pickled]
        return super().get_launch_file_contents(sbatch_args, f"exec {shlex.join(command)}")

    def script(self) -> str:
        """Return the script of sbatch."""
        num_jobs = -(-self.tasks // self.tasks_per_job)
        return self.get_launch_file_contents(self.get_sbatch_args(min(num_jobs, self.max_array_size)), "")


class _JobIds:
    """The ids of submitted jobs in a file: called with what sbatch prints, it takes note of the id."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, output: str) -> str:
        found = _SUBMITTED.search(output)
        if found is None:
            raise BuildError(f"sbatch printed {output!r} instead of the id of a job")
        with self.path.open("a", encoding="ascii") as file:
            file.write(found[1] + "\n")
        return found[1]

    def read(self) -> list[str]:
        """Return the ids."""
        return self.path.read_text(encoding="ascii").split() if self.path.exists() else []

    def clear(self) -> None:
        """Forget them."""
        self.path.unlink(missing_ok=True)


def queued(jobs: Sequence[str]) -> Counter[str] | None:
    """Return the states of those tasks that are in the queue, with their reasons, or None when squeue fails.

    Asked for all jobs of the user: for one that is long gone squeue would fail.
    """
    command = ["squeue", "--me", "--array", "--noheader", "--format=%F %T %r"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return None
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line.strip()]
    return Counter(state.removesuffix(" None").lower() for job, state in lines if job in jobs)


def cancel_jobs(jobs: Sequence[str]) -> None:
    """Cancel jobs and wait until they have left the queue, so that none writes any longer.

    Raises:
        BuildError: they do not leave it.
    """
    if not jobs or queued(jobs) == Counter():
        return
    subprocess.run(["scancel", *jobs], capture_output=True)
    deadline = time.monotonic() + CANCEL_SECONDS
    while queued(jobs) != Counter():
        if time.monotonic() > deadline:
            raise BuildError(f"the Slurm jobs {', '.join(jobs)} cannot be cancelled; see squeue")
        time.sleep(1)


def jobs_left(build_folder: Path) -> list[str]:
    """Return the jobs that an earlier driver of this build submitted, where any of them may still be in the queue."""
    jobs = [job for path in (build_folder / "executor").glob(f"*/{JOBS_FILE}") for job in _JobIds(path).read()]
    return jobs if jobs and shutil.which("squeue") and queued(jobs) != Counter() else []


def check_slurm(output_folder: Path, modules: Collection[str]) -> None:
    """Raise `ConfigError` where no stage could be submitted.

    Args:
        output_folder (`Path`): of the dataset.
        modules (collection of `str`): those of the steps.
    """
    if shutil.which("sbatch") is None:
        raise ConfigError("executor kind is slurm, but there is no sbatch here; run the driver on a login node")
    if TASK_VARIABLE in os.environ:
        raise ConfigError("the driver of a build cannot be a task of a job array; submit it as a job of its own")
    if "__main__" in modules:
        raise ConfigError(
            "a step is defined in the script that is run, where the nodes cannot import it; "
            "move the builder to a module of its own, on the PYTHONPATH"
        )
    if any(sign.isspace() for sign in str(output_folder)):
        raise ConfigError(f"output_dir {output_folder} has a blank, which lines of #SBATCH cannot have")


def _activation(venv_path: str) -> str:
    """Return the line that enters a virtual environment."""
    return f"source {shlex.quote(str(Path(venv_path).expanduser().absolute()))}/bin/activate" if venv_path else ""
