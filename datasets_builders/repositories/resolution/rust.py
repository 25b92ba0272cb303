r"""Rust: modules are files beside or below the file that names them; paths start at the crate, the parent or a crate.

| rule | means |
| --- | --- |
| rust_mod | `mod a;`: a.rs or a/mod.rs in the folder of the module's children; `#[path]` as it says |
| rust_include | `include!` of a path |
| rust_path | `use`: the file of the longest beginning of the path that is a module |
| rust_reexport | as before, and the name that follows is one that the module takes from another with `pub use` |

`a>b` in a target is an inline module: `mod a { mod b; }`.
"""

import posixpath
import re
from functools import cached_property

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import EXTERNAL, MISSING, Resolution, Rules, ancestors
from datasets_builders.repositories.statements import Import

ROOT_NAMES = frozenset(("lib.rs", "main.rs", "mod.rs", "build.rs"))
# Below these folders of a package each file is the root of a crate of its own.
CRATE_FOLDERS = ("src/bin", "examples", "tests", "benches")
BUILT_IN = frozenset(("std", "core", "alloc", "proc_macro", "test"))
MAX_REEXPORTS = 5
_PACKAGE_NAME = re.compile(r'^\s*name\s*=\s*"([^"]+)"', re.MULTILINE)


class RustRules(Rules):
    """The rules of the table above."""

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what a statement of a file means."""
        if found.form in ("include", "include_str"):
            return self.first([within(posixpath.dirname(path), found.target)], "rust_include") or MISSING
        *inline, target = found.target.split(">")
        if found.form == "mod path":
            folder = posixpath.join(self._children(path), *inline) if inline else posixpath.dirname(path)
            return self.first([within(folder, target)], "rust_mod") or MISSING
        if found.form == "mod":
            base = posixpath.join(self._children(path), *inline, target)
            return self.first(_module_files(base), "rust_mod") or MISSING
        return self._use(path, tuple(inline), tuple(target.split("::")), found.form == "crate")

    @cached_property
    def _packages(self) -> dict[str, str]:
        """Folder of each package, by its name in Cargo.toml as code writes it."""
        found: dict[str, str] = {}
        for path in self.files.ending_in("Cargo.toml"):
            _, header, rest = self.files.contents[path].partition("[package]")
            if header and (match := _PACKAGE_NAME.search(rest.partition("\n[")[0])):
                found.setdefault(match[1].replace("-", "_"), posixpath.dirname(path))
        return found

    def _package_folder(self, path: str) -> str:
        """Return the nearest folder around a file with a Cargo.toml, else the one above `src`."""
        folders = [*ancestors(posixpath.dirname(path)), ""]
        for folder in folders:
            if posixpath.join(folder, "Cargo.toml") in self.files.contents:
                return folder
        above = (posixpath.dirname(folder) for folder in folders if posixpath.basename(folder) == "src")
        return next(above, "")

    def _in_package(self, path: str) -> str:
        """Return a path below the folder of its package."""
        return path[len(self._package_folder(path)) :].lstrip("/")

    def _children(self, path: str) -> str:
        """Return the folder in which the modules lie that a file names."""
        folder, name = posixpath.split(path)
        if name in ROOT_NAMES or posixpath.dirname(self._in_package(path)) in CRATE_FOLDERS:
            return folder
        return posixpath.join(folder, posixpath.splitext(name)[0])

    def _crate_root(self, path: str) -> str:
        """Return the folder of the modules of the crate that a file belongs to."""
        package, inner = self._package_folder(path), self._in_package(path)
        for folder in CRATE_FOLDERS:
            if inner.startswith(f"{folder}/"):
                rest = inner[len(folder) + 1 :]
                nested = rest.partition("/")[0] if "/" in rest else ""
                has_main = posixpath.join(package, folder, nested, "main.rs") in self.files.contents
                return posixpath.join(package, folder, nested) if nested and has_main else posixpath.dirname(path)
        return posixpath.join(package, "src") if inner.startswith("src/") else package

    def _use(
        self, path: str, inline: tuple[str, ...], parts: tuple[str, ...], is_crate: bool = False, depth: int = 0
    ) -> Resolution:
        head, rest = parts[0], parts[1:]
        if head in ("crate", "$crate"):
            return self._below(self._crate_root(path), rest, depth)
        if head in ("self", "super"):
            folders = [self._children(path), *inline]
            while parts and parts[0] in ("self", "super"):
                if parts[0] == "super":
                    folders = folders[:-1] if len(folders) > 1 else [self._parent(folders[0], path)]
                parts = parts[1:]
            return self._below(posixpath.join(*folders), parts, depth)
        if head in self._packages:
            return self._below(posixpath.join(self._packages[head], "src"), rest, depth)
        if is_crate:
            return EXTERNAL
        # A module declared right here, as paths of the 2018 edition may start.
        beside = posixpath.join(self._children(path), *inline)
        if head not in BUILT_IN and self.first(_module_files(posixpath.join(beside, head)), ""):
            return self._below(beside, parts, depth)
        return EXTERNAL

    def _parent(self, children: str, path: str) -> str:
        """Return the folder of the modules around the module whose children lie in a folder."""
        return posixpath.dirname(children) if children != self._crate_root(path) else children

    def _below(self, folder: str, parts: tuple[str, ...], depth: int) -> Resolution:
        """Return the file of the longest beginning of `parts` that is a module below a folder."""
        for length in range(len(parts), 0, -1):
            base = posixpath.join(folder, *parts[:length])
            if resolved := self.first(_module_files(base), "rust_path"):
                return self._through(resolved, parts[length:], depth)
        root = self._file_of(folder)
        return self._through(Resolution((root,), "rust_path"), parts, depth) if root else MISSING

    def _file_of(self, folder: str) -> str | None:
        """Return the file whose modules lie in a folder: its lib.rs, main.rs or mod.rs, or the file called so."""
        names = [posixpath.join(folder, name) for name in ("lib.rs", "main.rs", "mod.rs")]
        return next((candidate for candidate in [*names, f"{folder}.rs"] if candidate in self.files.contents), None)

    def _through(self, resolved: Resolution, rest: tuple[str, ...], depth: int) -> Resolution:
        """Follow `pub use` of a module to the file that has the name."""
        if not rest or depth >= MAX_REEXPORTS:
            return resolved
        module = resolved.paths[0]
        for found in self.imports[module].imports if module in self.imports else ():
            if found.form == "pub use" and found.names == (rest[0],) and ">" not in found.target:
                inner = self._use(module, (), tuple(found.target.split("::")), depth=depth + 1)
                if inner.paths and inner.paths != resolved.paths:
                    return Resolution(inner.paths, "rust_reexport")
        return resolved


def _module_files(base: str) -> tuple[str, str]:
    return f"{base}.rs", f"{base}/mod.rs"
