"""Sections 2.1 and 2.2.1: the licence of a repository and of a file, and whether it is a permissive one.

Names are SPDX's. Their categories are ScanCode's, as the Stack v2 uses them: "permissive" (with public domain),
"non_permissive", and "no_license" where none is stated.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath

LICENSE_TYPES = ("permissive", "non_permissive", "no_license")
UNKNOWN = "unknown"  # none is stated
UNRECOGNIZED = "unrecognised"  # a text that is none of the known
_LICENSE_FILE = re.compile(r"(?:(?:un)?licen[cs]e|copying|copyright)(?:[-_.].*)?", re.IGNORECASE)
_CODE_SUFFIXES = (".py", ".js", ".ts", ".java", ".c", ".h", ".go", ".rs", ".rb", ".php", ".json")
# Debian's lists of licences go on for long; of a licence's own text the beginning says which it is.
STATEMENT_BYTES = 1_000_000
TEXT_CHARACTERS = 20_000
SPDX_LINES = 30
MAX_EXPRESSION_CHARACTERS = 500
CACHED_EXPRESSIONS = 10_000
_SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t-]+?)[ \t]*(?:\*/|-->|#\}|$)", re.MULTILINE)
# SPDX name -> words that all stand in the text, with runs of white space as one blank. First match wins, so that a
# licence that quotes another one comes before it.
KNOWN_TEXTS = (
    ("AGPL-3.0-only", ("gnu affero general public license", "version 3")),
    ("LGPL-3.0-only", ("gnu lesser general public license", "version 3")),
    ("LGPL-2.1-only", ("gnu lesser general public license", "version 2.1")),
    ("GPL-3.0-only", ("gnu general public license", "version 3")),
    ("GPL-2.0-only", ("gnu general public license", "version 2")),
    ("MPL-2.0", ("mozilla public license", "version 2.0")),
    ("EPL-2.0", ("eclipse public license", "v 2.0")),
    ("Apache-2.0", ("apache license", "version 2.0")),
    ("BSL-1.0", ("boost software license", "version 1.0")),
    ("PSF-2.0", ("python software foundation license version 2",)),
    ("Unlicense", ("this is free and unencumbered software released into the public domain",)),
    ("CC0-1.0", ("creative commons", "cc0 1.0")),
    ("Zlib", ("this software is provided 'as-is', without any express or implied warranty", "altered source versions")),
    ("MIT", ("permission is hereby granted, free of charge", "the above copyright notice and this permission notice")),
    ("ISC", ("permission to use, copy, modify, and/or distribute this software", "the above copyright notice")),
    ("BSD-3-Clause", ("redistribution and use in source and binary forms", "neither the name")),
    ("BSD-2-Clause", ("redistribution and use in source and binary forms", "the following conditions")),
)
# In package metadata: npm's package.json, Python's PKG-INFO and METADATA, Debian's copyright, Cargo.toml.
_HEADER = re.compile(r"^License(?:-Expression)?: ([^\r\n]{1,100})", re.MULTILINE)
_METADATA = {
    "package.json": re.compile(r'"license"\s*:\s*"([^"\n]{1,100})"'),
    "PKG-INFO": _HEADER,
    "METADATA": _HEADER,
    "Cargo.toml": re.compile(r'^license\s*=\s*"([^"\n]{1,100})"', re.MULTILINE),
}
# Debian's short names and older spellings -> SPDX.
_ALIASES = {
    "expat": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    "psf": "PSF-2.0",
    "apache 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "gpl-2": "GPL-2.0-only",
    "gpl-2+": "GPL-2.0-or-later",
    "gpl-3": "GPL-3.0-only",
    "gpl-3+": "GPL-3.0-or-later",
    "lgpl-2.1+": "LGPL-2.1-or-later",
    "lgpl-3+": "LGPL-3.0-or-later",
    "mpl-2": "MPL-2.0",
    "mit license": "MIT",
    "isc license": "ISC",
}
# Of Python's trove classifiers; those of other licences say that something is stated.
_CLASSIFIER = re.compile(r"^Classifier: License :: (?:OSI Approved :: )?([^\r\n]{1,150})", re.MULTILINE)
_CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
_DEBIAN_LICENSE = re.compile(r"^License:[ \t]*(\S[^\n]{0,100})$", re.MULTILINE)
_PERMISSIVE = ("Permissive", "Public Domain")


def recognize_license(text: str) -> str | None:
    """Return the SPDX name of a licence text, or None.

    Args:
        text (`str`): of a licence file.

    Source: ours; the words are those of the licences.
    """
    text = text[:TEXT_CHARACTERS]
    if tag := _SPDX.search(text):
        return tag.group(1)
    plain = " ".join(text.lower().split())
    return next((name for name, words in KNOWN_TEXTS if all(word in plain for word in words)), None)


def is_statement_of_license(path: str) -> bool:
    """Return whether a file may state the licence of its repository: one at the top, in a wheel's metadata or a .deb's.

    Args:
        path (`str`): in the repository, with forward slashes.
    """
    *folders, name = path.split("/")
    if folders[:3] == ["usr", "share", "doc"]:
        return len(folders) == 4 and name == "copyright"
    if folders and not folders[0].endswith(".dist-info"):
        return False
    return _is_license_file(name) or name in _METADATA


def _is_license_file(name: str) -> bool:
    return bool(_LICENSE_FILE.fullmatch(name)) and PurePosixPath(name).suffix.lower() not in _CODE_SUFFIXES


def license_of_files(files: Mapping[str, bytes]) -> str:
    """Return the licence that the given files state: package metadata first, then licence texts.

    Args:
        files: path to content, those of `is_statement_of_license`.

    Returns:
        `str`: an SPDX expression, "unrecognised" where files state something else, "unknown" without any.
    """
    stating = [path for path in sorted(files) if _is_license_file(PurePosixPath(path).name)]
    for path in sorted(files):
        if words := _stated_in_metadata(path, files[path].decode("utf-8", "replace")):
            if stated := spdx_expression(words):
                return stated
            stating.append(path)  # such as npm's UNLICENSED: something is stated
    for path in stating:
        text = files[path].decode("utf-8", "replace")
        if PurePosixPath(path).name == "copyright" and (stated := _debian_license(text)):
            return stated
        if found := recognize_license(text):
            return found
    classified = {_CLASSIFIED.get(words, UNRECOGNIZED) for words in _classifiers(files)}
    if classified and UNRECOGNIZED not in classified:
        return all_of(classified)
    return UNRECOGNIZED if stating or classified else UNKNOWN


def _classifiers(files: Mapping[str, bytes]) -> list[str]:
    """Return what the classifiers in a Python package's metadata say of its licence."""
    texts = [_headers(raw) for path, raw in files.items() if PurePosixPath(path).name in ("PKG-INFO", "METADATA")]
    return [words.strip() for text in texts for words in _CLASSIFIER.findall(text)]


def _headers(raw: bytes) -> str:
    """Return the headers of a package's metadata, without the description behind them."""
    return re.split(r"\r?\n\r?\n", raw.decode("utf-8", "replace"), maxsplit=1)[0]


def _stated_in_metadata(path: str, text: str) -> str | None:
    """Return the words of a package's metadata on its licence, or None."""
    name = PurePosixPath(path).name
    if name in ("PKG-INFO", "METADATA"):
        text = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]  # behind the headers comes a description
    found = _METADATA[name].search(text) if name in _METADATA else None
    return found[1] if found and found[1].strip().upper() != "UNKNOWN" else None


def _debian_license(text: str) -> str | None:
    """Return what a machine-readable copyright file states of all files but those of the packaging."""
    names = set()
    says_of_files = re.search(r"^Files:", text, re.MULTILINE) is not None
    for paragraph in re.split(r"\n[ \t]*\n", text):
        # One that begins with a licence is its text, for the files that name it.
        if re.match(r"Files:[ \t]*debian/" + "|License:" * says_of_files, paragraph.lstrip()):
            continue
        if found := _DEBIAN_LICENSE.search(paragraph):
            names.add(spdx_expression(found[1]))
    if not names:
        return None
    # All must hold: a package is as free as its least free part.
    return UNRECOGNIZED if None in names else all_of(filter(None, names))


def license_of_folder(root: Path) -> str:
    """Return what the licence and metadata files at the top of a folder state, see `license_of_files`."""
    files = {}
    for path in sorted(root.iterdir()):
        if path.is_file() and is_statement_of_license(path.name):
            with path.open("rb") as file:
                files[path.name] = file.read(STATEMENT_BYTES)
    return license_of_files(files)


def spdx_of_head(text: str) -> str | None:
    """Return what the SPDX tag in the first 30 lines of a file says, or None.

    Source: SPDX 2.3, annex E; the number of lines is ours.
    """
    if "SPDX-License-Identifier" not in text[:5000]:
        return None
    found = _SPDX.search("\n".join(text[:5000].split("\n", SPDX_LINES)[:SPDX_LINES]))
    return found.group(1) if found else None


@cache
def _licensing():  # type: ignore[no-untyped-def]
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


@cache
def _categories() -> dict[str, str]:
    """Return ScanCode's category by SPDX name in small letters."""
    from license_expression import get_license_index

    return {
        key.lower(): license["category"]
        for license in get_license_index()
        for key in (license.get("spdx_license_key"), *license.get("other_spdx_license_keys", ()))
        if key
    }


def all_of(expressions: Iterable[str]) -> str:
    """Return one SPDX expression for licences that hold together; what is no expression stays as it is written."""
    ordered = sorted(set(expressions))
    joined = " AND ".join(f"({expression})" for expression in ordered)
    try:
        return str(_licensing().parse(joined).simplify())
    except Exception:  # of several kinds, see spdx_expression
        return joined if len(ordered) > 1 else "".join(ordered)


@lru_cache(CACHED_EXPRESSIONS)
def spdx_expression(stated: str) -> str | None:
    """Return what a package states as an SPDX expression, or None where it is none.

    Args:
        stated (`str`): such as `MIT`, `Apache 2.0`, `GPL-2+ OR Artistic-2.0`.

    Source: SPDX 2.3, annex D, by the library license-expression.
    """
    if len(stated) > MAX_EXPRESSION_CHARACTERS:
        return None
    words = _ALIASES.get(stated.strip().lower()) or " ".join(
        _ALIASES.get(word.lower(), word) for word in stated.split()
    )
    try:
        parsed = _licensing().parse(words, validate=True, strict=False)
    except Exception:  # the library raises errors of several kinds for what is no expression
        return None
    return str(parsed) if parsed is not None else None


@lru_cache(CACHED_EXPRESSIONS)
def license_type(license: str) -> str:
    """Return permissive, non_permissive or no_license.

    Of alternatives (OR) the best counts, of parts that hold together (AND) the worst; an exception (WITH) only adds
    permissions. What is stated but not known counts as non_permissive.

    Args:
        license (`str`): an SPDX expression, "unknown" or "unrecognised".

    Source: StarCoder2 2.1 (three kinds; ScanCode's categories Permissive and Public Domain).
    """
    if not license or license == UNKNOWN:
        return "no_license"
    expression = spdx_expression(license)
    if expression is None:
        return "non_permissive"
    return "permissive" if _is_permissive(_licensing().parse(expression)) else "non_permissive"


def _is_permissive(node: object) -> bool:
    from license_expression import LicenseWithExceptionSymbol

    if isinstance(node, LicenseWithExceptionSymbol):
        return _is_permissive(node.license_symbol)
    operator = getattr(node, "operator", "").strip()
    if operator == "OR":
        return any(map(_is_permissive, node.args))  # type: ignore[attr-defined]
    if operator == "AND":
        return all(map(_is_permissive, node.args))  # type: ignore[attr-defined]
    return _categories().get(str(node).lower()) in _PERMISSIVE
