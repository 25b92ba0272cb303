"""Python: relative imports from the file's folder, others below source roots.

| rule | means |
| --- | --- |
| python_relative | from the file's folder, a folder up for each dot behind the first |
| python_root | below the top of the file's own package, the root, `src`, `lib`, folders with pyproject.toml |
| python_suffix | the one file whose path ends so |
"""

import posixpath
import sys
from functools import cached_property

from datasets_builders.repositories.resolution.rules import EXTERNAL, MISSING, Resolution, Rules
from datasets_builders.repositories.statements import Import

PROJECT_FILES = frozenset(("setup.py", "pyproject.toml", "setup.cfg"))


class PythonRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _roots(self) -> list[str]:
        folders = self.files.folders.items()
        projects = [folder for folder, paths in folders if PROJECT_FILES & set(map(posixpath.basename, paths))]
        tops = ["", *projects]
        return list(dict.fromkeys([*tops, *(posixpath.join(top, inner) for top in tops for inner in ("src", "lib"))]))

    @cached_property
    def _names(self) -> frozenset[str]:
        """Names of modules and packages that there are."""
        names = set()
        for path in self.imports:
            folder, stem = posixpath.dirname(path), posixpath.splitext(posixpath.basename(path))[0]
            names |= {posixpath.basename(folder), stem} - {"__init__", ""}
        return frozenset(names)

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        if found.target.startswith("."):
            return self._relative(path, found)
        for root in dict.fromkeys([self._package_root(path), *self._roots]):
            if resolved := self._below(root, found.target, found.names, "python_root"):
                return resolved
        top = found.target.partition(".")[0]
        if top in sys.stdlib_module_names or top not in self._names:
            return EXTERNAL
        tail = found.target.replace(".", "/")
        return self.unique((f"{tail}.py", f"{tail}/__init__.py"), "python_suffix") or MISSING

    def _relative(self, path: str, found: Import) -> Resolution:
        rest = found.target.lstrip(".")
        folder = posixpath.dirname(path)
        for _ in range(len(found.target) - len(rest) - 1):
            if not folder:
                return MISSING
            folder = posixpath.dirname(folder)
        return self._below(folder, rest, found.names, "python_relative") or MISSING

    def _package_root(self, path: str) -> str:
        """Return the folder above the outermost package that a file is in."""
        folder = posixpath.dirname(path)
        while folder and f"{folder}/__init__.py" in self.files.contents:
            folder = posixpath.dirname(folder)
        return folder

    def _below(self, root: str, dotted: str, names: tuple[str, ...], rule: str) -> Resolution | None:
        base = posixpath.join(root, *dotted.split(".")) if dotted else root
        found = [module for name in names if (module := self._module(posixpath.join(base, name)))]
        # A name that is no module of its own is something in the package.
        if len(found) < max(len(names), 1) and (module := self._module(base)):
            found.append(module)
        return Resolution(tuple(dict.fromkeys(found)), rule) if found else None

    def _module(self, base: str) -> str | None:
        package = f"{base}/__init__" if base else "__init__"
        candidates = (f"{base}.py", f"{package}.py", f"{base}.pyi", f"{package}.pyi")
        return next((candidate for candidate in candidates if candidate in self.files.contents), None)
