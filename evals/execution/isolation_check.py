"""Section 4.1: hostile programs on this machine: what of it they reach, on every rung that works here."""

from __future__ import annotations

import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from evals.execution.hostile_programs import HONEST, MARKER, PROGRAMS


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
