"""Stands in for Slurm's own commands where there is no Slurm: `slurm_stand_in.py sbatch|scancel ARGUMENTS`.

It knows as much of sbatch, squeue and scancel as a driver uses. The tasks of an array are real processes that run the
submitted script, as many at once as the array says; nothing is queued beside them. Its state lies in $SLURM_STAND_IN:
a folder per job, with a file per task that is not over; `squeue_stand_in.sh` tells of them.

Where $SLURM_FORKS is set, the program at the end of a script is forked from the job's process, which has imported what
it imports: a quarter of the processor time.
"""

import gc
import importlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.warm_python import become

ROOT = Path(os.environ["SLURM_STAND_IN"])


def sbatch(*arguments: str) -> None:
    """Start a process that runs the job, and print its id."""
    *options, script = arguments
    number = 1 + len(list(ROOT.iterdir()))
    job = ROOT / str(number)
    job.mkdir()
    (job / "script").write_bytes(Path(script).read_bytes())
    (job / "name").write_text(option_of(job, "job-name"))
    for index in range(array_of(job)[0]):
        (job / f"task_{index}").write_text("PENDING")
    command = [sys.executable, __file__, "run", str(number), *options]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (job / "pid").write_text(str(process.pid))
    print(f"Submitted batch job {number}")


def array_of(job: Path) -> tuple[int, int]:
    """Return the number of tasks and how many run at once."""
    found = re.fullmatch(r"0-(\d+)%(\d+)", option_of(job, "array"))
    assert found
    return int(found[1]) + 1, int(found[2])


def option_of(job: Path, name: str) -> str:
    """Return an option of the script, read as sbatch does: with the quotes of a shell."""
    found = re.search(rf"^#SBATCH (--{name}=.*)$", (job / "script").read_text(), re.M)
    assert found
    (option,) = shlex.split(found[1])
    return option.partition("=")[2]


def run(number: str, *options: str) -> None:
    """Wait for the job's dependency, then run its tasks."""
    job = ROOT / number
    given = dict(option.removeprefix("--").split("=", 1) for option in options)
    while ":" in given.get("dependency", "") and list(ROOT.glob(f"{given['dependency'].split(':')[1]}/task_*")):
        time.sleep(0.05)
    exported = dict(pair.split("=", 1) for pair in given["export"].split(",") if "=" in pair)
    start = start_of_forks(job) if "SLURM_FORKS" in os.environ else start_of_scripts(job)
    num_tasks, at_once = array_of(job)
    waiting, running = list(range(num_tasks)), dict[int, int]()
    while waiting or running:
        while waiting and len(running) < at_once:
            index = waiting.pop(0)
            (job / f"task_{index}").write_text("RUNNING")
            variables = {"SLURM_ARRAY_JOB_ID": number, "SLURM_ARRAY_TASK_ID": str(index), "SLURM_JOB_ID": number}
            with log_of(job, index).open("wb") as log:
                running[start(os.environ | exported | variables, log)] = index
        (job / f"task_{running.pop(os.wait()[0])}").unlink()


def log_of(job: Path, index: int) -> Path:
    """Return where a task writes, with sbatch's patterns filled in."""
    known = {"%A": job.name, "%a": str(index), "%%": "%"}
    return Path(re.sub("%.", lambda found: known[found.group()], option_of(job, "output")))


def start_of_scripts(job: Path) -> Callable[[dict[str, str], IO[bytes]], int]:
    """Return what starts a task as Slurm does; it returns the id of the process."""

    def start(variables: dict[str, str], log: IO[bytes]) -> int:
        return subprocess.Popen(["bash", str(job / "script")], env=variables, stdout=log, stderr=log).pid

    return start


def start_of_forks(job: Path) -> Callable[[dict[str, str], IO[bytes]], int]:
    """Return the same with the script's last line run in a fork of this process."""
    *script, last = (job / "script").read_text().rstrip().splitlines()
    run, interpreter, *words = shlex.split(last)
    assert (run, interpreter) == ("exec", sys.executable), last
    for module in ("datatrove.executor.slurm", "datasets_builders.building.shards", "build_lines"):
        importlib.import_module(module)
    gc.freeze()

    def start(variables: dict[str, str], log: IO[bytes]) -> int:
        task = os.fork()
        if task == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            subprocess.run(["bash", "-c", "\n".join(script)], env=variables, check=True)
            become(words, str(Path.cwd()), variables)
        return task

    return start


def scancel(*jobs: str) -> None:
    """Kill all processes of jobs."""
    for number in jobs:
        with suppress(ProcessLookupError):
            os.killpg(int((ROOT / number / "pid").read_text()), signal.SIGKILL)
        for path in (ROOT / number).glob("task_*"):
            path.unlink()


if __name__ == "__main__":
    {"sbatch": sbatch, "run": run, "scancel": scancel}[sys.argv[1]](*sys.argv[2:])
