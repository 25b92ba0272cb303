"""JavaScript and TypeScript: paths, the aliases of tsconfig.json, packages of the same repository.

| rule | means |
| --- | --- |
| js_relative | `./` and `../`; an extension may be left out, index files, `.js` for `.ts`, `main`, rootDirs; |
| | where there is none for all, the files of each platform, `a.ios.js` |
| js_glob | all files that `import.meta.glob`, `require.context` or an import with a variable in its path may load |
| js_root | `/x`: below the nearest folder with a package.json or index.html |
| js_alias | `paths` and `baseUrl` of the nearest tsconfig.json or jsconfig.json, with what it extends or references; |
| | configs of bundlers, Babel, Jest and Deno; where none says so, `@/` and `~/` are the nearest `src` |
| js_package | a package of the repository, by its name in package.json, its `exports`, `main`, `module`, `types` |
| js_inferred | a scope most of whose packages are folders that are here, where no package.json says so |
| js_import_map | `#name`, by `imports` of the file's own package.json |

Where a manifest names what a build makes (`dist/a.js`), the source that it is made of is meant (`src/a.ts`).
"""

import posixpath
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import re2

from datasets_builders.repositories.files import RepositoryFiles, within
from datasets_builders.repositories.imports import LISTED, FileImports
from datasets_builders.repositories.json_comments import parse_json
from datasets_builders.repositories.resolution.javascript_aliases import aliases_of
from datasets_builders.repositories.resolution.rules import (
    DYNAMIC,
    EXTERNAL,
    MISSING,
    Resolution,
    Rules,
    ancestors,
    is_visible,
    nearest,
)
from datasets_builders.repositories.statements import GLOB, Import

TYPESCRIPT = (".ts", ".tsx", ".d.ts", ".mts", ".cts")
JAVASCRIPT = (".js", ".jsx", ".mjs", ".cjs")
BUILT_FOLDERS = frozenset(("dist", "build", "lib", "out", "esm", "cjs", "es", "umd", "types", "output", "dist-types"))
SOURCE_FOLDERS = ("src", "source", "")
BUILT_EXTENSIONS = re.compile(r"(\.d)?\.[cm]?[jt]s$")
# Files that are imported and hold no code: they are not among rows, and that they are not found says nothing.
ASSETS = frozenset(
    (
        *(
            ".css",
            ".scss",
            ".sass",
            ".less",
            ".styl",
            ".svg",
            ".png",
            ".jpg",
            ".jpeg",
            ".gif",
            ".webp",
            ".avif",
            ".ico",
        ),
        *(".json", ".json5", ".html", ".md", ".mdx", ".txt", ".graphql", ".gql", ".wasm", ".node", ".glsl", ".yaml"),
        *(".yml", ".woff", ".woff2", ".ttf", ".mp3", ".mp4", ".webm", ".pdf", ".csv", ".hbs", ".ejs", ".pug"),
    )
)
COMPONENTS = (".vue", ".svelte", ".astro")
OTHERS = (".json", ".vue", ".svelte")
# Folders of which each folder is a package.
WORKSPACES = frozenset(("packages", "libs", "apps", "modules", "plugins", "crates", "tools", "projects"))
CONFIG_FOLDER = "${configDir}"
# With Node's resolution a TypeScript file names the JavaScript that will be made of its neighbour.
JS_FOR_TS = {".js": (".ts", ".tsx", ".d.ts"), ".mjs": (".mts", ".d.mts"), ".cjs": (".cts", ".d.cts"), ".jsx": (".tsx",)}
PLATFORMS = ("native", "ios", "android", "web", "macos", "windows")
MAX_GLOB_FILES = 500
CONFIGS = ("tsconfig.json", "jsconfig.json")
MAX_EXTENDS = 10


class Config(NamedTuple):
    """What a tsconfig.json says of paths, all of them relative to the repository.

    Args:
        paths (dict): pattern to what it stands for.
        base_urls (tuple of `str`): folders below which bare names lie.
        roots (tuple of `str`): folders that lie on top of each other.
    """

    paths: dict[str, list[str]]
    base_urls: tuple[str, ...]
    roots: tuple[str, ...]


class JavaScriptRules(Rules):
    """The rules of the table above."""

    def __init__(self, files: RepositoryFiles, imports: Mapping[str, FileImports]) -> None:
        super().__init__(files, imports)
        # Of many files the nearest manifest is the same: each is read once.
        self._parsed: dict[str, dict[str, Any]] = {}
        self._configs: dict[str, Config] = {}
        self._by_folder: dict[str, Config] = {}

    def resolve(self, path: str, found: Import) -> Resolution:
        """Return what an import of a file means."""
        target = found.target.partition("?")[0].rpartition("!")[2]
        if found.form == GLOB:
            return self._glob(path, found)
        if target.startswith("."):
            return self._relative(path, target) or self._of_platforms(path, target) or _not_found(target)
        if found.form == LISTED and "/" not in target and not target.endswith(JAVASCRIPT):
            return EXTERNAL
        if target.startswith("/"):
            return self._below_root(path, target.lstrip("/")) or EXTERNAL
        if target.startswith("#") and (resolved := self._import_map(path, target)):
            return resolved
        parts = target.split("/")
        depth = 2 if target.startswith("@") else 1
        name, rest = "/".join(parts[:depth]), "/".join(parts[depth:])
        name = self._linked(path, name)
        folders = [folder for folder in self._packages.get(name, ()) if is_visible(path, folder)]
        if folders:
            folder = nearest(path, (f"{folder}/" for folder in folders))[0].rstrip("/")
            manifest = self._json(posixpath.join(folder, "package.json"))
            return self._file(path, _entry_points(manifest, folder, rest), "js_package") or _not_found(target)
        aliases = list(self._aliases(path, target))
        if resolved := self._file(path, (base for base, _ in aliases), "js_alias"):
            return resolved
        # `paths` that match and lead nowhere mean a file that is gone; any other bare name is another package's.
        if any(is_certain for _, is_certain in aliases):
            return _not_found(target)
        if resolved := self._without_manifest(path, name, rest):
            return resolved
        return MISSING if target.startswith("#") else EXTERNAL

    def _relative(self, path: str, target: str) -> Resolution | None:
        """Return what a path from a file's folder means; folders that are `rootDirs` lie on top of each other."""
        base = within(posixpath.dirname(path), target)
        if base is None:
            return None
        bases = [base]
        roots = self._config_of(path).roots
        for root in roots:
            if base.startswith(f"{root}/"):
                bases += [posixpath.join(other, base[len(root) + 1 :]) for other in roots if other != root]
        return self._file(path, bases, "js_relative")

    def _of_platforms(self, path: str, target: str) -> Resolution | None:
        """Return the files of which React Native takes the one for its platform."""
        base = within(posixpath.dirname(path), target)
        if base is None:
            return None
        names = (f"{base}.{platform}{ending}" for platform in PLATFORMS for ending in (*TYPESCRIPT, *JAVASCRIPT))
        paths = tuple(name for name in names if name in self.files.contents)
        return Resolution(paths, "js_relative") if paths else None

    def _glob(self, path: str, found: Import) -> Resolution:
        """Return the files that a pattern means; the import's name is an expression that their paths must match too."""
        target = found.target
        if target.startswith("."):
            base = within(posixpath.dirname(path), target)
        elif target.startswith("/"):
            base = target.lstrip("/")
        else:
            base = next((base for base, _ in self._aliases(path, target)), None)
        try:
            pattern = re2.compile(glob_expression(base)) if base else None
            tail = re2.compile(found.names[0]) if found.names else None
        except re2.error:
            return DYNAMIC
        if base is None or pattern is None:
            return DYNAMIC
        start = base.partition("*")[0].partition("{")[0].rpartition("/")[0]
        paths = tuple(
            other
            for other in self._below(start)
            if other != path
            and pattern.fullmatch(other)
            and (tail is None or tail.search(f"./{other[len(start) + 1 :]}"))
        )
        return Resolution(paths[:MAX_GLOB_FILES], "js_glob") if paths else DYNAMIC

    def _below(self, folder: str) -> Iterator[str]:
        """Give the files of these languages below a folder, sorted."""
        start = bisect_left(self._own_files, f"{folder}/") if folder else 0
        for path in self._own_files[start:]:
            if folder and not path.startswith(f"{folder}/"):
                return
            yield path

    @cached_property
    def _own_files(self) -> list[str]:
        return sorted(self.imports)

    def _linked(self, path: str, name: str) -> str:
        """Return the package that a dependency of the nearest package.json stands for: another name, or a folder."""
        for folder in [*ancestors(posixpath.dirname(path)), ""]:
            manifest = self._json(posixpath.join(folder, "package.json"))
            for key in ("dependencies", "devDependencies", "peerDependencies") if manifest else ():
                table = manifest.get(key)
                stated = table.get(name) if isinstance(table, dict) else None
                if not isinstance(stated, str):
                    continue
                kind, _, rest = stated.partition(":")
                if kind == "npm":
                    return rest[:1] + rest[1:].partition("@")[0]
                if kind in ("file", "link", "portal") and (there := within(folder, rest)) is not None:
                    own_name = self._json(posixpath.join(there, "package.json")).get("name")
                    return own_name if isinstance(own_name, str) else name
                return name
        return name

    def _below_root(self, path: str, target: str) -> Resolution | None:
        """Return what `/x` means: a path below the nearest folder that is served, or below its `public`."""
        folders = [*ancestors(posixpath.dirname(path)), ""]
        roots = [folder for folder in folders if self._is_served(folder)] or [""]
        places = (posixpath.join(root, inner, target) for root in roots for inner in ("", "public"))
        return self._file(path, places, "js_root")

    def _is_served(self, folder: str) -> bool:
        names = (posixpath.join(folder, name) for name in ("package.json", "index.html"))
        return any(name in self.files.contents for name in names)

    def _without_manifest(self, path: str, name: str, rest: str) -> Resolution | None:
        """Return what an alias or a package of a workspace means whose manifest is not here."""
        if name.partition("/")[0] in ("@", "~"):
            rest = posixpath.join(name.partition("/")[2], rest) if rest else name.partition("/")[2]
            folders = [*ancestors(posixpath.dirname(path)), ""]
            sources = (folder for folder in folders if posixpath.basename(folder) in ("src", "app"))
            places = [next(sources, "src"), *folders]
            return self._file(path, (posixpath.join(folder, rest) for folder in places), "js_alias")
        folder = self._inferred.get(name)
        if folder is None:
            return None
        return self._file(path, _entry_points({}, folder, rest), "js_inferred")

    @cached_property
    def _inferred(self) -> dict[str, str]:
        """Folders of the packages of scopes of which most packages are here: `@scope/name` in `packages/name`."""
        scopes: dict[str, set[str]] = {}
        for file in self.imports.values():
            for found in file.imports:
                scope, _, rest = found.target.partition("/")
                name = rest.partition("/")[0]
                if len(scope) > 1 and scope.startswith("@") and name and f"{scope}/{name}" not in self._packages:
                    scopes.setdefault(scope, set()).add(name)
        places: dict[str, list[str]] = {}
        for path in self.imports:
            for folder in ancestors(posixpath.dirname(path)):
                above = posixpath.basename(posixpath.dirname(folder))
                if above in WORKSPACES and is_visible("", folder):
                    places.setdefault(posixpath.basename(folder), []).append(folder)
        found_folders: dict[str, str] = {}
        for scope, names in scopes.items():
            here = {name: places[name][0] for name in sorted(names) if name in places}
            if 2 * len(here) >= len(names) and (len(here) > 1 or scope[1:] in self.files.name.split("/")):
                found_folders |= {f"{scope}/{name}": folder for name, folder in here.items()}
        return found_folders

    def _file(self, path: str, bases: Iterable[str], rule: str) -> Resolution | None:
        """Return the first file that one of some paths means to the importing file."""
        is_typescript = path.endswith((*TYPESCRIPT, *COMPONENTS))
        for base in bases:
            resolved = self.first(_named(base, is_typescript), rule) or self._main(base, is_typescript, rule)
            if resolved := resolved or self.first(_in_folder(base, is_typescript), rule):
                return resolved
            if rule != "js_relative" and (resolved := self._source(base, is_typescript, rule)):
                return resolved
        return None

    def _main(self, folder: str, is_typescript: bool, rule: str) -> Resolution | None:
        """Return what `main` of the package.json in a folder names."""
        manifest = self._json(posixpath.join(folder, "package.json"))
        stated = (
            within(folder, entry) for key in ("types", "module", "main") if isinstance(entry := manifest.get(key), str)
        )
        return self.first((file for base in stated if base for file in _candidates(base, is_typescript)), rule)

    def _source(self, base: str, is_typescript: bool, rule: str) -> Resolution | None:
        """Return the source of a file that a build makes: `src/a.ts` for `dist/esm/a.d.ts`."""
        parts = BUILT_EXTENSIONS.sub("", base).split("/")
        first = next((at for at, name in enumerate(parts) if name in BUILT_FOLDERS), None)
        if first is None:
            return None
        last = first
        while last + 1 < len(parts) - 1 and parts[last + 1] in BUILT_FOLDERS:
            last += 1
        bases = (
            posixpath.join(*parts[:first], source, *parts[at + 1 :])
            for source in SOURCE_FOLDERS
            for at in range(first, last + 1)
        )
        return self.first((file for found in bases for file in _candidates(found, is_typescript)), rule)

    def _json(self, path: str) -> dict[str, Any]:
        if path not in self._parsed:
            found = parse_json(self.files.contents.get(path, ""))
            self._parsed[path] = found if isinstance(found, dict) else {}
        return self._parsed[path]

    @cached_property
    def _packages(self) -> dict[str, list[str]]:
        """Folders of each package of the repository, by its name in package.json."""
        found: dict[str, list[str]] = {}
        for path in self.files.ending_in("package.json"):
            name = self._json(path).get("name")
            if isinstance(name, str) and "/node_modules/" not in f"/{path}":
                found.setdefault(name, []).append(posixpath.dirname(path))
        return found

    def _import_map(self, path: str, target: str) -> Resolution | None:
        for folder in [*ancestors(posixpath.dirname(path)), ""]:
            manifest = self._json(posixpath.join(folder, "package.json"))
            if manifest:
                return self._file(path, _mapped(manifest.get("imports"), target, folder), "js_import_map")
        return None

    def _aliases(self, path: str, target: str) -> Iterator[tuple[str, bool]]:
        """Give where `paths` (certain) and `baseUrl` of the nearest config put a bare name."""
        config = self._config_of(path)
        for base in config.paths.get(target, ()):
            yield base, True
        # Of several patterns the one with the longest beginning holds.
        patterns = [name for name in config.paths if "*" in name]
        for pattern in sorted(patterns, key=lambda pattern: (-pattern.index("*"), pattern)):
            before, _, after = pattern.partition("*")
            if target.startswith(before) and target.endswith(after) and len(target) >= len(before) + len(after):
                middle = target[len(before) : len(target) - len(after)]
                yield from ((base.replace("*", middle), pattern != "*") for base in config.paths[pattern])
                break
        for base_url in config.base_urls:
            yield posixpath.join(base_url, target), False
        for folder in [*ancestors(posixpath.dirname(path)), ""] if self._other_aliases else ():
            aliases = self._other_aliases.get(folder, {})
            yield from ((base, False) for base in aliases.get(target, ()))
            for pattern in sorted((name for name in aliases if name.endswith("*")), key=len, reverse=True):
                if target.startswith(pattern[:-1]):
                    yield from ((base.replace("*", target[len(pattern) - 1 :]), False) for base in aliases[pattern])

    @cached_property
    def _other_aliases(self) -> dict[str, dict[str, list[str]]]:
        return aliases_of(self.files)

    def _config_of(self, path: str) -> Config:
        """Return what the nearest config says for a file."""
        folder = posixpath.dirname(path)
        if folder not in self._by_folder:
            self._by_folder[folder] = self._nearest_config(folder)
        return self._by_folder[folder]

    def _nearest_config(self, folder: str) -> Config:
        for around in [*ancestors(folder), ""]:
            for name in CONFIGS:
                path = posixpath.join(around, name)
                if path in self.files.contents:
                    if path not in self._configs:
                        self._configs[path] = self._config(path)
                    return self._configs[path]
        return Config({}, (), ())

    def _config(self, path: str) -> Config:
        """Return what a config says, with those that it extends and, where it is but a list of them, references."""
        configs = [self._own_config(path)]
        references = self._json(path).get("references")
        for reference in references if isinstance(references, list) else ():
            place = reference.get("path") if isinstance(reference, dict) else None
            base = within(posixpath.dirname(path), place) if isinstance(place, str) else None
            names = (base, posixpath.join(base, CONFIGS[0])) if base else ()
            inner = next((name for name in names if name in self.files.contents and name != path), None)
            # A project of its own in a folder below is found from its own files.
            if inner is not None and posixpath.dirname(inner) == posixpath.dirname(path):
                configs.append(self._own_config(inner))
        paths: dict[str, list[str]] = {}
        for config in configs:
            for pattern, places in config.paths.items():
                paths.setdefault(pattern, []).extend(places)
        base_urls = dict.fromkeys(base for config in configs for base in config.base_urls)
        roots = dict.fromkeys(root for config in configs for root in config.roots)
        return Config(paths, tuple(base_urls), tuple(roots))

    def _own_config(self, path: str) -> Config:
        """Return what a config and those that it extends say, as far as they are files of the repository."""
        leaf = posixpath.dirname(path)
        found: dict[str, Any] = {}
        waiting, seen = [path], set[str]()
        while waiting and len(seen) < MAX_EXTENDS:
            current = waiting.pop(0)
            if current in seen:
                continue  # configs that extend each other
            seen.add(current)
            config, folder = self._json(current), posixpath.dirname(current)
            options = config.get("compilerOptions")
            for key, value in options.items() if isinstance(options, dict) else ():
                if key in ("baseUrl", "paths", "rootDirs"):
                    found.setdefault(key, (folder, value))
            extends = config.get("extends")
            parents = extends if isinstance(extends, list) else [extends]
            # Of several the last one holds.
            names = (self._extended(folder, parent) for parent in reversed(parents) if isinstance(parent, str))
            waiting = [name for name in names if name] + waiting

        def place(folder: str, entry: Any) -> str | None:
            if not isinstance(entry, str):
                return None
            if entry.startswith(CONFIG_FOLDER):
                return within(leaf, entry.removeprefix(CONFIG_FOLDER).lstrip("/"))
            return within(folder, entry)

        base_url = place(*found["baseUrl"]) if "baseUrl" in found else None
        paths: dict[str, list[str]] = {}
        folder, given = found.get("paths", ("", None))
        for pattern, entries in given.items() if isinstance(given, dict) else ():
            places = [place(folder if base_url is None else base_url, entry) for entry in _list_of(entries)]
            paths[pattern] = [base for base in places if base is not None]
        folder, given = found.get("rootDirs", ("", None))
        roots = [root for entry in _list_of(given) if (root := place(folder, entry))]
        return Config(paths, () if base_url is None else (base_url,), tuple(roots))

    def _extended(self, folder: str, parent: str) -> str | None:
        """Return the config that another extends: by path, or in a package of the repository."""
        if parent.startswith("."):
            base = within(folder, parent)
        else:
            parts = parent.split("/")
            depth = 2 if parent.startswith("@") else 1
            places = self._packages.get("/".join(parts[:depth]))
            if not places:
                return None
            manifest = self._json(posixpath.join(places[0], "package.json"))
            named = manifest.get("tsconfig")
            rest = "/".join(parts[depth:]) or (named if isinstance(named, str) else CONFIGS[0])
            base = within(places[0], rest)
        names = (base, f"{base}.json", posixpath.join(base, CONFIGS[0])) if base else ()
        return next((name for name in names if name in self.files.contents), None)


def glob_expression(pattern: str) -> str:
    """Return the regular expression of a glob: `*`, `**`, `?` and `{a,b}`."""
    parts = re.split(r"(\*\*/?|\*|\?|\{[^{}]*\})", pattern)
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        signs.get(part)
        or ("(?:" + "|".join(map(re.escape, part[1:-1].split(","))) + ")" if part[:1] == "{" else re.escape(part))
        for part in parts
    )


def _not_found(target: str) -> Resolution:
    """Return that a file is missing, unless it is none of code."""
    return EXTERNAL if posixpath.splitext(target)[1].lower() in ASSETS else MISSING


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _entry_points(manifest: dict[str, Any], folder: str, rest: str) -> Iterator[str]:
    """Give where a package of the repository keeps what is imported from it; sources before what is built of them."""
    exports, name = manifest.get("exports"), f"./{rest}" if rest else "."
    if isinstance(exports, dict) and name in exports and exports[name] is None:
        return  # not to be had from outside
    yield from _mapped(exports, name, folder)
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
    # The longest beginning holds.
    patterns = sorted(table, key=lambda pattern: -len(pattern.partition("*")[0])) if isinstance(table, dict) else ()
    for pattern in patterns:
        value = table[pattern]
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


def _candidates(base: str, is_typescript: bool) -> Iterator[str]:
    """Give what a path may mean: a file, or the index of a folder."""
    yield from _named(base, is_typescript)
    yield from _in_folder(base, is_typescript)


def _named(base: str, is_typescript: bool) -> Iterator[str]:
    """Give the files that a path may mean. Of two kinds TypeScript takes its own and JavaScript its own."""
    stem, extension = posixpath.splitext(base)
    for_typescript = [stem + ending for ending in JS_FOR_TS.get(extension, ())]
    yield from [*for_typescript, base] if is_typescript else [base, *for_typescript]
    yield from (base + ending for ending in _extensions(is_typescript))


def _in_folder(base: str, is_typescript: bool) -> Iterator[str]:
    yield from (posixpath.join(base, f"index{ending}") for ending in _extensions(is_typescript))


def _extensions(is_typescript: bool) -> tuple[str, ...]:
    return (*TYPESCRIPT, *JAVASCRIPT, *OTHERS) if is_typescript else (*JAVASCRIPT, *TYPESCRIPT, *OTHERS)
