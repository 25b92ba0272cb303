"""Section 2.3: a commit as a task: from message, README, tree and the files it may be about to paths and edits."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from datasets_builders.code_related.commits.history import Change

# Above it stand files as they were, which the commits of a repository and its pull requests share.
EDITS = "# Edits"
CONTEXT_LINES = 3
MAX_TREE_PATHS = 300
MAX_README_CHARS = 4000


@dataclass(frozen=True)
class Task:
    """What is given, and what is to be made of it.

    Args:
        prompt (`str`): message, README, tree and files before the commit.
        completion (`str`): each changed path with its edit.
    """

    prompt: str
    completion: str


def render_task(
    repository: str,
    message: str,
    readme: str,
    paths: Sequence[str],
    files: Sequence[tuple[str, str]],
    changes: Sequence[Change],
) -> Task:
    """Return a commit as a task in Markdown.

    Args:
        repository (`str`): its name.
        message (`str`): of the commit.
        readme (`str`): before the commit; may be empty.
        paths (sequence of `str`): of all files before the commit.
        files (sequence of tuple): path and content of those that are shown.
        changes (sequence of `Change`): of the commit.
    """
    parts = [f"# Task\n\nRepository: {repository}\n\n{message}"]
    if readme.strip():
        cut = readme.strip()[:MAX_README_CHARS]
        parts.append(f"# README\n\n{_fenced(cut, '')}")
    shown = list(paths[:MAX_TREE_PATHS])
    more = f"\n... and {len(paths) - len(shown)} more" if len(paths) > len(shown) else ""
    parts.append(f"# Files\n\n{_fenced(chr(10).join(shown) + more, '')}")
    parts += [f"## {path}\n\n{_fenced(content.rstrip(chr(10)), '')}" for path, content in files]
    return Task("\n\n".join(parts) + f"\n\n{EDITS}\n\n", "\n\n".join(map(_edit, changes)) + "\n")


def render_edits(changes: Sequence[Change]) -> str:
    """Return the files of a pull request as they were, whole, and what was changed in each.

    Args:
        changes (sequence of `Change`): with contents.
    """
    bases = [f"## {change.path}\n\n{_fenced(change.before.rstrip(chr(10)), '')}" for change in changes if change.before]
    return "\n\n".join([*bases, EDITS, *map(_edit, changes)])


def _edit(change: Change) -> str:
    if change.after is None:
        return f"## {change.path}\n\nDeleted."
    if change.before is None:
        return f"## {change.path}\n\nNew:\n\n{_fenced(change.after.rstrip(chr(10)), '')}"
    moved = f"Moved from {change.old_path}.\n\n" if change.old_path else ""
    return f"## {change.path}\n\n{moved}{_fenced(diff_of(change), 'diff')}"


def diff_of(change: Change) -> str:
    """Return a changed file as a unified diff without its header."""
    # Line ends that differ alone are no change; form feeds and the like are no line ends.
    texts = ((text or "").replace("\r\n", "\n").removesuffix("\n") for text in (change.before, change.after))
    before, after = (text.split("\n") for text in texts)
    return "\n".join(list(difflib.unified_diff(before, after, lineterm="", n=CONTEXT_LINES))[2:])


def changed_lines(change: Change) -> int:
    """Return how many lines a change adds and removes."""
    if change.before is None or change.after is None:
        return len((change.before or change.after or "").splitlines())
    return sum(line.startswith(("+", "-")) for line in diff_of(change).split("\n"))


def _fenced(text: str, name: str) -> str:
    longest = max((len(run) for run in re.findall(r"^[ +-]?\s*(`{3,})", text, re.MULTILINE)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{name}\n{text}\n{fence}"
