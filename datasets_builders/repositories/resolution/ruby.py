"""Ruby: paths below the load path, and where Zeitwerk loads them (Rails, gems) constants by the files' names.

| rule | means |
| --- | --- |
| ruby_relative | `require_relative`, and `load`, `require` and `autoload` of a path from the file's folder |
| ruby_root | below the nearest `lib` (or `ruby`) and the root; for tests also below the `spec` or `test` around them |
| ruby_zeitwerk | a constant that is used: the file that it is called after |
"""

import posixpath
from collections.abc import Iterable, Iterator
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import (
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    ancestors,
    chosen,
    nearest,
)
from datasets_builders.repositories.statements import Import

LOAD_FOLDERS = frozenset(("lib", "ruby"))
TEST_FOLDERS = frozenset(("spec", "test", "tests", "features"))
MAX_CONSTANT_FILES = 50


class RubyRules(Rules):
    """The rules of the table above."""

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        target = found.target if found.target.endswith(".rb") else f"{found.target}.rb"
        folder = posixpath.dirname(path)
        if found.form in ("require_relative", "folder") or target.startswith("."):
            return self.first([within(folder, target)], "ruby_relative") or MISSING
        if target.startswith("/"):
            return EXTERNAL
        tests = [around for around in ancestors(folder) if posixpath.basename(around) in TEST_FOLDERS]
        if resolved := self.first((within(around, target) for around in tests), "ruby_root"):
            return resolved
        below = [file for file in self.files.ending_in(target) if self._is_loaded(file[: -len(target)].rstrip("/"))]
        return chosen(path, [file for file in below if file != path], "ruby_root") or EXTERNAL

    def _is_loaded(self, folder: str) -> bool:
        return not folder or posixpath.basename(folder) in LOAD_FOLDERS or folder in self._gems

    @cached_property
    def _gems(self) -> frozenset[str]:
        """Versioned folders such as `ruby/vendor_ruby`, as packages of systems have them."""
        return frozenset(folder for folder in self.files.folders if posixpath.basename(folder) == "vendor_ruby")

    @cached_property
    def _has_zeitwerk(self) -> bool:
        targets = {found.target for file in self.imports.values() for found in file.imports}
        return "zeitwerk" in targets or any(path.endswith("config/application.rb") for path in self.imports)

    @cached_property
    def _by_constant(self) -> dict[str, list[str]]:
        """Files by the constants that they are called after, in small letters: an inflector may know acronyms."""
        found: dict[str, list[str]] = {}
        for path in self.imports:
            for inner in _below_autoload_roots(path):
                key = inner.removesuffix(".rb").replace("_", "").lower()
                found.setdefault(key, []).append(path)
        return found

    def implicit(self, path: str) -> Iterator[tuple[Import, Resolution]]:
        """Give the constants that a file uses, where Zeitwerk loads their files."""
        if not self._has_zeitwerk:
            return
        for name, line in self.imports[path].used:
            space, _, constant = name.rpartition(">")
            files = self._meant(path, space.split("::") if space else [], constant)
            if files and files != [path]:
                yield Import(line, constant, "used"), Resolution(tuple(files), "ruby_zeitwerk")

    def _meant(self, path: str, space: list[str], constant: str) -> list[str]:
        """Return the file of a constant, looked for in the modules around its use, the innermost first."""
        parts = constant.lstrip(":").split("::")
        for depth in range(0 if constant.startswith("::") else len(space), -1, -1):
            for length in range(len(parts), 0, -1):
                key = "/".join([*space[:depth], *parts[:length]]).lower()
                if candidates := self._by_constant.get(key):
                    return nearest(path, candidates)[:1]
        return []


def _below_autoload_roots(path: str) -> Iterable[str]:
    """Give a path below each folder from which constants are called: `lib`, those in `app`, and `concerns` in them."""
    parts = path.split("/")
    for at, name in enumerate(parts[:-1]):
        if name == "lib" or (at and parts[at - 1] == "app"):
            start = at + 1
            yield "/".join(parts[start:])
            if parts[start:] and parts[start] == "concerns":
                yield "/".join(parts[start + 1 :])
