"""Section 2.3.3: what a notebook file holds, whatever version of the format it is of, or none.

Read leniently: what other readers refuse (a cell without a source, a list where a text belongs, no `nbformat`) has
cells that people wrote all the same. Images, widgets and the metadata of cells are not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import orjson

CellKind = Literal["code", "markdown", "raw"]

# What a figure, a widget or a plot answers as text, beside the picture that is not read.
_REPR_ONLY = re.compile(r"\[?\s*<[^<>]{1,200}>(?:,?\s*<[^<>]{1,200}>)*\s*\]?")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_EMBEDDED_IMAGE = re.compile(
    r"!\[([^\]\n]*)\]\(\s*(?:attachment:|data:image/)[^)]*\)|<img\b[^>]*\bsrc=[\"'](?:attachment:|data:image/)[^>]*>",
    re.IGNORECASE,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_TEXT_MIMES = ("text/plain", "text/markdown", "text/latex")


class NotebookError(ValueError):
    """The file holds no notebook; `reason` is countable, the message says what was found.

    Args:
        reason (`str`): not_json or not_a_notebook.
        detail (`str`): what was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Cell:
    r"""One cell: its text with `\n` line ends, and what running it printed or returned, output by output."""

    kind: CellKind
    source: str
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notebook:
    """The cells of a notebook, and the names that its metadata has for its language, the best first."""

    cells: tuple[Cell, ...]
    language_names: tuple[str, ...]

    @property
    def code_cells(self) -> list[Cell]:
        """The cells of code, in order."""
        return [cell for cell in self.cells if cell.kind == "code"]


def read_notebook(text: str) -> Notebook:
    """Return the notebook in the text of an `.ipynb` file, of nbformat 1 to 4 or of none.

    Args:
        text (`str`): JSON.

    Raises:
        NotebookError: it is no JSON, or holds no cells.
    """
    found = _parsed(text)
    if not isinstance(found, dict):
        raise NotebookError("not_a_notebook", f"the file holds a {type(found).__name__}")
    cells = list(_raw_cells(found))
    if not cells:
        raise NotebookError("not_a_notebook", f"no cells among {', '.join(sorted(map(str, found)))[:100]}")
    metadata = _mapping(found.get("metadata"))
    is_old = _is_old(found)
    return Notebook(tuple(_cell(cell, is_old) for cell in cells), tuple(_language_names(found, metadata, cells)))


def _is_old(found: dict[Any, Any]) -> bool:
    """Return whether a notebook is of nbformat 1 to 3, in which lists of lines may lack their line ends."""
    version = found.get("nbformat")
    return isinstance(version, int) and version < 4


def _parsed(text: str) -> Any:
    text = text.removeprefix("\ufeff")
    try:
        return orjson.loads(text)
    except (ValueError, TypeError):
        pass  # NaN and halves of surrogate pairs, which many tools write
    try:
        found = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        detail = "merge conflict markers" if "\n<<<<<<< " in text else str(error)
        raise NotebookError("not_json", detail[:100]) from None
    return found


def _raw_cells(found: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    """Give the cells: of the notebook itself, or up to nbformat 3 of its worksheets."""
    holders = [found, *(sheet for sheet in _sequence(found.get("worksheets")))]
    for holder in map(_mapping, holders):
        yield from (cell for cell in _sequence(holder.get("cells")) if isinstance(cell, dict))


def _cell(raw: dict[Any, Any], is_old: bool) -> Cell:
    kind = raw.get("cell_type")
    # `source`; of code `input` in nbformat 2 and 3 and `code` in 1, `text` of the texts of nbformat 1.
    source = next((_joined(raw[name], is_old) for name in ("source", "input", "code", "text") if name in raw), "")
    if kind == "code":
        outputs = (_output(output, is_old) for output in _sequence(raw.get("outputs")))
        return Cell("code", source, tuple(filter(None, outputs)))
    if kind == "heading":
        level = raw.get("level")
        return Cell("markdown", f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {source}")
    if kind in ("markdown", "html", "rst", "text"):
        return Cell("markdown", _EMBEDDED_IMAGE.sub(r"\1", source))
    return Cell("raw", source)


def _output(raw: Any, is_old: bool) -> str:
    """Return an output's text; of errors the last line, of pictures and of what goes to stderr nothing."""
    output = _mapping(raw)
    kind = output.get("output_type")
    if kind in ("error", "pyerr"):
        name, value = _joined(output.get("ename")), _joined(output.get("evalue"))
        return _plain(f"{name}: {value}" if value else name)
    if kind == "stream":
        # `name` is nbformat 4's word, `stream` that of 2 and 3.
        return (
            ""
            if "stderr" in (output.get("name"), output.get("stream"))
            else _plain(_joined(output.get("text"), is_old))
        )
    data = _mapping(output.get("data")) or {
        f"text/{'plain' if name == 'text' else name}": output[name]
        for name in ("text", "markdown", "latex")
        if name in output
    }
    text = next((_plain(_joined(data[mime], is_old)) for mime in _TEXT_MIMES if mime in data), "")
    return "" if _REPR_ONLY.fullmatch(text) else text


def _plain(text: str) -> str:
    """Return what a terminal would show: no colors, and of a progress bar its last state."""
    lines = _ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].rstrip() for line in lines).strip("\n")


def _language_names(found: dict[Any, Any], metadata: dict[Any, Any], cells: Iterable[dict[Any, Any]]) -> Iterator[str]:
    info, kernel = _mapping(metadata.get("language_info")), _mapping(metadata.get("kernelspec"))
    of_cells = next((cell["language"] for cell in cells if "language" in cell), None)
    names = (
        info.get("name"),
        kernel.get("language"),
        metadata.get("language"),
        of_cells,
        info.get("file_extension"),
        kernel.get("name"),
        info.get("pygments_lexer"),
        kernel.get("display_name"),
    )
    yield from (name for name in names if isinstance(name, str) and name.strip())
    if _is_old(found):
        yield "python"  # other kernels came with nbformat 4's metadata


def _joined(value: Any, is_old: bool = False) -> str:
    """Return a text that may be given as a list of its lines; halves of surrogate pairs are replaced."""
    parts = [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]
    has_ends = not is_old or len(parts) < 2 or parts[0].endswith(("\n", "\r"))
    text = ("" if has_ends else "\n").join(parts)
    if _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\r\n", "\n")


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
