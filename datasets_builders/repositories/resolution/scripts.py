"""Lua, Dart and Shell, whose imports are paths.

| rule | means |
| --- | --- |
| lua_root | dots are folders; below the root, `lua`, `src`, `lib`, and folders that names with dots show to be roots |
| lua_folder | a name without dots beside the file |
| lua_file | `dofile` and `loadfile` of a path |
| dart_relative | a path from the file's folder |
| dart_package | `package:name/x`: `lib/x` of the package whose pubspec.yaml has the name |
| dart_inferred | where no pubspec.yaml is here: below the one `lib` that has most of what is imported of the name |
| shell_folder | the file's folder, the root |
| shell_suffix | behind a variable, which is a folder: the nearest file that ends so |
"""

import posixpath
import re
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import (
    DYNAMIC,
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    chosen,
    is_visible,
    nearest,
)
from datasets_builders.repositories.statements import Import

LUA_ROOTS = frozenset(("lua", "src", "lib"))
_SHELL_VARIABLE = re.compile(r".*(\$\{[^}]*\}|\$\([^)]*\)|\$\w+|`[^`]*`)")
_PUBSPEC_NAME = re.compile(r"^name:\s*['\"]?(\w+)", re.MULTILINE)


class LuaRules(Rules):
    """The rules of Lua."""

    @cached_property
    def _roots(self) -> frozenset[str]:
        """Folders below which modules lie, by their own name or by what names with dots lead to."""
        named = {folder for folder in self.files.folders if posixpath.basename(folder) in LUA_ROOTS}
        shown = set()
        for file in self.imports.values():
            for found in file.imports:
                if found.form == "require" and "." in found.target:
                    for tail in _lua_files(found.target):
                        shown |= {path[: -len(tail)].rstrip("/") for path in self.files.ending_in(tail)}
        return frozenset(["", *named, *shown])

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        if found.form != "require":
            return self.first([within(posixpath.dirname(path), found.target), found.target], "lua_file") or MISSING
        tails = _lua_files(found.target.replace("/", "."))
        below = {
            file
            for tail in tails
            for file in self.files.ending_in(tail)
            if file[: -len(tail)].rstrip("/") in self._roots and is_visible(path, file[: -len(tail)].rstrip("/"))
        }
        if resolved := chosen(path, below - {path}, "lua_root"):
            return resolved
        return self.first((within(posixpath.dirname(path), tail) for tail in tails), "lua_folder") or EXTERNAL


def _lua_files(name: str) -> tuple[str, str]:
    base = name.replace(".", "/").strip("/")
    return f"{base}.lua", f"{base}/init.lua"


class DartRules(Rules):
    """The rules of Dart."""

    @cached_property
    def _packages(self) -> dict[str, list[str]]:
        """Folders of each package, by its name in pubspec.yaml."""
        found: dict[str, list[str]] = {}
        for path in self.files.ending_in("pubspec.yaml"):
            if match := _PUBSPEC_NAME.search(self.files.contents[path]):
                found.setdefault(match[1], []).append(posixpath.dirname(path))
        return found

    @cached_property
    def _inferred(self) -> dict[str, list[str]]:
        """Folders of packages as their imports show them; each `lib` has one name, the one with most files there."""
        targets: dict[str, set[str]] = {}
        for file in self.imports.values():
            for found in file.imports:
                if found.target.startswith("package:"):
                    name, _, inner = found.target.removeprefix("package:").partition("/")
                    targets.setdefault(name, set()).add(inner)
        libraries = [folder for folder in self._libraries if not any(map(folder.startswith, self._known))]
        found_names: dict[str, list[str]] = {}
        for library in libraries:
            votes = {
                name: sum(posixpath.join(library, inner) in self.files.contents for inner in inners)
                for name, inners in targets.items()
                if name not in self._packages
            }
            name = max(sorted(votes), key=votes.__getitem__, default="")
            if name and 2 * votes[name] >= len(targets[name]):
                found_names.setdefault(name, []).append(posixpath.dirname(library))
        return found_names

    @cached_property
    def _known(self) -> list[str]:
        return [posixpath.join(folder, "lib") for folders in self._packages.values() for folder in folders]

    @cached_property
    def _libraries(self) -> list[str]:
        folders = {
            path[: path.index("lib/") + 3] for path in self.imports if path.startswith("lib/") or "/lib/" in path
        }
        return sorted(folder for folder in folders if posixpath.basename(folder) == "lib")

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import, export or part of a file means."""
        scheme, colon, rest = found.target.partition(":")
        if not colon:
            resolved = self.first([within(posixpath.dirname(path), found.target)], "dart_relative")
            return resolved or (EXTERNAL if found.target.endswith((".g.dart", ".freezed.dart")) else MISSING)
        name, _, inner = rest.partition("/")
        if scheme != "package":
            return EXTERNAL
        for packages, rule in ((self._packages, "dart_package"), (self._inferred, "dart_inferred")):
            if name in packages:
                near = nearest(path, (f"{folder}/".lstrip("/") for folder in packages[name]))
                places = (within(posixpath.join(folder, "lib"), inner) for folder in near)
                return self.first(places, rule) or MISSING
        return EXTERNAL


class ShellRules(Rules):
    """The rules of Shell."""

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means; what comes behind the last variable is looked for."""
        behind = _SHELL_VARIABLE.sub("", found.target)
        is_literal = behind == found.target
        target = behind.strip("\"')}") if is_literal else behind.strip("\"')}/")
        if not target or "*" in target:
            return DYNAMIC
        if is_literal and target.startswith(("/", "~")):
            return self.first([target.lstrip("/")], "shell_folder") or EXTERNAL
        folders = (posixpath.dirname(path), "")
        if resolved := self.first((within(folder, target) for folder in folders), "shell_folder"):
            return resolved
        if is_literal:
            return EXTERNAL
        tail = posixpath.normpath(target)
        while tail.startswith("../"):
            tail = tail[3:]
        files = [file for file in self.files.ending_in(tail) if file != path]
        return chosen(path, files, "shell_suffix") or EXTERNAL
