"""Section 4.1: a control group for each program, where this user may make one (root, as a rule).

A limit on address space counts each process alone; a group counts all of them together, and their files in /tmp too.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import threading
from pathlib import Path

VERSION_1, VERSION_2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
PIDS_VERSION_1 = Path("/sys/fs/cgroup/pids")
SANDBOX_PROCESSES = 4  # of the sandbox itself, beside the program's
_number = itertools.count()
_left_over: list[Path] = []


class ControlGroup:
    """A control group with limits on memory and on processes; a context manager that removes it.

    The limit on processes matters where a process's own does not hold: the kernel does not apply that one to root.
    `joins` are the files that a process writes its id into to join; none where groups cannot be made.
    """

    def __init__(self, memory_bytes: int, num_processes: int) -> None:
        self.memory_bytes, self.num_processes = memory_bytes, num_processes
        self.folder: Path | None = None  # the one of memory
        self.folders: list[Path] = []

    @property
    def joins(self) -> list[str]:
        """The files that take the ids of processes."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def __enter__(self) -> ControlGroup:
        parent = usable_parent()
        if parent is None:
            return self
        name = f"ling_sandbox_{os.getpid()}_{threading.get_ident()}_{next(_number)}"
        folder = parent / name
        limit = "memory.max" if parent == VERSION_2 else "memory.limit_in_bytes"
        try:
            folder.mkdir()
            self.folder = folder
            self.folders.append(folder)
            (folder / limit).write_text(str(self.memory_bytes))
        except OSError:
            self.__exit__()
            return self
        # Without these the kernel would swap instead of ending the program; not every kernel has them.
        for swap in ("memory.swap.max", "memory.memsw.limit_in_bytes"):
            with contextlib.suppress(OSError):
                (folder / swap).write_text("0" if swap == "memory.swap.max" else str(self.memory_bytes))
        self._limit_processes(folder if parent == VERSION_2 else PIDS_VERSION_1 / name)
        return self

    def _limit_processes(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # a kernel without this controller
            folder.mkdir(exist_ok=True)
            if folder not in self.folders:
                self.folders.append(folder)
            (folder / "pids.max").write_text(str(self.num_processes + SANDBOX_PROCESSES))

    def __exit__(self, *error: object) -> None:
        _left_over.extend(self.folders)
        self.folder, self.folders = None, []
        remove_left_over()

    def killed(self) -> bool:
        """Whether the kernel killed a process of the group for its memory."""
        if not self.folder:
            return False
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                for line in (self.folder / name).read_text().splitlines():
                    key, _, value = line.partition(" ")
                    if key == "oom_kill" and int(value) > 0:
                        return True
        return False


def remove_left_over() -> None:
    """Remove ended groups; one whose killed processes are still being cleared away is kept for the next call."""
    for folder in list(_left_over):
        with contextlib.suppress(OSError, ValueError):
            folder.rmdir()
            _left_over.remove(folder)


atexit.register(remove_left_over)

_parent_cache: list[Path | None] = []


def usable_parent() -> Path | None:
    """Return where groups can be made, or None; found out once by making one."""
    if not _parent_cache:
        _parent_cache.append(_find_parent())
    return _parent_cache[0]


def _find_parent() -> Path | None:
    for parent, limit in ((VERSION_1, "memory.limit_in_bytes"), (VERSION_2, "memory.max")):
        trial = parent / f"ling_sandbox_probe_{os.getpid()}"
        with contextlib.suppress(OSError):
            trial.mkdir()
            try:
                (trial / limit).write_text(str(64 << 20))
            finally:
                trial.rmdir()
            return parent
    return None
