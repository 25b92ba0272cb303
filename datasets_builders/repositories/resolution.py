"""Section 2.2.2, phase 1: which file of the repository an import means, by path and by naming convention.

- Python: relative imports from the file's folder; others below source roots (the top of the file's own package, the
  root, `src`, `lib`, folders with setup.py or pyproject.toml), then the one file whose path ends so.
- JavaScript, TypeScript: `./` and `../` with the extensions that may be left out, index files, and `.js` for `.ts`;
  the repository's own packages by their name in package.json.
- C, C++: the including file's folder, include folders, then the one file whose path ends so.
- Java: package declarations and class names; a wildcard means the whole package.
- Go: the module of the nearest go.mod, else the one folder whose path ends so; all files of the package are meant.
- Ruby: `require_relative` and `load` by path; `require` below `lib` and the root, then the one file that ends so.
- Lua: dots are folders, `init.lua`; below the root, `lua`, `src`, `lib`, then the one file whose path ends so.
- Shell: the file's folder, the root, then the one file that ends so; variables are taken for a folder.

What is found in no file is `external` (another package's), `missing` (should be here), `ambiguous` (several fit) or
`dynamic` (computed at run time).
"""

import json
import posixpath
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from datasets_builders.repositories.files import RepositoryFiles, grouped, within
from datasets_builders.repositories.imports import FileImports, Import

MAX_WILDCARD_FILES = 50
JS_EXTENSIONS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".vue", ".svelte")
# With Node's resolution a TypeScript file names the JavaScript that will be made of its neighbour.
JS_FOR_TS = {".js": (".ts", ".tsx", ".d.ts"), ".mjs": (".mts", ".d.mts"), ".cjs": (".cts", ".d.cts"), ".jsx": (".tsx",)}
PROJECT_FILES = ("setup.py", "pyproject.toml", "setup.cfg")
_GO_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Resolution:
    """What an import means.

    Args:
        paths (tuple of `str`): files of the repository; empty when there are none.
        rule (`str`): by which rule they were found, or why not: external, missing, ambiguous, dynamic.
    """

    paths: tuple[str, ...]
    rule: str


EXTERNAL, MISSING, DYNAMIC = (Resolution((), rule) for rule in ("external", "missing", "dynamic"))
AMBIGUOUS = Resolution((), "ambiguous")


class Resolver:
    """Resolves the imports of one repository.

    Args:
        files (`RepositoryFiles`): the repository.
        imports (dict): of each file, for the packages that they declare.
    """

    def __init__(self, files: RepositoryFiles, imports: Mapping[str, FileImports]) -> None:
        self.files, self.imports = files, imports
        self._rules: dict[str, Callable[[str, Import], Resolution]] = {
            "Python": self._python,
            "JavaScript": self._javascript,
            "TypeScript": self._javascript,
            "TSX": self._javascript,
            "C": self._c,
            "C++": self._c,
            "Java": self._java,
            "Go": self._go,
            "Ruby": self._ruby,
            "Lua": self._lua,
            "Shell": self._shell,
        }

    def resolve(self, path: str, language: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        return self._rules[language](path, found) if found.target else DYNAMIC

    def _first(self, candidates: Iterable[str | None], rule: str) -> Resolution | None:
        path = next((one for one in candidates if one is not None and one in self.files.contents), None)
        return Resolution((path,), rule) if path is not None else None

    def _unique(self, tails: Iterable[str], rule: str) -> Resolution | None:
        found = sorted({path for tail in tails for path in self.files.ending_in(tail)})
        if len(found) > 1:
            return AMBIGUOUS
        return Resolution((found[0],), rule) if found else None

    # Python

    @cached_property
    def _python_roots(self) -> list[str]:
        projects = [folder for folder, paths in self.files.folders.items() if _has_name(paths, PROJECT_FILES)]
        roots = ["", *projects, *(posixpath.join(one, inner) for one in ["", *projects] for inner in ("src", "lib"))]
        return list(dict.fromkeys(roots))

    @cached_property
    def _python_names(self) -> frozenset[str]:
        """Names of modules and packages that there are."""
        names = set()
        for path, language in self.files.languages.items():
            if language == "Python":
                stem = posixpath.splitext(posixpath.basename(path))[0]
                names.add(posixpath.basename(posixpath.dirname(path)) if stem == "__init__" else stem)
        return frozenset(names)

    def _python(self, path: str, found: Import) -> Resolution:
        if found.target.startswith("."):
            return self._python_relative(path, found)
        roots = [self._package_root(path), *self._python_roots]
        for root in dict.fromkeys(roots):
            if resolved := self._python_below(root, found.target, found.names, "python_root"):
                return resolved
        top = found.target.partition(".")[0]
        if top in sys.stdlib_module_names or top not in self._python_names:
            return EXTERNAL
        tail = found.target.replace(".", "/")
        return self._unique((f"{tail}.py", f"{tail}/__init__.py"), "python_suffix") or MISSING

    def _python_relative(self, path: str, found: Import) -> Resolution:
        rest = found.target.lstrip(".")
        folder = posixpath.dirname(path)
        for _ in range(len(found.target) - len(rest) - 1):
            if not folder:
                return MISSING
            folder = posixpath.dirname(folder)
        return self._python_below(folder, rest, found.names, "python_relative") or MISSING

    def _package_root(self, path: str) -> str:
        """Return the folder above the outermost package that a file is in."""
        folder = posixpath.dirname(path)
        while folder and f"{folder}/__init__.py" in self.files.contents:
            folder = posixpath.dirname(folder)
        return folder

    def _python_below(self, root: str, dotted: str, names: tuple[str, ...], rule: str) -> Resolution | None:
        base = posixpath.join(root, *dotted.split(".")) if dotted else root
        found = [module for name in names if (module := self._python_module(posixpath.join(base, name)))]
        # A name that is no module of its own is something in the package.
        if len(found) < max(len(names), 1) and (module := self._python_module(base)):
            found.append(module)
        return Resolution(tuple(dict.fromkeys(found)), rule) if found else None

    def _python_module(self, base: str) -> str | None:
        candidates = (
            f"{base}.py",
            f"{base}/__init__.py" if base else "__init__.py",
            f"{base}.pyi",
            f"{base}/__init__.pyi",
        )
        return next((one for one in candidates if one in self.files.contents), None)

    # JavaScript and TypeScript

    @cached_property
    def _js_packages(self) -> dict[str, str]:
        """Folder of each package of the repository, by its name in package.json."""
        found = {}
        for path in self.files.ending_in("package.json"):
            try:
                name = json.loads(self.files.contents[path]).get("name")
            except (ValueError, AttributeError, RecursionError):
                continue
            if isinstance(name, str):
                found.setdefault(name, posixpath.dirname(path))
        return found

    def _javascript(self, path: str, found: Import) -> Resolution:
        target = found.target.partition("?")[0]
        if target.startswith((".", "/")):
            base = within(posixpath.dirname(path), target.lstrip("/") if target.startswith("/") else target)
            return MISSING if base is None else self._first(_js_candidates(base), "js_relative") or MISSING
        parts = target.split("/")
        depth = 2 if target.startswith("@") else 1
        name, rest = "/".join(parts[:depth]), "/".join(parts[depth:])
        if name not in self._js_packages:
            return EXTERNAL
        folder = self._js_packages[name]
        bases = [posixpath.join(folder, rest), posixpath.join(folder, "src", rest)]
        if not rest:
            bases = [posixpath.join(folder, one) for one in ("index", "src/index", "src/main", "lib/index", "main")]
        return self._first((one for base in bases for one in _js_candidates(base)), "js_package") or MISSING

    # C and C++

    @cached_property
    def _include_roots(self) -> list[str]:
        folders = {ancestor for folder in self.files.folders for ancestor in _ancestors(folder)}
        roots = [folder for folder in folders if posixpath.basename(folder) in ("include", "inc", "src")]
        return ["", *sorted(roots, key=lambda one: (one.count("/"), one))]

    def _c(self, path: str, found: Import) -> Resolution:
        nearby = [within(posixpath.dirname(path), found.target)] if found.form != "angled" else []
        if resolved := self._first(nearby, "c_folder"):
            return resolved
        if resolved := self._first((within(root, found.target) for root in self._include_roots), "c_include_root"):
            return resolved
        tail = posixpath.normpath(found.target).lstrip("./")
        if resolved := self._unique([tail], "c_suffix"):
            return resolved
        return EXTERNAL if found.form == "angled" else MISSING

    # Java

    @cached_property
    def _java_classes(self) -> dict[str, tuple[str, ...]]:
        def qualified(path: str) -> str:
            stem = posixpath.splitext(posixpath.basename(path))[0]
            return f"{self.imports[path].package}.{stem}".lstrip(".")

        return grouped((path for path in self.imports if path.endswith(".java")), qualified)

    @cached_property
    def _java_packages(self) -> dict[str, tuple[str, ...]]:
        paths = (path for path in self.imports if path.endswith(".java"))
        return grouped(paths, lambda path: self.imports[path].package)

    def _java(self, path: str, found: Import) -> Resolution:
        if found.form == "wildcard" and found.target in self._java_packages:
            others = [one for one in self._java_packages[found.target] if one != path]
            return Resolution(tuple(others[:MAX_WILDCARD_FILES]), "java_package")
        # Behind the class may come nested classes and, with `import static`, members.
        parts = found.target.split(".")
        for length in range(len(parts), 0, -1):
            classes = self._java_classes.get(".".join(parts[:length]), ())
            if len(classes) > 1:
                return AMBIGUOUS
            if classes:
                return Resolution((classes[0],), "java_class")
        own = {name for name in self._java_packages if name}
        return MISSING if any(found.target == one or found.target.startswith(f"{one}.") for one in own) else EXTERNAL

    # Go

    @cached_property
    def _go_modules(self) -> dict[str, str]:
        """Folder of each module, by its path in go.mod."""
        found = {}
        for path in self.files.ending_in("go.mod"):
            if match := _GO_MODULE.search(self.files.contents[path]):
                found.setdefault(match[1].strip('"'), posixpath.dirname(path))
        return found

    def _go(self, path: str, found: Import) -> Resolution:
        if found.target.startswith("."):
            folder = within(posixpath.dirname(path), found.target)
            return self._go_package(folder, "go_relative") or MISSING
        for module in sorted(self._go_modules, key=len, reverse=True):
            if found.target == module or found.target.startswith(f"{module}/"):
                folder = within(self._go_modules[module], found.target[len(module) :].lstrip("/"))
                return self._go_package(folder, "go_module") or MISSING
        if "." not in found.target.partition("/")[0]:
            return EXTERNAL  # the standard library: only hosts have dots
        folders = self.files.folders_ending_in(found.target)
        if len(folders) > 1:
            return AMBIGUOUS
        return (self._go_package(folders[0], "go_suffix") if folders else None) or EXTERNAL

    def _go_package(self, folder: str | None, rule: str) -> Resolution | None:
        paths = self.files.folders.get(folder, ()) if folder is not None else ()
        found = tuple(one for one in paths if one.endswith(".go") and not one.endswith("_test.go"))
        return Resolution(found, rule) if found else None

    # Ruby, Lua, Shell

    def _ruby(self, path: str, found: Import) -> Resolution:
        target = found.target if found.target.endswith(".rb") else f"{found.target}.rb"
        if found.form == "require_relative" or target.startswith("."):
            return self._first([within(posixpath.dirname(path), target)], "ruby_relative") or MISSING
        if resolved := self._first((within(root, target) for root in ("lib", "")), "ruby_root"):
            return resolved
        below = [one for one in self.files.ending_in(target) if f"lib/{target}" in one or f"ruby/{target}" in one]
        if len(below) > 1:
            return AMBIGUOUS
        return Resolution((below[0],), "ruby_suffix") if below else EXTERNAL

    def _lua(self, path: str, found: Import) -> Resolution:
        if found.form != "require":
            return self._first([within(posixpath.dirname(path), found.target), found.target], "lua_file") or MISSING
        base = found.target.replace(".", "/")
        tails = (f"{base}.lua", f"{base}/init.lua")
        roots = ("", "lua", "src", "lib")
        if resolved := self._first((within(root, tail) for root in roots for tail in tails), "lua_root"):
            return resolved
        return self._unique(tails, "lua_suffix") or EXTERNAL

    def _shell(self, path: str, found: Import) -> Resolution:
        # What variables stand for is some folder: what comes behind the last one is looked for.
        target = re.sub(r".*(\$\{[^}]*\}|\$\([^)]*\)|\$\w+|`[^`]*`)", "", found.target).strip("\"')}/")
        if not target:
            return DYNAMIC
        folders = (posixpath.dirname(path), "")
        if resolved := self._first((within(one, target) for one in folders), "shell_folder"):
            return resolved
        return self._unique([posixpath.normpath(target).lstrip("./")], "shell_suffix") or EXTERNAL


def _js_candidates(base: str) -> Iterable[str]:
    yield base
    stem, extension = posixpath.splitext(base)
    yield from (stem + one for one in JS_FOR_TS.get(extension, ()))
    yield from (base + one for one in JS_EXTENSIONS)
    yield from (posixpath.join(base, f"index{one}") for one in JS_EXTENSIONS)


def _ancestors(folder: str) -> Iterable[str]:
    """Give a folder and those around it, without the repository's own."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def _has_name(paths: Iterable[str], names: Iterable[str]) -> bool:
    return not set(map(posixpath.basename, paths)).isdisjoint(names)
