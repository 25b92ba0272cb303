"""The executor: every verdict, and hostile programs on every rung that this machine has."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from evals.execution import (
    Executor,
    IsolationUnavailableError,
    Limits,
    MissingPackageError,
    Program,
    Verdict,
    probe_isolation,
)
from evals.execution.executor import LADDER

ROOT = Path(__file__).parents[3]
QUICK = Limits(wall_seconds=2.0, cpu_seconds=2.0)
RUNGS = [name for name in LADDER if probe_isolation(name)[0]]


@pytest.fixture(scope="module", params=RUNGS)
def executor(request):
    with Executor(QUICK, isolation=request.param) as executor:
        yield executor


def test_this_machine_has_a_rung_and_auto_takes_the_strongest():
    with Executor() as executor:
        assert executor.isolation == RUNGS[0]


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("print(6 * 7)", Verdict.PASS),
        ("assert 1 == 2", Verdict.FAIL),
        ("raise SystemExit(3)", Verdict.FAIL),
        ("def f(:", Verdict.COMPILE_ERROR),
        ("x = '\0'", Verdict.COMPILE_ERROR),
        ("while True: pass", Verdict.TIMEOUT),
        ("block = bytearray(2 << 30)", Verdict.OOM),
    ],
)
def test_every_verdict(executor, source, verdict):
    result = executor.run(Program(source))
    assert result.verdict is verdict, result
    assert result.isolation == executor.isolation


def test_output_files_stdin_and_the_hash_seed_arrive(executor):
    source = "import sys\nprint(sys.stdin.read(), open('data/x.bin', 'rb').read(), hash('a'))"
    first, again, other = (
        executor.run(Program(source, stdin="in\u00e9", files={"data/x.bin": b"\xff"}, hash_seed=seed))
        for seed in (1, 1, 2)
    )
    assert first.stdout.startswith("in\u00e9 b'\\xff'")
    assert first.stdout == again.stdout != other.stdout


def test_a_traceback_shows_the_program_and_nothing_of_ours(executor):
    stderr = executor.run(Program("def f():\n    return 1 / 0\nf()")).stderr
    assert stderr.splitlines()[:2] == ["Traceback (most recent call last):", '  File "program.py", line 3, in <module>']
    assert stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.skipif("bubblewrap" not in RUNGS, reason="bubblewrap does not work here")
def test_a_program_finds_itself_under_the_name_localhost():
    """Tests of servers and clients connect so (BigCodeBench); the second rung has no network of its own at all."""
    source = (
        "import socket\nserver = socket.create_server(('localhost', 0))\n"
        "client = socket.create_connection(('localhost', server.getsockname()[1]))\nclient.sendall(b'hello')\n"
        "print(server.accept()[0].recv(5), open('/etc/hosts').read().split())"
    )
    with Executor(QUICK, isolation="bubblewrap") as executor:
        result = executor.run(Program(source))
    assert result.stdout == "b'hello' ['127.0.0.1', 'localhost', '::1', 'localhost']\n", result


def test_leaving_early_does_not_pass_where_a_marker_is_expected(executor):
    early = Program("import os\nos._exit(0)\nprint('done-123')", expect_stdout_marker="done-123")
    whole = Program("print('tests')\nprint('done-123')", expect_stdout_marker="done-123")
    assert executor.run(early).verdict is Verdict.FAIL
    assert executor.run(whole).verdict is Verdict.PASS


def test_files_of_the_host_cannot_be_read(executor, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    home_file = Path.home() / f".ling_sandbox_test_{os.getpid()}"
    home_file.write_text("s3cret")
    try:
        for path in (secret, home_file, Path("/etc/passwd"), Path(f"/proc/{os.getpid()}/environ")):
            result = executor.run(Program(f"print(open({str(path)!r}).read())"))
            assert result.verdict is Verdict.FAIL, path
            assert "s3cret" not in result.stdout
    finally:
        home_file.unlink()


def test_no_environment_of_the_host_is_seen(executor, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "s3cret")
    result = executor.run(Program("import os\nprint(dict(os.environ))"))
    assert result.verdict is Verdict.PASS
    assert "s3cret" not in result.stdout


def test_nothing_outside_the_private_folder_can_be_written(executor, tmp_path):
    target = tmp_path / "written"
    for path in (target, Path("/usr/lib/written"), Path("/dev/shm/written")):
        result = executor.run(Program(f"open({str(path)!r}, 'w').write('x')"))
        assert result.verdict is Verdict.FAIL, path
        assert not path.exists()


def test_no_socket_reaches_the_host(executor):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        source = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)"
        assert executor.run(Program(source)).verdict is Verdict.FAIL
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_fork_bomb_is_contained_and_leaves_nothing_behind(executor):
    source = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    result = executor.run(Program(source))
    assert result.verdict in (Verdict.TIMEOUT, Verdict.OOM)
    assert result.wall_seconds < 10
    assert executor.run(Program("print(1)")).verdict is Verdict.PASS


def test_the_limit_on_processes_holds_for_root_too(executor):
    source = (
        "import os, time\nnumber = 0\n"
        "try:\n    while number < 500:\n        if os.fork() == 0: time.sleep(60)\n        number += 1\n"
        "except OSError: pass\nprint(number)"
    )
    number = int(executor.run(Program(source)).stdout)
    assert 8 <= number <= QUICK.num_processes + 4


def test_ignoring_sigterm_and_closing_the_output_does_not_help(executor):
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
    silent = "import os, time\nos.close(0), os.close(1), os.close(2)\ntime.sleep(60)"
    for source in (deaf, silent):
        result = executor.run(Program(source))
        assert result.verdict is Verdict.TIMEOUT
        assert result.wall_seconds < 5


def test_a_daemon_dies_with_its_sandbox(executor):
    name = f"ling_daemon_{os.getpid()}_{executor.isolation}"
    source = (
        "import ctypes, os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        ctypes.CDLL(None).prctl(15, b'{name}'[-15:], 0, 0, 0)\n        time.sleep(60)\n    os._exit(0)\n"
        "print('left')"
    )
    result = executor.run(Program(source))
    assert result.stdout == "left\n"
    names = subprocess.run(["ps", "-eo", "comm"], capture_output=True, text=True, check=True).stdout
    assert name[-15:] not in names


def test_the_disk_cannot_be_filled(executor):
    one = "f = open('big', 'wb')\nwhile True: f.write(b'x' * (1 << 20))"
    many = "import itertools\nfor i in itertools.count(): open(f'b{i}', 'wb').write(b'x' * (1 << 20))"
    for source in (one, many):
        result = executor.run(Program(source))
        assert result.verdict in (Verdict.FAIL, Verdict.OOM)
        assert "Error" in result.stderr or result.verdict is Verdict.OOM


def test_a_flood_of_output_is_cut_and_ended(executor):
    result = executor.run(Program("while True: print('x' * 100000)"))
    assert result.verdict is Verdict.FAIL
    assert result.output_truncated
    assert len(result.stdout) <= QUICK.output_bytes


def test_long_output_of_an_honest_program_is_cut_and_passes(executor):
    result = executor.run(Program(f"print('x' * {QUICK.output_bytes * 2})"))
    assert result.verdict is Verdict.PASS
    assert result.output_truncated


def test_the_sandbox_cannot_be_left_by_mounting_or_new_namespaces(executor):
    source = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "assert libc.mount(b'none', b'/tmp', b'tmpfs', 0, b'') == -1\n"
        "assert libc.chroot(b'/tmp') == -1\n"
        "import os\nassert os.getuid() != 0\nos.kill(1, 0) if os.getpid() != 1 else None"
    )
    result = executor.run(Program(source))
    assert result.verdict is Verdict.PASS or "PermissionError" in result.stderr, result


def test_a_batch_keeps_its_order_and_calls_back_once_each(executor):
    seen = []
    programs = [Program(f"print({i})") for i in range(12)]
    results = executor.run_batch(programs, on_result=lambda index, result: seen.append((index, result.stdout)))
    assert [result.stdout for result in results] == [f"{i}\n" for i in range(12)]
    assert sorted(seen) == [(i, f"{i}\n") for i in range(12)]


def test_files_that_climb_out_are_refused():
    with Executor() as executor, pytest.raises(ValueError, match="inside the working directory"):
        executor.run(Program("", files={"../x": b""}))


def test_rlimits_are_taken_only_by_name():
    with Executor(QUICK, isolation="rlimits") as executor:
        assert executor.isolation == "rlimits"
        assert executor.run(Program("print(1)")).isolation == "rlimits"
        assert executor.run(Program("while True: pass")).verdict is Verdict.TIMEOUT


def test_a_machine_without_isolation_is_refused_with_advice():
    """In a user namespace that may make no further ones, and with no bwrap on the path, nothing is left."""
    program = (
        "from pathlib import Path\nPath('/proc/sys/user/max_user_namespaces').write_text('0')\n"
        "import os\nos.environ['PATH'] = '/nowhere'\n"
        "from evals.execution import Executor\nExecutor()"
    )
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert IsolationUnavailableError.__name__ in ended.stderr
    assert "apt-get install bubblewrap" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0 or "bubblewrap" not in RUNGS, reason="needs root and bubblewrap")
def test_root_in_a_user_namespace_is_refused_as_it_could_steer_the_kernel(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: 1)  # so that bubblewrap makes one
        sandbox, reason = probe_isolation("bubblewrap")
    assert sandbox is None and reason == "what steers the kernel is writable"


@pytest.mark.skipif(os.geteuid() != 0 or "bubblewrap" not in RUNGS, reason="needs root and bubblewrap")
def test_root_gets_no_bubblewrap_where_it_works_in_a_user_namespace_alone(tmp_path, monkeypatch):
    words = tmp_path / "bwrap"
    words.write_text(f'#!/bin/sh\ncase "$*" in *--unshare-user*) exec {shutil.which("bwrap")} "$@"; esac\nexit 1\n')
    words.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert probe_isolation("bubblewrap")[0] is None


@pytest.mark.skipif(os.geteuid() != 0 or "bubblewrap" not in RUNGS, reason="needs root and bubblewrap")
def test_two_runs_of_roots_do_not_share_users_and_so_limits():
    run = "from evals.execution import *; print(Executor().run(Program('import os; print(os.getuid())')).stdout)"
    users = {subprocess.check_output([sys.executable, "-c", run], cwd=ROOT) for _ in range(2)}
    assert len(users) == 2


def test_limits_out_of_range_are_refused():
    with pytest.raises(ValueError, match="wall_seconds is 0"):
        Limits(wall_seconds=0)
    with pytest.raises(ValueError, match="known: auto"):
        Executor(isolation="docker")


def test_a_program_sees_the_packages_it_was_given_and_no_others(executor):
    limits = Limits(memory_bytes=2 << 30)
    source = "import numpy; assert numpy.linalg.inv(numpy.eye(2)).sum() == 2; open(numpy.__file__, 'a')"
    result = executor.run(Program(source, packages=("numpy",)), limits)
    assert result.verdict is Verdict.FAIL and ("Read-only" in result.stderr or "Permission" in result.stderr)
    assert "No module named 'numpy'" in executor.run(Program("import numpy"), limits).stderr
    assert "No module named 'torch'" in executor.run(Program("import torch", packages=("numpy",)), limits).stderr


def test_a_package_that_is_not_installed_is_named(executor):
    with pytest.raises(MissingPackageError, match="import no_such_package, which is not installed"):
        executor.run(Program("pass", packages=("no_such_package",)))
