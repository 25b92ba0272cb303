"""Section 2.2.1: which of the languages that Linguist's rules leave is meant, by magika's model of contents; an option.

magika (Google, Apache-2.0) carries its ONNX model in its wheel and needs no network. It reads the first and the last
kilobyte of a file, one file at a time: several at once it only takes as files on disk.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING

from datasets_builders.building.errors import ConfigError
from datasets_builders.languages.detection import language_named
from modeling_ling.command_line import how_to_install

if TYPE_CHECKING:
    from magika import Magika

TIE_BREAKS = ("magika",)
# magika's label -> Linguist's names, where they are more than another case.
LINGUIST_NAMES = {
    "asm": ("Assembly", "Unix Assembly"),
    "asp": ("Classic ASP", "ASP.NET"),
    "batch": ("Batchfile",),
    "bazel": ("Starlark",),
    "bib": ("BibTeX",),
    "cpp": ("C++",),
    "cs": ("C#",),
    "erb": ("HTML+ERB",),
    "ignorefile": ("Ignore List",),
    "latex": ("TeX",),
    "lisp": ("Common Lisp", "Emacs Lisp", "NewLisp", "PicoLisp"),
    "objectivec": ("Objective-C", "Objective-C++"),
    "po": ("Gettext Catalog",),
    "proto": ("Protocol Buffer",),
    "rst": ("reStructuredText",),
    "textproto": ("Protocol Buffer Text Format",),
    "vba": ("VBA", "Visual Basic 6.0", "VBScript"),
}


def check_tie_break(name: str) -> None:
    """Raise `ConfigError` for a name that is unknown, or whose package is not installed."""
    if name not in TIE_BREAKS:
        raise ConfigError(f"language_tie_break is {name!r}; known: {', '.join(TIE_BREAKS)}")
    if importlib.util.find_spec(name) is None:
        raise ConfigError(f"language_tie_break needs the package magika. {how_to_install('magika')}")


def language_by_magika(content: str, candidates: tuple[str, ...]) -> str | None:
    """Return the one candidate that magika is sure of, or None.

    Args:
        content (`str`): of the file.
        candidates: languages by Linguist's names.

    Source: magika's own thresholds per kind of content.
    """
    if not candidates:
        return None
    label = str(_magika().identify_bytes(content.encode("utf-8", "replace")).prediction.output.label)
    named = LINGUIST_NAMES.get(label) or (language_named(label),)
    meant = [candidate for candidate in candidates if candidate in named]
    return meant[0] if len(meant) == 1 else None


@cache
def _magika() -> Magika:
    from magika import Magika

    return Magika()
