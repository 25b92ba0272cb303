"""Java, Kotlin and Scala, which see each other: packages as declared and the names declared in them.

| rule | means |
| --- | --- |
| jvm_name | the file that declares the name; behind a class may stand nested classes and members |
| jvm_package | `import a.b.*`: of the package's files those that declare a name which is used here |
| same_package | a name of the file's own package, used without an import |
| full_name | a type that is named with its package where it is used (Java) |

Of several files that declare a name the nearest is meant: modules of a build may repeat a package.
"""

import posixpath
from collections.abc import Iterator
from functools import cached_property

from datasets_builders.repositories.imports import FileImports
from datasets_builders.repositories.resolution.rules import (
    AMBIGUOUS,
    EXTERNAL,
    MAX_PACKAGE_FILES,
    MISSING,
    UNUSED,
    Resolution,
    Rules,
    files_by_name,
    in_package,
    nearest,
)
from datasets_builders.repositories.statements import Import


class JvmRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _files_of(self) -> dict[str, list[str]]:
        """Files by the full names that they declare."""
        return files_by_name(self.imports, _names)

    @cached_property
    def _packages(self) -> frozenset[str]:
        return frozenset(file.package for file in self.imports.values())

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        resolved = self._absolute(path, found, found.target)
        if resolved.rule == "external" and path.endswith((".scala", ".sc")):
            # Scala's imports may start at any package around the file.
            parts = self.imports[path].package.split(".")
            for length in range(len(parts), 0, -1):
                inner = self._absolute(path, found, ".".join([*parts[:length], found.target]))
                if inner.paths:
                    return inner
        return resolved

    def _absolute(self, path: str, found: Import, target: str) -> Resolution:
        if found.form == "wildcard" and target in self._packages:
            names = (name for name, _ in self.imports[path].used)
            return self._of_names(path, (in_package(target, name) for name in names), "jvm_package") or UNUSED
        parts = target.split(".")
        for length in range(len(parts), 0, -1):
            if candidates := self._files_of.get(".".join(parts[:length])):
                file = nearest(path, candidates)
                return Resolution((file,), "jvm_name") if file else AMBIGUOUS
        own = (name for name in self._packages if name)
        return MISSING if any(target == package or target.startswith(f"{package}.") for package in own) else EXTERNAL

    def _of_names(self, path: str, names: Iterator[str], rule: str) -> Resolution | None:
        files = {file for name in names if (file := nearest(path, self._files_of.get(name, ())))}
        return Resolution(tuple(sorted(files - {path}))[:MAX_PACKAGE_FILES], rule) if files - {path} else None

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give the names that a file uses without an import: of its own package, or with their package."""
        file = self.imports[path]
        imported = {name for found in file.imports for name in found.names}
        for name, line in file.used:
            if name not in imported:
                rule = "full_name" if "." in name else "same_package"
                names = _beginnings(name) if "." in name else [in_package(file.package, name)]
                if resolved := self._of_names(path, iter(names), rule):
                    yield Import(line, name, "used"), resolved


def _beginnings(name: str) -> list[str]:
    """Return a dotted name and those that it starts with: of a.B.C the class may be a.B."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 1, -1)]


def _names(path: str, file: FileImports) -> set[str]:
    """Return the full names that a file declares: Java's own class, and a Kotlin file's functions as Java sees them."""
    stem, extension = posixpath.splitext(posixpath.basename(path))
    by_file = {".java": {stem}, ".kt": {f"{stem}Kt"}}.get(extension, set())
    return {in_package(file.package, name) for name in by_file.union(file.declared)}
