r"""PHP: classes by their full names, files by path.

| rule | means |
| --- | --- |
| php_class | the file that declares the class or function, by namespace |
| php_psr4 | the path that composer.json's `autoload` gives a class |
| php_file | `require` of a path: below the file's folder (`__DIR__`), the root, else the one file that ends so |
| php_case | a class or path as before but for capital letters, where one file alone fits |
| same_namespace | a class of the file's own namespace, or one named in full, used without an import |
"""

import posixpath
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from datasets_builders.repositories.files import within
from datasets_builders.repositories.json_comments import parse_json
from datasets_builders.repositories.resolution.rules import (
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    chosen,
    files_by_name,
    in_package,
    nearest,
    with_slashes,
)
from datasets_builders.repositories.statements import Import

NAMESPACE = "\\"  # between the parts of a name
BUILT_IN = frozenset(("self", "static", "parent"))


class PhpRules(Rules):
    """The rules of the table above."""

    @cached_property
    def _files_of(self) -> dict[str, list[str]]:
        return files_by_name(
            self.imports,
            lambda path, file: [
                name[1:] if name.startswith(NAMESPACE) else in_package(file.package, name, NAMESPACE)
                for name in file.declared
            ],
        )

    @cached_property
    def _files_without_case(self) -> dict[str, list[str]]:
        """Files by names in small letters: PHP compares those of classes so."""
        found: dict[str, set[str]] = {}
        for name, paths in self._files_of.items():
            found.setdefault(name.lower(), set()).update(paths)
        return {name: sorted(paths) for name, paths in found.items()}

    @cached_property
    def _prefixes(self) -> list[tuple[str, str]]:
        """Prefixes of namespaces with their folders, longest first, from `autoload` of every composer.json."""
        found = []
        for path in self.files.ending_in("composer.json"):
            manifest = parse_json(self.files.contents[path])
            for key in ("autoload", "autoload-dev"):
                tables = manifest.get(key) if isinstance(manifest, dict) else None
                for kind in ("psr-4", "psr-0"):
                    table: Any = tables.get(kind) if isinstance(tables, dict) else None
                    for prefix, folders in table.items() if isinstance(table, dict) else ():
                        for folder in folders if isinstance(folders, list) else [folders]:
                            base = within(posixpath.dirname(path), folder) if isinstance(folder, str) else None
                            if base is not None:
                                # psr-0 keeps the prefix in the path.
                                inner = prefix.replace("\\", "/").strip("/") if kind == "psr-0" else ""
                                if prefix.strip(NAMESPACE):
                                    whole = f"{prefix.strip(NAMESPACE)}{NAMESPACE}"
                                    found.append((whole, posixpath.join(base, inner).rstrip("/")))
        return sorted(found, key=lambda prefix: (-len(prefix[0]), prefix))

    @cached_property
    def _namespaces(self) -> frozenset[str]:
        return frozenset(file.package for file in self.imports.values() if file.package)

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what a statement of a file means."""
        if found.form == "use":
            return self._class(path, found.target)
        target = with_slashes(found.target)
        here = within(posixpath.dirname(path), target)
        # Behind a constant or variable with a folder `/../` leads out of it; where to is not known.
        tail = posixpath.normpath(target.lstrip("/"))
        while found.form == "tail" and tail.startswith("../"):
            tail = tail[3:]
        if found.form == "folder" or tail.startswith(".."):
            resolved = self.first([here], "php_file")
            return resolved or self.in_any_case(path, here, None, "php_case") or MISSING
        if found.form == "include" and (resolved := self.first([here, tail], "php_file")):
            return resolved
        return self.nearest(path, [tail], "php_file") or self.in_any_case(path, here, tail, "php_case") or MISSING

    def _class(self, path: str, name: str) -> Resolution:
        if resolved := chosen(path, self._files_of.get(name, ()), "php_class"):
            return resolved
        if len(similar := self._files_without_case.get(name.lower(), [])) == 1:
            return Resolution((similar[0],), "php_case")
        matching = [(prefix, folder) for prefix, folder in self._prefixes if name.startswith(prefix)]
        if matching:
            bases = (
                posixpath.join(folder, name[len(prefix) :].replace(NAMESPACE, "/").lstrip("/"))
                for prefix, folder in matching
            )
            files = [f"{base}.php" for base in bases if f"{base}.php" in self.files.contents]
            if resolved := chosen(path, files, "php_psr4"):
                return resolved
        if name in self._namespaces or any(namespace.startswith(f"{name}\\") for namespace in self._namespaces):
            return EXTERNAL  # `use A\B` for B\C: the classes that are used name their files
        return MISSING if name.rpartition("\\")[0] in self._namespaces else EXTERNAL

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give the classes that a file uses by a name that it did not import."""
        file = self.imports[path]
        aliases = {name: use.target for use in file.imports if use.form == "use" for name in use.names}
        for name, line in file.used:
            head, _, rest = name.partition("\\")
            if name.startswith("\\"):
                full = name[1:]
            elif head in aliases:
                if not rest:
                    continue  # imported by its own statement
                full = f"{aliases[head]}\\{rest}"
            elif name.lower() in BUILT_IN:
                continue
            else:
                full = in_package(file.package, name, NAMESPACE)
            declaring = nearest(path, self._files_of.get(full, ()))
            if len(declaring) == 1 and declaring[0] != path:
                yield Import(line, name, "used"), Resolution((declaring[0],), "same_namespace")
