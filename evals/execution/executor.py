"""Section 4.1: programs in, verdicts out. The one place of the project where generated code runs."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evals.execution.fork_server import ForkServers
from evals.execution.java_compiler import JavaRunner
from evals.execution.program import ExecutionResult, IsolationUnavailableError, Limits, Program, Verdict
from evals.execution.running import run_once
from evals.execution.sandbox import Sandbox

INFRA_TRIES = 3
LADDER = ("bubblewrap", "namespaces")


class Executor:
    r"""Run programs, each in a sandbox of its own.

    Args:
        limits (`Limits`): for programs that bring none.
        isolation (`str`): "auto" takes the strongest that works here; or one by name: "bubblewrap", "namespaces", or
            "rlimits", which limits resources, hides neither files nor network but for the host's Unix sockets, and is
            never taken by itself.
        workers (`int`): programs at once in `run_batch`.

    Raises:
        IsolationUnavailableError: none works, or not the one named.

    Example:
        >>> with Executor() as executor:
        ...     executor.run(Program("print(6 * 7)")).stdout
        '42\n'
    """

    def __init__(self, limits: Limits | None = None, isolation: str = "auto", workers: int = 2) -> None:
        if workers < 1:
            raise ValueError(f"workers is {workers}, but must be at least 1")
        self.limits = limits or Limits()
        self._sandbox = choose_sandbox(isolation)
        self.isolation = self._sandbox.name
        self._servers = ForkServers(self._sandbox)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="execution")
        self._java = JavaRunner(self._sandbox)

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for running programs, give the threads back and end what stayed for them."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._java.close()
        self._servers.close()

    def run(self, program: Program, limits: Limits | None = None) -> ExecutionResult:
        """Run one program and return how it ended; a sandbox that fails to start is tried again twice."""
        limits = limits or self.limits
        result = self._run_with_what_waits(program, limits)
        for _ in range(INFRA_TRIES - 1):
            if result.verdict is not Verdict.INFRA_ERROR:
                break
            result = run_once(self._sandbox, program, limits)
        return result

    def _run_with_what_waits(self, program: Program, limits: Limits) -> ExecutionResult:
        """Run a program by a process that is there already: Java's compiler, or an interpreter that forks."""
        if program.language == "java":
            return self._java.run(program, limits)
        return run_once(self._sandbox, program, limits, servers=self._servers)

    def run_batch(
        self,
        programs: Iterable[Program],
        limits: Limits | None = None,
        on_result: Callable[[int, ExecutionResult], None] | None = None,
    ) -> list[ExecutionResult]:
        """Run programs, `workers` at a time, and return their results in the order of the programs.

        Args:
            on_result: called with (index, result) as each one ends, in any order, never two at once.
        """
        lock = threading.Lock()

        def run_numbered(index: int, program: Program) -> ExecutionResult:
            result = self.run(program, limits)
            if on_result:
                with lock:
                    on_result(index, result)
            return result

        longest_first = sorted(enumerate(programs), key=lambda numbered: -numbered[1].expected_seconds)
        futures = {index: self._pool.submit(run_numbered, index, program) for index, program in longest_first}
        return [futures[index].result() for index in range(len(futures))]


def choose_sandbox(isolation: str) -> Sandbox:
    """Return the sandbox of that name, or the strongest that works.

    Raises:
        ValueError: no such rung.
        IsolationUnavailableError: it does not work here; the message says why and what to install.
    """
    if isolation not in ("auto", "rlimits", *LADDER):
        raise ValueError(f"isolation is {isolation!r}; known: auto, {', '.join(LADDER)}, rlimits")
    reasons = []
    for name in LADDER if isolation == "auto" else (isolation,):
        sandbox, reason = probe_isolation(name)
        if sandbox:
            return sandbox
        reasons.append(f"{name}: {reason}")
    raise IsolationUnavailableError(
        "Generated code is not run without isolation, and none works here.\n  "
        + "\n  ".join(reasons)
        + "\nInstall bubblewrap (Debian, Ubuntu: apt-get install bubblewrap), or allow unprivileged user namespaces "
        "(sysctl kernel.unprivileged_userns_clone=1; on Ubuntu 24.04 kernel.apparmor_restrict_unprivileged_userns=0), "
        'or, in a container that nothing else lives in, ask for isolation="rlimits" by name.'
    )


# What a program under a rung must not be able to do. The last lines stand for all rungs, the others for those that hide
# files and network.
PROBE = """
import os, socket

def refused(what, attempt):
    try:
        attempt()
    except OSError:
        return
    raise SystemExit(what)

def connect(family, address, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as client:
        client.settimeout(1)
        client.connect(address)

if {hidden}:
    refused("the network is reachable", lambda: connect(socket.AF_INET, ("127.0.0.1", {port})))
    refused("files of the host are readable", lambda: open({secret!r}).read())
    refused("files of the host can be cut", lambda: os.truncate({secret!r}, 1))
    refused("what steers the kernel is writable", lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
for path in ({stream!r}, {abstract!r}):
    refused("the host's Unix sockets are reachable", lambda: connect(socket.AF_UNIX, path))
refused("the host's Unix sockets are reachable", lambda: connect(socket.AF_UNIX, {datagram!r}, socket.SOCK_DGRAM))
refused("sockets to the host of a virtual machine can be made", lambda: socket.socket(40))
refused("sockets to the kernel's ciphers can be made", lambda: socket.socket(38, socket.SOCK_SEQPACKET))
"""


def probe_isolation(name: str) -> tuple[Sandbox | None, str]:
    """Run a small program under a rung that tries to reach our sockets, a file of ours and the kernel's settings.

    Root's bubblewrap has no user namespace: in one, a program stays root to the files of /proc. The second rung covers
    those, and has one where root may not do without.

    Returns:
        (the sandbox, "") if it works and contains the program, else (None, why not).
    """
    root = os.geteuid() == 0
    if name == "namespaces":
        ways = [True, False] if root else [False]
    else:
        ways = [name == "bubblewrap" and root]
    reason = ""
    for privileged in ways:
        sandbox = Sandbox(name, privileged)
        reason = _probe(sandbox)
        if not reason:
            return sandbox, ""
    return None, reason


def _probe(sandbox: Sandbox) -> str:
    """Return why a rung does not contain a program, empty where it does."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        secret, stream, datagram = (str(Path(folder, name)) for name in ("secret", "stream", "datagram"))
        abstract = f"\0ling_probe_{secrets.token_hex(8)}"
        Path(secret).write_text("secret")
        Path(folder).chmod(0o755)
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for address, kind in (
            (stream, socket.SOCK_STREAM),
            (datagram, socket.SOCK_DGRAM),
            (abstract, socket.SOCK_STREAM),
        ):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            listener.bind(address)
            if kind == socket.SOCK_STREAM:
                listener.listen()
        for path in (stream, datagram):
            Path(path).chmod(0o777)
        source = PROBE.format(
            hidden=sandbox.hides_files,
            port=server.getsockname()[1],
            secret=secret,
            stream=stream,
            datagram=datagram,
            abstract=abstract,
        )
        for _ in range(INFRA_TRIES):  # a machine that is busy is not one that cannot
            result = run_once(sandbox, Program(source), Limits())
            if result.verdict not in (Verdict.INFRA_ERROR, Verdict.TIMEOUT):
                break
    if result.verdict is Verdict.PASS:
        return ""
    return (result.message or result.stderr.strip() or result.verdict.value).splitlines()[-1]
