"""Section 5: a table of measured or counted lines, on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.report.runs import write_json


def show(lines: Sequence[Mapping[str, Any]], output: Path | None, more: Mapping[str, Any]) -> None:
    """Print lines in columns and, if asked for, write them.

    Args:
        output: a JSON file for the lines and `more`; None writes none.
    """
    names = list(lines[0])
    rows = [names, *([_text(line[name]) for name in names] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if output:
        write_json(output, {"lines": list(lines), **more})


def words(versions: Mapping[str, str]) -> str:
    """Return names and versions as one phrase."""
    return ", ".join(f"{name} {value}" for name, value in versions.items())


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
