"""Ruby, Lua, Dart and Shell, whose imports are paths.

| rule | means |
| --- | --- |
| ruby_relative | `require_relative`, and `load` and `require` of a path that starts with a dot |
| ruby_root, ruby_suffix | `require` below `lib` and the root; else the one file below a `lib` or `ruby` that ends so |
| lua_root, lua_suffix | dots are folders; below the root, `lua`, `src`, `lib`; else the one file that ends so |
| lua_file | `dofile` and `loadfile` of a path |
| dart_relative | a path from the file's folder |
| dart_package | `package:name/x`: `lib/x` of the package whose pubspec.yaml has the name |
| shell_folder, shell_suffix | the file's folder, the root; else the one file that ends so; a variable is a folder |
"""

import posixpath
import re
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import (
    AMBIGUOUS,
    DYNAMIC,
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
)
from datasets_builders.repositories.statements import Import

LUA_ROOTS = ("", "lua", "src", "lib")
_SHELL_VARIABLE = re.compile(r".*(\$\{[^}]*\}|\$\([^)]*\)|\$\w+|`[^`]*`)")
_PUBSPEC_NAME = re.compile(r"^name:\s*['\"]?(\w+)", re.MULTILINE)


class RubyRules(Rules):
    """The rules of Ruby."""

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        target = found.target if found.target.endswith(".rb") else f"{found.target}.rb"
        if found.form == "require_relative" or target.startswith("."):
            return self.first([within(posixpath.dirname(path), target)], "ruby_relative") or MISSING
        if resolved := self.first((within(root, target) for root in ("lib", "")), "ruby_root"):
            return resolved
        below = [file for file in self.files.ending_in(target) if f"lib/{target}" in file or f"ruby/{target}" in file]
        if len(below) > 1:
            return AMBIGUOUS
        return Resolution((below[0],), "ruby_suffix") if below else EXTERNAL


class LuaRules(Rules):
    """The rules of Lua."""

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        if found.form != "require":
            return self.first([within(posixpath.dirname(path), found.target), found.target], "lua_file") or MISSING
        base = found.target.replace(".", "/")
        tails = (f"{base}.lua", f"{base}/init.lua")
        if resolved := self.first((within(root, tail) for root in LUA_ROOTS for tail in tails), "lua_root"):
            return resolved
        return self.unique(tails, "lua_suffix") or EXTERNAL


class DartRules(Rules):
    """The rules of Dart."""

    @cached_property
    def _packages(self) -> dict[str, str]:
        """Folder of each package, by its name in pubspec.yaml."""
        found: dict[str, str] = {}
        for path in self.files.ending_in("pubspec.yaml"):
            if match := _PUBSPEC_NAME.search(self.files.contents[path]):
                found.setdefault(match[1], posixpath.dirname(path))
        return found

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import, export or part of a file means."""
        scheme, colon, rest = found.target.partition(":")
        if not colon:
            return self.first([within(posixpath.dirname(path), found.target)], "dart_relative") or MISSING
        name, _, inner = rest.partition("/")
        if scheme != "package" or name not in self._packages:
            return EXTERNAL
        return self.first([within(posixpath.join(self._packages[name], "lib"), inner)], "dart_package") or MISSING


class ShellRules(Rules):
    """The rules of Shell."""

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means; what comes behind the last variable is looked for."""
        target = _SHELL_VARIABLE.sub("", found.target).strip("\"')}/")
        if not target:
            return DYNAMIC
        folders = (posixpath.dirname(path), "")
        if resolved := self.first((within(folder, target) for folder in folders), "shell_folder"):
            return resolved
        return self.unique([posixpath.normpath(target).lstrip("./")], "shell_suffix") or EXTERNAL
