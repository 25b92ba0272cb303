"""Section 2.4: diffs over several files, written and applied."""

from __future__ import annotations

import re
from collections.abc import Mapping

from datasets_builders.synthesis.program_analysis.unified_diff import apply_diff, unified_diff


def repository_diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return the diff that turns files into others, by path, as `git apply` takes it."""
    changed = [path for path in before if before[path] != after[path]]
    return "\n".join(unified_diff(before[path], after[path], path) for path in changed)


def apply_repository_diff(files: Mapping[str, str], diff: str) -> dict[str, str]:
    """Return files, by path, after a diff.

    Raises:
        ValueError: the diff is malformed, names a file that is not there, or speaks of lines that are not in it.
    """
    result = dict(files)
    parts = re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]
    if not parts:
        raise ValueError("the diff names no file")
    for part in parts:
        head = re.match(r"(?:a/)?(\S+)\n\+\+\+ (?:b/)?(\S+)\n", part)
        if head is None or head[1] != head[2] or head[1] not in result:
            raise ValueError(f"the diff changes no file that is there: {part[:80]!r}")
        result[head[1]] = apply_diff(result[head[1]], "--- " + part.rstrip("\n"))
    return result
