"""Section 4: programs in, verdicts out. The one place of the project where generated code runs."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from evals.execution.fork_server import ForkServers
from evals.execution.java_compiler import JavaRunner
from evals.execution.program import ExecutionResult, IsolationUnavailableError, Limits, Program, Verdict
from evals.execution.running import run_once
from evals.execution.sandbox import Sandbox

INFRA_TRIES = 3
LADDER = ("bubblewrap", "namespaces")


class Executor:
    """Run programs, each in a sandbox of its own.

    Args:
        limits (`Limits`): for programs that bring none.
        isolation (`str`): "auto" takes the strongest that works here; or one by name: "bubblewrap", "namespaces", or
            "rlimits", which limits resources but hides neither files nor network and is never taken by itself.
        workers (`int`): programs at once in `run_batch`.

    Raises:
        IsolationUnavailableError: none works, or not the one named.

    Example:
        >>> with Executor() as executor:
        ...     executor.run(Program("print(6 * 7)")).stdout
        '42\\n'

    Source: paper 4 runs generated code; how it is contained is ours.
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
    if isolation == "rlimits":
        return Sandbox("rlimits")
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


PROBE = """
import os, socket
try:
    socket.create_connection(("127.0.0.1", {port}), 1)
except OSError:
    pass
else:
    raise SystemExit("the network is reachable")
if os.path.exists({secret!r}):
    try:
        open({secret!r}).read()
    except OSError:
        pass
    else:
        raise SystemExit("files of the host are readable")
try:
    os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)
except OSError:
    pass
else:
    raise SystemExit("what steers the kernel is writable")
"""


def probe_isolation(name: str) -> tuple[Sandbox | None, str]:
    """Run a small program under a rung that tries to reach a socket, a file of this process and the kernel's settings.

    Root's bubblewrap has no user namespace: in one, a program stays root to the files of /proc.

    Returns:
        (the sandbox, "") if it works and contains the program, else (None, why not).
    """
    import socket

    sandbox = Sandbox(name, privileged=name == "bubblewrap" and os.geteuid() == 0)
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.NamedTemporaryFile("w") as secret:
        secret.write("secret")
        secret.flush()
        program = Program(PROBE.format(port=server.getsockname()[1], secret=secret.name))
        result = run_once(sandbox, program, Limits())
    if result.verdict is Verdict.PASS:
        return sandbox, ""
    return None, (result.message or result.stderr.strip() or result.verdict.value).splitlines()[-1]
