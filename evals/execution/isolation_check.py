"""Section 4.1: hostile programs on this machine: what of it they reach, on every rung that works here."""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from evals.execution.executor import Executor
from evals.execution.hostile_programs import HONEST, MARKER, PROGRAMS, REPORTED
from evals.execution.program import ExecutionResult, Limits, Program, Verdict

LIMITS = Limits(
    wall_seconds=1.5,
    cpu_seconds=1.5,
    compile_seconds=20,
    memory_bytes=512 << 20,
    disk_bytes=128 << 20,
    num_processes=64,
)
VARIABLE = "LING_HOSTILE"  # of our environment, which no program may see


class Host:
    """What hostile programs are after: a file, sockets on which somebody listens, a place to write; a context manager.

    Attributes:
        secret (`str`): what stands in the file.
        port (`int`): of 127.0.0.1.
        stream, datagram (`str`): paths of Unix sockets.
        abstract (`str`): the name of one that has no path.
    """

    def __enter__(self) -> Host:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ling_host_")))
            self.secret = f"s3cret-{secrets.token_hex(8)}"
            self.file, self.outside = self.folder / "secret", self.folder / "outside"
            self.file.write_text(self.secret, encoding="utf-8")
            self.before = self._state()
            self.stream, self.datagram = str(self.folder / "stream"), str(self.folder / "datagram")
            self.abstract = f"ling_host_{secrets.token_hex(8)}"
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            self.port: int = server.getsockname()[1]
            self.listeners = {"port": server}
            for name, address in (
                ("stream", self.stream),
                ("datagram", self.datagram),
                ("abstract", f"\0{self.abstract}"),
            ):
                kind = socket.SOCK_DGRAM if name == "datagram" else socket.SOCK_STREAM
                listener = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
                listener.bind(address)
                if kind == socket.SOCK_STREAM:
                    listener.listen()
                self.listeners[name] = listener
            for listener in self.listeners.values():
                listener.setblocking(False)
            for path in (self.folder, self.stream, self.datagram):
                Path(path).chmod(0o777)  # only the sandbox shall stand between
            before = os.environ.get(VARIABLE)
            os.environ[VARIABLE] = self.secret
            stack.callback(restore_variable, before)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def reached(self) -> list[str]:
        """Return what was reached since the last call: sockets by their names, `file` and `outside`."""
        found = [name for name, listener in self.listeners.items() if _drain(listener)]
        if self._state() != self.before:
            found.append("file")
            self.file.write_text(self.secret, encoding="utf-8")
            self.before = self._state()
        if self.outside.exists():
            found.append("outside")
            self.outside.unlink()
        return found

    def _state(self) -> tuple[str, int, int]:
        status = self.file.stat()
        return self.file.read_text(encoding="utf-8"), status.st_mode, status.st_mtime_ns

    def fill(self, source: str) -> str:
        """Return a program with the words in capitals filled in."""
        words = {"SECRET": self.file, "PORT": self.port, "OUTSIDE": self.outside}
        words |= {"STREAM": self.stream, "DATAGRAM": self.datagram, "ABSTRACT": self.abstract}
        for word, value in words.items():
            source = source.replace(word, str(value))
        return source


def restore_variable(value: str | None) -> None:
    """Put our environment's variable back."""
    if value is None:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = value


def _drain(listener: socket.socket) -> bool:
    """Return whether somebody came, and take all who did."""
    came = False
    while True:
        try:
            if listener.type == socket.SOCK_DGRAM:
                listener.recv(1)
            else:
                listener.accept()[0].close()
        except BlockingIOError:
            return came
        came = True


def programs(language: str, host: Host) -> Iterator[tuple[str, str]]:
    """Yield the language's programs, filled in, under their names; the last one, `honest`, must pass."""
    for name, source in PROGRAMS[language].items():
        yield name, host.fill(source)
    yield "honest", HONEST[language].replace("MARKER", MARKER)


@dataclass(frozen=True)
class Finding:
    """What came of a hostile program.

    Args:
        language (`str`): its language.
        name (`str`): what it tries.
        fault (`str`): what it got, in words; empty where it was held.
        report (`str`): where the like was reported of another sandbox, if it was.
    """

    language: str
    name: str
    fault: str
    report: str = ""


def check_language(executor: Executor, language: str) -> list[Finding]:
    """Run the language's hostile programs and its honest one, all at once; again one by one if anything was reached."""
    with Host() as host:
        chosen = list(programs(language, host))
        results = executor.run_batch([_program(language, name, source) for name, source in chosen], LIMITS)
        at_once = host.reached()
        findings = []
        for (name, source), result in zip(chosen, results, strict=True):
            fault = fault_of(name, result, host)
            if at_once and not fault:
                executor.run(_program(language, name, source), LIMITS)
                fault = ", ".join(f"reached {what}" for what in host.reached())
            findings.append(Finding(language, name, fault, REPORTED[name][0] if name in REPORTED else ""))
    if at_once and not any(finding.fault for finding in findings):
        findings.append(Finding(language, "all at once", ", ".join(f"reached {what}" for what in at_once)))
    return findings


def _program(language: str, name: str, source: str) -> Program:
    # Go's test runner has the last line.
    marker = "" if language == "go" and name == "honest" else MARKER
    return Program(source, language, expect_stdout_marker=marker)


def fault_of(name: str, result: ExecutionResult, host: Host) -> str:
    """Return what is wrong with a program's end, empty if nothing is."""
    if result.verdict is Verdict.INFRA_ERROR:
        return f"could not be run: {result.message}"
    if name == "honest":
        return "" if result.verdict is Verdict.PASS else f"an honest program ended with {result.verdict.value}"
    if result.verdict is Verdict.PASS:
        return "passed"
    if "GOT-OUT" in result.stdout:
        return "did what it tried"
    if host.secret in result.stdout + result.stderr:
        return "read a secret"
    return ""
