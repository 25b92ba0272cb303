"""Which code made a dataset: one hash over the sources that a builder imports, followed without importing them."""

import hashlib
import importlib.util
import inspect
import re
from pathlib import Path

PACKAGES = ("datasets_builders", "evals")
# Modules whose change cannot change a shard.
WITHOUT_EFFECT = frozenset(
    f"datasets_builders.building.{name}"
    for name in ("card", "command_line", "progress", "publishing", "executors.worker_start")
)
_IMPORT = re.compile(
    rf"^\s*(?:from\s+((?:{'|'.join(PACKAGES)})[\w.]*)\s+import\s+(\([^)]*\)|.*)|import\s+((?:{'|'.join(PACKAGES)})[\w.]*))",
    re.M,
)


def code_sha256(builder_class: type) -> str:
    """Return a hash over the module of a builder and all modules of ours that it imports, directly or not.

    Args:
        builder_class (`type`): the builder.

    Returns:
        `str`: SHA-256 in hex; it does not depend on what else the process has imported.

    Source: ours.
    """
    waiting = {base.__module__ for base in builder_class.__mro__ if base is not object}
    sources = {}
    for base in builder_class.__mro__:
        if base is not object and not base.__module__.startswith(PACKAGES):
            sources[base.__module__] = Path(inspect.getfile(base)).read_bytes()
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        seen.add(module)
        if not module.startswith(PACKAGES) or module in WITHOUT_EFFECT:
            continue
        source = _source_of(module)
        if source is not None:
            sources[module] = source
            waiting |= _imported(source.decode("utf-8")) - seen
    total = hashlib.sha256()
    for module in sorted(sources):
        total.update(module.encode() + b"\0" + sources[module])
    return total.hexdigest()


def _source_of(module: str) -> bytes | None:
    """Return the source of a module of ours. To ask importlib for `module.name` would import the module."""
    package, *names = module.split(".")
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent.joinpath(*names)
    sources = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((source.read_bytes() for source in sources if source.is_file()), None)


def _imported(source: str) -> set[str]:
    modules: set[str] = set()
    for package, names, plain in _IMPORT.findall(source):
        modules.add(package or plain)
        # `from package import name` may name a submodule.
        modules |= {f"{package}.{name}" for name in re.findall(r"\w+", names)} if package else set()
    return modules
