"""Section 4.1: the ways to start a program: bubblewrap, namespaces, or limits alone; each gives the command to run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from evals.execution import bubblewrap
from evals.execution.packages import INSIDE_FOLDER, linked_folder
from evals.execution.program import Limits, Program
from evals.execution.toolchains import Toolchain

NAMESPACES = str(Path(__file__).with_name("namespaces.py"))


@dataclass(frozen=True)
class Sandbox:
    """A way to start a program: the rung's name, and whether root starts it without a user namespace."""

    name: str
    privileged: bool = False

    @property
    def hides_files(self) -> bool:
        """Whether programs see none of the host's files but those that they need."""
        return self.name != "rlimits"

    def package_folder(self, packages: tuple[str, ...]) -> str:
        """Return where the program finds its packages."""
        return INSIDE_FOLDER if self.hides_files else str(linked_folder(packages))

    def command(
        self, limits: Limits, program: Program, folder: str, environment: dict[str, str], tools: Toolchain | None
    ) -> list[str]:
        """Return the command up to and with the interpreter and its flags.

        Args:
            limits (`Limits`): of which the disk's is the sandbox's own.
            program (`Program`): for its packages.
            folder (`str`): an empty one of the host's.
            environment (`dict`): all of the program's.
            tools (`Toolchain`): of its language, None for Python.
        """
        folders = tools.folders if tools else ()
        if self.name == "bubblewrap":
            return bubblewrap.command(limits, environment, self.privileged, program.packages, folders)
        if self.name == "namespaces":
            return self._in_namespaces(limits, environment, folder, program.packages, folders)
        return bubblewrap.interpreter_words()

    def server_command(self, packages: tuple[str, ...], folder: str, environment: dict[str, str]) -> list[str]:
        """Return the command of a fork server up to and with the interpreter and its flags."""
        if self.name == "bubblewrap":
            return bubblewrap.command(Limits(), environment, self.privileged, packages, server=True)
        return self._in_namespaces(Limits(), environment, folder, packages, server=True)

    def _in_namespaces(
        self,
        limits: Limits,
        environment: dict[str, str],
        folder: str,
        packages: tuple[str, ...],
        folders: tuple[str, ...] = (),
        server: bool = False,
    ) -> list[str]:
        words = bubblewrap.interpreter_words()
        shown, links = bubblewrap.view(packages, folders)
        options = {
            "root": folder,
            "shown": shown,
            "links": links,
            "disk_bytes": limits.disk_bytes,
            "environment": environment,
            "privileged": self.privileged,
            "server": server,
        }
        return [words[0], "-I", "-S", "-B", NAMESPACES, json.dumps(options), *words]
