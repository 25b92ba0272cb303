"""Section 2.4: repairs given as unified diffs, written and applied; what does not apply exactly is no answer."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def unified_diff(before: str, after: str, name: str, num_context_lines: int = 3) -> str:
    """Return the diff that turns one text into another, as `git diff` and `patch` know it.

    Args:
        before (`str`): the text to be changed.
        after (`str`): what it becomes.
        name (`str`): of the file, for the two lines at the head.
        num_context_lines (`int`): unchanged lines around a change.
    """
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"a/{name}", f"b/{name}", n=num_context_lines, lineterm=""
    )
    return "\n".join(lines)


def apply_diff(text: str, diff: str) -> str:
    """Return a text after a unified diff; a line at the end of the text needs no newline.

    Args:
        text (`str`): the text as it is.
        diff (`str`): hunks in order, with or without the two lines that name the files.

    Raises:
        ValueError: the diff has no hunk, is malformed, or speaks of lines that are not those of the text.
    """
    lines, result, position = text.splitlines(), list[str](), 0
    rest = diff.splitlines()
    while rest and not rest[0].startswith("@@"):
        if rest[0] and not rest[0].startswith(("--- ", "+++ ", "diff ", "index ")):
            raise ValueError(f"not a line of a diff's head: {rest[0]!r}")
        rest.pop(0)
    if not rest:
        raise ValueError("the diff has no hunk")
    while rest:
        header = _HUNK.match(rest.pop(0))
        if header is None:
            raise ValueError("a hunk starts with @@ -line,count +line,count @@")
        body, rest = _split_hunk(rest)
        old = [line[1:] for line in body if line[:1] != "+"]
        new = [line[1:] for line in body if line[:1] != "-"]
        counts = (int(header[2] or 1), int(header[4] or 1))
        if (len(old), len(new)) != counts:
            raise ValueError(f"a hunk says {counts} lines, and has {(len(old), len(new))}")
        # A hunk without old lines names the line behind which it goes.
        start = int(header[1]) - (1 if old else 0)
        if start < position or lines[start : start + len(old)] != old:
            raise ValueError(f"the lines at {header[1]} are not those that the diff tells")
        result += lines[position:start] + new
        position = start + len(old)
    ending = "\n" if text.endswith("\n") else ""
    return "\n".join(result + lines[position:]) + ending


def _split_hunk(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the lines of a hunk and what comes behind it."""
    end = next((number for number, line in enumerate(lines) if line.startswith("@@")), len(lines))
    # An editor may have cut the space of an empty line.
    body = [line or " " for line in lines[:end]]
    if any(line[0] not in " +-" for line in body):
        raise ValueError("a line of a hunk starts with a space, + or -")
    return body, list(lines[end:])
