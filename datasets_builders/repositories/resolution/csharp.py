"""C#: `using` opens a namespace of many files; those are meant that declare a type which is used here.

| rule | means |
| --- | --- |
| csharp_using | `using A.B;`, also `global using` of any file: files of the namespace with a type that is used |
| csharp_type | `using static A.B.C;` and `using X = A.B.C;`: the file that declares the type |
| csharp_using | also: files of the namespace with an extension method that is called |
| same_namespace | a type of the file's own namespaces or those around them, used without an import |
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

from datasets_builders.repositories.resolution.rules import (
    EXTERNAL,
    MAX_PACKAGE_FILES,
    MISSING,
    UNUSED,
    Resolution,
    Rules,
    files_by_name,
    in_package,
)
from datasets_builders.repositories.statements import Import

# A project may add to these, and yet most of them is not its own.
PLATFORM = frozenset(("System", "Microsoft", "Windows"))


class CSharpRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _files_of(self) -> dict[str, list[str]]:
        """Files by the full names of the types that they declare; a partial type is in several."""
        return files_by_name(self.imports, lambda path, file: file.declared)

    @cached_property
    def _namespaces(self) -> frozenset[str]:
        return frozenset(space for name in self._files_of for space in _around(name.rpartition(".")[0]) if space)

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what a `using` of a file means."""
        if found.form in ("static", "alias") and (files := self._files_of.get(found.target)):
            return Resolution(tuple(files[:MAX_PACKAGE_FILES]), "csharp_type")
        is_platform = found.target.partition(".")[0] in PLATFORM
        if found.target in self._namespaces:
            files = self._declaring(path, [found.target])
            return Resolution(tuple(files), "csharp_using") if files else EXTERNAL if is_platform else UNUSED
        if is_platform:
            return EXTERNAL
        return MISSING if found.target.rpartition(".")[0] in self._namespaces else EXTERNAL

    def _declaring(self, path: str, namespaces: Iterable[str]) -> list[str]:
        used = [name for name, _ in self.imports[path].used]
        names = [in_package(space, name) for space in namespaces for name in used]
        files = {file for name in names for file in self._with_attribute(name)}
        return sorted(files - {path})[:MAX_PACKAGE_FILES]

    def _with_attribute(self, name: str) -> list[str]:
        """Return the files of a type; `[Test]` may mean TestAttribute."""
        return self._files_of.get(name) or self._files_of.get(f"{name}Attribute", [])

    @cached_property
    def _global_usings(self) -> list[str]:
        found = {using.target for file in self.imports.values() for using in file.imports if using.form == "global"}
        return sorted(found)

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give the types of the file's own namespaces that it uses, and those that `global using` opens."""
        file = self.imports[path]
        own = {space for name in file.declared for space in _around(name.rpartition(".")[0])} or {""}
        opened = {using.target for using in file.imports}
        for name, line in file.used:
            for rule, spaces in (("same_namespace", own), ("csharp_using", set(self._global_usings) - opened)):
                full_names = (in_package(space, name) for space in spaces)
                found = {declaring for full in full_names for declaring in self._with_attribute(full)}
                if files := sorted(found - {path})[:MAX_PACKAGE_FILES]:
                    yield Import(line, name, "used"), Resolution(tuple(files), rule)


def _around(namespace: str) -> Iterator[str]:
    """Give a namespace and those around it, the global one last."""
    while namespace:
        yield namespace
        namespace = namespace.rpartition(".")[0]
    yield ""
