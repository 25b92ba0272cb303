"""Section 4: programs in, verdicts out. The one place of the project where generated code runs."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from evals.execution import bubblewrap
from evals.execution.control_groups import ControlGroup
from evals.execution.packages import INSIDE_FOLDER, linked_folder, locate
from evals.execution.program import ExecutionResult, IsolationUnavailableError, Limits, Program, Verdict
from evals.execution.toolchains import Toolchain, toolchain

INSIDE = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
NAMESPACES = str(Path(__file__).with_name("namespaces.py"))
MEMORY_EXIT_STATUS = 77  # as in inside.py
CPU_EXIT_STATUSES = (128 + 24, -24)  # SIGXCPU
INFRA_TRIES = 3
FLOOD_FACTOR = 64  # a program that writes this many times its output limit is ended
COMPILER_MEMORY = 2 << 30  # as in inside.py
TAIL_BYTES = 4096
FIRST_USER = 1_500_000_000  # user ids that no system gives out; each sandbox started by root has one of its own
LADDER = ("bubblewrap", "namespaces")

_users = itertools.count()


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
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="execution")

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for running programs and give the threads back."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, program: Program, limits: Limits | None = None) -> ExecutionResult:
        """Run one program and return how it ended; a sandbox that fails to start is tried again twice."""
        for _ in range(INFRA_TRIES):
            result = run_once(self._sandbox, program, limits or self.limits)
            if result.verdict is not Verdict.INFRA_ERROR:
                break
        return result

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

        futures = [self._pool.submit(run_numbered, *numbered) for numbered in enumerate(programs)]
        return [future.result() for future in futures]


@dataclass(frozen=True)
class Sandbox:
    """A way to start a program: the rung's name, and whether root starts it without a user namespace."""

    name: str
    privileged: bool = False

    def package_folder(self, packages: tuple[str, ...]) -> str:
        """Return where the program finds its packages."""
        return INSIDE_FOLDER if self.name == "bubblewrap" else str(linked_folder(packages))

    def command(
        self, limits: Limits, program: Program, folder: str, environment: dict[str, str], tools: Toolchain | None
    ) -> list[str]:
        """Return the command up to and with the interpreter and its flags.

        Args:
            folder (`str`): the program's, as it sees it.
        """
        folders = tools.folders if tools else ()
        if self.name == "bubblewrap":
            return bubblewrap.command(limits, environment, self.privileged, program.packages, folders)
        words = bubblewrap.interpreter_words()
        if self.name == "rlimits":
            return words
        readable = [
            "/usr",
            "/proc",
            *bubblewrap.SYSTEM_FOLDERS,
            *bubblewrap.interpreter_folders(),
            "/etc/ld.so.cache",
            *folders,
        ]
        if program.packages:
            readable += [self.package_folder(program.packages)]
            readable += [str(path) for name in program.packages for path in locate(name)]
        environment = {**environment, "HOME": folder, "TMPDIR": folder}
        options = {
            "folder": folder,
            "disk_bytes": limits.disk_bytes,
            "readable": readable,
            "environment": environment,
        }
        return [words[0], "-I", "-S", "-B", NAMESPACES, json.dumps(options), *words]


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
"""


def probe_isolation(name: str) -> tuple[Sandbox | None, str]:
    """Run a small program under a rung that tries to reach a socket and a file of this process.

    Returns:
        (the sandbox, "") if it works and contains the program, else (None, why not).
    """
    import socket

    candidates = [Sandbox(name)]
    if name == "bubblewrap" and os.geteuid() == 0:
        candidates.insert(0, Sandbox(name, privileged=True))
    reason = ""
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.NamedTemporaryFile("w") as secret:
        secret.write("secret")
        secret.flush()
        program = Program(PROBE.format(port=server.getsockname()[1], secret=secret.name))
        for sandbox in candidates:
            result = run_once(sandbox, program, Limits())
            if result.verdict is Verdict.PASS:
                return sandbox, ""
            reason = (result.message or result.stderr.strip() or result.verdict.value).splitlines()[-1]
    return None, reason


def run_once(sandbox: Sandbox, program: Program, limits: Limits) -> ExecutionResult:
    """Run a program once; whatever goes wrong outside of it is an INFRA_ERROR."""
    start = time.monotonic()
    try:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ling_sandbox_"))
            group = stack.enter_context(ControlGroup(*group_limits(program, limits)))
            run = _Run(sandbox, program, limits, folder, group)
            return replace(run.result(), wall_seconds=time.monotonic() - start)
    except OSError as error:
        seconds = time.monotonic() - start
        return ExecutionResult(
            Verdict.INFRA_ERROR, None, "", "", seconds, sandbox.name, f"{type(error).__name__}: {error}"
        )


def group_limits(program: Program, limits: Limits) -> tuple[int, int]:
    """Return the bytes and processes that all of a program may use together; its compiler is in the group too."""
    if program.language == "python":
        return limits.memory_bytes, limits.num_processes
    processes = toolchain(program.language).language.num_processes
    return max(limits.memory_bytes, COMPILER_MEMORY), max(limits.num_processes, processes)


class _Run:
    """One process tree from its start to its verdict."""

    def __init__(self, sandbox: Sandbox, program: Program, limits: Limits, folder: str, group: ControlGroup) -> None:
        self.sandbox, self.program, self.limits, self.folder, self.group = sandbox, program, limits, folder, group
        self.tools = None if program.language == "python" else toolchain(program.language)
        self.inside_folder = "/tmp" if sandbox.name == "bubblewrap" else folder
        self.output = {"stdout": bytearray(), "stderr": bytearray(), "status": bytearray()}
        self.tail = b""  # of stdout, where a marker stands even if the output was cut
        self.num_dropped = 0
        self.message = ""

    def result(self) -> ExecutionResult:
        """Run the program and judge it."""
        process, status_reader = self._start()
        try:
            ended = self._drain(process, status_reader)
        finally:
            os.close(status_reader)
            process.kill()  # after a normal end a no-op; else it takes the namespace's processes along
            if self.sandbox.name == "rlimits":
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, 9)
            process.wait()
            for stream in (process.stdout, process.stderr):
                stream.close()
        return self._judge(process.returncode, ended)

    def _start(self) -> tuple[subprocess.Popen[bytes], int]:
        status_reader, status_writer = os.pipe()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, status_writer)
            payload = stack.enter_context(memory_file(json.dumps(self._payload()).encode()))
            stdin = stack.enter_context(memory_file(self.program.stdin.encode("utf-8", "surrogateescape")))
            environment = self._environment()
            words = self.sandbox.command(self.limits, self.program, self.folder, environment, self.tools)
            words += ["-c", INSIDE, str(payload.fileno()), str(status_writer)]
            for join in self.group.joins:
                # The shell joins the group and becomes the sandbox, so that nothing of it starts outside.
                words = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', join, *words]
            process = subprocess.Popen(
                words,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(payload.fileno(), status_writer),
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )
        return process, status_reader

    def _environment(self) -> dict[str, str]:
        environment = bubblewrap.environment(self.program.hash_seed)
        if self.tools:
            own = self.tools.language.environment
            environment |= dict(zip(own, self._fill(tuple(own.values())), strict=True))
        return environment

    def _fill(self, words: tuple[str, ...]) -> list[str]:
        return self.tools.fill(words, self.inside_folder, self.program.main, self.limits.memory_bytes)

    def _payload(self) -> dict[str, object]:
        language = self.tools.language if self.tools else None
        limits = {
            "memory_bytes": self.limits.memory_bytes,
            "cpu_seconds": ceil(self.limits.cpu_seconds),
            "compile_seconds": ceil(self.limits.compile_seconds),
            "disk_bytes": self.limits.disk_bytes,
            "num_processes": max(self.limits.num_processes, language.num_processes if language else 0),
            "address_space": language is None or language.address_space,
        }
        files = dict(self.program.files)
        if language:
            files[self._fill((language.file_name,))[0]] = self.program.source.encode("utf-8", "surrogateescape")
        files = {safe_name(name): base64.b64encode(content).decode() for name, content in files.items()}
        return {
            "source": "" if language else self.program.source,
            "compile": [self._fill(words) for words in language.compile] if language else [],
            "run": self._fill(language.run) if language else [],
            "files": files,
            "limits": limits,
            "packages": self.sandbox.package_folder(self.program.packages) if self.program.packages else "",
            "folder": self.inside_folder,
            "uid": FIRST_USER + next(_users) % 100_000_000 if self.sandbox.privileged else 0,
        }

    def _drain(self, process: subprocess.Popen[bytes], status_reader: int) -> bool:
        """Read until all ends of the pipes are closed or the time is up; return whether they closed by themselves.

        The program's time begins when it says that it starts, after compilation.
        """
        deadline = time.monotonic() + self.limits.compile_seconds
        with selectors.DefaultSelector() as selector:
            for source, name in ((process.stdout, "stdout"), (process.stderr, "stderr"), (status_reader, "status")):
                selector.register(source, selectors.EVENT_READ, name)
            while selector.get_map():
                left = deadline - time.monotonic()
                if left <= 0 or self.num_dropped > FLOOD_FACTOR * self.limits.output_bytes:
                    self.message = "time limit" if left <= 0 else "wrote far more than the output limit"
                    return False
                for key, _ in selector.select(left):
                    chunk = os.read(key.fd, 1 << 16)
                    if chunk:
                        self._keep(key.data, chunk)
                        if key.data == "status":
                            deadline = time.monotonic() + self.limits.wall_seconds
                    else:
                        selector.unregister(key.fileobj)
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:  # closed its output and went on
            self.message = "time limit"
            return False
        return True

    def _keep(self, name: str, chunk: bytes) -> None:
        if name == "stdout":
            self.tail = (self.tail + chunk)[-TAIL_BYTES:]
        room = self.limits.output_bytes - len(self.output[name])
        self.output[name] += chunk[: max(room, 0)]
        self.num_dropped += max(len(chunk) - max(room, 0), 0)

    def _judge(self, returncode: int, ended: bool) -> ExecutionResult:
        stdout, stderr = (self.output[name].decode("utf-8", "replace") for name in ("stdout", "stderr"))
        exit_code = (returncode if returncode >= 0 else 128 - returncode) if ended else None
        verdict, message = self._verdict(returncode, ended, stderr)
        truncated = self.num_dropped > 0
        return ExecutionResult(verdict, exit_code, stdout, stderr, 0.0, self.sandbox.name, message, truncated)

    def _verdict(self, returncode: int, ended: bool, stderr: str) -> tuple[Verdict, str]:
        status = bytes(self.output["status"])
        language = self.tools.language if self.tools else None
        if language and not ended and not status:
            return Verdict.COMPILE_ERROR, "time limit of compilation"
        if self.group.killed():
            return Verdict.OOM, "killed for its memory, all processes together"
        if not status:
            last = stderr.strip().splitlines()[-1:] or [f"exit status {returncode}"]
            return Verdict.INFRA_ERROR, f"the sandbox did not start: {last[0]}"
        if not ended:
            return (Verdict.TIMEOUT if self.message == "time limit" else Verdict.FAIL), self.message
        if status == b"compile_error":
            return Verdict.COMPILE_ERROR, ""
        if returncode == MEMORY_EXIT_STATUS and not language:
            return Verdict.OOM, "MemoryError"
        if returncode in CPU_EXIT_STATUSES:
            return Verdict.TIMEOUT, "processor time limit"
        if returncode != 0:
            lacking = [text for text in (language.out_of_memory if language else ()) if text in stderr]
            return (Verdict.OOM, lacking[0]) if lacking else (Verdict.FAIL, "")
        marker = self.program.expect_stdout_marker
        last_line = self.tail.decode("utf-8", "replace").rstrip("\n").rsplit("\n", 1)[-1]
        if marker and marker not in last_line:
            return Verdict.FAIL, "ended before its last test"
        return Verdict.PASS, ""


@contextlib.contextmanager
def memory_file(content: bytes):
    """Yield an unnamed file in memory that holds `content`, at its start."""
    with os.fdopen(os.memfd_create("ling_sandbox"), "r+b") as file:
        file.write(content)
        file.seek(0)
        yield file


def safe_name(name: str) -> str:
    """Return a relative file name that stays inside the working directory.

    Raises:
        ValueError: it is absolute or climbs out.
    """
    if not name or name.startswith("/") or ".." in Path(name).parts or "\0" in name:
        raise ValueError(f"Program.files: {name!r} does not stay inside the working directory")
    return name
