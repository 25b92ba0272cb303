"""Java, Kotlin and Scala, which see each other: packages as declared and the names declared in them.

| rule | means |
| --- | --- |
| jvm_name | the file that declares the name; behind a class may stand nested classes and members |
| jvm_package | `import a.b.*`: of the package's files those that declare a name which is used here |
| same_package | a name of the file's own package, used without an import |
| full_name | a type that is named with its package where it is used (Java) |

Of several files that declare a name the nearest is meant: modules of a build may repeat a package. Functions of Kotlin
and Scala that lie as near as each other are all meant: overloads. From a package nothing of the unnamed one is seen.
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

# Classes that Android's build makes.
GENERATED = frozenset(("R", "BR", "BuildConfig"))


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
        if not resolved.paths and path.endswith((".scala", ".sc")):
            for beginning in self._beginnings_seen(path, found):
                target = f"{beginning}.{found.target}"
                inner = self._absolute(path, found, target, beginning.count(".") + 1)
                if inner.paths:
                    return inner
        return resolved

    def _beginnings_seen(self, path: str, found: Import) -> Iterator[str]:
        """Give what may stand before an import of Scala: packages around the file, and what other imports bring."""
        file = self.imports[path]
        parts = file.package.split(".")
        yield from (".".join(parts[:length]) for length in range(len(parts), 0, -1) if file.package)
        first = found.target.partition(".")[0]
        for other in file.imports:
            if other.form == "wildcard" and other.target in self._packages:
                yield other.target
            elif first in other.names and "." in other.target and other is not found:
                yield other.target.rpartition(".")[0]

    def _absolute(self, path: str, found: Import, target: str, num_given: int = 0) -> Resolution:
        """Return what a whole name means, of which the first parts are a package that is given."""
        if found.form == "wildcard" and target in self._packages:
            names = (name for name, _ in self.imports[path].used)
            return self._of_names(path, (in_package(target, name) for name in names), "jvm_package") or UNUSED
        parts = target.split(".")
        is_unnamed = not self.imports[path].package
        for length in range(len(parts), max(num_given, 0 if is_unnamed else 1), -1):
            if candidates := self._files_of.get(".".join(parts[:length])):
                files = self._meant(path, candidates, parts[length - 1])
                return Resolution(tuple(files), "jvm_name") if files else AMBIGUOUS
        is_ours = _package_of(parts) in self._packages and parts[-1] not in GENERATED
        return MISSING if is_ours else EXTERNAL

    def _meant(self, path: str, candidates: list[str], name: str) -> list[str]:
        """Return the files of a name: the nearest, in several source sets the common one, of functions all as near."""
        near = nearest(path, candidates)
        if len(near) > 1:
            near = [file for file in near if "/commonMain/" in file] or near
        return near if len(near) == 1 or not name[:1].isupper() else []

    def _of_names(self, path: str, names: Iterator[str], rule: str) -> Resolution | None:
        files = {
            file
            for name in names
            for file in self._meant(path, self._files_of.get(name, []), name.rpartition(".")[2])
            if file != path
        }
        return Resolution(tuple(sorted(files))[:MAX_PACKAGE_FILES], rule) if files else None

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give the names that a file uses without an import: of its own package, or with their package."""
        file = self.imports[path]
        imported = {name for found in file.imports for name in found.names}
        for name, line in file.used:
            # In no package a small letter is more likely a variable of the file's own.
            if name not in imported and (file.package or not name[:1].islower()):
                rule = "full_name" if "." in name else "same_package"
                names = _beginnings(name) if "." in name else [in_package(file.package, name)]
                if resolved := self._of_names(path, iter(names), rule):
                    yield Import(line, name, "used"), resolved


def _package_of(parts: list[str]) -> str:
    """Return the package of a name: what stands before its first part with a capital letter, else its last part."""
    at = next((at for at, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    return ".".join(parts[:at])


def _beginnings(name: str) -> list[str]:
    """Return a dotted name and those that it starts with: of a.B.C the class may be a.B."""
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 1, -1)]


def _names(path: str, file: FileImports) -> set[str]:
    """Return the full names that a file declares: Java's own class, and a Kotlin file's functions as Java sees them."""
    stem, extension = posixpath.splitext(posixpath.basename(path))
    by_file = {".java": {stem}, ".kt": {f"{stem}Kt"}}.get(extension, set())
    return {in_package(file.package, name) for name in by_file.union(file.declared)}
