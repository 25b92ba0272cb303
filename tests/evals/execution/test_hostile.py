"""Hostile programs in ten languages: each is contained and none passes; and honest ones pass afterwards."""

import contextlib
import ctypes
import itertools
import os
import socket
import tempfile
import time

import psutil
import pytest

from evals.execution import Executor, Limits, Program, Verdict, probe_isolation
from evals.execution.executor import LADDER
from evals.tasks.marked import STATEMENTS
from tests.evals.execution.hostile_programs import PROGRAMS
from tests.evals.toolchain import needs

LIMITS = Limits(
    wall_seconds=1.5,
    cpu_seconds=1.5,
    compile_seconds=20,
    memory_bytes=512 << 20,
    disk_bytes=128 << 20,
    num_processes=64,
)
PR_SET_CHILD_SUBREAPER = 36
MARKER = "passed-fedcba9876543210"
HONEST = {
    "python": "print('MARKER')",
    "javascript": "console.log('MARKER')",
    "typescript": "console.log('MARKER')",
    "php": "<?php echo 'MARKER';",
    "bash": "echo MARKER",
    "java": 'public class Main { public static void main(String[] a) { System.out.println("MARKER"); } }',
    "csharp": 'class P { static void Main() { System.Console.WriteLine("MARKER"); } }',
    "cpp": '#include <cstdio>\nint main() { puts("MARKER"); }',
    "rust": 'fn main() { println!("MARKER"); }',
    "go": 'package main\nimport ("fmt"; "testing")\nfunc TestA(t *testing.T) { fmt.Println("MARKER") }',
}
RUNGS = [name for name in LADDER if probe_isolation(name)[0]]
# Every language on the strongest rung, and on the others those whose programs reach the kernel most directly.
RUNS = [*itertools.product(RUNGS[:1], PROGRAMS), *itertools.product(RUNGS[1:], ("python", "cpp", "go", "bash"))]


def programs(language, secret, port, outside):
    """The language's programs with what they are after filled in; the last one is honest."""
    known = {"SECRET": str(secret), "PORT": str(port), "OUTSIDE": str(outside)}
    for name, source in PROGRAMS[language].items():
        for word, value in known.items():
            source = source.replace(word, value)
        yield name, source
    yield "honest", HONEST[language].replace("MARKER", MARKER)


def test_there_are_over_a_hundred_in_ten_languages():
    assert set(PROGRAMS) == set(STATEMENTS) | {"go"} == set(HONEST)
    assert sum(map(len, PROGRAMS.values())) >= 100


@pytest.mark.parametrize(("rung", "language"), RUNS)
def test_no_hostile_program_passes_or_gets_out(rung, language, tmp_path, monkeypatch, heir):
    needs(language)
    secret, outside = tmp_path / "secret", tmp_path / "outside"
    secret.write_text("s3cret-s3cret")
    monkeypatch.setenv("LING_HOSTILE", "s3cret-s3cret")
    others = processes()
    with socket.create_server(("127.0.0.1", 0)) as server, Executor(LIMITS, isolation=rung, workers=2) as executor:
        server.setblocking(False)
        chosen = list(programs(language, secret, server.getsockname()[1], outside))
        seen = executor.run_batch(
            Program(source, language, expect_stdout_marker="" if language == "go" and name == "honest" else MARKER)
            for name, source in chosen
        )
        with pytest.raises(BlockingIOError):
            server.accept()
    verdicts = {name: result.verdict for (name, _), result in zip(chosen, seen, strict=True)}
    assert verdicts.pop("honest") is Verdict.PASS
    wrong = {name: verdict for name, verdict in verdicts.items() if verdict in (Verdict.PASS, Verdict.INFRA_ERROR)}
    assert not wrong
    for (name, _), result in zip(chosen, seen, strict=True):
        assert "s3cret-s3cret" not in result.stdout + result.stderr, name
        assert result.wall_seconds < LIMITS.compile_seconds + LIMITS.wall_seconds + 5, name
        assert len(result.stdout) <= LIMITS.output_bytes
    assert verdicts["loop"] is Verdict.TIMEOUT
    if "memory" in verdicts:
        assert verdicts["memory"] in (Verdict.OOM, Verdict.TIMEOUT)
    assert not outside.exists()
    assert secret.read_text() == "s3cret-s3cret"
    assert gone(lambda: processes() - others)


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


def test_thousands_of_hostile_programs_leave_no_worker_hanging(tmp_path, monkeypatch):
    """500 by default; LING_HOSTILE_PROGRAMS=10000 for more."""
    folder = tmp_path / "sandboxes"
    folder.mkdir()
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
    sources = dict(programs("python", tmp_path / "secret", 1, tmp_path / "outside"))
    with Executor(LIMITS) as executor:
        results = executor.run_batch(
            Program(sources[quick[i % len(quick)]], expect_stdout_marker=MARKER) for i in range(number)
        )
        assert executor.run(Program("print(1)")).verdict is Verdict.PASS
    assert {result.verdict for result in results} <= {Verdict.FAIL, Verdict.TIMEOUT}
    assert gone(lambda: list(folder.iterdir()))
