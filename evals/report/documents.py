"""HTML documents from the templates beside this file: what is shown is text, whatever it holds.

Questions and answers come from outside. Each is escaped by the template engine; characters that no one would see are
written out; and a policy in the document's head lets the browser run the one script that is ours, and fetch nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

TEMPLATES = Path(__file__).with_name("templates")
# C0 and C1 controls but tab and line feed, lone surrogates, and what turns the direction of text around.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
_NUMBER = re.compile(r"[-+]?[\d.,]+([eE][-+]?\d+)?( ?(%|points|s|GiB|MiB|kB|MB|B|tokens/s))?$")
_INTERVAL = re.compile(r"[-+]?[\d.]+ ?%? to [-+]?[\d.]+( ?%)?")
_CODE = re.compile(r"`([^`]+)`")
GOOD = ("pass", "won", "both right")
BAD = ("fail", "lost", "compile_error", "timeout", "oom")


def visible(text: object) -> str:
    r"""Return a text in which characters that would not be seen, or are not valid HTML, are written as their codes.

    Example:
        >>> visible("a\x00b")
        'a\\x00b'
    """
    return _INVISIBLE.sub(_code_of, str(text).replace("\r\n", "\n"))


def _code_of(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape", "surrogatepass").decode()


def is_number(text: str) -> bool:
    """Return whether a cell's text is a number, with or without a unit: such cells are set to the right."""
    return bool(_NUMBER.match(text))


def columns_of_numbers(rows: Sequence[Sequence[str]]) -> set[int]:
    """Return the columns in which every cell is a number, or "-"."""
    return {
        column for column, cells in enumerate(zip(*rows, strict=True)) if all(c == "-" or is_number(c) for c in cells)
    }


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    own_rows: Collection[int] = (),
    best_cells: Collection[tuple[int, int]] = (),
    aligned: bool = True,
) -> str:
    """Return a table as HTML; arguments as those of `Page.table`."""
    parts = _environment().get_template("parts.html").module
    return str(parts.table(headers, rows, own_rows, best_cells, {}, aligned))  # type: ignore[attr-defined]  # the template's macro


def render(template: str, *, title: str, scripts: Sequence[str] = (), **values: object) -> str:
    """Return a document.

    Args:
        template: the name of a file in templates/ that extends document.html.
        title: of the document, and its heading.
        scripts: names of files there, whose texts go into the document as one script.
        values: what the template shows; `subtitle` and `wide` are document.html's own.
    """
    environment = _environment()
    text = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in scripts)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return environment.get_template(template).render(
        title=title,
        script=Markup(text),
        script_hash=f"sha256-{digest}",
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        **{"subtitle": "", "wide": False, **values},
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "visible": visible,
        "is_number": is_number,
        "breaks": _breaks,
        "columns_of_numbers": columns_of_numbers,
        "tone": tone,
    }
    return environment


def tone(word: str) -> str:
    """Return how a verdict or a change is colored: "good", "bad" or "doubt"."""
    return "good" if word in GOOD else "bad" if word in BAD else "doubt"


def _breaks(text: str) -> Markup:
    """Return a cell's text as HTML: `code` between backticks; lines may end behind underscores, and in no interval."""
    kept = _INTERVAL.sub(lambda found: found[0].replace(" ", "\u00a0"), text)
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(kept)).replace("_", "_<wbr>")))
