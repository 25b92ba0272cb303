"""What the driver knows of its jobs: its note of a submission, and what Slurm's queue says.

The note is written before sbatch is called, and the names of jobs tell their stage: of a driver that is killed while
sbatch runs, nobody has read the job's id.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from datasets_builders.building.atomic import write_json
from datasets_builders.building.errors import BuildError
from datasets_builders.building.identity import digest

JOBS_FILE = "jobs.json"
CANCEL_SECONDS = 120.0
_SUBMITTED = re.compile(r"Submitted batch job (\d+)")


class StageJobs:
    """The jobs of one stage: called with what sbatch prints, it takes note of the id.

    Args:
        folder (`Path`): of the stage's executor.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / JOBS_FILE
        self.mark = digest(str(folder.resolve()))  # ends the names of the jobs

    def note(self, num_ranks: int) -> None:
        """Remember that jobs are submitted from now on, for a stage of so many ranks."""
        write_json(self.file, {"num_ranks": num_ranks, "ids": []})

    def __call__(self, output: str) -> str:
        """Take note of the id in what sbatch printed, and return it."""
        found = _SUBMITTED.search(output)
        if found is None:
            raise BuildError(f"sbatch printed {output!r} instead of the id of a job")
        noted = json.loads(self.file.read_text(encoding="utf-8"))
        write_json(self.file, noted | {"ids": [*noted["ids"], found[1]]})
        return found[1]

    def ids(self) -> list[str]:
        """Return the ids that are known."""
        return json.loads(self.file.read_text(encoding="utf-8"))["ids"] if self.file.exists() else []

    def are_done(self) -> bool:
        """Return whether all ranks of the stage have their markers."""
        num_ranks = json.loads(self.file.read_text(encoding="utf-8"))["num_ranks"]
        return all((self.folder / "completions" / f"{rank:05d}").exists() for rank in range(num_ranks))

    def forget(self) -> None:
        """Remove the note: no job is left."""
        self.file.unlink(missing_ok=True)


def queued(stages: Sequence[StageJobs]) -> list[tuple[str, str]] | None:
    """Return the tasks that are in the queue, as id of the job and state with its reason, or None when squeue fails.

    Asked for all jobs of the user: for one that is long gone squeue would fail.
    """
    command = ["squeue", "--me", "--array", "--noheader", "--format=%F|%T %r|%j"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return None
    ids = {job for stage in stages for job in stage.ids()}
    marks = tuple(stage.mark for stage in stages)
    tasks = [line.split("|", 2) for line in done.stdout.splitlines() if line.strip()]
    return [
        (job, state.removesuffix(" None").lower()) for job, state, name in tasks if job in ids or name.endswith(marks)
    ]


def cancel_jobs(stages: Sequence[StageJobs]) -> None:
    """Cancel the jobs of stages and wait until they have left the queue, so that none writes any longer.

    Raises:
        BuildError: they do not leave it.
    """
    if not stages:
        return
    deadline = time.monotonic() + CANCEL_SECONDS
    while (tasks := queued(stages)) != []:
        jobs = sorted({job for job, _ in tasks or ()}.union(*(stage.ids() for stage in stages)))
        if time.monotonic() > deadline:
            raise BuildError(f"the Slurm jobs {', '.join(jobs)} cannot be cancelled; see squeue")
        subprocess.run(["scancel", *jobs], capture_output=True)
        time.sleep(1)
    for stage in stages:
        stage.forget()


def jobs_left(build_folder: Path) -> list[StageJobs]:
    """Return those stages of a build of which a driver submitted jobs that may still be in the queue.

    Raises:
        BuildError: this machine cannot ask the queue, and their parts are not done.
    """
    noted = [StageJobs(path.parent) for path in (build_folder / "executor").glob(f"*/{JOBS_FILE}")]
    if shutil.which("squeue"):
        return [stage for stage in noted if queued([stage]) != []]
    for stage in noted:
        if not stage.are_done():
            raise BuildError(
                f"Slurm jobs ({', '.join(stage.ids()) or 'id unknown'}) may be writing in {build_folder.parent}, and "
                f"there is no squeue here; run on a host of the cluster, or remove {stage.file} once they are gone"
            )
    return []
