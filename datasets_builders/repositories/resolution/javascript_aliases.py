"""Aliases of JavaScript that stand outside of tsconfig.json: in the configs of bundlers, Babel, Jest and Deno.

| config | what is read |
| --- | --- |
| `webpack.config.js`, `vite.config.ts` and the like | `alias`, as an object or a list; webpack's `resolve.modules` |
| `.babelrc`, `babel.config.*`, `babel` of package.json | `root` and `alias` of module-resolver, root-import |
| `jest` of package.json | `moduleNameMapper` with one group, `modulePaths` |
| `deno.json`, `import_map.json` | `imports`, `importMap` |

Configs that are programs are not run: of an alias counts what its string literals say, such as `path.resolve(__dirname,
'src')`. An alias that leads to no file is as if it were not there.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from datasets_builders.repositories.files import RepositoryFiles, within
from datasets_builders.repositories.json_comments import parse_json

MAX_CONFIG_CHARACTERS = 50_000
MAX_ALIAS_TABLES = 20
_PROGRAM = re.compile(
    r"(?:webpack|rspack|rsbuild|vite|vitest|rollup|rolldown|electron\.vite|babel|vue|craco|next|nuxt|astro|metro)"
    r"(?:\.[\w-]+)*\.(?:config|conf)(?:\.[\w-]+)?\.[cm]?[jt]s|webpack(?:\.[\w-]+){1,2}\.[cm]?[jt]s|\.babelrc\.c?js"
)
_BABEL = frozenset((".babelrc", ".babelrc.json", "babel.config.json"))
_DENO = frozenset(("deno.json", "deno.jsonc", "import_map.json"))
# Folders that hold configs of the folder around them.
_CONFIG_FOLDERS = frozenset(("build", "config", "configs", "webpack", "scripts", ".storybook", "tools"))
_ALIAS = re.compile(r"\balias['\"]?\s*:\s*([\[{])")
_MODULES = re.compile(r"\b(?:modules|modulesDirectories|root)['\"]?\s*:\s*\[([^\]]{0,500})\]")
_ENTRY = re.compile(r"(?:['\"]([^'\"\n]{1,80})['\"]|([\w$]{1,80}))\s*:\s*([^\n]{1,300})")
_FIND = re.compile(
    r"\bfind\s*:\s*(?:['\"]([^'\"\n]{1,80})['\"]|/\^?([\w@~#$\\/-]{1,80})/)\s*,\s*replacement\s*:\s*([^\n}]{1,300})"
)
_LITERAL = re.compile(r"(['\"`])([^'\"`\n$]{0,200})\1")
_MAPPER = re.compile(r"\^?([\w@~#$/.\\-]{1,80}?)(\(\.\*\)|\(\.\+\))?\$?")

Aliases = dict[str, list[str]]


def aliases_of(files: RepositoryFiles) -> dict[str, Aliases]:
    """Return what the configs of a repository say, by the folder for which they say it.

    Args:
        files (`RepositoryFiles`): the repository.

    Returns:
        pattern, such as `@` or `@/*`, to paths of the repository that it stands for; `*` for folders of bare names.
    """
    found: dict[str, Aliases] = {}
    for path, text in files.contents.items():
        read = _reader_of(posixpath.basename(path))
        if read is None or "/node_modules/" in f"/{path}":
            continue
        folder = posixpath.dirname(path)
        scope = posixpath.dirname(folder) if posixpath.basename(folder) in _CONFIG_FOLDERS else folder
        for name, place in read(text[:MAX_CONFIG_CHARACTERS]):
            for base in dict.fromkeys((within(folder, place), within(scope, place))):
                if base is not None:
                    for pattern in _patterns(name):
                        target = posixpath.join(base, "*") if pattern.endswith("*") else base
                        found.setdefault(scope, {}).setdefault(pattern, []).append(target)
    return found


def _reader_of(name: str) -> Callable[[str], Iterator[tuple[str, str]]] | None:
    if name in _BABEL:
        return _babel
    if name in _DENO:
        return _deno
    if name == "package.json":
        return _package
    return _program if _PROGRAM.fullmatch(name) else None


def _patterns(name: str) -> tuple[str, ...]:
    """Return the patterns of an alias: webpack's `a$` is the name alone, Deno's `a/` all below it."""
    if name == "*" or name.endswith("/*"):
        return (name,)
    if name.endswith("$"):
        return (name[:-1],)
    return (f"{name}*",) if name.endswith("/") else (name, f"{name}/*")


def _program(text: str) -> Iterator[tuple[str, str]]:
    """Read a config that is a program."""
    for opened in islice(_ALIAS.finditer(text), MAX_ALIAS_TABLES):
        block = _block(text, opened.start(1))
        if opened[1] == "[":
            entries = ((name or pattern.replace("\\", ""), place) for name, pattern, place in _FIND.findall(block))
        else:
            entries = ((quoted or bare, place) for quoted, bare, place in _ENTRY.findall(block))
        for name, place in entries:
            if base := _place(place):
                yield name, base
    for listed in _MODULES.finditer(text):
        for part in re.split(r",(?![^(]*\))", listed[1]):
            base = _place(part)
            if base and "node_modules" not in base:
                yield "*", base


def _block(text: str, start: int) -> str:
    """Return the text from a bracket to the one that closes it."""
    depth = 0
    for at in range(start, len(text)):
        if text[at] in "[{(":
            depth += 1
        elif text[at] in "]})":
            depth -= 1
            if not depth:
                return text[start + 1 : at]
    return text[start + 1 :]


def _place(expression: str) -> str:
    """Return the path that an expression such as `path.join(__dirname, 'src', 'a')` names by its literals."""
    parts = [literal for _, literal in _LITERAL.findall(expression) if literal not in (".", "url", "utf8")]
    return posixpath.join(*(part.lstrip("/") for part in parts)) if parts else ""


def _babel(text: str) -> Iterator[tuple[str, str]]:
    yield from _of_babel(parse_json(text))


def _of_babel(config: Any) -> Iterator[tuple[str, str]]:
    plugins = config.get("plugins") if isinstance(config, dict) else None
    for plugin in plugins if isinstance(plugins, list) else ():
        name, options = (*plugin, {})[:2] if isinstance(plugin, list) and plugin else (plugin, {})
        options = options if isinstance(options, dict) else {}
        if not isinstance(name, str):
            continue
        if "root-import" in name:
            yield str(options.get("rootPathPrefix", "~/")).rstrip("/") + "/", str(options.get("rootPathSuffix", ""))
        elif "module-resolver" in name:
            yield from _strings_of(options.get("alias"))
            yield from (("*", root) for root in _texts(options.get("root")))


def _package(text: str) -> Iterator[tuple[str, str]]:
    if '"jest"' not in text and '"babel"' not in text:
        return
    manifest = parse_json(text)
    manifest = manifest if isinstance(manifest, dict) else {}
    yield from _of_babel(manifest.get("babel"))
    jest = manifest.get("jest")
    jest = jest if isinstance(jest, dict) else {}
    for pattern, place in _strings_of(jest.get("moduleNameMapper")):
        if simple := _MAPPER.fullmatch(pattern):
            name = simple[1].replace("\\", "")
            yield (name.rstrip("/") + "/" if simple[2] else name), _of_jest(place)
    yield from (("*", _of_jest(path)) for path in _texts(jest.get("modulePaths")))


def _of_jest(place: str) -> str:
    return place.replace("<rootDir>", ".").removesuffix("$1")


def _deno(text: str) -> Iterator[tuple[str, str]]:
    config = parse_json(text)
    if isinstance(config, dict):
        yield from ((name, place) for name, place in _strings_of(config.get("imports")) if place.startswith("."))


def _texts(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def _strings_of(table: Any) -> Iterator[tuple[str, str]]:
    for name, place in table.items() if isinstance(table, dict) else ():
        if isinstance(place, str):
            yield name, place
