"""Section 2.3.3: a notebook as a script, or as text, code and output in turn.

| form | what it is | origin |
| --- | --- | --- |
| script | code, and as comments text, magics and shell lines | Jupytext's light format without marks of cells |
| structured | text, then code, then the last output, and again | StarCoder2: leading code and trailing text dropped |
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from datasets_builders.code_related.notebooks.magics import is_of_another_language, marked_magics, without_indentation
from datasets_builders.code_related.notebooks.notebook import Cell, Notebook
from datasets_builders.languages.comments import comment_line

STARCODER_MARKERS = ("<jupyter_start>", "<jupyter_text>", "<jupyter_code>", "<jupyter_output>", "<empty_output>")
_CUT = "[...]"


@dataclass(frozen=True)
class RenderingLimits:
    """What of a notebook is kept in a rendering.

    Args:
        max_output_chars (`int`): longer outputs are cut, with a mark; 0 leaves all outputs out.
        max_output_lines (`int`): the same in lines.
        drops_magics (`bool`): whether lines for the notebook and not for the language are left out of scripts, not
            commented out.
        max_line_chars (`int`): longer lines of code are left out of scripts; 0 leaves none out.
        shows_outputs (`bool`): whether a script of Python holds outputs, as strings below the code.
        drops_last_text (`bool`): whether text after the last code is left out of scripts.
    """

    max_output_chars: int = 2000
    max_output_lines: int = 40
    drops_magics: bool = False
    max_line_chars: int = 0
    shows_outputs: bool = False
    drops_last_text: bool = False


def render_script(notebook: Notebook, language: str, limits: RenderingLimits) -> str:
    """Return a notebook as a script, without raw cells.

    Args:
        notebook (`Notebook`): what was read.
        language (`str`): Linguist's name.
        limits (`RenderingLimits`): what is kept.
    """
    cells = [cell for cell in notebook.cells if cell.kind != "raw" and cell.source.strip()]
    if limits.drops_last_text:
        while cells and cells[-1].kind == "markdown":
            cells.pop()
    parts: list[str] = []
    for cell in cells:
        if cell.kind == "markdown":
            parts.append(_as_comments(cell.source, language))
            continue
        code = _script_of_code(cell.source, language, limits)
        if code.strip():
            parts.append(code)
        output = _cut(cell.outputs[-1], limits) if cell.outputs else ""
        if limits.shows_outputs and language == "Python" and output and '"""' not in output and "\\" not in output:
            parts.append(f'"""Output:\n{output}\n"""')
    return "\n\n".join(parts) + "\n" if parts else ""


def _script_of_code(source: str, language: str, limits: RenderingLimits) -> str:
    if is_of_another_language(source):
        return "" if limits.drops_magics else _as_comments(source, language)
    kept = []
    source = without_indentation(source.strip("\n")) if language == "Python" else source.strip("\n")
    for line, kind in marked_magics(source, language):
        if kind != "code":
            kept += _script_of_magic(line, language, limits.drops_magics, kind == "rest_of_magic")
        elif not limits.max_line_chars or len(line) <= limits.max_line_chars:
            kept.append(line.rstrip())
    return "\n".join(kept).strip("\n")


def _script_of_magic(line: str, language: str, is_dropped: bool, is_rest: bool) -> list[str]:
    """Return what stands for a magic; in an indented block that may hold nothing else, a statement."""
    indentation = line[: len(line) - len(line.lstrip())]
    if indentation and language == "Python" and not is_rest:
        return [f"{indentation}pass" if is_dropped else f"{indentation}pass  {_comment(line.lstrip(), language)}"]
    return [] if is_dropped else [_comment(line, language)]


def _as_comments(text: str, language: str) -> str:
    return "\n".join(_comment(line, language) for line in text.strip("\n").split("\n"))


def _comment(line: str, language: str) -> str:
    """Return a line as a comment; what would end the comment early is taken apart."""
    opening, _, closing = comment_line(language, "text").strip("\n").partition("text")
    if closing.strip():
        line = line.replace(closing.strip(), " ".join(closing.strip()))
    return f"{opening}{line.rstrip()}{closing}".rstrip()


def render_structured(notebook: Notebook, language: str, limits: RenderingLimits, style: str) -> str:
    """Return a notebook as text, code and output in turn.

    Args:
        notebook (`Notebook`): what was read.
        language (`str`): Linguist's name, for fences.
        limits (`RenderingLimits`): what is kept.
        style (`str`): "markdown" writes code and outputs in fences, "starcoder" writes StarCoder2's markers.
    """
    triples = list(_triples(notebook, limits))
    if style == "starcoder":
        parts = [
            f"<jupyter_text>{text}<jupyter_code>{code}<jupyter_output>{output or '<empty_output>'}"
            for text, code, output in triples
        ]
        return "<jupyter_start>" + "".join(parts) if parts else ""
    parts = []
    for text, code, output in triples:
        parts += [text, _fenced(code, language.lower().replace(" ", "-"))]
        parts += [_fenced(output, "output")] if output else []
    return "\n\n".join(parts) + "\n" if parts else ""


def _triples(notebook: Notebook, limits: RenderingLimits) -> Iterator[tuple[str, str, str]]:
    """Give text, code and output; cells of a kind that follow each other are one."""
    cells = [cell for cell in notebook.cells if cell.kind != "raw" and cell.source.strip()]
    text = ""
    for kind, group in groupby(cells, key=lambda cell: cell.kind):
        members = list(group)
        source = "\n\n".join(cell.source.strip("\n") for cell in members)
        if kind == "markdown":
            text = source
        elif text:
            yield text, source, _last_output(members, limits)


def _last_output(cells: list[Cell], limits: RenderingLimits) -> str:
    outputs = [output for cell in cells for output in cell.outputs]
    return _cut(outputs[-1], limits) if outputs else ""


def _cut(output: str, limits: RenderingLimits) -> str:
    if not limits.max_output_chars or not limits.max_output_lines:
        return ""
    lines = output.split("\n")
    cut = "\n".join(lines[: limits.max_output_lines])[: limits.max_output_chars].rstrip()
    return cut if cut == output.rstrip() else f"{cut}\n{_CUT}"


def _fenced(text: str, name: str) -> str:
    """Return a text in a fence that is longer than any in it."""
    longest = max((len(found) for found in re.findall(r"^\s*(`{3,})", text, re.MULTILINE)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{name}\n{text}\n{fence}"
