"""Start Python commands as forks of one process that has imported what all of them import.

Importing torch, transformers and TRL takes seconds of a processor, for each of a dozen steps. Here it happens once, in
`python -m recipes.quickstart.warm_start`, which forks for each command; the command then runs as it would in a process
of its own: its own session, arguments, log and exit code, and its memory is given back at its end. Where a fork could
not work (an accelerator, whose driver does not live on in a fork; a system other than Linux), or the process does not
come up, commands start as they always did.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from modeling_ling.command_line import prepare_process

# In the order in which they are cheapest; what training and scoring have in common.
MODULES = (
    *("torch", "datasets", "transformers.trainer", "modeling_ling.modeling_bailing_moe"),
    *("trl.trainer.sft_trainer", "trl.trainer.dpo_trainer", "accelerate.commands.launch"),
    *("recipes.running.trainer", "recipes.running.arguments", "recipes.stages.course"),
)
LAUNCHER = ("-m", "accelerate.commands.launch")


class RunningCommand(Protocol):
    """A command that was started: what is needed of a `subprocess.Popen`."""

    pid: int
    returncode: int | None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its status."""


class WarmStart:
    """Forks of a process that has imported what they share; it starts with the first of them, and ends with `close`.

    `prepare` starts it earlier, so that it imports beside commands that leave a core idle.

    Args:
        environment (mapping): of the commands; libraries read some of it as they are imported.
        modules (sequence of `str`): what is imported once.
    """

    def __init__(self, environment: Mapping[str, str], modules: Sequence[str] = MODULES) -> None:
        self.environment = dict(environment)
        self.modules = modules
        self.server: subprocess.Popen[bytes] | None = None
        self.usable = sys.platform == "linux"
        self._has_imported = False

    def prepare(self) -> None:
        """Start the process if it does not run yet, and do not wait for it."""
        if self.server is None and self.usable:
            self.server = subprocess.Popen(
                [sys.executable, "-m", __name__, *self.modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.environment,
                bufsize=0,  # what `select` sees is all that there is
                start_new_session=True,
            )
            self._has_imported = False

    def start(self, command: Sequence[str], log: IO[bytes], *, warm: bool = True) -> RunningCommand:
        """Start a command in a session of its own, stdout and stderr to `log`; one at a time.

        Args:
            command: argv; `python -m MODULE ...` or `python SCRIPT.py ...` of this interpreter is forked.
            log: an open file.
            warm: or as a process that imports all by itself.
        """
        if warm and self._can_fork(command) and self._ready():
            assert self.server is not None and self.server.stdin is not None
            request = {"arguments": list(command[1:]), "log": str(Path(log.name).resolve())}
            self.server.stdin.write(json.dumps(request).encode() + b"\n")
            return _Fork(self.server)
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self.environment,
            start_new_session=True,
        )

    def tree_pid(self, process: RunningCommand) -> int:
        """Return the process whose tree holds the memory of a command: a fork shares pages with its parent."""
        return self.server.pid if self.server and isinstance(process, _Fork) else process.pid

    def close(self) -> None:
        """End the process that forks."""
        if self.server is not None and self.server.stdin is not None and self.server.stdout is not None:
            self.server.kill()
            self.server.wait()
            self.server.stdin.close()
            self.server.stdout.close()
        self.server = None

    def _can_fork(self, command: Sequence[str]) -> bool:
        python, first = command[0], command[1] if len(command) > 1 else ""
        return self.usable and python == sys.executable and (first == "-m" or first.endswith(".py"))

    def _ready(self) -> bool:
        """Start the process if it does not run yet, and return whether it can fork."""
        self.prepare()
        if self.server is not None and not self._has_imported:
            assert self.server.stdout is not None
            self._has_imported = bool(self.server.stdout.readline())
            if not self._has_imported:
                self.close()
                self.usable = False
        return self.usable


class _Fork:
    """A command that runs in a fork; the forking process says its id first, and then its status."""

    def __init__(self, server: subprocess.Popen[bytes]) -> None:
        self.answers = server.stdout
        self.returncode: int | None = None
        self.pid = self._read()

    def wait(self, timeout: float | None = None) -> int:
        assert self.answers is not None
        if self.returncode is None:
            if timeout is not None and not select.select([self.answers], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked command", timeout)
            self.returncode = self._read()
        return self.returncode

    def _read(self) -> int:
        assert self.answers is not None
        line = self.answers.readline()
        return int(line) if line else -signal.SIGKILL


def run_command(arguments: Sequence[str]) -> None:
    """Run `python ARGUMENTS` in this process: a module after `-m`, or a script.

    Args:
        arguments: without the interpreter. A script that accelerate launches in one process runs in this one.
    """
    if tuple(arguments[:2]) == LAUNCHER:
        _launch(arguments[2:])
    elif arguments[0] == "-m":
        sys.argv = list(arguments[1:])
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


def _launch(arguments: Sequence[str]) -> None:
    from accelerate.commands import launch
    from accelerate.utils import prepare_simple_launcher_cmd_env

    def in_this_process(options: object) -> None:
        import torch

        command, environment = prepare_simple_launcher_cmd_env(options)
        os.environ.update(environment)
        torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))  # else read when torch is imported
        run_command(command[1:])

    launch.simple_launcher = in_this_process
    sys.argv = ["accelerate", *arguments]
    launch.main()


def main() -> None:
    """Import what is shared, say so, and fork for each command that stdin names; a fork returns when it is done."""
    prepare_process()
    for name in sys.argv[1:]:
        importlib.import_module(name)
        if _has_accelerator():
            return
    gc.collect()
    gc.freeze()
    _say("ready")
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()
            _say(os.getpid())
            _redirect(Path(request["log"]))
            run_command(request["arguments"])
            return
        _, status = os.waitpid(child, 0)
        _say(os.waitstatus_to_exitcode(status))


def _has_accelerator() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and torch.accelerator.is_available()


def _say(what: object) -> None:
    os.write(1, f"{what}\n".encode())


def _redirect(log: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    for source, target in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(file)
    sys.stdin = os.fdopen(0, closefd=False)


if __name__ == "__main__":
    main()
