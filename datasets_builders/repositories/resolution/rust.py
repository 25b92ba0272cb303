r"""Rust: the tree of modules of each crate, from its first file on; paths start at the crate, the parent or a crate.

| rule | means |
| --- | --- |
| rust_mod | `mod a;`: a.rs or a/mod.rs in the folder of the module's children; `#[path]` as it says |
| rust_include | `include!` of a path |
| rust_path | `use`: the file of the longest beginning of the path that is a module |
| rust_reexport | as before, and the name that follows is one that the module takes from another with `pub use` |

`a>b` in a target is an inline module, `mod a { mod b; }`, and `a=x>b` one with a folder of its own. Crates are those of
Cargo.toml (`lib`, `bin`, `example`, `test`, `bench`) and where Cargo looks by itself; a file that no crate reaches is
placed by its folder.
"""

import posixpath
import re
import tomllib
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from datasets_builders.repositories.files import within
from datasets_builders.repositories.resolution.rules import (
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    ancestors,
    nearest,
)
from datasets_builders.repositories.statements import Import

ROOT_NAMES = frozenset(("lib.rs", "main.rs", "mod.rs", "build.rs"))
# Below these folders of a package each file is the root of a crate of its own.
CRATE_FOLDERS = ("src/bin", "examples", "tests", "benches")
TARGETS = ("bin", "example", "test", "bench")
DEPENDENCIES = ("dependencies", "dev-dependencies", "build-dependencies")
BUILT_IN = frozenset(("std", "core", "alloc", "proc_macro", "test"))
MAX_REEXPORTS = 5
_PACKAGE_NAME = re.compile(r'^\s*name\s*=\s*"([^"]+)"', re.MULTILINE)


class Module(NamedTuple):
    """A module of a crate.

    Args:
        crate (`str`): first file of the crate.
        names (tuple of `str`): from the crate on; empty for the crate itself.
        children (`str`): folder in which the modules lie that it names.
    """

    crate: str
    names: tuple[str, ...]
    children: str


class RustRules(Rules):
    """The rules of the table above."""

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what a statement of a file means."""
        if found.form in ("include", "include_str"):
            return self.first([within(posixpath.dirname(path), found.target)], "rust_include") or MISSING
        *inline, target = found.target.split(">")
        if found.form.startswith("mod"):
            resolved = self._declared(path, found, self._module_of(path).children)
            return resolved or (EXTERNAL if found.form == "mod else" else MISSING)
        names = tuple(name.partition("=")[0] for name in inline)
        module = self._module_of(path)
        around = Module(module.crate, (*module.names, *names), module.children)
        return self._use(path, around, tuple(target.split("::")), is_crate=found.form == "crate")

    @cached_property
    def _manifests(self) -> dict[str, dict[str, Any]]:
        """What each Cargo.toml says, by its folder."""
        found: dict[str, dict[str, Any]] = {}
        for path in self.files.ending_in("Cargo.toml"):
            text = self.files.contents[path]
            try:
                manifest: dict[str, Any] = tomllib.loads(text)
            except tomllib.TOMLDecodeError:
                match = _PACKAGE_NAME.search(text.partition("[package]")[2].partition("\n[")[0])
                manifest = {"package": {"name": match[1]}} if match else {}
            found[posixpath.dirname(path)] = manifest
        return found

    @cached_property
    def _libraries(self) -> dict[str, list[str]]:
        """First files of the libraries, by the name that code knows them by."""
        found: dict[str, list[str]] = {}
        for folder, manifest in self._manifests.items():
            package, library = _table(manifest, "package"), _table(manifest, "lib")
            name = library.get("name") or package.get("name")
            root = within(folder, _path(library) or "src/lib.rs")
            if isinstance(name, str) and root is not None and root in self.imports:
                found.setdefault(name.replace("-", "_"), []).append(root)
        return found

    @cached_property
    def _renamed(self) -> dict[str, dict[str, str]]:
        """Of each package the dependencies that code knows by another name, to the name of their package."""
        found: dict[str, dict[str, str]] = {}
        for folder, manifest in self._manifests.items():
            tables = [manifest, *_table(manifest, "target").values(), _table(manifest, "workspace")]
            for table in tables:
                for kind in DEPENDENCIES:
                    for name, given in _table(table, kind).items():
                        if isinstance(given, dict) and isinstance(given.get("package"), str):
                            package = given["package"].replace("-", "_")
                            found.setdefault(folder, {})[name.replace("-", "_")] = package
        return found

    def _crates(self) -> Iterator[str]:
        """Give the first files of crates, libraries first."""
        for roots in self._libraries.values():
            yield from roots
        for folder, manifest in self._manifests.items():
            for kind in TARGETS:
                tables = manifest.get(kind)
                for table in tables if isinstance(tables, list) else ():
                    path = within(folder, _path(table)) if _path(table) else None
                    if path is not None:
                        yield path
        for path in sorted(self.imports):
            if posixpath.basename(path) in ("lib.rs", "main.rs", "build.rs") or self._is_own_crate(path):
                yield path

    @cached_property
    def _tree(self) -> tuple[dict[tuple[str, tuple[str, ...]], list[str]], dict[str, Module]]:
        """Return the files of each module by crate and names, and of each file the first module that it is.

        A module has several files where `#[cfg_attr(..., path = "...")]` chooses one for each system.
        """
        files: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        modules: dict[str, Module] = {}
        for crate in dict.fromkeys(self._crates()):
            if crate not in self.imports or crate in modules:
                continue
            waiting = [(crate, Module(crate, (), posixpath.dirname(crate)))]
            while waiting:
                path, module = waiting.pop()
                own = files.setdefault((crate, module.names), [])
                if path in own:
                    continue
                own.append(path)
                modules.setdefault(path, module)
                for found in self.imports[path].imports:
                    if not found.form.startswith("mod"):
                        continue
                    *inline, _ = found.target.split(">")
                    inner = [name.partition("=")[0] for name in inline]
                    names = (*module.names, *inner, *found.names)
                    for at in range(1, len(inner) + 1):
                        around = files.setdefault((crate, (*module.names, *inner[:at])), [])
                        if path not in around:
                            around.append(path)
                    resolved = self._declared(path, found, module.children)
                    if resolved and resolved.paths[0] in self.imports and resolved.paths[0] != path:
                        file = resolved.paths[0]
                        waiting.append((file, Module(crate, names, _children(file, found.form == "mod path"))))
        return files, modules

    def _declared(self, path: str, found: Import, children: str) -> Resolution | None:
        """Return the file of `mod`, in a file whose modules lie in a folder."""
        *inline, target = found.target.split(">")
        folder = children
        for at, name in enumerate(inline):
            own_name, has_path, place = name.partition("=")
            start = posixpath.dirname(path) if has_path and not at else folder
            inner = within(start, place if has_path else own_name)
            if inner is None:
                return None
            folder = inner
        if found.form == "mod path":
            return self.first([within(folder if inline else posixpath.dirname(path), target)], "rust_mod")
        return self.first(_module_files(posixpath.join(folder, target)), "rust_mod")

    def _module_of(self, path: str) -> Module:
        """Return the module that a file is; of one that no crate reaches the one that its folder tells."""
        modules = self._tree[1]
        if path not in modules:
            folder = self._crate_folder(path)
            inner = posixpath.splitext(path[len(folder) :].lstrip("/"))[0]
            names = tuple(name for name in inner.split("/") if name)
            if names[-1:] in (("mod",), ("lib",), ("main",)):
                names = names[:-1]
            crate = next(
                (file for name in ("lib.rs", "main.rs") if (file := posixpath.join(folder, name)) in modules), ""
            )
            is_own = self._is_own_crate(path)
            modules[path] = Module(path if is_own else crate or f"{folder}/", () if is_own else names, _children(path))
        return modules[path]

    def _package_folder(self, path: str) -> str:
        """Return the nearest folder around a file with a Cargo.toml, else the one above `src`."""
        folders = [*ancestors(posixpath.dirname(path)), ""]
        for folder in folders:
            if folder in self._manifests:
                return folder
        above = (posixpath.dirname(folder) for folder in folders if posixpath.basename(folder) == "src")
        return next(above, "")

    def _is_own_crate(self, path: str) -> bool:
        """Return whether a file is the first of a crate of its own by its place."""
        package = self._package_folder(path)
        folder, name = posixpath.split(path[len(package) :].lstrip("/"))
        return folder in CRATE_FOLDERS or (name == "main.rs" and posixpath.dirname(folder) in CRATE_FOLDERS)

    def _crate_folder(self, path: str) -> str:
        package = self._package_folder(path)
        source = posixpath.join(package, "src")
        return source if path.startswith(f"{source}/") else package

    def _file(self, crate: str, names: tuple[str, ...], path: str) -> str | None:
        """Return the file of a module, of several the nearest to a path."""
        files = self._tree[0].get((crate, names))
        if files:
            return nearest(path, files)[0]
        if crate not in self._tree[1]:
            # A crate without a first file: its modules are where their names say.
            base = posixpath.join(posixpath.dirname(crate), *names)
            resolved = self.first((*_module_files(base), posixpath.join(base, "lib.rs")), "")
            return resolved.paths[0] if resolved else None
        return None

    def _use(
        self, path: str, around: Module, parts: tuple[str, ...], is_crate: bool = False, depth: int = 0
    ) -> Resolution:
        head, rest = parts[0], parts[1:]
        if head in ("crate", "$crate"):
            return self._below(path, around.crate, (), rest, depth)
        if head in ("self", "super"):
            names = around.names
            while parts and parts[0] in ("self", "super"):
                if parts[0] == "super":
                    names = names[:-1]
                parts = parts[1:]
            return self._below(path, around.crate, names, parts, depth)
        package = self._renamed.get(self._package_folder(path), {}).get(head, head)
        if package in self._libraries and not (is_crate and package == "self"):
            return self._below(path, nearest(path, self._libraries[package])[0], (), rest, depth)
        if is_crate or head in BUILT_IN:
            return EXTERNAL
        # A module declared right here, or, as in the edition of 2015, below the crate.
        for names in (around.names, ()):
            if self._file(around.crate, (*names, head), path) is not None:
                return self._below(path, around.crate, names, parts, depth)
        return EXTERNAL

    def _below(self, path: str, crate: str, names: tuple[str, ...], parts: tuple[str, ...], depth: int) -> Resolution:
        """Return the file of the longest beginning of `parts` that is a module below one of a crate."""
        for length in range(len(parts), -1, -1):
            file = self._file(crate, (*names, *parts[:length]), path)
            if file is not None:
                module = Module(crate, (*names, *parts[:length]), "")
                return self._through(Resolution((file,), "rust_path"), module, parts[length:], depth)
        return self._below(path, crate, names[:-1], (), depth) if names else MISSING

    def _through(self, resolved: Resolution, module: Module, rest: tuple[str, ...], depth: int) -> Resolution:
        """Follow `pub use` of a module to the file that has the name."""
        if not rest or depth >= MAX_REEXPORTS:
            return resolved
        file = resolved.paths[0]
        own = self._module_of(file) if file in self.imports else module
        inline = module.names[len(own.names) :] if own.crate == module.crate else ()
        for found in self.imports[file].imports if file in self.imports else ():
            if found.form == "pub use" and found.names == (rest[0],):
                *around, target = found.target.split(">")
                if tuple(name.partition("=")[0] for name in around) == inline:
                    inner = self._use(file, module, (*target.split("::"), *rest[1:]), depth=depth + 1)
                    if inner.paths and inner.paths != resolved.paths:
                        return Resolution(inner.paths, "rust_reexport")
        return resolved


def _children(path: str, has_own_path: bool = False) -> str:
    """Return the folder in which the modules lie that a file names; one that `#[path]` names is as a mod.rs."""
    folder, name = posixpath.split(path)
    return folder if name in ROOT_NAMES or has_own_path else posixpath.join(folder, posixpath.splitext(name)[0])


def _module_files(base: str) -> tuple[str, str]:
    return f"{base}.rs", f"{base}/mod.rs"


def _table(manifest: Any, key: str) -> dict[str, Any]:
    found = manifest.get(key) if isinstance(manifest, dict) else None
    return found if isinstance(found, dict) else {}


def _path(table: Any) -> str:
    path = table.get("path") if isinstance(table, dict) else None
    return path if isinstance(path, str) else ""
