"""Section 4.1: Python programs as forks of an interpreter that waits in the sandbox, instead of a new one for each.

A server serves programs of the same packages and hash seed, one at a time. What contains a program is the same as
without a server (`fork_server_inside.py` says how); a program that has to be killed takes its server along. Both rungs
have servers, for root and for ordinary users. Where a server does not start or fails (no namespaces below those of
bubblewrap, a package that starts threads), programs get an interpreter each; so do those on "rlimits", and all where
the interpreter lies in /tmp, which forks have anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from evals.execution import bubblewrap
from evals.execution.program import Program
from evals.execution.sandbox import Sandbox

HERE = Path(__file__).parent
INSIDE = (HERE / "fork_server_inside.py").read_text(encoding="utf-8")
MODULES = {name: (HERE / f"{name}.py").read_text(encoding="utf-8") for name in ("namespaces", "inside")}
START_SECONDS = 60
MAX_IDLE = 8
MAX_FAILURES = 3  # one after another; programs of that kind then get an interpreter each
MESSAGE_BYTES = 256  # as in fork_server_inside.py
Key = tuple[tuple[str, ...], int]  # packages, hash seed


class ForkServer:
    """A server that waits.

    Args:
        sandbox (`Sandbox`): that contains its programs.
        key (`Key`): the packages that it imports, and its hash seed.

    Raises:
        OSError: it does not start: these namespaces cannot be made here, or a package does not lend itself to forking.
        MissingPackageError: a package is not installed.
    """

    def __init__(self, sandbox: Sandbox, key: Key) -> None:
        self.key = key
        packages, hash_seed = key
        self._holder = None
        if sandbox.name != "bubblewrap":
            self._holder = tempfile.TemporaryDirectory(prefix="ling_sandbox_")
        environment = bubblewrap.environment(hash_seed)
        words = sandbox.server_command(packages, self._holder.name if self._holder else "", environment)
        options = {
            **MODULES,
            "packages": packages,
            "package_folder": sandbox.package_folder(packages) if packages else "",
            "privileged": sandbox.privileged,
            "confined": sandbox.name == "namespaces",
        }
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Its descriptors are of the kinds that programs get: the interpreter looks at them once, when it starts.
        with theirs, os.fdopen(os.memfd_create("ling_sandbox"), "rb") as stdin:
            self.process = subprocess.Popen(
                [*words, "-c", INSIDE, str(theirs.fileno()), json.dumps(options)],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                env=environment,
                start_new_session=True,
            )
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise

    def _await_ready(self) -> None:
        self.control.settimeout(START_SECONDS)
        stdout, stderr = self.process.stdout, self.process.stderr
        assert stdout and stderr, "pipes, as Popen was told"
        with stdout, stderr:
            said = self.control.recv(MESSAGE_BYTES)
            if said != b"ready":
                last = (said or stderr.read()).decode("utf-8", "replace").strip().splitlines()[-1:]
                raise OSError(f"the fork server did not start: {''.join(last)}")

    def send(self, descriptors: Sequence[int], channel: Sequence[int], joins: Sequence[str]) -> None:
        """Have a program started.

        Args:
            descriptors: its payload, stdin, stdout, stderr and status.
            channel: none, or two by which it gets its marker.
            joins: files of control groups to join.
        """
        with contextlib.ExitStack() as stack:
            groups = [stack.enter_context(open(join, "wb", buffering=0)).fileno() for join in joins]
            self.control.settimeout(START_SECONDS)
            socket.send_fds(self.control, [f"{len(channel)}".encode()], [*descriptors, *channel, *groups])

    def exit_status(self, timeout: float | None) -> int | None:
        """Return the status of the program that was sent, None after `timeout` seconds.

        Raises:
            OSError: the server is gone, or could not isolate the program.
        """
        self.control.settimeout(timeout)
        try:
            said = self.control.recv(MESSAGE_BYTES)
        except (TimeoutError, BlockingIOError):
            return None
        if not said.isdigit():
            raise OSError(f"the fork server failed: {said.decode('utf-8', 'replace') or 'it ended before its program'}")
        return int(said)

    def kill(self) -> None:
        """End the server and, with the namespaces, every process below it."""
        if self.process.poll() is None:  # else its number may be another's
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.control.close()
        if self._holder:
            self._holder.cleanup()


class ForkedProgram:
    """A program that a server forked, with what `SandboxedRun` uses of `subprocess.Popen`.

    Args:
        servers (`ForkServers`): that get the server back.
        server (`ForkServer`): that forks it.
        descriptors: of its payload, standard input and status.
        channel: none, or two by which it gets its marker.
        joins: files of control groups to join.
    """

    def __init__(
        self,
        servers: ForkServers,
        server: ForkServer,
        descriptors: tuple[int, int, int],
        channel: Sequence[int],
        joins: Sequence[str],
    ) -> None:
        self._servers, self._server = servers, server
        self.returncode: int | None = None
        self.stdin = None
        self.pid = server.process.pid
        payload, stdin, status = descriptors
        readers, writers = zip(*(os.pipe() for _ in range(2)), strict=True)
        self.stdout, self.stderr = (os.fdopen(reader, "rb") for reader in readers)
        try:
            with servers.counting_failures(server.key):
                server.send([payload, stdin, *writers, status], channel, joins)
        finally:
            for writer in writers:
                os.close(writer)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; the server is then free for others."""
        if self.returncode is None:
            with self._servers.counting_failures(self._server.key):
                self.returncode = self._server.exit_status(timeout)
            if self.returncode is None:
                raise subprocess.TimeoutExpired("program", timeout or 0.0)
            self._servers.give_back(self._server)
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit status, None while nobody has waited for it."""
        return self.returncode

    def kill(self) -> None:
        """Kill the program, unless it has ended, and the server with it."""
        if self.returncode is None:
            self._server.kill()
            self.returncode = -signal.SIGKILL


class ForkServers:
    """The servers of an executor: taken by whoever has a program to run, given back after it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._lock = threading.Lock()
        self._idle: list[ForkServer] = []  # the last used last
        self._failures: Counter[Key] = Counter()
        hidden = any(map(bubblewrap.below_tmp, bubblewrap.interpreter_folders()))
        self._useful = sandbox.name != "rlimits" and not hidden

    def take(self, program: Program) -> ForkServer | None:
        """Return a server for the program, None where it is to get an interpreter of its own.

        Raises:
            OSError, MissingPackageError: as `ForkServer`.
        """
        key = (program.packages, program.hash_seed)
        if program.language != "python" or not self._useful or self._failures[key] >= MAX_FAILURES:
            return None
        while server := self._take_idle(key):
            if server.process.poll() is None:
                return server
            server.kill()  # dead already: bubblewrap ends with the thread that started it
        with self.counting_failures(key):
            return ForkServer(self._sandbox, key)

    def _take_idle(self, key: Key) -> ForkServer | None:
        with self._lock:
            found = next((server for server in reversed(self._idle) if server.key == key), None)
            if found:
                self._idle.remove(found)
        return found

    def give_back(self, server: ForkServer) -> None:
        """Keep a server for the next program; the one that was not used for longest makes room."""
        with self._lock:
            if self._failures[server.key] < MAX_FAILURES:
                self._failures[server.key] = 0
            self._idle.append(server)
            ended = self._idle.pop(0) if len(self._idle) > MAX_IDLE else None
        if ended:
            ended.kill()

    @contextlib.contextmanager
    def counting_failures(self, key: Key) -> Iterator[None]:
        """Keep in mind that a server of that kind failed."""
        try:
            yield
        except OSError:
            with self._lock:
                self._failures[key] += 1
            raise

    def close(self) -> None:
        """End all servers."""
        with self._lock:
            idle, self._idle = self._idle, []
        for server in idle:
            server.kill()
