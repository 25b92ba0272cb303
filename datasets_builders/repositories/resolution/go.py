"""Go: an import means a package, which is the files of a folder without the tests; those that declare what is used.

| rule | means |
| --- | --- |
| go_module | below the folder of the go.mod whose module, or whose `replace`, the path starts with |
| go_inferred | where there is no go.mod: below the module that the repository's name or most imports tell |
| go_relative | `./x` |
| go_suffix | the nearest folder whose path ends so, as below `vendor` or GOPATH |
| same_package | a name that another file of the folder declares |
"""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import (
    AMBIGUOUS,
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    nearest,
)
from datasets_builders.repositories.statements import Import

_MODULE = re.compile(r"^module\s+(?:\(\s*)?([^\s()]+)", re.MULTILINE)
_REPLACED = re.compile(r"^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+(\.\S*)", re.MULTILINE)
# Of these hosts a repository is the host, an owner and a name.
HOSTS = frozenset(("github.com", "gitlab.com", "bitbucket.org", "gitee.com", "codeberg.org", "golang.org"))
MIN_FOLDERS = 2  # names of folders in the imports of one module that are here


class GoRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _modules(self) -> list[tuple[str, str, str]]:
        """Module, its folder and the rule, longest module first: those of go.mod, else those inferred."""
        found: dict[str, tuple[str, str]] = {}
        for path in self.files.ending_in("go.mod"):
            text, folder = self.files.contents[path], posixpath.dirname(path)
            if match := _MODULE.search(text):
                found.setdefault(match[1].strip('"`'), (folder, "go_module"))
            for module, place in _REPLACED.findall(text):
                inner = within(folder, place)
                if inner is not None:
                    found.setdefault(module.strip('"`'), (inner, "go_module"))
        found = found or dict.fromkeys(self._inferred(), ("", "go_inferred"))
        return sorted(((module, *rest) for module, rest in found.items()), key=lambda module: (-len(module[0]), module))

    def _inferred(self) -> list[str]:
        """Return the modules that this repository may be, from its name and from imports of folders that are here."""
        targets = {found.target for file in self.imports.values() for found in file.imports if _has_host(found.target)}
        votes: Counter[str] = Counter()
        for target in targets:
            parts = target.split("/")
            for start in range(2, len(parts)):
                if "/".join(parts[start:]) in self._folders:
                    votes["/".join(parts[:start])] += len(parts) - start
        name = self.files.name.strip("/")
        # A whole owner/name tells the module; without an owner it has to be voted for as any other.
        named = [module for module in {*targets, *votes} if f"/{module}".endswith(f"/{name}") and "/" in name]
        if named:
            return named
        likely = [
            (count, module)
            for module, count in votes.items()
            if _is_repository(module)
            and 2 * sum(target.startswith(f"{module}/") for target in targets) <= 3 * count
            and (count >= MIN_FOLDERS or posixpath.basename(module) == name)
        ]
        return [max(likely)[1]] if likely else []

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(posixpath.dirname(path) for path in self.imports)

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        if found.target.startswith("."):
            folder = within(posixpath.dirname(path), found.target)
            return self._package(path, found, folder, "go_relative") or MISSING
        if not self._modules and not _has_host(found.target):
            return EXTERNAL
        for module, folder, rule in self._modules:
            if found.target == module or found.target.startswith(f"{module}/"):
                inner = within(folder, found.target[len(module) :].lstrip("/"))
                return self._package(path, found, inner, rule) or self._elsewhere(path, found) or MISSING
        if not _has_host(found.target):
            return EXTERNAL  # the standard library: only hosts have dots
        return self._elsewhere(path, found) or EXTERNAL

    def _elsewhere(self, path: str, found: Import) -> Resolution | None:
        """Return the package in a folder whose path ends as the import does: `vendor`, GOPATH."""
        folders = [folder for folder in self.files.folders_ending_in(found.target) if folder in self._folders]
        near = nearest(path, (f"{folder}/" for folder in folders))
        if len(near) > 1:
            return AMBIGUOUS
        return self._package(path, found, near[0].rstrip("/"), "go_suffix") if near else None

    def _package(self, path: str, found: Import, folder: str | None, rule: str) -> Resolution | None:
        """Return the files of a package that declare what a file uses of it; all where that is not to be told."""
        paths = self.files.folders.get(folder, ()) if folder is not None else ()
        files = [file for file in paths if file.endswith(".go") and not file.endswith("_test.go")]
        own = self.imports.get(path)
        if len(files) > 1 and own is not None and found.names not in (("_",), (".",)):
            packages = {self.imports[file].package for file in files if file in self.imports}
            called = set(found.names) or packages
            used = {name.partition(".")[2] for name, _ in own.used if name.partition(".")[0] in called}
            declaring = [
                file for file in files if file in self.imports and used.intersection(self.imports[file].declared)
            ]
            files = declaring or files
        return Resolution(tuple(files), rule) if files else None

    @cached_property
    def _declaring(self) -> dict[tuple[str, str, str], list[str]]:
        """Files by folder, package and name."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for path, file in sorted(self.imports.items()):
            for name in file.declared:
                found.setdefault((posixpath.dirname(path), file.package, name), []).append(path)
        return found

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give the names that other files of the package declare; what builds for one system each is in several."""
        package = self.imports[path].package
        for name, line in self.imports[path].used:
            files = [file for file in self._declaring.get((posixpath.dirname(path), package, name), ()) if file != path]
            if not path.endswith("_test.go"):
                files = [file for file in files if not file.endswith("_test.go")]
            if files:
                yield Import(line, name, "used"), Resolution(tuple(files), "same_package")


def _has_host(target: str) -> bool:
    return "." in target.partition("/")[0]


def _is_repository(module: str) -> bool:
    """Return whether a path may be a module's: with an owner and a name where its host has those."""
    parts = module.split("/")
    return len(parts) >= (3 if parts[0] in HOSTS else 2)
