"""Run a program as if only the core and one extra of setup.py were installed: `python -m tests.only_extra EXTRA ...`.

What follows is a module's command line (`-m evals list`) or a script's. Every import of a distribution that the extra,
by the metadata of what is installed, does not bring fails as it would in an environment of its own.
"""

import ast
import importlib.metadata
import re
import runpy
import sys
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
OWN = {"modeling_ling", "evals", "datasets_builders", "recipes", "tests"}


def requirements() -> dict[str, list[str]]:
    """Return what setup.py's lists hold, by extra; the core is ""."""
    lists: dict[str, list[str]] = {}
    for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List) and isinstance(node.targets[0], ast.Name):
            found: list[str] = []
            for entry in node.value.elts:
                if isinstance(entry, ast.Starred) and isinstance(entry.value, ast.Name):
                    found += lists[entry.value.id]
                else:
                    found.append(ast.literal_eval(entry))
            lists[node.targets[0].id] = found
    return {"": lists["CORE"], **{name.lower(): lists["CORE"] + more for name, more in lists.items()}}


def closure(wanted: Iterable[str]) -> set[str]:
    """Return the names of the installed distributions that these requirements bring."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(text) for text in wanted]
    while waiting:
        requirement = waiting.pop()
        key = (canonical(requirement.name), frozenset(requirement.extras))
        if key in seen or key[0] not in DISTRIBUTIONS:
            continue
        seen.add(key)
        for text in DISTRIBUTIONS[key[0]].requires or []:
            needed = Requirement(text)
            extras = [*requirement.extras, ""]
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return {name for name, _ in seen}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


DISTRIBUTIONS = {canonical(found.metadata["Name"]): found for found in importlib.metadata.distributions()}


def modules(names: Iterable[str]) -> set[str]:
    """Return the modules and packages that distributions put into an environment."""
    tops = (Path(str(file)).parts[0] for name in names for file in DISTRIBUTIONS[name].files or [])
    return {top.partition(".")[0] for top in tops} - {"", "__pycache__"}


class OnlyKept(PathFinder):
    """The finder of sys.path, blind to what is not to be there."""

    refused: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        return None if fullname.partition(".")[0] in cls.refused else super().find_spec(fullname, path, target)

    @classmethod
    def find_distributions(cls, *arguments, **more):
        found = super().find_distributions(*arguments, **more)
        return (each for each in found if canonical(each.metadata["Name"]) in cls.kept)


def main(extra: str, command: list[str]) -> None:
    kept = closure(requirements()[extra])
    OnlyKept.kept = frozenset(kept)
    OnlyKept.refused = frozenset(modules(DISTRIBUTIONS.keys() - kept) - modules(kept) - OWN)
    sys.meta_path[sys.meta_path.index(PathFinder)] = OnlyKept
    sys.argv = command[1:] if command[0] == "-m" else command
    if command[0] == "-m":
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1].removeprefix("core"), sys.argv[2:])
