"""JavaScript and TypeScript: paths, the aliases of tsconfig.json, packages of the same repository.

| rule | means |
| --- | --- |
| js_relative | `./` and `../`; an extension may be left out, index files, `.js` for `.ts` |
| js_alias | `paths` and `baseUrl` of the nearest tsconfig.json or jsconfig.json and those that it extends |
| js_package | a package of the repository, by its name in package.json, its `exports`, `main`, `module`, `types` |
| js_import_map | `#name`, by `imports` of the file's own package.json |
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from datasets_builders.repositories.files import RepositoryFiles, within
from datasets_builders.repositories.imports import FileImports
from datasets_builders.repositories.json_comments import parse_json
from datasets_builders.repositories.resolution.rules import EXTERNAL, MISSING, Resolution, Rules, ancestors
from datasets_builders.repositories.statements import Import

TYPESCRIPT = (".ts", ".tsx", ".d.ts", ".mts", ".cts")
JAVASCRIPT = (".js", ".jsx", ".mjs", ".cjs")
OTHERS = (".json", ".vue", ".svelte")
# With Node's resolution a TypeScript file names the JavaScript that will be made of its neighbour.
JS_FOR_TS = {".js": (".ts", ".tsx", ".d.ts"), ".mjs": (".mts", ".d.mts"), ".cjs": (".cts", ".d.cts"), ".jsx": (".tsx",)}
CONFIGS = ("tsconfig.json", "jsconfig.json")
MAX_EXTENDS = 10


class JavaScriptRules(Rules):
    """The rules of the table above."""

    def __init__(self, files: RepositoryFiles, imports: Mapping[str, FileImports]) -> None:
        super().__init__(files, imports)
        # Of many files the nearest manifest is the same: each is read once.
        self._parsed: dict[str, dict[str, Any]] = {}
        self._configs: dict[str, tuple[dict[str, list[str]], str | None]] = {}

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        target = found.target.partition("?")[0]
        if target.startswith((".", "/")):
            base = within(posixpath.dirname(path), target.lstrip("/") if target.startswith("/") else target)
            return MISSING if base is None else self._file(path, [base], "js_relative") or MISSING
        if target.startswith("#"):
            return self._import_map(path, target) or MISSING
        parts = target.split("/")
        depth = 2 if target.startswith("@") else 1
        name, rest = "/".join(parts[:depth]), "/".join(parts[depth:])
        if name in self._packages:
            folder = self._packages[name]
            manifest = self._json(posixpath.join(folder, "package.json"))
            return self._file(path, _entry_points(manifest, folder, rest), "js_package") or MISSING
        aliases = list(self._aliases(path, target))
        resolved = self._file(path, (base for base, _ in aliases), "js_alias")
        # `paths` that match and lead nowhere mean a file that is gone; any other bare name is another package's.
        return resolved or (MISSING if any(is_certain for _, is_certain in aliases) else EXTERNAL)

    def _file(self, path: str, bases: Iterable[str], rule: str) -> Resolution | None:
        """Return the first file that one of some paths means to the importing file."""
        is_typescript = path.endswith(TYPESCRIPT)
        return self.first((candidate for base in bases for candidate in _candidates(base, is_typescript)), rule)

    def _json(self, path: str) -> dict[str, Any]:
        if path not in self._parsed:
            found = parse_json(self.files.contents.get(path, ""))
            self._parsed[path] = found if isinstance(found, dict) else {}
        return self._parsed[path]

    @cached_property
    def _packages(self) -> dict[str, str]:
        """Folder of each package of the repository, by its name in package.json."""
        found: dict[str, str] = {}
        for path in self.files.ending_in("package.json"):
            name = self._json(path).get("name")
            if isinstance(name, str):
                found.setdefault(name, posixpath.dirname(path))
        return found

    def _import_map(self, path: str, target: str) -> Resolution | None:
        for folder in [*ancestors(posixpath.dirname(path)), ""]:
            manifest = self._json(posixpath.join(folder, "package.json"))
            if manifest:
                return self._file(path, _mapped(manifest.get("imports"), target, folder), "js_import_map")
        return None

    def _aliases(self, path: str, target: str) -> Iterator[tuple[str, bool]]:
        """Give where `paths` (certain) and `baseUrl` of the nearest config put a bare name."""
        for folder in [*ancestors(posixpath.dirname(path)), ""]:
            name = next((config for config in CONFIGS if posixpath.join(folder, config) in self.files.contents), None)
            if name is None:
                continue
            path = posixpath.join(folder, name)
            if path not in self._configs:
                self._configs[path] = self._config(path)
            paths, base_url = self._configs[path]
            for base in paths.get(target, ()):
                yield base, True
            # Of several patterns the one with the longest beginning holds.
            patterns = [name for name in paths if "*" in name]
            for pattern in sorted(patterns, key=lambda pattern: (-pattern.index("*"), pattern)):
                before, _, after = pattern.partition("*")
                if target.startswith(before) and target.endswith(after) and len(target) >= len(before) + len(after):
                    middle = target[len(before) : len(target) - len(after)]
                    yield from ((base.replace("*", middle), pattern != "*") for base in paths[pattern])
                    break
            if base_url is not None:
                yield posixpath.join(base_url, target), False
            return

    def _config(self, path: str) -> tuple[dict[str, list[str]], str | None]:
        """Return paths (relative to the repository) and baseUrl, as far as files of the repository say."""
        paths: dict[str, list[str]] = {}
        base_url: str | None = None
        waiting, seen = [path], set[str]()
        while waiting and len(seen) < MAX_EXTENDS:
            current = waiting.pop(0)
            if current in seen:
                continue  # configs that extend each other
            seen.add(current)
            config, folder = self._json(current), posixpath.dirname(current)
            options = config.get("compilerOptions")
            options = options if isinstance(options, dict) else {}
            given = options.get("baseUrl")
            own_base = within(folder, given) if isinstance(given, str) else None
            base_url = own_base if base_url is None else base_url
            if not paths and isinstance(options.get("paths"), dict):
                root = own_base if own_base is not None else folder
                paths = {
                    key: _within_all(root, value) for key, value in options["paths"].items() if isinstance(value, list)
                }
            extends = config.get("extends")
            for parent in [extends] if isinstance(extends, str) else extends if isinstance(extends, list) else []:
                if isinstance(parent, str) and parent.startswith("."):
                    base = within(folder, parent)
                    waiting += [name for name in (base, f"{base}.json") if name and name in self.files.contents]
        return paths, base_url


def _within_all(root: str, entries: list[Any]) -> list[str]:
    """Return those of a list of paths, relative to a folder, that are paths of the repository."""
    found = (within(root, entry) for entry in entries if isinstance(entry, str))
    return [path for path in found if path is not None]


def _entry_points(manifest: dict[str, Any], folder: str, rest: str) -> Iterator[str]:
    """Give where a package of the repository keeps what is imported from it; sources before what is built of them."""
    yield from _mapped(manifest.get("exports"), f"./{rest}" if rest else ".", folder)
    if rest:
        yield from (posixpath.join(folder, rest), posixpath.join(folder, "src", rest))
        return
    stated = [manifest.get(key) for key in ("source", "types", "module", "main")]
    yield from (base for entry in stated if isinstance(entry, str) and (base := within(folder, entry)) is not None)
    yield from (posixpath.join(folder, name) for name in ("index", "src/index", "src/main", "lib/index", "main"))


def _mapped(table: Any, target: str, folder: str) -> Iterator[str]:
    """Give the paths that `exports` or `imports` of a package.json has for a name, conditions in their order."""
    if isinstance(table, str | list) or (isinstance(table, dict) and not any(key[:1] in ".#" for key in table)):
        table = {".": table}
    for pattern, value in table.items() if isinstance(table, dict) else ():
        before, star, after = pattern.partition("*")
        if target == pattern or (star and target.startswith(before) and target.endswith(after)):
            middle = target[len(before) : len(target) - len(after)] if star else ""
            for mapped in _strings(value):
                if mapped.startswith(".") and (base := within(folder, mapped.replace("*", middle))) is not None:
                    yield base


def _strings(value: Any) -> Iterator[str]:
    """Give the paths of a table of conditions."""
    waiting = [value]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict | list):
            waiting[:0] = item.values() if isinstance(item, dict) else item


def _candidates(base: str, is_typescript: bool) -> Iterable[str]:
    """Give what a path may mean. Where both lie there, TypeScript takes its own kind and JavaScript its own."""
    stem, extension = posixpath.splitext(base)
    for_typescript = [stem + ending for ending in JS_FOR_TS.get(extension, ())]
    yield from [*for_typescript, base] if is_typescript else [base, *for_typescript]
    extensions = (*TYPESCRIPT, *JAVASCRIPT, *OTHERS) if is_typescript else (*JAVASCRIPT, *TYPESCRIPT, *OTHERS)
    yield from (base + ending for ending in extensions)
    yield from (posixpath.join(base, f"index{ending}") for ending in extensions)
