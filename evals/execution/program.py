"""Section 4.1: what the executor is given and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Verdict(StrEnum):
    """How a program ended. INFRA_ERROR is the executor's own failure and never counts against a program."""

    PASS = "pass"
    FAIL = "fail"
    COMPILE_ERROR = "compile_error"
    TIMEOUT = "timeout"
    OOM = "oom"
    INFRA_ERROR = "infra_error"


@dataclass(frozen=True)
class Limits:
    """What a program may use.

    Args:
        wall_seconds (`float`): from its start, after which its processes are killed.
        compile_seconds (`float`): for the sandbox's start and compilation, before that.
        cpu_seconds (`float`): of processor time per process, rounded up to whole seconds.
        memory_bytes (`int`): address space per process (data, for runtimes that reserve more than they use); also of
            all processes together where a memory cgroup can be made (as root), so that a crowd of processes cannot
            exceed it. Compilers get at least 2 GiB.
        num_processes (`int`): processes and threads at once.
        output_bytes (`int`): kept of stdout and of stderr each; the rest is dropped and `output_truncated` set. Of a
            compiler's words, the last are kept.
        disk_bytes (`int`): of the private /tmp, which is all that can be written.
    """

    wall_seconds: float = 10.0
    compile_seconds: float = 60.0
    cpu_seconds: float = 10.0
    memory_bytes: int = 512 << 20
    num_processes: int = 32
    output_bytes: int = 64 << 10
    disk_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"Limits: {name} is {value}, but must be above 0")

    def with_time(self, seconds: float) -> Limits:
        """Return the same limits with this much wall time, and as much processor time at least."""
        return replace(self, wall_seconds=seconds, cpu_seconds=max(seconds, self.cpu_seconds))


@dataclass(frozen=True)
class Program:
    """A program to run.

    Args:
        source (`str`): its text.
        language (`str`): "python", or a name in `languages.LANGUAGES`.
        main (`str`): for Java, the class whose main is run, which names the file.
        stdin (`str`): its standard input.
        files (`dict` of relative path to `bytes`): put into its working directory.
        hash_seed (`int`): PYTHONHASHSEED, 0 to 4294967295.
        random_seed (`int`, *optional*): seed of the language's own generators, so that a program draws the same in
            every run: Python's random and numpy, Math.random, Go's math/rand. None: left to the system, as usual.
        packages: for Python, top-level packages of this environment that it may import (numpy), beside the standard
            library.
        tests (`str`): for Python, a text that is run after `source`, in its namespace but with the builtins and the
            modules' functions as they were before it, and without its trace functions.
        expect_stdout_marker (`str`): if set, exit status 0 passes only when this text stands in the last line of
            stdout. A checker prints it after its last test, so that `exit(0)` before the tests does not pass.
        marker_request (`str`): if set, the executor hands the marker out in return for this text, and nobody has it
            before: a program writes a line of it to descriptor 4, reads the marker from descriptor 3 and prints it, on
            any late line. For Python that is done here, after the tests.
        expected_seconds (`float`): as far as known; of a batch, the longest are started first.
    """

    source: str
    language: str = "python"
    main: str = "Main"
    stdin: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    hash_seed: int = 0
    random_seed: int | None = None
    packages: tuple[str, ...] = ()
    tests: str = ""
    expect_stdout_marker: str = ""
    marker_request: str = ""
    expected_seconds: float = 0.0


@dataclass(frozen=True)
class ExecutionResult:
    """What came of a program.

    Args:
        verdict (`Verdict`): how it ended.
        exit_code (`int` or None): its status, 128 + n for signal n; None if it was killed or never started.
        stdout, stderr (`str`): as far as kept; bytes that are not UTF-8 are replaced.
        wall_seconds (`float`): the sandbox's start included.
        isolation (`str`): bubblewrap, namespaces or rlimits.
        message (`str`): why, in words, when the verdict needs one.
        output_truncated (`bool`): whether output was dropped.
    """

    verdict: Verdict
    exit_code: int | None
    stdout: str
    stderr: str
    wall_seconds: float
    isolation: str
    message: str = ""
    output_truncated: bool = False


def encoded(text: str) -> bytes:
    """Return a text in UTF-8; escaped bytes become what they were, other halves of surrogate pairs question marks."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


class IsolationUnavailableError(RuntimeError):
    """No isolation works on this machine, or not the one asked for by name."""
