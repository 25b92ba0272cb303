"""Sections 2.1 and 2.2: parse files in a process that may be lost.

tree-sitter is C code with grammars from many hands: 100 kB of `a<a<a<` end a process that parses them as Java with a
segmentation fault. `ParserProcess` keeps a child that reads one file after another; when a file kills it, hangs it or
needs too much memory, that file is named as the culprit and the next one meets a new child.

    python -m datasets_builders.curation.syntax.parser_process MODULE:FUNCTION
    # the child: requests on stdin, answers out
"""

import importlib
import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from datasets_builders.curation.syntax.parsing import ParseTooCostly
from datasets_builders.languages.grammars import GRAMMARS

MODULE = "datasets_builders.curation.syntax.parser_process"
# A tree takes some ten to fifty bytes per byte of code.
MEMORY_BYTES, MEMORY_PER_BYTE = 1 << 30, 200
# py-tree-sitter 0.26 never frees what a parser read (tree-sitter/py-tree-sitter#464 is the like of it for `Node.text`):
# the child holds all texts that it has seen, so that it is replaced before they count.
BYTES_OF_A_CHILD = 128 << 20
# Processor time of a file, some hundred times what code needs: for what the parser's budgets do not see, such as one
# step of a parser that mends an error thousands of brackets deep. The system ends the child, whatever it does then.
SECONDS_OF_A_FILE, SECONDS_PER_MEGABYTE = 20.0, 20.0
# By the clock, for a child that does not even work.
ANSWER_SECONDS = 600.0
_HEADER = struct.Struct("!HId")  # bytes of the language's name, bytes of the text, seconds


class ParserLost(Exception):
    """The child ended or hung over a file."""


class ParserProcess:
    """Calls a function on files, in a child process; `close` it, or use it as a context manager.

    Args:
        function (`str`): `module:name` of a function of language and text that answers with JSON, such as
            `datasets_builders.curation.syntax.metrics:measure`.
    """

    def __init__(self, function: str) -> None:
        self.function = function
        self._child: subprocess.Popen[bytes] | None = None
        self._bytes_read = 0

    def __enter__(self) -> "ParserProcess":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def read(self, language: str, text: str) -> dict[str, Any] | None:
        """Return what the function says of a file; None for a language without a grammar.

        Raises:
            ParseTooCostly: the parser's budget is spent, or the file's processor time.
            ParserLost: the file killed the child, or kept it for ten minutes.
        """
        if language not in GRAMMARS:
            return None
        name, raw = language.encode(), text.encode("utf-8", "replace")
        if self._bytes_read > BYTES_OF_A_CHILD:
            self.close()
        child = self._child or self._start()
        self._bytes_read += len(raw)
        seconds = SECONDS_OF_A_FILE + SECONDS_PER_MEGABYTE * len(raw) / 1e6
        try:
            assert child.stdin is not None
            child.stdin.write(_HEADER.pack(len(name), len(raw), seconds) + name + raw)
            child.stdin.flush()
        except BrokenPipeError:
            raise self._lost() from None
        answer = self._answer(child)
        if "too_costly" in answer:
            raise ParseTooCostly(answer["too_costly"])
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self._bytes_read = 0
        folder = str(Path(__file__).resolve().parents[3])
        paths = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._child = subprocess.Popen(
            [sys.executable, "-m", MODULE, self.function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )
        return self._child

    def _answer(self, child: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert child.stdout is not None
        answers = select.poll()  # select itself knows the first 1024 open files alone
        answers.register(child.stdout, select.POLLIN)
        ready = answers.poll(ANSWER_SECONDS * 1000)
        line = child.stdout.readline() if ready else b""
        if not line.endswith(b"\n"):
            raise self._lost()
        return json.loads(line)

    def _lost(self) -> ParserLost | ParseTooCostly:
        child = self._child
        self.close()
        code = child.returncode if child else None
        if code == -signal.SIGVTALRM:
            return ParseTooCostly("more processor time than code needs")
        return ParserLost(f"ended with signal {-code}" if code and code < 0 else "gave no answer")

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(BrokenPipeError, OSError):
            if child.stdin:
                child.stdin.close()
        try:
            child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def serve(name: str, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests with what a function, `module:name`, says, until there are no more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute)
    while header := requests.read(_HEADER.size):
        name_bytes, text_bytes, seconds = _HEADER.unpack(header)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES + MEMORY_PER_BYTE * text_bytes, resource.RLIM_INFINITY))
        language, text = requests.read(name_bytes).decode(), requests.read(text_bytes).decode()
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            answer = function(language, text)
        except ParseTooCostly as error:
            answer = {"too_costly": str(error)}
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], sys.stdin.buffer, sys.stdout.buffer)
