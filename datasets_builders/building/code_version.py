"""Which code made a dataset: one hash over the sources that a builder imports, followed without importing them."""

import hashlib
import importlib.util
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Generic

PACKAGES = ("datasets_builders", "evals")
# Modules whose change cannot change a shard.
_EXECUTORS = ("choice", "local", "options", "ray", "slurm", "slurm_queue", "worker_start")
WITHOUT_EFFECT = frozenset(
    f"datasets_builders.building.{name}"
    for name in (
        *("card", "columns", "command_line", "description", "progress", "report"),
        *(f"executors.{name}" for name in _EXECUTORS),
    )
)
# Python is followed by its imports, and what a config file says is in the fingerprint.
SUFFIXES_OF_NO_DATA = frozenset({".py", ".pyc", ".md", ".yaml"})
# A module that imports modules of its package by their names needs all of them.
_LOADS_SIBLINGS = b'import_module(f"{__package__}.'
_IMPORT = re.compile(
    rf"^\s*(?:from\s+((?:{'|'.join(PACKAGES)})[\w.]*)\s+import\s+(\([^)]*\)|.*)|import\s+((?:{'|'.join(PACKAGES)})[\w.]*))",
    re.M,
)


def code_sha256(builder_class: type) -> str:
    """Return a hash over the module of a builder, all modules of ours that it imports, directly or not, and their data.

    Args:
        builder_class (`type`): the builder.

    Returns:
        `str`: SHA-256 in hex; it does not depend on what else the process has imported.
    """
    bases = [base for base in builder_class.__mro__ if base not in (object, Generic)]
    waiting = {base.__module__ for base in bases}
    sources = {}
    for base in bases:
        if not base.__module__.startswith(PACKAGES):
            sources[base.__module__] = Path(inspect.getfile(base)).read_bytes()
    folders: dict[str, Path] = {}
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        if not module.startswith(PACKAGES) or module in WITHOUT_EFFECT:
            continue
        path = _path_of(module)
        if path is not None:
            sources[module] = path.read_bytes()
            if _LOADS_SIBLINGS in sources[module]:
                waiting |= {
                    f"{module.rpartition('.')[0]}.{sibling.stem}" for sibling in path.parent.glob("*.py")
                } - seen
            folders[module if path.name == "__init__.py" else module.rpartition(".")[0]] = path.parent
            waiting |= _imported(sources[module].decode("utf-8")) - seen
    for package, folder in folders.items():
        sources |= {f"{package}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in _data_in(folder)}
    total = hashlib.sha256()
    for module in sorted(sources):
        total.update(module.encode() + b"\0" + sources[module])
    return total.hexdigest()


def _path_of(module: str) -> Path | None:
    """Return the file of a module of ours. To ask importlib for `module.name` would import the module."""
    package, *names = module.split(".")
    folder = _folder_of(package)
    if folder is None:
        return None
    path = folder.joinpath(*names)
    sources = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((source for source in sources if source.is_file()), None)


@cache
def _folder_of(package: str) -> Path | None:
    found = importlib.util.find_spec(package)
    return Path(found.origin).parent if found and found.origin else None


def _data_in(package: Path) -> list[Path]:
    """Return the files beside the modules of a package, and in those folders of it that are no packages."""
    found = []
    for entry in package.iterdir():
        if not entry.name.startswith((".", "__")) and not (entry / "__init__.py").is_file():
            found += [path for path in (entry, *entry.rglob("*")) if path.is_file()]
    return [path for path in found if path.suffix not in SUFFIXES_OF_NO_DATA]


def _imported(source: str) -> set[str]:
    modules: set[str] = set()
    for package, names, plain in _IMPORT.findall(source):
        modules.add(package or plain)
        # `from package import name` may name a submodule.
        modules |= {f"{package}.{name}" for name in re.findall(r"\w+", names)} if package else set()
    return modules
