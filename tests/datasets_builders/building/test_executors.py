"""The same bytes from this machine's processes, Slurm's job arrays and Ray's tasks; what fails there is told here.

Slurm's own commands are stood in for by `slurm_stand_in.py`: the scripts are those that Slurm would be given, the tasks
are real processes. Ray is Ray.
"""

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.executors.local import LocalExecutor
from datasets_builders.building.executors.options import executor_options
from datasets_builders.building.identity import digest
from datasets_builders.building.intermediate import StageReader
from datasets_builders.sources.archives import ArchiveSource
from datasets_builders.sources.entry import rank_of
from datasets_builders.sources.reader import SourceReader
from tests import warm_python

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("build_lines.py")
STAND_IN = Path(__file__).with_name("slurm_stand_in.py")
# As a user's script would: the nodes import the builder, so that it must not be defined in what is run.
RUN = "import sys, build_lines; build_lines.main(*sys.argv[1:])"
SLURM = "{kind: slurm, partition: cpu, time: '00:10:00', poll_seconds: 0.1}"


@pytest.fixture
def slurm(tmp_path, environment):
    """Environment with sbatch, squeue and scancel on the path."""
    programs, jobs = tmp_path / "bin", tmp_path / "jobs"
    programs.mkdir()
    jobs.mkdir()
    scripts = {name: f'#!/bin/sh\nexec {sys.executable} {STAND_IN} {name} "$@"\n' for name in ("sbatch", "scancel")}
    for name, script in (scripts | {"squeue": STAND_IN.with_name("squeue_stand_in.sh").read_text()}).items():
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    stand_in = {"SLURM_STAND_IN": str(jobs), "SLURM_FORKS": "1"}
    yield environment | {"PATH": f"{programs}:{os.environ['PATH']}"} | stand_in
    for job in jobs.iterdir():
        subprocess.run([programs / "scancel", job.name], env=os.environ | {"SLURM_STAND_IN": str(jobs)}, check=True)


def start(folder: Path, environment: dict[str, str], output: str, executor: str) -> subprocess.Popen[str]:
    return warm_python.Popen(
        [sys.executable, "-c", RUN, output, executor],
        env=environment | {"PYTHONPATH": f"{environment['PYTHONPATH']}:{SCRIPT.parent}"},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )


def build(folder: Path, environment: dict[str, str], output: str, executor: str) -> tuple[int, str]:
    process = start(folder, environment, output, executor)
    told = process.communicate(timeout=300)[1]
    return process.returncode, told


def start_and_wait(folder: Path, environment: dict[str, str], executor: str = SLURM) -> subprocess.Popen[str]:
    """Start a driver on Slurm; return it when of its first stage the last part alone is still at work, until told."""
    (folder / "wait").touch()
    process = start(folder, environment, "out", executor)
    next(line for line in process.stderr if "3 of 4 parts done" in line)
    return process


def start_and_let_job_1_end(folder: Path, environment: dict[str, str], executor: str = SLURM) -> None:
    """Start a driver beside the waiting job of another, let the job go on once it is waited for, await the build."""
    process = start(folder, environment, "out", executor)
    next(line for line in process.stderr if "jobs 1: 1 running" in line)
    (folder / "wait").unlink()
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 0, told


@contextmanager
def end_of_job_1_awaited(folder: Path) -> Iterator[None]:
    job = os.pidfd_open(int((folder / "jobs/1/pid").read_text()))
    yield
    assert select.select([job], [], [], 120)[0]
    os.close(job)


@pytest.fixture(scope="module")
def expected(tmp_path_factory, environment, shard_hashes):
    """Hashes of the build by the local executor."""
    folder = tmp_path_factory.mktemp("expected")
    code, told = build(folder, environment | {"PYTHONHASHSEED": "7"}, "local", "{kind: local}")
    assert code == 0, told
    return shard_hashes(folder / "local")


def test_slurm_writes_the_bytes_of_the_local_executor(tmp_path, slurm, shard_hashes, expected):
    del slurm["SLURM_FORKS"]
    code, told = build(tmp_path, slurm, "out", SLURM)
    assert code == 0, told
    assert shard_hashes(tmp_path / "out") == expected
    assert len(list((tmp_path / "jobs").iterdir())) == 3, "a job array per stage"
    assert "lines-write_lines: 0 of 4 parts done; jobs 1:" in told


def test_a_folder_may_have_any_printable_name_under_slurm(tmp_path, slurm, shard_hashes, expected):
    name = 'it\'s 5%A of "$HOME"'
    code, told = build(tmp_path, slurm, name, SLURM.replace("}", ", sbatch_args: {comment: two words}}"))
    assert code == 0, told
    assert shard_hashes(tmp_path / name) == expected
    assert list((tmp_path / name).glob(".build/executor/*/slurm_logs/1_0.out"))
    assert "#SBATCH --comment='two words'" in (tmp_path / "jobs/1/script").read_text()
    code, told = build(tmp_path, slurm, '"two\\nlines"', SLURM)
    assert code == 1 and "has a line break or the like" in told


def test_more_parts_than_an_array_may_have_are_several_arrays(tmp_path, slurm, shard_hashes, expected):
    executor = SLURM.replace("}", ", max_array_size: 2, tasks_per_job: 1}")
    code, told = build(tmp_path, slurm, "out", executor)
    assert code == 0, told
    assert shard_hashes(tmp_path / "out") == expected
    assert len(list((tmp_path / "jobs").iterdir())) == 5


def test_a_task_may_run_several_parts(tmp_path, slurm, shard_hashes, expected):
    code, told = build(tmp_path, slurm, "out", SLURM.replace("}", ", tasks_per_job: 3}"))
    assert code == 0, told
    assert shard_hashes(tmp_path / "out") == expected
    assert "--array=0-1%2" in (tmp_path / "jobs/1/script").read_text()


def test_a_killed_driver_leaves_its_jobs_and_the_next_one_waits_for_them(tmp_path, slurm, shard_hashes, expected):
    process = start_and_wait(tmp_path, slurm)
    process.kill()
    process.communicate()
    process = start(tmp_path, slurm, "out", SLURM)
    told = ""
    for line in process.stderr:
        told += line
        if "jobs 1: 1 running" in line:
            (tmp_path / "wait").unlink()
            break
    assert "continuing an interrupted build" in told
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 0, told
    assert shard_hashes(tmp_path / "out") == expected
    assert len(list((tmp_path / "jobs").iterdir())) == 3, "nothing was submitted twice"


@pytest.mark.parametrize("executor", ["{kind: local}", SLURM.replace("}", ", cpus_per_task: 2}")])
def test_a_build_that_no_longer_waits_for_left_jobs_cancels_them(tmp_path, slurm, shard_hashes, expected, executor):
    process = start_and_wait(tmp_path, slurm)
    process.kill()
    process.communicate()
    if "slurm" in executor:  # another build, since its fingerprint is another
        fingerprint = tmp_path / "out/.build/fingerprint.json"
        fingerprint.write_text(fingerprint.read_text().replace('"seed": 0', '"seed": 1'))
    assert (tmp_path / "jobs/1/task_1").exists()
    with end_of_job_1_awaited(tmp_path):
        process = start(tmp_path, slurm, "out", executor)
    (tmp_path / "wait").unlink()
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 0, told
    assert shard_hashes(tmp_path / "out") == expected


def test_a_refused_array_leaves_the_files_of_the_one_at_work_and_the_next_driver_continues(
    tmp_path, slurm, shard_hashes, expected
):
    (tmp_path / "wait").touch()
    sbatch = tmp_path / "bin/sbatch"
    takes_all = sbatch.read_text()
    refuses_the_second = (
        f'[ -d {tmp_path}/jobs/1 ] || exec {sys.executable} {STAND_IN} sbatch "$@"\n'
        "until find out -name '*.jsonl.tmp' | grep -q 00001; do sleep 0.05; done\n"
        "echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1\n"
    )
    sbatch.write_text(f"#!/bin/sh\n{refuses_the_second}")
    executor = SLURM.replace("}", ", max_array_size: 2}")
    code, told = build(tmp_path, slurm, "out", executor)
    assert code == 1
    assert "QOSMaxSubmitJobPerUserLimit" in told and "launch_script.slurm with exit code 1" in told
    assert list((tmp_path / "out/.build/stages").rglob("00001.jsonl.tmp"))
    sbatch.write_text(takes_all)
    start_and_let_job_1_end(tmp_path, slurm, executor)
    assert shard_hashes(tmp_path / "out") == expected
    assert len(list((tmp_path / "jobs").iterdir())) == 5, "two for each stage, of the shards one"


def test_a_silent_squeue_ends_the_driver_and_not_the_jobs(tmp_path, slurm, shard_hashes, expected):
    process = start_and_wait(tmp_path, slurm, SLURM.replace("0.1", "0.01"))
    squeue = tmp_path / "bin/squeue"
    answers = squeue.read_text()
    silent = tmp_path / "bin/silent"
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o755)
    silent.replace(squeue)
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 1
    assert "squeue gives no answer; the jobs go on" in told
    assert list((tmp_path / "out/.build/stages").rglob("00001.jsonl.tmp"))
    squeue.write_text(answers)
    start_and_let_job_1_end(tmp_path, slurm)
    assert shard_hashes(tmp_path / "out") == expected


def test_a_job_whose_id_was_lost_is_waited_for_by_its_name(tmp_path, slurm, shard_hashes, expected):
    (tmp_path / "wait").touch()
    sbatch = tmp_path / "bin/sbatch"
    keeps_the_id = sbatch.read_text()
    sbatch.write_text(f'#!/bin/sh\n{sys.executable} {STAND_IN} sbatch "$@" > /dev/null\nkill -9 $PPID\n')
    assert build(tmp_path, slurm, "out", SLURM)[0] == -signal.SIGKILL
    sbatch.write_text(keeps_the_id)
    start_and_let_job_1_end(tmp_path, slurm)
    assert shard_hashes(tmp_path / "out") == expected
    assert len(list((tmp_path / "jobs").iterdir())) == 3, "nothing was submitted twice"


def test_where_the_queue_cannot_be_asked_a_build_waits_until_its_parts_are_done(
    tmp_path, slurm, environment, shard_hashes, expected
):
    process = start_and_wait(tmp_path, slurm)
    process.kill()
    process.communicate()
    environment = environment | {"PATH": str(tmp_path / "no_programs")}  # a machine with Slurm has its own squeue
    code, told = build(tmp_path, environment, "out", "{kind: local}")
    assert code == 1
    assert "Slurm jobs (1) may be writing in" in told and "there is no squeue here" in told
    with end_of_job_1_awaited(tmp_path):
        (tmp_path / "wait").unlink()
    code, told = build(tmp_path, environment, "out", "{kind: local}")
    assert code == 0, told
    assert "continuing an interrupted build" in told
    assert shard_hashes(tmp_path / "out") == expected


def test_ctrl_c_cancels_the_jobs(tmp_path, slurm):
    process = start_and_wait(tmp_path, slurm)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not list((tmp_path / "jobs").rglob("task_*"))
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_a_task_that_was_killed_is_an_error_that_names_its_log(tmp_path, slurm):
    process = start_and_wait(tmp_path, slurm)
    subprocess.run([tmp_path / "bin/scancel", "1"], env=slurm, check=True)
    told = process.communicate(timeout=300)[1]
    assert process.returncode == 1
    assert (
        "the worker of rank 1 (log in" in told and "slurm_logs) ended, or ran out of 00:10:00, without a word" in told
    )


@pytest.mark.parametrize(
    "executor", [pytest.param(SLURM, id="slurm"), pytest.param("{kind: ray}", id="ray", marks=pytest.mark.slow)]
)
def test_an_error_in_a_part_is_told_and_the_next_run_continues(tmp_path, slurm, shard_hashes, expected, executor):
    (tmp_path / "fail").touch()
    code, told = build(tmp_path, slurm, "out", executor)
    assert code == 1
    assert "error: rank 1: rank 1 was told to fail" in told
    assert "build_lines.py" in told, "with its place"
    (tmp_path / "fail").unlink()
    code, told = build(tmp_path, slurm, "out", executor)
    assert code == 0, told
    assert "continuing an interrupted build" in told
    assert shard_hashes(tmp_path / "out") == expected


def test_an_error_with_a_message_larger_than_a_pipe_is_told_with_its_place(tmp_path, environment):
    (tmp_path / "fail").write_text("x" * 200_000)
    code, told = build(tmp_path, environment, "out", "{kind: local}")
    assert code == 1
    assert "error: rank 1: xxx" in told and "build_lines.py" in told
    assert len(told) < 20_000


def test_ray_runs_the_parts_in_the_folder_of_the_driver(tmp_path, environment):
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver/fail").touch()
    run = (
        "import os, ray, build_lines; ray.init(include_dashboard=False, log_to_driver=False); "
        "os.chdir('driver'); build_lines.main('out', '{kind: ray}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", run],
        env=environment | {"PYTHONPATH": f"{environment['PYTHONPATH']}:{SCRIPT.parent}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "error: rank 1: rank 1 was told to fail" in done.stderr


def test_options_that_ray_does_not_know_are_refused_before_anything_is_written(tmp_path, environment):
    code, told = build(tmp_path, environment, "out", "{kind: ray, ray_remote_kwargs: {foo: 1}}")
    assert code == 1
    assert "error: executor: ray_remote_kwargs {'foo': 1}: Invalid option keyword foo" in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("slurm", {"poll_seconds": 0}, "poll_seconds is 0.0, but must be above 0"),
        ("slurm", {"poll_seconds": float("nan")}, r"'poll_seconds' is not a number \(nan\)"),
        ("slurm", {"sbatch_args": {"array": "0-9"}}, "sbatch_args sets 'array', which the driver"),
        ("slurm", {"sbatch_args": {"parsable": True}}, "sbatch_args sets 'parsable', which the driver"),
        ("slurm", {"sbatch_args": {"outp": "log"}}, "sbatch_args sets 'outp', which the driver"),
        ("slurm", {"sbatch_args": {"gres": ["gpu:1"]}}, "a value is a text, a number, true, false or null"),
        ("ray", {"max_retries": -7}, "max_retries is -7, but must be at least -1"),
        ("ray", {"ray_remote_kwargs": {"num_returns": 2}}, "sets num_returns"),
    ],
)
def test_an_option_that_a_driver_cannot_work_with_is_refused(kind, options, message):
    needed = {"partition": "cpu", "time": "00:10:00"} if kind == "slurm" else {}
    with pytest.raises(ConfigError, match=message):
        executor_options({"kind": kind} | needed | options)


def test_ray_builds_source_code_to_the_same_bytes(tmp_path, environment, code_folder, shard_hashes):
    found = []
    for kind in ("local", "ray"):
        arguments = ["source_code", "decontaminate=[]", f"input_dir={code_folder}", "output_dir=out", "workers=2"]
        done = subprocess.run(
            [sys.executable, "-m", "datasets_builders", *arguments, f"executor={{kind: {kind}}}"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        found.append(shard_hashes(tmp_path / "out"))
        shutil.rmtree(tmp_path / "out")
    assert found[0] == found[1]


def test_the_largest_parts_are_begun_first(tmp_path):
    sources = []
    for name, size in (("small", 10), ("large", 100_000), ("medium", 1_000)):
        (tmp_path / f"{name}.txt").write_bytes(random.Random(0).randbytes(size))
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / f"{name}.txt", "text.txt")
        sources.append(ArchiveSource(tmp_path / f"{name}.tar.gz"))
        (tmp_path / "stage" / name).mkdir(parents=True)
        shutil.move(tmp_path / f"{name}.txt", tmp_path / "stage" / name / "00000.jsonl")
    reader = SourceReader(sources, 1_000_000)
    ranks = LocalExecutor([reader], tasks=20, logging_dir=str(tmp_path / "log")).ranks_by_size()
    names = ["large.tar.gz", "medium.tar.gz", "small.tar.gz"]
    assert ranks[:3] == [rank_of(name, 20) for name in names]
    assert sorted(ranks) == list(range(20))
    reader = StageReader(tmp_path / "stage", [["small"], ["large"], ["medium"]])
    assert LocalExecutor([reader], tasks=3, logging_dir=str(tmp_path / "log")).ranks_by_size() == [1, 2, 0]


def test_a_dry_run_prints_the_script_of_each_stage_and_touches_nothing(run_cli, tmp_path):
    executor = (
        "{kind: slurm, partition: cpu, time: '04:00:00', qos: long, account: ling, cpus_per_task: 2, "
        "mem_per_cpu_gb: 8, venv_path: /shared/venv, mail_user: me@example.org, max_array_size: 100, "
        "sbatch_args: {constraint: fast, exclusive: true, nice: 0, contiguous: false, exclude: null, requeue: false}}"
    )
    done = run_cli("arithmetic", "output_dir=out", "num_tasks=300", "workers=50", f"executor={executor}", "--dry-run")
    assert done.returncode == 0, done.stderr
    script = done.stdout.split("script      compute\n")[1].split("script      deduplicate\n")[0]
    logs = f"{tmp_path}/out/.build/executor/compute/slurm_logs/%A_%a.out"
    mark = digest(f"{tmp_path}/out/.build/executor/compute")
    assert [line.strip() for line in script.splitlines()] == [
        "#!/bin/bash",
        f"#SBATCH --job-name=arithmetic-compute-{mark}",
        "#SBATCH --partition=cpu",
        "#SBATCH --time=04:00:00",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH --mem-per-cpu=8G",
        "#SBATCH --array=0-99%50",
        f"#SBATCH --output={logs}",
        f"#SBATCH --error={logs}",
        "#SBATCH --qos=long",
        "#SBATCH --mail-user=me@example.org",
        "#SBATCH --mail-type=FAIL",
        "#SBATCH --account=ling",
        "#SBATCH --constraint=fast",
        "#SBATCH --exclusive",
        "#SBATCH --nice=0",
        "#SBATCH --no-requeue",
        'echo "Starting data processing job arithmetic-compute"',
        "source /shared/venv/bin/activate",
        "set -xe",
        "export PYTHONUNBUFFERED=TRUE",
        f"exec python -m datatrove.tools.launch_pickled_pipeline {tmp_path}/out/.build/executor/compute/executor.pik",
    ]
    assert not list(tmp_path.iterdir())


def test_slurm_refuses_steps_that_the_nodes_cannot_import(tmp_path, slurm):
    done = subprocess.run(
        [sys.executable, SCRIPT, "out", SLURM], env=slurm, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "move the builder to a module of its own" in done.stderr
    assert not (tmp_path / "out").exists()


def test_slurm_without_sbatch_is_refused_before_anything_is_written(tmp_path, environment):
    done = subprocess.run(
        [sys.executable, "-m", "datasets_builders", "arithmetic", "output_dir=out", f"executor={SLURM}"],
        env=environment | {"PATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "there is no sbatch here" in done.stderr
    assert not list(tmp_path.iterdir())
