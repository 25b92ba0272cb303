"""Section 4.1: packages that a program in the sandbox may import, such as numpy; read-only, and nothing beside them."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import tempfile
from pathlib import Path

INSIDE_FOLDER = "/packages"  # where bubblewrap shows them


class MissingPackageError(RuntimeError):
    """A program needs a package that this environment does not have."""


def locate(name: str) -> list[Path]:
    """Return the folders of an installed top-level package: its code, and the libraries its wheel brought along.

    Raises:
        MissingPackageError: it is not installed, or is no folder.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(f"programs of this task import {name}, which is not installed: pip install {name}")
    folder = Path(next(iter(spec.submodule_search_locations))).resolve()
    return [folder, *(path for path in [folder.with_name(f"{folder.name}.libs")] if path.is_dir())]


@functools.cache
def linked_folder(names: tuple[str, ...]) -> Path:
    """Return a folder with a link to each package, for sandboxes that show folders where they are."""
    holder = tempfile.TemporaryDirectory(prefix="ling_packages_")
    atexit.register(holder.cleanup)
    folder = Path(holder.name)
    folder.chmod(0o755)
    for name in names:
        for target in locate(name):
            (folder / target.name).symlink_to(target)
    return folder
