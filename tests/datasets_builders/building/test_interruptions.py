"""Killed, interrupted and out of disk: a second run ends in the same bytes."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from datasets_builders.building.config import load_config
from datasets_builders.building.executors.local import ctrl_c_later
from datasets_builders.stand_ins.arithmetic import ArithmeticBuilder, ArithmeticConfig
from tests import warm_python

pytestmark = pytest.mark.slow

PROBLEMS = ("arithmetic", "num_documents=12000", "num_shards=2")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, run_cli_in, environment, shard_hashes):
    """Hashes of a build that nobody disturbed, and how long it took in seconds."""
    folder = tmp_path_factory.mktemp("unbroken")
    started = time.monotonic()
    done = run_cli_in(folder, *PROBLEMS, "output_dir=out")
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "datasets_builders", *PROBLEMS, "output_dir=other"]
    subprocess.run(command, env=environment | {"PYTHONHASHSEED": "7"}, cwd=folder, check=True, capture_output=True)
    assert shard_hashes(folder / "out") == shard_hashes(folder / "other")
    return shard_hashes(folder / "out"), seconds


def start(command, environment, tmp_path, *arguments):
    return warm_python.Popen(
        command(*arguments), env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_killed_at_ten_random_points_a_second_run_gives_the_same_bytes(
    command, environment, tmp_path, unbroken, shard_hashes
):
    expected, seconds = unbroken
    draw = random.Random(2503)
    num_killed = 0
    for number in range(10):
        started = time.monotonic()
        folder = f"output_dir=out{number}"
        process = start(command, environment, tmp_path, *PROBLEMS, folder, f"workers={1 + number % 2}")
        try:
            process.communicate(timeout=draw.uniform(0.2, 0.95) * seconds)
            seconds = min(seconds, time.monotonic() - started)  # it was measured on a busier machine
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            num_killed += process.returncode == -signal.SIGKILL
        output = tmp_path / f"out{number}"
        ArithmeticBuilder(load_config(ArithmeticConfig, None, [*PROBLEMS[1:], f"output_dir={output}"])).run()
        assert shard_hashes(output) == expected
        assert not list(output.rglob("*.tmp"))
    assert num_killed >= 5


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_inside_a_parquet_write_a_second_run_gives_the_same_bytes(
    run_cli, command, environment, tmp_path, unbroken, shard_hashes, workers
):
    process = start(command, environment, tmp_path, *PROBLEMS, "output_dir=out", f"workers={workers}")
    half_written = tmp_path / "out" / "data" / "train_00000_of_00002.parquet.tmp"
    while process.poll() is None and not half_written.exists():
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    # With two workers the one that writes dies with the main process, a moment later.
    assert workers == 2 or half_written.exists()
    done = run_cli(*PROBLEMS, "output_dir=out")
    assert done.returncode == 0, done.stderr
    assert "continuing an interrupted build" in done.stderr
    assert "compute" in done.stderr
    assert shard_hashes(tmp_path / "out") == unbroken[0]
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_workers_die_with_their_killed_parent(command, environment, tmp_path):
    process = start(command, environment, tmp_path, "arithmetic", "num_documents=400000", "output_dir=out", "workers=2")
    stage = tmp_path / "out/.build/stages/compute"
    while process.poll() is None and len(list(stage.rglob("*.tmp"))) < 2:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and processes_in(tmp_path):
        time.sleep(0.001)
    assert not processes_in(tmp_path)


def processes_in(folder):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process.name] if (process / "cwd").readlink() == folder else []
        except OSError:
            continue
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_says_how_to_continue(run_cli, command, environment, tmp_path, unbroken, shard_hashes, workers):
    process = warm_python.Popen(
        command(*PROBLEMS, "output_dir=out", f"workers={workers}"),
        env=environment,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not list((tmp_path / "out").rglob("*.tmp")):
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all processes of the group
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to continue" in told
    assert "Traceback" not in told
    done = run_cli(*PROBLEMS, "output_dir=out")
    assert done.returncode == 0, done.stderr
    assert shard_hashes(tmp_path / "out") == unbroken[0]


def test_a_second_build_in_the_same_folder_is_refused_while_the_first_runs(run_cli, command, environment, tmp_path):
    process = start(command, environment, tmp_path, "arithmetic", "num_documents=400000", "output_dir=out")
    while process.poll() is None and not list((tmp_path / "out").rglob("*.tmp")):
        time.sleep(0.001)
    try:
        done = run_cli("arithmetic", "num_documents=400000", "output_dir=out")
    finally:
        process.kill()
        process.communicate()
    assert done.returncode == 1
    assert "another process is building" in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_told_leaves_no_half_files_and_is_continued(
    command, environment, tmp_path, unbroken, shard_hashes, workers
):
    """On a real file system of 1 MB, in a user namespace; then the same one grown to 60 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    build = " ".join(command(*PROBLEMS, f"output_dir={disk}/out", f"workers={workers}"))
    script = f"""
        mount -t tmpfs -o size=1m tmpfs {disk}
        {build} 2> {tmp_path}/told; echo $? > {tmp_path}/code
        find {disk} -name '*.tmp' > {tmp_path}/leftovers
        mount -o remount,size=60m {disk}
        {build} 2> {tmp_path}/told_again || exit 1
        cp -r {disk}/out {tmp_path}/result
    """
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr + (tmp_path / "told_again").read_text()
    told = (tmp_path / "told").read_text()
    assert (tmp_path / "code").read_text() == "1\n"
    assert "no space left on the disk" in told
    assert "run the same command again to continue" in told
    assert "Traceback" not in told
    assert (tmp_path / "leftovers").read_text() == ""
    assert "continuing" in (tmp_path / "told_again").read_text()
    assert shard_hashes(tmp_path / "result") == unbroken[0]


def test_ctrl_c_waits_for_what_is_being_started_whichever_thread_the_system_gives_it_to():
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    stop = threading.Event()
    began = False
    other = threading.Thread(target=stop.wait)
    other.start()
    try:
        with pytest.raises(KeyboardInterrupt), ctrl_c_later():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)  # Python runs handlers between two lines of the main thread
            began = True
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        stop.set()
        other.join()
        signal.signal(signal.SIGINT, handler)
    assert began
