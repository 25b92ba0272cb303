"""Section 2.2.1: what the metadata of packages say of their licence, file by file: npm, Python, Rust, PHP, Ruby, ...

A list of licences is a choice in all of them but for what Debian's copyright files say, which is read elsewhere.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from datasets_builders.sources.license_notices import license_of_text, notice_expression, plain_text
from datasets_builders.sources.licenses import UNRECOGNIZED, all_of, any_of, spdx_expression

MAX_WORDS_CHARACTERS = 200
# Of Python's trove classifiers; those that name a family alone say that something is stated.
_CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?([^\r\n\"']{1,150})")
_CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Public Domain": "LicenseRef-scancode-public-domain",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "Zope Public License": "ZPL-2.1",
    "zlib/libpng License": "Zlib",
}
_NOTHING = re.compile(
    r"(?:unknown|none|n/a|tbd|todo\b.*|see licen[sc]e.*|licen[sc]e(?:\.\w+)?|file:? ?licen[sc]e.*|noassertion|-)?",
    re.IGNORECASE,
)
_LICENSE_ELEMENT = re.compile(r"<license(?:\s[^>]{0,200})?>([^<]{1,300})</license>")
_QUOTED = re.compile(r"[\"']([^\"'\n]{1,200})[\"']")


@dataclass(frozen=True)
class Stated:
    """What metadata state.

    Args:
        license (`str`): an SPDX expression, or "unrecognised".
        is_weak (`bool`): it is a family's name alone, such as a classifier; a licence text goes before it.
    """

    license: str
    is_weak: bool = False


def stated_in_metadata(path: str, text: str) -> Stated | None:
    """Return what a package's metadata state, or None where they state nothing.

    Args:
        path (`str`): of the file; its name tells the format.
        text (`str`): its content.
    """
    read = _reader_of(PurePosixPath(path).name)
    if read is None:
        return None
    try:
        return read(text)
    except (ValueError, TypeError, RecursionError, AttributeError, KeyError):
        return None  # not of its format


def is_metadata(name: str) -> bool:
    """Return whether a file of this name may state the licence of a package."""
    return _reader_of(name) is not None


def spoken(words: str) -> str:
    """Return the expression that a field of metadata writes in its own way; "unrecognised" where it is none."""
    words = words.strip().strip("\"'")
    if "\n" in words or len(words) > MAX_WORDS_CHARACTERS:
        return license_of_text(words) or UNRECOGNIZED
    stated = spdx_expression(words) or spdx_expression(re.sub(r"\s*(?:/|\|\|?|,?\s\bor\b)\s*", " OR ", words))
    return stated or notice_expression(words, in_context=False) or UNRECOGNIZED


def _said(words: str | None) -> Stated | None:
    if words is None or _NOTHING.fullmatch(words.strip()):
        return None
    return Stated(spoken(words))


def _choice(words: Iterable[str | None]) -> Stated | None:
    stated = [said.license for word in words if (said := _said(word))]
    return Stated(any_of(stated)) if stated else None


def _json(text: str) -> Stated | None:
    values = json.loads(text.lstrip("\ufeff"))
    stated = values.get("license") or values.get("licenses") or values.get("licence")
    if values.get("private") and stated == "UNLICENSED":
        return None  # what is not published says so, whatever its repository's licence
    stated = stated if isinstance(stated, list) else [stated]
    return _choice(
        part.get("type") or part.get("name") or part.get("url") if isinstance(part, dict) else part for part in stated
    )


def _pyproject(text: str) -> Stated | None:
    values = tomllib.loads(text)
    project, poetry = values.get("project") or {}, (values.get("tool") or {}).get("poetry") or {}
    license = (
        project.get("license")
        or poetry.get("license")
        or (values.get("tool") or {}).get("flit", {}).get("metadata", {}).get("license")
    )
    words = license.get("text") if isinstance(license, dict) else license
    classifiers = [*(project.get("classifiers") or []), *(poetry.get("classifiers") or [])]
    return _said(words) or _classified("\n".join(classifiers))


def _cargo(text: str) -> Stated | None:
    values = tomllib.loads(text)
    for package in (values.get("package") or {}, (values.get("workspace") or {}).get("package") or {}):
        if isinstance(words := package.get("license"), str):
            return _said(words.replace("/", " OR "))
    return None


def _headers(text: str) -> Stated | None:
    """Read the metadata of a Python package."""
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]  # behind the headers comes a description
    fields = {
        name: found[1]
        for name in ("License-Expression", "License")
        if (found := re.search(rf"^{name}:[ \t]*([^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*)", head, re.MULTILINE))
    }
    if stated := _said(fields.get("License-Expression")):
        return stated
    said = _said(fields.get("License"))
    return said if said and said.license != UNRECOGNIZED else _classified(head) or said


def _classified(text: str) -> Stated | None:
    found = {words.strip().rstrip(",") for words in _CLASSIFIER.findall(text)} - {"OSI Approved", "DFSG approved"}
    names = [_CLASSIFIED.get(words) or notice_expression(words, in_context=False) or UNRECOGNIZED for words in found]
    if not names:
        return None
    return Stated(UNRECOGNIZED if UNRECOGNIZED in names else all_of(names), is_weak=True)


def _setup_cfg(text: str) -> Stated | None:
    found = re.search(r"^licen[sc]e[ \t]*=[ \t]*(.+)$", text, re.MULTILINE)
    return _said(found[1] if found else None) or _classified(text)


def _setup_py(text: str) -> Stated | None:
    found = re.search(r"\blicen[sc]e[ \t]*=[ \t]*[\"']([^\"'\n]+)[\"']", text)
    return _said(found[1] if found else None) or _classified(text)


def _quoted_behind(pattern: str) -> Callable[[str], Stated | None]:
    compiled = re.compile(pattern, re.MULTILINE)

    def read(text: str) -> Stated | None:
        found = compiled.search(text)
        return _choice(_QUOTED.findall(found[1])) if found else None

    return read


def _words_behind(pattern: str) -> Callable[[str], Stated | None]:
    compiled = re.compile(pattern, re.MULTILINE)

    def read(text: str) -> Stated | None:
        found = compiled.search(text)
        return _said(found[1]) if found else None

    return read


def _pom(text: str) -> Stated | None:
    if not (block := re.search(r"<licenses>(.*?)</licenses>", text, re.DOTALL)):
        return None
    licenses = re.findall(r"<license>(.*?)</license>", block[1], re.DOTALL)
    return _choice(" ".join(re.findall(r"<(?:name|url)>\s*(.*?)\s*</", license, re.DOTALL)) for license in licenses)


def _msbuild(text: str) -> Stated | None:
    found = re.search(r"<(?:PackageLicenseExpression|license type=\"expression\")>([^<]+)<", text)
    found = found or re.search(r"<(?:PackageLicenseUrl|licenseUrl)>([^<]+)<", text)
    return _said(found[1] if found and "aka.ms/deprecate" not in found[1] else None)


def _r(text: str) -> Stated | None:
    found = re.search(r"^License:[ \t]*(.+(?:\n[ \t]+.+)*)", text, re.MULTILINE)
    if not found or "Package:" not in text:
        return None
    parts = [re.sub(r"\+?\s*file\s+LICEN[SC]E", "", part).strip() for part in found[1].split("|")]
    return _choice(part for part in parts if part)


def _elements(text: str) -> Stated | None:
    """Read the licences of a package of ROS or an addon of Kodi: where it has several, parts of it have one each."""
    stated = [said.license for words in _LICENSE_ELEMENT.findall(text) if (said := _said(words))]
    return Stated(all_of(stated)) if stated else None


_IN_QUOTES = r"[\"']([^\"'\n]+)[\"']"
_BY_NAME: dict[str, Callable[[str], Stated | None]] = {
    **dict.fromkeys(("package.json", "composer.json", "bower.json", "elm.json", "dub.json", "META.json"), _json),
    **dict.fromkeys(("deno.json", "jsr.json", "vcpkg.json", "haxelib.json", "codemeta.json"), _json),
    **dict.fromkeys(("package.xml", "addon.xml"), _elements),
    **dict.fromkeys(("__manifest__.py", "__openerp__.py"), _words_behind(rf"[\"']license[\"']\s*:\s*{_IN_QUOTES}")),
    **dict.fromkeys(("package.yaml", "shard.yml", "CITATION.cff"), _words_behind(r"^license:[ \t]*(\S.*)$")),
    "galaxy.yml": _words_behind(r"^license:\s*(?:-[ \t]*)?(\S.*)$"),
    "conanfile.py": _words_behind(rf"^\s+license\s*=\s*\(?{_IN_QUOTES}"),
    "project.clj": _words_behind(r":license\s*\{[^}]{0,500}?:name\s+\"([^\"]+)\""),
    "build.sbt": _words_behind(r"\blicenses\s*\+?:?\+?=[^\n\"]{0,200}\"([^\"\n]{1,200})\""),
    "dune-project": _words_behind(r"\(license\s+\"?([^)\"]{1,200})"),
    **dict.fromkeys(("PKG-INFO", "METADATA"), _headers),
    "pyproject.toml": _pyproject,
    "Cargo.toml": _cargo,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
    "pom.xml": _pom,
    "DESCRIPTION": _r,
    "mix.exs": _quoted_behind(r"\blicenses:\s*\[([^\]]*)\]"),
    "META.yml": _words_behind(r"^license:[ \t]*(.+)$"),
    "metadata.rb": _quoted_behind(r"^license\s+(.+)$"),
}
_BY_SUFFIX: dict[str, Callable[[str], Stated | None]] = {
    ".gemspec": _quoted_behind(r"\.licen[sc]es?\s*=\s*(\[[^\]]*\]|[^\n#]+)"),
    ".podspec": _quoted_behind(r"\.license\s*=\s*(?:\{.*?:type\s*=>\s*)?(.+?)(?:,|\}|$)"),
    ".cabal": _words_behind(r"^licen[sc]e:[ \t]*(.+)$"),
    ".rockspec": _quoted_behind(r"\blicense\s*=\s*([\"'].*?[\"'])"),
    ".opam": _quoted_behind(r"^license:\s*(.+)$"),
    ".nimble": _quoted_behind(r"^license\s*=\s*(.+)$"),
    ".csproj": _msbuild,
    ".fsproj": _msbuild,
    ".nuspec": _msbuild,
}


def _reader_of(name: str) -> Callable[[str], Stated | None] | None:
    return (
        _BY_NAME.get(name)
        or _BY_SUFFIX.get(PurePosixPath(name).suffix)
        or (_quoted_behind(r"^license:\s*(.+)$") if name == "opam" else None)
    )


def stated_in_readme(text: str) -> str | None:
    """Return what the section on the licence in a README states, or None.

    Args:
        text (`str`): of the README.
    """
    found = re.search(
        r"^[#=\s*]*(?:\d+\.? )?(?:copyright (?:and|&) )?licen[sc](?:e|ing)(?: (?:and"
        r"|&) copyright)?:?[ #*]*$\n?[=~^\"*-]*\n(?P<section>(?:.*\n?){1,15})",
        text,
        re.MULTILINE | re.IGNORECASE,
    )
    if not found:
        return None
    section = re.split(r"^#|\n[=-]{4,}", found["section"], maxsplit=1, flags=re.MULTILINE)[0]
    return notice_expression(plain_text(section), in_context=False)
