"""Section 4.1: one program from its start to its verdict."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import re
import secrets
import selectors
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import BinaryIO

from evals.execution import bubblewrap
from evals.execution.control_groups import ControlGroup
from evals.execution.fork_server import ForkedProgram, ForkServers
from evals.execution.languages import Language
from evals.execution.namespaces import filter_program
from evals.execution.program import ExecutionResult, Limits, Program, Verdict, encoded
from evals.execution.sandbox import Sandbox
from evals.execution.toolchains import Toolchain, toolchain

INSIDE = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
MEMORY_EXIT_STATUS = 77  # as in inside.py
CPU_EXIT_STATUSES = (128 + 24, -24)  # SIGXCPU
KILLED_EXIT_STATUSES = (128 + 9, -9)
PACKAGE = re.compile(r"^package[ \t]+(\w+)", re.MULTILINE)  # in Go
FLOOD_FACTOR = 64  # a program that writes this many times its output limit is ended
COMPILER_MEMORY = 2 << 30  # as in inside.py
TAIL_BYTES = 4096
# Of system calls, where programs see the host's files: no Unix sockets, as the host's would be among them.
OPEN_FILTER = base64.b64encode(filter_program(os.uname().machine, unix_sockets=False)).decode()
FIRST_USER = 1_500_000_000  # user ids that no system gives out; each sandbox started by root has one of its own

_users = itertools.count(secrets.randbelow(100_000_000))  # so that another run of root's has others


def run_once(
    sandbox: Sandbox,
    program: Program,
    limits: Limits,
    compiled: Mapping[str, bytes] | None = None,
    servers: ForkServers | None = None,
) -> ExecutionResult:
    """Run a program once; whatever goes wrong outside of it is an INFRA_ERROR.

    Args:
        compiled: what its compilation gave, where that was done elsewhere; put beside it instead of compiling it.
        servers: that may fork its process.
    """
    start = time.monotonic()
    try:
        tools = None if program.language == "python" else toolchain(program.language)
        if tools and compiled is not None:
            tools = tools.with_commands(compile=(), run=tools.language.run)
            program = replace(program, files={**program.files, **compiled})
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ling_sandbox_"))
            group = stack.enter_context(ControlGroup(*group_limits(program, limits)))
            run = SandboxedRun(sandbox, program, limits, folder, group, tools, servers)
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


class SandboxedRun:
    """One process tree from its start to its verdict."""

    def __init__(
        self,
        sandbox: Sandbox,
        program: Program,
        limits: Limits,
        folder: str,
        group: ControlGroup,
        tools: Toolchain | None,
        servers: ForkServers | None = None,
    ) -> None:
        self.sandbox, self.program, self.limits, self.folder, self.group = sandbox, program, limits, folder, group
        self.tools, self.servers = tools, servers
        self.inside_folder = "/tmp" if sandbox.hides_files else folder
        self.output = {"stdout": bytearray(), "stderr": bytearray(), "status": bytearray()}
        self.tail = b""  # of stdout, where a marker stands even if the output was cut
        self.asked = b""  # on the descriptor by which programs ask for their marker
        self.channel: Channel | None = None
        self.num_dropped = 0
        self.message = ""
        self.started = 0.0  # when the program was, after compilation; by the monotonic clock

    def result(self) -> ExecutionResult:
        """Run the program and judge it."""
        process, status_reader = self.start()
        try:
            ended = self._drain(process, status_reader)
        finally:
            os.close(status_reader)
            if self.channel:
                self.channel.close()
            returncode = self.end(process)
        return self._judge(returncode, ended)

    def kill(self, process: subprocess.Popen[bytes] | ForkedProgram) -> None:
        """Kill what is left of the process tree."""
        process.kill()  # after a normal end a no-op; else it takes the namespace's processes along
        if self.sandbox.name == "rlimits":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, 9)

    def end(self, process: subprocess.Popen[bytes] | ForkedProgram) -> int:
        """Kill what is left, wait until it is gone, close its pipes, and return its exit status."""
        self.kill(process)
        returncode = process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
        return returncode

    def start(self, stdin: int | None = None) -> tuple[subprocess.Popen[bytes] | ForkedProgram, int]:
        """Start the processes and return the first one, and where it says that the program starts.

        Args:
            stdin: as for `Popen`, instead of the program's.
        """
        server = self.servers.take(self.program) if self.servers else None
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as stack:
            if server:
                undo.callback(server.kill)
            status_reader, status_writer = os.pipe()
            undo.callback(os.close, status_reader)
            stack.callback(os.close, status_writer)
            payload = stack.enter_context(memory_file(json.dumps(self._payload()).encode()))
            given = stack.enter_context(memory_file(encoded(self.program.stdin)))
            theirs: tuple[int, ...] = ()
            if self.program.marker_request:
                self.channel = Channel()
                undo.callback(self.channel.close)
                theirs = self.channel.theirs
                for descriptor in theirs:
                    stack.callback(os.close, descriptor)
            process: subprocess.Popen[bytes] | ForkedProgram
            if server and self.servers:
                descriptors = (payload.fileno(), given.fileno(), status_writer)
                process = ForkedProgram(self.servers, server, descriptors, theirs, self.group.joins)
            else:
                process = self._start_alone(payload, given if stdin is None else stdin, (status_writer, *theirs))
            undo.pop_all()
        return process, status_reader

    def _start_alone(
        self, payload: BinaryIO, stdin: BinaryIO | int, written: tuple[int, ...]
    ) -> subprocess.Popen[bytes]:
        environment = self._environment()
        words = self.sandbox.command(self.limits, self.program, self.folder, environment, self.tools)
        passed = [payload.fileno(), *written]
        words += ["-c", INSIDE, *map(str, passed)]
        if self.sandbox.name == "bubblewrap":
            with memory_file(filter_program(os.uname().machine)) as rules:
                words[1:1] = ["--seccomp", str(rules.fileno())]
                return self._popen(words, stdin, [*passed, rules.fileno()], environment)
        return self._popen(words, stdin, passed, environment)

    def _popen(
        self, words: list[str], stdin: BinaryIO | int, passed: list[int], environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        if self.group.joins:
            # The shell joins the groups and becomes the sandbox, so that nothing of it starts outside.
            join = " && ".join(f"echo $$ > {shlex.quote(file)}" for file in self.group.joins)
            words = ["/bin/sh", "-c", f'{join} && exec "$0" "$@"', *words]
        return subprocess.Popen(
            words,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=passed,
            cwd=self.folder,
            env=environment,
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        environment = bubblewrap.environment(self.program.hash_seed)
        if self.tools:
            language = self.tools.language
            own = {**language.environment, **({} if self.program.random_seed is None else language.seed_environment)}
            environment |= dict(zip(own, self._fill(tuple(own.values())), strict=True))
        return environment

    def _run_words(self, language: Language) -> list[str]:
        if self.program.random_seed is None:
            return self._fill(language.run)
        seed = str(self.program.random_seed + 1)  # to V8, 0 is none
        flags = (word.replace("{random_seed}", seed) for word in language.seed_flags)
        return self._fill((language.run[0], *flags, *language.run[1:]))

    def _companion(self, language: Language) -> dict[str, bytes]:
        package = PACKAGE.search(self.program.source)
        if language.companion is None or package is None:
            return {}
        name, text = language.companion
        return {name: self._fill((text.replace("{package}", package[1]),))[0].encode()}

    def _fill(self, words: tuple[str, ...]) -> list[str]:
        if not self.tools:
            raise TypeError("a program in Python has no commands")
        return self.tools.fill(words, self.inside_folder, self.program.main, self.limits.memory_bytes)

    def _payload(self) -> dict[str, object]:
        language = self.tools.language if self.tools else None
        limits = {
            "memory_bytes": self.limits.memory_bytes,
            "cpu_seconds": ceil(self.limits.cpu_seconds),
            "compile_seconds": ceil(self.limits.compile_seconds),
            "disk_bytes": self.limits.disk_bytes,
            "output_bytes": self.limits.output_bytes,
            "num_processes": max(self.limits.num_processes, language.num_processes if language else 0),
            "address_space": language is None or language.address_space,
        }
        files = dict(self.program.files)
        if language:
            files[self._fill((language.file_name,))[0]] = encoded(self.program.source)
            files |= self._companion(language)
        texts = {safe_name(name): base64.b64encode(content).decode() for name, content in files.items()}
        return {
            "source": "" if language else self.program.source,
            "tests": self.program.tests,
            "request": self.program.marker_request,
            "compile": [self._fill(words) for words in language.compile] if language else [],
            "run": self._run_words(language) if language else [],
            "random_seed": self.program.random_seed,
            "files": texts,
            "limits": limits,
            "packages": self.sandbox.package_folder(self.program.packages) if self.program.packages else "",
            "folder": self.inside_folder,
            "filter": "" if self.sandbox.hides_files else OPEN_FILTER,
            "uid": FIRST_USER + next(_users) % 100_000_000 if self.sandbox.privileged else 0,
        }

    def _drain(self, process: subprocess.Popen[bytes] | ForkedProgram, status_reader: int) -> bool:
        """Read until all ends of the pipes are closed or the time is up; return whether they closed by themselves.

        The program's time begins when it says that it starts, after compilation.
        """
        deadline = time.monotonic() + self.limits.compile_seconds
        with selectors.DefaultSelector() as selector:
            for source, name in ((process.stdout, "stdout"), (process.stderr, "stderr"), (status_reader, "status")):
                assert source is not None, "pipes, as Popen was told"
                selector.register(source, selectors.EVENT_READ, name)
            if self.channel:
                selector.register(self.channel.requests, selectors.EVENT_READ, "asked")
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
                            self.started = time.monotonic()
                            deadline = self.started + self.limits.wall_seconds
                    else:
                        selector.unregister(key.fileobj)
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:  # closed its output and went on
            self.message = "time limit"
            return False
        return True

    def _keep(self, name: str, chunk: bytes) -> None:
        if name == "asked":
            self._answer(chunk)
            return
        if name == "stdout":
            self.tail = (self.tail + chunk)[-TAIL_BYTES:]
        room = self.limits.output_bytes - len(self.output[name])
        self.output[name] += chunk[: max(room, 0)]
        self.num_dropped += max(len(chunk) - max(room, 0), 0)

    def _answer(self, chunk: bytes) -> None:
        """Hand the marker out if that is what was asked for, and nothing else was."""
        request = f"{self.program.marker_request}\n".encode()
        self.asked = (self.asked + chunk)[: len(request) + 1]
        if self.asked == request and self.channel:
            self.channel.answer(f"{self.program.expect_stdout_marker}\n".encode())

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
        if returncode in CPU_EXIT_STATUSES or (returncode in KILLED_EXIT_STATUSES and self._had_its_time()):
            return Verdict.TIMEOUT, "processor time limit"
        if returncode != 0:
            lacking = [text for text in (language.out_of_memory if language else ()) if text in stderr]
            return (
                (Verdict.OOM, lacking[0]) if lacking else (Verdict.FAIL, "" if stderr.strip() else _signal(returncode))
            )
        marker = self.program.expect_stdout_marker
        said = self.tail.decode("utf-8", "replace")
        if not self.program.marker_request:
            said = said.rstrip("\n").rsplit("\n", 1)[-1]
        if marker and marker not in said:
            return Verdict.FAIL, "ended before its last test"
        return Verdict.PASS, ""

    def _had_its_time(self) -> bool:
        """Whether a program that was killed can have used up its processor time.

        The kernel's signal for that is one that Go's runtime takes no notice of; a second later it kills.
        """
        return (time.monotonic() - self.started) * (os.cpu_count() or 1) > self.limits.cpu_seconds


def _signal(returncode: int) -> str:
    """Return which signal ended a program that says nothing itself; a stack overflow is a SIGSEGV."""
    number = -returncode if returncode < 0 else returncode - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return ""
    return f"ended by {name}" + (": the stack overflowed, or memory was misused" if name == "SIGSEGV" else "")


class Channel:
    """The pipes by which a program asks for its marker and gets it."""

    def __init__(self) -> None:
        answers, self._answers = os.pipe()
        self.requests, requests = os.pipe()
        self.theirs = (answers, requests)  # the program's ends
        for descriptor in self.theirs:
            os.fchmod(descriptor, 0o666)  # Java opens them by their path, as a user of its own

    def answer(self, content: bytes) -> None:
        """Write a few bytes, which the pipe has room for."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._answers, content)

    def close(self) -> None:
        """Close our ends."""
        for descriptor in (self.requests, self._answers):
            os.close(descriptor)


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
