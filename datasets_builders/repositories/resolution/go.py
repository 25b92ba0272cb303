"""Go: an import means a package, which is all files of a folder without the tests.

| rule | means |
| --- | --- |
| go_module | below the folder of the go.mod whose module the path starts with |
| go_relative | `./x` |
| go_suffix | the one folder whose path ends so |
| same_package | a name that another file of the folder declares |
"""

import posixpath
import re
from collections.abc import Iterator
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import AMBIGUOUS, EXTERNAL, MISSING, Resolution, Rules
from datasets_builders.repositories.statements import Import

_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)


class GoRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _modules(self) -> dict[str, str]:
        """Folder of each module, by its path in go.mod."""
        found: dict[str, str] = {}
        for path in self.files.ending_in("go.mod"):
            if match := _MODULE.search(self.files.contents[path]):
                found.setdefault(match[1].strip('"'), posixpath.dirname(path))
        return found

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        if found.target.startswith("."):
            folder = within(posixpath.dirname(path), found.target)
            return self._package(folder, "go_relative") or MISSING
        for module in sorted(self._modules, key=len, reverse=True):
            if found.target == module or found.target.startswith(f"{module}/"):
                folder = within(self._modules[module], found.target[len(module) :].lstrip("/"))
                return self._package(folder, "go_module") or MISSING
        if "." not in found.target.partition("/")[0]:
            return EXTERNAL  # the standard library: only hosts have dots
        folders = self.files.folders_ending_in(found.target)
        if len(folders) > 1:
            return AMBIGUOUS
        return (self._package(folders[0], "go_suffix") if folders else None) or EXTERNAL

    def _package(self, folder: str | None, rule: str) -> Resolution | None:
        paths = self.files.folders.get(folder, ()) if folder is not None else ()
        found = tuple(file for file in paths if file.endswith(".go") and not file.endswith("_test.go"))
        return Resolution(found, rule) if found else None

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
