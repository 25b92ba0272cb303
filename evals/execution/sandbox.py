"""Section 4: the ways to start a program: bubblewrap, namespaces, or limits alone; each gives the command to run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from evals.execution import bubblewrap
from evals.execution.packages import INSIDE_FOLDER, linked_folder, locate
from evals.execution.program import Limits, Program
from evals.execution.toolchains import Toolchain

NAMESPACES = str(Path(__file__).with_name("namespaces.py"))


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
        options = {
            "folder": folder,
            "disk_bytes": limits.disk_bytes,
            "readable": [*self.readable(program.packages), *folders],
            "environment": {**environment, "HOME": folder, "TMPDIR": folder},
        }
        return [words[0], "-I", "-S", "-B", NAMESPACES, json.dumps(options), *words]

    def server_command(self, packages: tuple[str, ...], environment: dict[str, str]) -> list[str]:
        """Return the command of a fork server up to and with the interpreter and its flags.

        Under "namespaces" the server, which runs no program itself, is bare; its forks enter the namespaces.
        """
        if self.name == "bubblewrap":
            return bubblewrap.command(Limits(), environment, self.privileged, packages, server=True)
        return bubblewrap.interpreter_words()

    def readable(self, packages: tuple[str, ...]) -> list[str]:
        """Return what a program may read under the rung that shows files where they are."""
        readable = ["/usr", "/proc", *bubblewrap.SYSTEM_FOLDERS, *bubblewrap.interpreter_folders(), "/etc/ld.so.cache"]
        if packages:
            readable += [self.package_folder(packages)]
            readable += [str(path) for name in packages for path in locate(name)]
        return readable
