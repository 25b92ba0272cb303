"""Section 2.2.1: the language of a file by Linguist's rules: its name, its extension, its first lines, its content.

The names, extensions and interpreters of some 800 languages lie in linguist.json (`update_linguist.py` writes it).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from datasets_builders.languages.ambiguous import decide

TYPES = ("programming", "markup", "data", "prose")
# Linguist files it as markup; what is in one is code and text between JSON, which `notebooks` takes apart.
NO_SOURCE = ("Jupyter Notebook",)
# Linguist files it as data; every code corpus counts it as code.
CODE_AMONG_DATA = ("SQL", "PLSQL", "PLpgSQL", "TSQL", "SQLPL", "HiveQL")
# Licences stand before the first directive of a header.
HEAD_CHARACTERS = 4096
MODELINES = 5
# Names of editors' modes that are no language's.
MODES = {
    **dict.fromkeys(("sh", "bash", "zsh", "shell-script"), "Shell"),
    "cpp": "C++",
    "objc": "Objective-C",
    "cperl": "Perl",
    "js": "JavaScript",
    "js2": "JavaScript",
}
# Between two `-*-`; behind `vim:`.
_EMACS_MODE = re.compile(r"(?:.*?\bmode\s*:)?\s*([\w+#-]+?)\s*(?:;.*)?", re.IGNORECASE)
_VIM = re.compile(r"\b(?:vim?|ex):", re.IGNORECASE)
_VIM_MODE = re.compile(r"[\s:](?:ft|filetype|syntax)=([\w+#-]+)", re.IGNORECASE)
# Behind white space and comments, which are not looked at twice.
_HEADER = re.compile(r"(?>\s|//[^\n]*\n|/\*(?s:.)*?\*/)*+#(?:ifn?def\s+\w|include\s*[<\"]|pragma\s+once\b)")
_SHEBANG = re.compile(r"#![ \t]*(?:\S*/)?(\S+)(?:[ \t]+(.*))?")


@dataclass(frozen=True)
class _Table:
    types: dict[str, str]
    extensions: dict[str, tuple[str, ...]]
    filenames: dict[str, tuple[str, ...]]
    interpreters: dict[str, tuple[str, ...]]


@cache
def _table() -> _Table:
    rows = json.loads(Path(__file__).with_name("linguist.json").read_text(encoding="utf-8"))["languages"]
    columns: list[dict[str, dict[str, None]]] = [defaultdict(dict) for _ in range(3)]
    for name, _, extensions, filenames, interpreters in rows:
        for column, keys in zip(columns, (map(str.lower, extensions), filenames, interpreters), strict=True):
            for key in keys:
                column[key][name] = None
    by_extension, by_filename, by_interpreter = (
        {key: tuple(names) for key, names in column.items()} for column in columns
    )
    return _Table({row[0]: row[1] for row in rows}, by_extension, by_filename, by_interpreter)


def type_of_language(language: str) -> str | None:
    """Return programming, markup, data or prose; None for a name that Linguist does not have."""
    return _table().types.get(language)


@cache
def languages_of_type(kind: str) -> frozenset[str]:
    """Return the languages of one of `TYPES`."""
    return frozenset(name for name, type_of_name in _table().types.items() if type_of_name == kind)


@cache
def language_named(name: str) -> str | None:
    """Return Linguist's spelling of a language's name, whatever its case; None for one that Linguist does not have."""
    return next((known for known in _table().types if known.lower() == name.lower()), None)


def candidates_of_name(path: str) -> tuple[str, ...]:
    """Return the languages that a path may be of, without a look into the file: none, one or several.

    Args:
        path (`str`): with forward slashes.

    Source: Linguist: whole names before extensions, long extensions (`.rest.txt`) before short ones.
    """
    name = path.rpartition("/")[2]
    if name in _table().filenames:
        return _table().filenames[name]
    return _table().extensions.get(extension_of(path), ())


def extension_of(path: str) -> str:
    """Return the longest extension of a path that Linguist knows, in small letters; else the last one."""
    name = path.rpartition("/")[2].lower()
    known, last, at = _table().extensions, "", name.find(".", 1)
    while at > 0:
        last = name[at:]
        if last in known:
            return last
        at = name.find(".", at + 1)
    return last


def language_of_shebang(content: str) -> str | None:
    """Return the language of a script by its `#!` line, or None.

    Args:
        content (`str`): the file, or its beginning.

    Source: Linguist's interpreters; `env -S`, versions (`python3.12`) and shells that start another one are ours.
    """
    match = _SHEBANG.match(content)
    if not match:
        return None
    interpreter, arguments = match[1], (match[2] or "").split()
    if interpreter == "env":
        words = (word for word in arguments if not word.startswith("-") and "=" not in word)
        interpreter = PurePosixPath(next(words, "")).name
    for name in (interpreter, re.sub(r"[\d.]+\Z", "", interpreter)):
        if name in _table().interpreters:
            return _table().interpreters[name][0]  # in alphabetical order: JavaScript, Lua, OCaml, Perl
    return None


def language_of_head(path: str, content: str) -> str | None:
    """Return the language of a file by how it begins, or None: its `#!` line, an editor's modeline, a C++ header.

    Headers of C++ often have no extension: `Eigen/Core`, `QString`. One is told by its first directive.

    Args:
        path (`str`): with forward slashes.
        content (`str`): the file, or its beginning.

    Source: Linguist's strategies for `#!` lines and modelines, these of the first lines alone; headers are ours.
    """
    head = content[:HEAD_CHARACTERS]
    if by_shebang := language_of_shebang(head):
        return by_shebang
    for line in head.split("\n", MODELINES)[:MODELINES]:
        mode = _mode_of(line).lower()
        if mode and (language := MODES.get(mode) or language_named(mode)):
            return language
    return "C++" if "." not in PurePosixPath(path).name and _HEADER.match(head) else None


def _mode_of(line: str) -> str:
    """Return the mode that a line sets in Emacs or Vim, or an empty string."""
    for part in line.split("-*-")[1:-1]:
        if match := _EMACS_MODE.fullmatch(part):
            return match[1]
    vim = _VIM.search(line)
    mode = _VIM_MODE.search(line, vim.end() - 1) if vim else None
    return mode[1] if mode else ""


@dataclass(frozen=True)
class WantedLanguages:
    """Which languages belong into a corpus: `language in wanted`.

    Args:
        types (tuple of `str`): of `TYPES`; "programming" brings CODE_AMONG_DATA along.
        names (tuple of `str`): if any are named, those alone.
        tie_break (`str`): asked where the rules leave several languages; empty for none.
    """

    types: tuple[str, ...] = ("programming", "markup")
    names: tuple[str, ...] = ()
    tie_break: str = ""

    def __contains__(self, language: str | None) -> bool:
        if self.names:
            return language in self.names
        if language is None or language in NO_SOURCE:
            return False
        return type_of_language(language) in self.types or (language in CODE_AMONG_DATA and "programming" in self.types)


def language_of(path: str, content: str) -> str | None:
    """Return the language of a file, or None where the rules do not decide.

    Args:
        path (`str`): with forward slashes.
        content (`str`): of the file.

    Source: Linguist's order: name, first lines, extension, content.
    """
    candidates = candidates_of_name(path)
    if len(candidates) == 1:
        return candidates[0]
    by_head = language_of_head(path, content)
    if by_head and (not candidates or by_head in candidates):
        return by_head
    return decide(extension_of(path), candidates, content) if candidates else None
