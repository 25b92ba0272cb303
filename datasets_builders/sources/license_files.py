"""Section 2.2.1: the licences of a repository, folder by folder, from licence files and package metadata.

What lies in a folder governs all below it, up to the next folder that states something itself (StarCoder2 2.1). All
files of one place are judged together: a package is as free as its least free licence, except where its metadata name
the licences or leave a choice.
"""

import fnmatch
import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath

from datasets_builders.sources.encodings import decode
from datasets_builders.sources.license_metadata import is_metadata, stated_in_metadata, stated_in_readme
from datasets_builders.sources.license_notices import keeps_back, license_of_head, license_of_text, notice_expression
from datasets_builders.sources.license_texts import find_texts
from datasets_builders.sources.licenses import UNKNOWN, UNRECOGNIZED, all_of, keys_of, license_type, spdx_expression

# Debian's lists of licences go on for long; of a licence's own text the beginning says which it is.
STATEMENT_BYTES = 1_000_000
MAX_TEXT_CHARACTERS = 300_000
TITLE_CHARACTERS = 400
CACHED_TEXTS = 64  # the ranks of an archive, and packages of a tree, state the same
MAX_STATEMENTS = 5_000  # of a repository; a tree of packages has one per package
_LICENSE_FILE = re.compile(
    r"(?:.*[-_. ])?(?:un)?licen[cs]es?(?:[-_. ].*)?|copying(?:\d|v\d)?(?:[-_. ].*)?|copyrights?(?:[-_. ].*)?"
    r"|(?:a|l)?gpl[-_ v]?[\d.]*(?:\.(?:txt|md))?|commons[-_]clause.*|eula(?:\..*)?",
    re.IGNORECASE,
)
_LICENSE_SUFFIX = re.compile(r"\.(?:[al]?gpl.*|lesser|lib|mit|apache.*|bsd.*|mpl.*|isc|cc0|unlicense|[\d.]+|old|orig)")
_OF_A_FILE = re.compile(r"\.(?:m?js|cjs|css|min)\.licen[sc]e", re.IGNORECASE)  # what bundlers write beside a bundle
# Licences of others' work in a package, and of what is no code.
_OF_OTHER_THINGS = re.compile(
    r"third|3rd|bundled|vendor|dependenc|notice|header|template|logo|icon|font|image|art\b|artwork|asset|media|\bdocs?\b|documentation"
    r"|sound|music|\bdata\b|contribut|\btests?\b|example",
    re.IGNORECASE,
)
_TEXT_SUFFIXES = ("", ".txt", ".md", ".markdown", ".rst", ".html", ".rtf", ".adoc", ".org")
_TEXT_FOLDERS = ("licenses", "license", "licences", "licence")
_WEAK_FOLDERS = ("doc", "docs", "legal", "debian", ".github")
_README = re.compile(r"readme(?:\.(?:md|rst|txt|markdown))?", re.IGNORECASE)
_DEBIAN_LICENSE = re.compile(r"^License:[ \t]*(\S[^\n]{0,100})$", re.MULTILINE)
_DEBIAN_PACKAGING = re.compile(
    r"[^.\n]*(?:\n(?!\n)[^.\n]*)*debian packaging.*?(?:\n[ \t]*\n|\Z)", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Licenses:
    """The licences of a repository's files.

    Args:
        by_folder (dict): folder, empty for the top, to what it states.
        by_pattern: (pattern, licence) of files that a list of them names, the last that fits wins.
    """

    by_folder: Mapping[str, str] = field(default_factory=dict)
    by_pattern: tuple[tuple[str, str], ...] = ()

    @property
    def of_all(self) -> str:
        """What the top states."""
        return self.by_folder.get("", UNKNOWN)

    def of(self, path: str) -> str:
        """Return the licence of a file by its path: an SPDX expression, "unrecognised" or "unknown"."""
        for pattern, license in reversed(self.by_pattern):
            if fnmatch.fnmatchcase(path, pattern):
                return license
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in self.by_folder:
                return self.by_folder[folder]
        return UNKNOWN


def is_statement_of_license(path: str) -> bool:
    """Return whether a file may state the licence of what lies around and below it.

    Args:
        path (`str`): in the repository, with forward slashes.
    """
    *folders, name = path.split("/")
    if folders[:3] == ["usr", "share", "doc"]:
        return len(folders) == 4 and name == "copyright"
    if name == "REUSE.toml" or path == ".reuse/dep5" or (not folders and _README.fullmatch(name)):
        return True
    if folders and folders[-1].lower() in _TEXT_FOLDERS and PurePosixPath(name).suffix.lower() != ".py":
        return _short_name(PurePosixPath(name).stem if name.endswith((".txt", ".md")) else name) is not None
    return is_license_file(name) or is_metadata(name) or _is_beside(name)


def _is_beside(name: str) -> bool:
    """Return whether a file states the licence of the one beside it, `logo.js.license`, as REUSE has it."""
    return name.endswith(".license") and bool(PurePosixPath(name.removesuffix(".license")).suffix)


def is_license_file(name: str) -> bool:
    """Return whether a file of this name holds a licence of code."""
    if not _LICENSE_FILE.fullmatch(name) or _OF_OTHER_THINGS.search(name) or _OF_A_FILE.search(name):
        return False
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in _TEXT_SUFFIXES or _LICENSE_SUFFIX.fullmatch(suffix) is not None


def licenses_of_files(files: Mapping[str, bytes], paths: Collection[str] = ()) -> Licenses:
    """Return what the given files state.

    Args:
        files: path to content, those of `is_statement_of_license`.
        paths: of all files, which tell what of a Debian copyright file concerns a binary package.
    """
    places: dict[str, dict[str, str]] = defaultdict(dict)
    weak: dict[str, dict[str, str]] = defaultdict(dict)
    by_pattern: list[tuple[str, str]] = []
    for path, raw in sorted(files.items())[:MAX_STATEMENTS]:
        text = _text(raw)
        folder, _, name = path.rpartition("/")
        above, _, last = folder.rpartition("/")
        if _is_beside(name):
            by_pattern.append((path.removesuffix(".license"), license_of_head(f"# {text}") or UNRECOGNIZED))
        elif name == "REUSE.toml":
            by_pattern += [(f"{folder}/{pattern}".lstrip("/"), license) for pattern, license in _annotations(text)]
        elif _is_debian(text) and not folder.startswith("usr/share/doc/") and (path == ".reuse/dep5" or not folder):
            by_pattern += [*_debian_files(text)]
        elif folder.startswith("usr/share/doc/"):
            installed, text = _installed(text, paths)
            by_pattern += installed
            places[""][path] = text
        elif above.endswith(".dist-info") or folder.endswith((".dist-info", ".egg-info")):
            places[""][path] = text
        elif last.lower() in _TEXT_FOLDERS:
            weak[above][path] = text
        elif last.lower() in _WEAK_FOLDERS or _README.fullmatch(name):
            (weak[above] if last.lower() in _WEAK_FOLDERS else weak[folder])[path] = text
        else:
            places[folder][path] = text
    by_folder = {place: judged for place, texts in places.items() if (judged := _judge(texts, is_top=not place))}
    for place, texts in weak.items():
        if place not in by_folder and (judged := _judge_weak(texts)):
            by_folder[place] = judged
        elif " AND " in by_folder.get(place, ""):
            by_folder[place] = as_offered(by_folder[place], _of_readme(texts) or "")
    return Licenses(by_folder, tuple(by_pattern))


def license_of_files(files: Mapping[str, bytes]) -> str:
    """Return what the given files state of the whole, see `licenses_of_files`."""
    return licenses_of_files(files).of_all


def _text(raw: bytes) -> str:
    decoded = decode(raw[:STATEMENT_BYTES])
    return (decoded[0] if decoded else raw.decode("utf-8", "replace"))[:STATEMENT_BYTES].replace("\r\n", "\n")


def _judge_weak(texts: Mapping[str, str]) -> str | None:
    """Return what is stated beside the place: in a folder of licences, in the documentation, in the README."""
    others = {path: text for path, text in texts.items() if not _README.fullmatch(PurePosixPath(path).name)}
    return (_judge(others) if others else None) or _of_readme(texts)


def _of_readme(texts: Mapping[str, str]) -> str | None:
    readme = next((text for path, text in texts.items() if _README.fullmatch(PurePosixPath(path).name)), None)
    return stated_in_readme(readme) if readme else None


def _judge(texts: Mapping[str, str], is_top: bool = True) -> str | None:
    """Return what the files of one place state together, or None for nothing."""
    metadata = [said for path, text in texts.items() if (said := stated_in_metadata(path, text))]
    strong = {stated.license for stated in metadata if not stated.is_weak}
    weak = {stated.license for stated in metadata if stated.is_weak}
    files = [
        (path, found)
        for path, text in texts.items()
        if not is_metadata(PurePosixPath(path).name) and (found := _of_license_file(path, text))
    ]
    if strong - {UNRECOGNIZED}:
        stated = all_of(strong - {UNRECOGNIZED})
        return _with_files(stated, [found for _, found in files])
    if files:
        licenses = [found.license for _, found in files]
        if UNRECOGNIZED in licenses:
            return UNRECOGNIZED
        return _without_base(licenses)
    if UNRECOGNIZED in strong or UNRECOGNIZED in weak:
        return UNRECOGNIZED
    return all_of(weak) if weak else None


@dataclass(frozen=True)
class _OfFile:
    """What a licence file states."""

    license: str
    keeps_back: bool = False


def _with_files(stated: str, files: Iterable[_OfFile]) -> str:
    """Return what metadata state, with the licences of files that they do not name.

    What follows behind the licence of metadata in one file are licences of what is bundled. A text that is none of the
    known, but keeps nothing back, is what metadata say it is.
    """
    named = {family_of(key) for key in keys_of(stated)}
    others = []
    for found in files:
        if found.keeps_back:
            return UNRECOGNIZED
        is_named = found.license == UNRECOGNIZED or any(family_of(key) in named for key in keys_of(found.license))
        if not is_named and license_type(found.license) != "permissive":
            others.append(found.license)
    return all_of([stated, *others])


def as_offered(stated: str, offered: str) -> str:
    """Return the choice that is offered, where what is stated names the same licences as holding together; else that.

    Args:
        stated: an SPDX expression, such as that of two licence files side by side.
        offered: one of the whole package.
    """
    if " OR " in offered and " AND " in stated:
        families = {family_of(key) for key in keys_of(offered)}
        if {family_of(key) for key in keys_of(stated)} <= families:
            return offered
    return stated


def family_of(key: str) -> str:
    """Return what licences that differ in little have in common: `gpl-3.0` of `GPL-3.0-or-later`, `bsd`."""
    key = key.lower().removesuffix("-only").removesuffix("-or-later").removesuffix("+")
    return re.sub(r"^(bsd|mit|x11|expat).*", r"\1", key)


def _without_base(licenses: list[str]) -> str:
    """Return all licences together; the GPL beside the LGPL is the text that the LGPL refers to."""
    if any(license.startswith("LGPL") for license in licenses):
        licenses = [license for license in licenses if not license.startswith("GPL")]
    return all_of(licenses)


def _of_license_file(path: str, text: str) -> _OfFile | None:
    """Return what a licence file states; None for one that speaks of no licence at all."""
    text = text[:MAX_TEXT_CHARACTERS]
    name = PurePosixPath(path).name
    if _is_debian(text) or path.startswith("usr/share/doc/"):
        if stated := _debian_license(text):
            return _OfFile(stated)
        text = _DEBIAN_PACKAGING.sub("\n", text)
    license = license_of_license(text)
    if license is None and name.lower().startswith(("copyright", "author")) and "licen" not in text.lower():
        return None
    return _OfFile(license or UNRECOGNIZED, license == UNRECOGNIZED and keeps_back(text))


@lru_cache(CACHED_TEXTS)
def license_of_license(text: str) -> str | None:
    """Return the licence that a licence file holds or names, "unrecognised" where it keeps rights back, or None.

    Args:
        text (`str`): of the file.
    """
    found = find_texts(text)
    if found.names or found.is_changed:
        return license_of_text(text)
    titled = notice_expression(_title(text), in_context=False)
    if len(text) <= 10 * TITLE_CHARACTERS:
        whole = notice_expression(text, in_context=False)
        is_told = whole and (license_type(whole) == "non_permissive" or " OR " in whole)
        return whole if is_told or _is_short(text) else None
    return titled if titled and license_type(titled) == "non_permissive" else None


def _is_short(text: str) -> bool:
    """Return whether a text names a licence and is none itself: no words that grant or refuse."""
    return not re.search(r"permission is|redistribution and use|is hereby|are permitted", text, re.IGNORECASE)


def _title(text: str) -> str:
    return text.strip()[:TITLE_CHARACTERS]


def _is_debian(text: str) -> bool:
    return (
        re.match(r"\s*Format(?:-Specification)?:", text) is not None
        or re.search(r"^Files:[ \t]*\S", text, re.MULTILINE) is not None
    )


def _debian_paragraphs(text: str) -> Iterable[tuple[str, str]]:
    """Give (patterns, licence as written) for paragraphs of a machine-readable copyright file, not the packaging's."""
    says_of_files = re.search(r"^Files:", text, re.MULTILINE) is not None
    for paragraph in re.split(r"\n[ \t]*\n", text):
        # One that begins with a licence is its text, for the files that name it.
        if re.match(r"Files:[ \t]*debian/" + "|License:" * says_of_files, paragraph.lstrip()):
            continue
        if found := _DEBIAN_LICENSE.search(paragraph):
            files = re.search(r"^Files:[ \t]*(.*(?:\n[ \t]+.*)*)", paragraph, re.MULTILINE)
            yield files[1] if files else "*", found[1]


def _debian_license(text: str) -> str | None:
    """Return what a machine-readable copyright file states of all files but those of the packaging."""
    names = {_short_name(words) for _, words in _debian_paragraphs(text)}
    if not names:
        return None
    # All must hold: a package is as free as its least free part.
    return UNRECOGNIZED if None in names else all_of(filter(None, names))


def _installed(text: str, paths: Collection[str]) -> tuple[list[tuple[str, str]], str]:
    """Return (path, licence) of installed files that a paragraph is about, and the text without such paragraphs.

    A copyright file is about the source package, of which files lie in other folders here, or in another package.
    """
    if not _is_debian(text) or not paths:
        return [], text
    found, kept = [], []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        files = re.search(r"^Files:[ \t]*(.*(?:\n[ \t]+.*)*)", paragraph, re.MULTILINE)
        license = _DEBIAN_LICENSE.search(paragraph)
        patterns = files[1].split() if files else ["*"]
        if license is None or any(_is_of_all(pattern) for pattern in patterns):
            kept.append(paragraph)
            continue
        stated = _short_name(license[1]) or UNRECOGNIZED
        found += [(path, stated) for path in paths if any(_is_about(pattern, path) for pattern in patterns)]
    return found, "\n\n".join(kept)


def _is_of_all(pattern: str) -> bool:
    return pattern == "*" or pattern.removeprefix("./") in ("src/*", "lib/*", "include/*")


def _is_about(pattern: str, path: str) -> bool:
    """Return whether an installed file may be one that a pattern of the source package names: by its end."""
    *folders, name = pattern.removeprefix("./").split("/")
    if name == "*":
        return f"/{folders[-1]}/" in f"/{path}" if folders else True
    return fnmatch.fnmatchcase(path.rpartition("/")[2], name)


def _short_name(words: str) -> str | None:
    return spdx_expression(words) or notice_expression(words, in_context=False)


def _debian_files(text: str) -> Iterable[tuple[str, str]]:
    for patterns, words in _debian_paragraphs(text):
        for pattern in patterns.split():
            yield pattern, _short_name(words) or UNRECOGNIZED


def _annotations(text: str) -> Iterable[tuple[str, str]]:
    """Give (pattern, licence) of a REUSE.toml."""
    try:
        annotations = tomllib.loads(text).get("annotations") or []
        for annotation in annotations:
            paths, licenses = annotation.get("path") or [], annotation.get("SPDX-License-Identifier") or []
            named = [licenses] if isinstance(licenses, str) else licenses
            for path in [paths] if isinstance(paths, str) else paths:
                if named:
                    yield path.replace("**", "*"), all_of(spdx_expression(name) or UNRECOGNIZED for name in named)
    except (ValueError, TypeError, AttributeError):
        return


def read_licenses(paths: Iterable[str], read: Callable[[str], bytes]) -> Licenses:
    """Return the licences of a repository whose files can be read by path.

    Args:
        paths: of all its files.
        read (function): returns the first `STATEMENT_BYTES` of one.
    """
    return licenses_of_files({path: read(path) for path in paths if is_statement_of_license(path)})
