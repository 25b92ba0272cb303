"""Section 4.1: Java is compiled by processes that stay, because javac takes far longer to start than to compile.

Such a process is javac in a sandbox like a program's own. It runs nothing of what it compiles, but a hostile text can
crash, fill or hang it. So two answers of it are believed: class files, and javac's words on a program's errors.
Whatever else it does ends it, and that program is compiled in its own sandbox, like those of other languages. It has
less memory, stack and time than javac has there: what is too much for that one never compiles here.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from evals.execution.control_groups import ControlGroup
from evals.execution.languages import JVM
from evals.execution.program import ExecutionResult, Limits, Program, Verdict
from evals.execution.running import SandboxedRun, group_limits, run_once
from evals.execution.sandbox import Sandbox
from evals.execution.toolchains import toolchain

NUM_COMPILATIONS = 500  # of one process; then another takes its place
PART_OF_TIME = 1 / 4  # of the limit on compilation; the process's start counts too
MAX_BYTES = 1 << 20  # of a text, as in CompileServer.java, and of an answer
MAX_CLASSES = 256
CLASS_FILE = re.compile(r"([A-Za-z0-9_$]{1,200}/)*[A-Za-z0-9_$]{1,200}\.class")
COMMAND = (
    *("{java}", *JVM, "-XX:TieredStopAtLevel=1", "-Xss4m", "-Xmx256m", "-XX:+ExitOnOutOfMemoryError"),
    *("-Xlog:disable", "-XX:+DisplayVMOutputToStderr", "-Xshare:auto", "-XX:SharedArchiveFile={cache}/javac.jsa"),
    *("-cp", "{cache}/compiler", "CompileServer", "{cache}/classes"),
)
SERVER = Program("", "java")
LIMITS = Limits(cpu_seconds=3600, memory_bytes=1 << 30, disk_bytes=4 << 20)


@dataclass(frozen=True)
class Compilation:
    """A compiler's answer.

    Args:
        classes (`dict` of relative path to `bytes`): class files, if the program compiles.
        errors (`bytes`): what javac says if it does not; else empty.
    """

    classes: Mapping[str, bytes]
    errors: bytes = b""


class JavaRunner:
    """Runs the Java programs of one executor; its compilers are as many as programs were compiled at once."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._idle: list[CompilerProcess] = []  # the one used last is the warmest, and taken first

    def run(self, program: Program, limits: Limits) -> ExecutionResult:
        """Compile and run a program once."""
        start = time.monotonic()
        answer = self._compile(program, limits)
        if answer and answer.errors:
            text = answer.errors[: limits.output_bytes].decode("utf-8", "replace")
            truncated = len(answer.errors) > limits.output_bytes
            result = ExecutionResult(
                Verdict.COMPILE_ERROR, 1, "", text, 0.0, self._sandbox.name, output_truncated=truncated
            )
        else:
            result = run_once(self._sandbox, program, limits, answer.classes if answer else None)
            if answer and result.verdict is Verdict.INFRA_ERROR:  # no room for its class files, or their path too long
                result = run_once(self._sandbox, program, limits)
        return replace(result, wall_seconds=time.monotonic() - start)

    def close(self) -> None:
        """End the compilers."""
        while self._idle:
            self._idle.pop().close()

    def _compile(self, program: Program, limits: Limits) -> Compilation | None:
        try:
            source = program.source.encode()
            if len(source) > MAX_BYTES:
                return None
            compiler = self._take()
        except (OSError, UnicodeEncodeError):
            return None
        answer = compiler.compile(f"{program.main}.java".encode(), source, PART_OF_TIME * limits.compile_seconds)
        if answer and compiler.num_left:
            self._idle.append(compiler)
        else:
            compiler.close()
        return answer

    def _take(self) -> CompilerProcess:
        with contextlib.suppress(IndexError):
            while True:
                compiler = self._idle.pop()
                if compiler.process.poll() is None:
                    return compiler
                compiler.close()  # ended already: bubblewrap ends with the thread that started it
        return CompilerProcess(self._sandbox)


class CompilerProcess:
    """One compiler in its sandbox.

    Raises:
        OSError: the sandbox could not be started.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self.num_left = NUM_COMPILATIONS
        tools = toolchain("java").with_commands(compile=(), run=COMMAND)
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ling_sandbox_"))
            group = stack.enter_context(ControlGroup(*group_limits(SERVER, LIMITS)))
            self._run = SandboxedRun(sandbox, SERVER, LIMITS, folder, group, tools)
            self.process, status_reader = self._run.start(subprocess.PIPE)
            stack.callback(self._run.end, self.process)
            stack.callback(os.close, status_reader)
            stdin, stdout = self.process.stdin, self.process.stdout
            assert stdin and stdout, "pipes, as Popen was told"
            self._stdin, self._stdout = stdin.fileno(), stdout.fileno()
            self._stack = stack.pop_all()

    def compile(self, name: bytes, source: bytes, seconds: float) -> Compilation | None:
        """Ask for one compilation; None if no answer comes in time, or none to believe."""
        self.num_left -= 1
        clock = threading.Timer(seconds, self._run.kill, [self.process])
        clock.start()
        try:
            self._send(block(name) + block(source))
            size = int.from_bytes(self._receive(4), "big")
            if size > MAX_BYTES:
                return None
            return parse(self._receive(size))
        except (OSError, ValueError):
            return None
        finally:
            clock.cancel()
            clock.join()

    def close(self) -> None:
        """End it."""
        self._stack.close()

    def _send(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._stdin, content) :]

    def _receive(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            chunk = os.read(self._stdout, size - len(content))
            if not chunk:
                raise ValueError("the compiler ended in the middle of an answer")
            content += chunk
        return content


def block(content: bytes) -> bytes:
    """Return content with its length before it."""
    return len(content).to_bytes(4, "big") + content


def parse(answer: bytes) -> Compilation:
    """Return what an answer of CompileServer.java says.

    Raises:
        ValueError: it is not one, or its files are not such as a benchmark's program has.
    """
    kind, rest = answer[:1], answer[1:]
    if kind == b"\0" and rest:
        return Compilation({}, rest)
    if kind != b"\1":
        raise ValueError("neither class files nor errors")
    parts = []
    while rest:
        end = 4 + int.from_bytes(rest[:4], "big")
        if len(rest) < end:
            raise ValueError("a length beyond the answer's end")
        parts.append(rest[4:end])
        rest = rest[end:]
    names = [name.decode() for name in parts[::2]]
    if len(names) > MAX_CLASSES or not all(map(CLASS_FILE.fullmatch, names)):
        raise ValueError("too many class files, or an odd name")
    return Compilation(dict(zip(names, parts[1::2], strict=True)))
