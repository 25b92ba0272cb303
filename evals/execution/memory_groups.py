"""Section 4: a memory control group for each program, where this user may make one (root, as a rule).

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
_number = itertools.count()
_left_over: list[Path] = []


class MemoryGroup:
    """A control group with a memory limit; a context manager that removes it.

    `procs` is the file that a process writes its id into to join, or None where groups cannot be made.
    """

    def __init__(self, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.folder: Path | None = None

    @property
    def procs(self) -> Path | None:
        """The file that takes the ids of processes."""
        return self.folder / "cgroup.procs" if self.folder else None

    def __enter__(self) -> MemoryGroup:
        parent = usable_parent()
        if parent is None:
            return self
        folder = parent / f"ling_sandbox_{os.getpid()}_{threading.get_ident()}_{next(_number)}"
        limit = "memory.max" if parent == VERSION_2 else "memory.limit_in_bytes"
        try:
            folder.mkdir()
            self.folder = folder
            (folder / limit).write_text(str(self.memory_bytes))
        except OSError:
            self.__exit__()
            return self
        # Without these the kernel would swap instead of ending the program; not every kernel has them.
        for name in ("memory.swap.max", "memory.memsw.limit_in_bytes"):
            with contextlib.suppress(OSError):
                (folder / name).write_text("0" if name == "memory.swap.max" else str(self.memory_bytes))
        return self

    def __exit__(self, *error: object) -> None:
        if self.folder:
            _left_over.append(self.folder)
            self.folder = None
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
