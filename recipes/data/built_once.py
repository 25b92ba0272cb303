"""Section 3.2: what is made of data once, kept in a folder named by all that it depends on.

Of all processes that want a folder one makes it, under a lock of the file system; the others wait for the lock, not in
a barrier, so that nothing times out however long it takes. A process that is killed frees the lock, and what it had
begun is thrown away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recipes.running.recipe_loading import RecipeError


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "a", encoding="utf-8") as file:
        # On a file system without locks each process makes its own, equal in bytes, and the first gives its name.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def built_once(folder: Path, whole_file: str, build: Callable[[Path], None]) -> Path:
    """Return a folder, made by the first process that asks for it.

    Args:
        folder: its name says all that its content depends on.
        whole_file: the file that is written last: a folder that has it is whole.
        build: fills a new folder.

    Returns:
        The folder.

    Raises:
        RecipeError: what `build` raised, in this process or in the one that this one waited for.
    """
    if (folder / whole_file).is_file():
        return folder
    asked = time.time()
    folder.parent.mkdir(parents=True, exist_ok=True)
    failure = folder.with_name(f"{folder.name}.error")
    with _locked(folder.with_name(f"{folder.name}.lock")):
        if (folder / whole_file).is_file():
            return folder
        if failure.is_file() and failure.stat().st_mtime >= asked:
            raise RecipeError(failure.read_text(encoding="utf-8"))
        for left_over in folder.parent.glob(f"{folder.name}.*.tmp"):
            shutil.rmtree(left_over, ignore_errors=True)
        unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
        unfinished.mkdir()
        try:
            build(unfinished)
        except BaseException as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            if isinstance(error, (RecipeError, ValueError)):
                failure.write_text(str(error), encoding="utf-8")
            raise
        failure.unlink(missing_ok=True)
        try:
            unfinished.rename(folder)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            if not (folder / whole_file).is_file():
                raise
    return folder


__all__ = ["built_once"]
