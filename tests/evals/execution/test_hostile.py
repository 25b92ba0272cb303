"""Hostile programs in ten languages: each is contained and none passes; and honest ones pass afterwards."""

import base64
import contextlib
import ctypes
import itertools
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from evals.__main__ import main
from evals.execution import ExecutionResult, Executor, Program, Verdict, isolation_check, probe_isolation, running
from evals.execution import executor as executor_module
from evals.execution.executor import LADDER
from evals.execution.hostile_programs import HONEST, MARKER, PROGRAMS, REPORTED
from evals.execution.isolation_check import LIMITS, Host, check_language, programs
from evals.execution.languages import LANGUAGES
from evals.execution.running import run_once
from evals.execution.sandbox import Sandbox
from tests.evals.toolchain import needs

pytestmark = pytest.mark.slow

PR_SET_CHILD_SUBREAPER = 36
RUNGS = [name for name in LADDER if probe_isolation(name)[0]]
# Every language on the strongest rung, and on the others those whose programs reach the kernel most directly.
RUNS = [*itertools.product(RUNGS[:1], PROGRAMS), *itertools.product(RUNGS[1:], ("python", "cpp", "go", "bash"))]


def test_there_are_over_a_hundred_in_ten_languages():
    assert set(PROGRAMS) == {"python", *LANGUAGES} - {"typescript_unchecked", "cpp_trapping"} == set(HONEST)
    assert sum(map(len, PROGRAMS.values())) >= 150 and len(REPORTED) >= 25


@pytest.mark.parametrize(("rung", "language"), RUNS)
def test_no_hostile_program_passes_or_gets_out(rung, language, heir):
    needs(language)
    others = processes()
    with Host() as host, Executor(LIMITS, isolation=rung, workers=2) as executor:
        chosen = list(programs(language, host))
        seen = executor.run_batch(
            Program(source, language, expect_stdout_marker="" if language == "go" and name == "honest" else MARKER)
            for name, source in chosen
        )
        assert host.reached() == []
    verdicts = {name: result.verdict for (name, _), result in zip(chosen, seen, strict=True)}
    assert verdicts.pop("honest") is Verdict.PASS
    wrong = {name: verdict for name, verdict in verdicts.items() if verdict in (Verdict.PASS, Verdict.INFRA_ERROR)}
    assert not wrong
    for (name, _), result in zip(chosen, seen, strict=True):
        assert host.secret not in result.stdout + result.stderr and "GOT-OUT" not in result.stdout, name
        assert result.wall_seconds < LIMITS.compile_seconds + LIMITS.wall_seconds + 5, name
        assert len(result.stdout) <= LIMITS.output_bytes
    assert verdicts["loop"] is Verdict.TIMEOUT
    if "memory" in verdicts:
        assert verdicts["memory"] in (Verdict.OOM, Verdict.TIMEOUT)
    assert gone(lambda: processes() - others)


def test_root_that_must_use_a_user_namespace_is_contained_too():
    """As in a container that gives root no rights but lets it make user namespaces."""
    with Host() as host, Executor(LIMITS, isolation="namespaces", workers=2) as executor:
        for sandbox in (executor._sandbox, Sandbox("namespaces", privileged=False)):
            results = [run_once(sandbox, Program(source), LIMITS) for _, source in reported(host)]
            assert not [result for result in results if "GOT-OUT" in result.stdout or host.secret in result.stdout]
            assert Verdict.INFRA_ERROR not in {result.verdict for result in results}
        assert host.reached() == []


def test_where_programs_see_the_hosts_files_they_reach_no_unix_socket_of_it():
    """The third rung, which is taken only by name, hides neither files nor network."""
    with Host() as host, Executor(LIMITS, isolation="rlimits") as executor:
        results = executor.run_batch([Program(source) for name, source in reported(host) if "file" not in name])
        assert [name for name in host.reached() if name != "port"] == []
        stream = "import socket\na, b = socket.socketpair()\na.send(b'x')\nprint(b.recv(1))"
        assert executor.run(Program(stream)).stdout == "b'x'\n"
    assert all(result.verdict is not Verdict.INFRA_ERROR for result in results)


@pytest.mark.parametrize("rung", RUNGS)
def test_the_hosts_sockets_are_there_for_the_host(rung):
    """So that their silence above says something; and a program's own sockets work."""
    with Host() as host, Executor(LIMITS, isolation=rung) as executor:
        for address in (host.stream, f"\0{host.abstract}"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", host.datagram)
        socket.create_connection(("127.0.0.1", host.port), 1).close()
        assert host.reached() == ["port", "stream", "datagram", "abstract"]
        own = (
            "import socket\nfor address in ('s', '\\0s'):\n    server = socket.socket(socket.AF_UNIX)\n"
            "    server.bind(address)\n    server.listen()\n    socket.socket(socket.AF_UNIX).connect(address)\n"
            "server = socket.create_server(('127.0.0.1', 0))\nsocket.create_connection(server.getsockname())\n"
            "import multiprocessing\nassert multiprocessing.get_context('fork')"
        )
        assert executor.run(Program(own)).verdict is Verdict.PASS


def test_a_rung_that_lets_a_program_reach_a_socket_is_not_taken(monkeypatch):
    monkeypatch.setattr(executor_module, "run_once", lambda sandbox, *arguments: run_bare(*arguments))
    assert probe_isolation("namespaces") == (None, "the network is reachable")
    monkeypatch.setattr(Sandbox, "hides_files", False)
    assert probe_isolation("namespaces") == (None, "the host's Unix sockets are reachable")


def run_bare(program, limits):
    """Run a program with no isolation at all."""
    ended = subprocess.run([sys.executable, "-c", program.source], capture_output=True, text=True)
    verdict = Verdict.PASS if ended.returncode == 0 else Verdict.FAIL
    return ExecutionResult(verdict, ended.returncode, ended.stdout, ended.stderr, 0.0, "none")


def reported(host):
    """The programs of what was reported of other sandboxes, filled in."""
    return [(name, source) for name, source in programs("python", host) if name in REPORTED]


@pytest.fixture
def heir():
    """This process inherits what those that it started leave behind, so that the latter are known from others'."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def gone(found, seconds=10.0) -> bool:
    """Whether nothing is found any more: the kernel clears a killed namespace away a moment after its first process."""
    deadline = time.monotonic() + seconds
    while found():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes() -> set[psutil.Process]:
    """The living descendants of this process."""
    living = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                living.add(process)
    return living


def test_what_no_harness_of_this_kind_stops_is_known():
    """An object that equals everything passes a test that compares with ==: the program runs to its end, rightly."""
    source = "class E:\n    def __eq__(self, other): return True\ndef f(): return E()\nassert f() == 42\n"
    with Executor() as executor:
        assert executor.run(Program(source)).verdict is Verdict.PASS


def test_thousands_of_hostile_programs_leave_no_worker_hanging(monkeypatch, request):
    """500 by default; LING_HOSTILE_PROGRAMS=10000 for more."""
    folder = Path(tempfile.mkdtemp(prefix="ling_"))  # short: addresses of Unix sockets lie below it
    request.addfinalizer(lambda: shutil.rmtree(folder, ignore_errors=True))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    number = int(os.environ.get("LING_HOSTILE_PROGRAMS", "500"))
    quick = (
        "exit",
        "exit at once",
        "fake verdict",
        "read",
        "write",
        "parents",
        "symlink",
        "ptrace",
        "mount",
        "descriptors",
    )
    with Host() as host, Executor(LIMITS) as executor:
        sources = dict(programs("python", host))
        results = executor.run_batch(
            Program(sources[quick[i % len(quick)]], expect_stdout_marker=MARKER) for i in range(number)
        )
        assert executor.run(Program("print(1)")).verdict is Verdict.PASS
    assert {result.verdict for result in results} <= {Verdict.FAIL, Verdict.TIMEOUT}
    assert gone(lambda: list(folder.iterdir()))


def test_the_check_of_a_machine_says_that_all_is_held(capsys):
    assert main(["isolation-check", "--isolation", RUNGS[0], "--languages", "bash"]) == 0
    lines = capsys.readouterr().out.splitlines()
    number = str(len(PROGRAMS["bash"]) + 1)
    assert lines[1].split() == [RUNGS[0], "bash", number, number] and lines[2] == "All are held."


def test_the_check_of_a_machine_names_what_gets_out_and_where_the_like_was_reported(monkeypatch, capsys):
    """On the rung that hides no files."""
    name = "whether a file of the host is there"
    chosen = {"python": {name: PROGRAMS["python"][name], "exit": PROGRAMS["python"]["exit"]}}
    monkeypatch.setattr(isolation_check, "PROGRAMS", chosen)
    assert main(["isolation-check", "--isolation", "rlimits", "--languages", "python"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["rlimits", "python", "3", "2"]
    assert lines[2].strip() == f"{name}: did what it tried ({REPORTED[name][0]})"
    assert lines[3] == "1 are not held: SECURITY.md says where to report it."


def test_the_check_finds_who_reached_a_socket_and_what_cannot_be_run(monkeypatch):
    name = "a datagram to a path"
    quiet = PROGRAMS["python"][name].replace("print('GOT-OUT')", "")
    monkeypatch.setattr(isolation_check, "PROGRAMS", {"python": {name: quiet, "exit": PROGRAMS["python"]["exit"]}})
    monkeypatch.setattr(running, "OPEN_FILTER", base64.b64encode(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)).decode())
    monkeypatch.setattr(executor_module, "_probe", lambda sandbox: "")
    with Executor(LIMITS, isolation="rlimits") as executor:
        findings = check_language(executor, "python")
    assert [(finding.name, finding.fault) for finding in findings] == [
        (name, "reached datagram"),
        ("exit", ""),
        ("honest", ""),
    ]


@pytest.mark.parametrize("words", [["--languages", "cobol"], ["--languages", ""], ["--isolation", "docker"]])
def test_the_check_refuses_what_it_does_not_know(words, capsys):
    assert main(["isolation-check", *words]) == 2
    assert "known:" in capsys.readouterr().err
