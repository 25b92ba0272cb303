"""Python: relative imports from the file's folder, others below the folders that hold top-level packages.

| rule | means |
| --- | --- |
| python_relative | from the file's folder, a folder up for each dot behind the first |
| python_root | below the top of the file's own package, the root, `src`, `lib`, folders with pyproject.toml |
| python_package | below the nearest folder that holds a package of the name, one that is in no other package |

A file called as the package that it imports is not that package.
"""

import posixpath
import sys
from collections.abc import Iterator
from functools import cached_property

from datasets_builders.repositories.resolution.rules import (
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    is_visible,
    nearest,
)
from datasets_builders.repositories.statements import Import

PROJECT_FILES = frozenset(("setup.py", "pyproject.toml", "setup.cfg"))
MIN_STANDARD_MODULES = 20
# Compiled modules are found, and are no nodes.
SUFFIXES = (".py", ".pyi", ".pyx")


class PythonRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _roots(self) -> frozenset[str]:
        folders = self.files.folders.items()
        projects = [folder for folder, paths in folders if PROJECT_FILES & set(map(posixpath.basename, paths))]
        tops = ["", *projects]
        inner = [posixpath.join(top, name) for top in tops for name in ("src", "lib")]
        return frozenset([*tops, *inner, *self._standard_libraries])

    @cached_property
    def _standard_libraries(self) -> list[str]:
        """Folders that hold so many modules called as the standard library's that they are one."""
        standard = sys.stdlib_module_names
        return [folder for folder, names in self._members.items() if len(names & standard) >= MIN_STANDARD_MODULES]

    @cached_property
    def _modules(self) -> list[str]:
        return [path for path in self.files.contents if path.endswith(SUFFIXES)]

    @cached_property
    def _members(self) -> dict[str, set[str]]:
        """Names of the modules and of the folders with modules below them, by the folder that holds them."""
        found: dict[str, set[str]] = {}
        for path in self._modules:
            folder, stem = posixpath.dirname(path), posixpath.splitext(posixpath.basename(path))[0]
            found.setdefault(folder, set()).add(stem)
            while folder:
                above, name = posixpath.split(folder)
                members = found.setdefault(above, set())
                if name in members:
                    break
                members.add(name)
                folder = above
        return found

    @cached_property
    def _folders_of(self) -> dict[str, list[str]]:
        """Folders that hold a top-level module or package, by its name: roots, and folders above outermost packages."""
        found: dict[str, set[str]] = {}
        for root in self._roots:
            for name in self._members.get(root, ()):
                found.setdefault(name, set()).add(root)
        for path in self._modules:
            folder, name = posixpath.split(posixpath.dirname(path))
            is_package = name and posixpath.basename(path) == "__init__.py"
            if is_package and f"{folder}/__init__.py" not in self.files.contents:
                found.setdefault(name, set()).add(folder)
        return {name: sorted(folders) for name, folders in found.items()}

    @cached_property
    def _wrappers(self) -> frozenset[str]:
        """Files that import a package called as they are: `redis.py` with `import redis`."""
        return frozenset(
            path
            for path, file in self.imports.items()
            for found in file.imports
            if found.target.partition(".")[0] == posixpath.splitext(posixpath.basename(path))[0]
        )

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        if found.target.startswith("."):
            return self._relative(path, found)
        top, is_here = found.target.partition(".")[0], False
        for root, rule in self._places(path, top):
            if resolved := self._below(root, found.target, found.names, rule):
                return resolved
            is_here = True
        return MISSING if is_here else EXTERNAL

    def _places(self, path: str, top: str) -> Iterator[tuple[str, str]]:
        """Give the folders below which a top-level name may be meant, with the rule, the likeliest first."""
        own = self._package_root(path)
        is_standard = top in sys.stdlib_module_names
        if top in self._members.get(own, ()) and (own in self._roots or not is_standard):
            script = posixpath.join(own, f"{top}.py")
            if own in self._roots or script not in self._wrappers:
                yield own, "python_root"
        waiting = [folder for folder in self._folders_of.get(top, ()) if folder != own and is_visible(path, folder)]
        roots = [folder for folder in waiting if folder in self._roots]
        others = [] if is_standard else [folder for folder in waiting if folder not in self._roots]
        for folders, rule in ((roots, "python_root"), (others, "python_package")):
            while folders:
                near = nearest(path, (posixpath.join(folder, top) for folder in folders))
                if rule == "python_package" and len(near) > 1:
                    return
                yield posixpath.dirname(near[0]), rule
                folders = [folder for folder in folders if folder != posixpath.dirname(near[0])]

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
        stems = (f"{base}/__init__", base) if base else ("__init__",)
        candidates = (stem + suffix for suffix in SUFFIXES for stem in stems)
        return next((candidate for candidate in candidates if candidate in self.files.contents), None)
