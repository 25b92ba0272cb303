"""Section 2.3: the commits of a git repository and what they changed, from its objects: no checkout, no git program."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datasets_builders.sources.encodings import decode

if TYPE_CHECKING:
    from dulwich.repo import Repo


# What stands in the repository for a large file: a diff of two says nothing of what was changed.
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Change:
    """One file that a commit changed; `before` is None for a new file, `after` for one that was deleted.

    Args:
        path (`str`): after the commit, or before it where it was deleted.
        before, after (`str`, *optional*): contents.
        problem (`str`): binary, lfs_pointer, no_regular_file, too_large or missing_object: why there are no contents;
            or empty.
        old_path (`str`): where the file was, if it was moved; or empty.
    """

    path: str
    before: str | None = None
    after: str | None = None
    problem: str = ""
    old_path: str = ""


class History:
    """The commits of a repository behind a revision, newest first, following first parents.

    Args:
        repo: open.
        revision (`str`): branch, tag or commit.
        max_file_bytes (`int`): contents of larger files are not read.
    """

    def __init__(self, repo: Repo, revision: str, max_file_bytes: int) -> None:
        from dulwich.objectspec import parse_commit

        self.repo, self.max_file_bytes = repo, max_file_bytes
        self.head = parse_commit(repo, revision)

    def commits(self) -> Iterator[Any]:
        """Give the commits; one whose object is missing, as in a shallow clone, ends them."""
        current: Any = self.head
        while current is not None:
            yield current
            parent = current.parents[0] if current.parents else None
            current = (
                self.repo.object_store[parent] if parent is not None and parent in self.repo.object_store else None
            )

    def changes(self, commit: Any) -> list[Change]:
        """Return what a commit changed against its first parent, by path.

        Raises:
            KeyError: a tree is missing.
        """
        return self._between(self.tree_before(commit), commit.tree)

    def changes_since(self, base: str) -> list[Change]:
        """Return what the newest commit changed against where it left the history of another one, by path.

        Args:
            base (`str`): the other commit.

        Raises:
            KeyError: a commit or a tree is missing, or they have no history in common.
        """
        from dulwich.graph import find_merge_base

        store: Any = self.repo.object_store
        common = find_merge_base(self.repo, [store[base.encode()].id, self.head.id])
        if not common:
            raise KeyError(base)
        return self._between(store[common[0]].tree, self.head.tree)

    def _between(self, before_tree: Any, after_tree: Any) -> list[Change]:
        from dulwich.diff_tree import RenameDetector, tree_changes

        store: Any = self.repo.object_store
        found = []
        for change in tree_changes(store, before_tree, after_tree, rename_detector=RenameDetector(store)):
            old, new = change.old, change.new
            side = new if new is not None and new.path else old
            name = (side.path if side is not None and side.path else b"").decode("utf-8", "backslashreplace")
            before, problem_before = self._text(old)
            after, problem_after = self._text(new)
            was = old.path.decode("utf-8", "backslashreplace") if change.type == "rename" and old and old.path else ""
            found.append(Change(name, before, after, problem_before or problem_after, was))
        return sorted(found, key=lambda each: each.path)

    def _text(self, side: Any) -> tuple[str | None, str]:
        """Return the text of one side of a change, or why there is none; a side that does not exist has neither."""
        if side is None or not side.sha:
            return None, ""
        if not stat.S_ISREG(side.mode):
            return None, "no_regular_file"
        try:
            raw = self.repo.object_store[side.sha].as_raw_string()
        except KeyError:
            return None, "missing_object"
        if len(raw) > self.max_file_bytes:
            return None, "too_large"
        if raw.startswith(_LFS_POINTER):
            return None, "lfs_pointer"
        text = _decoded(raw)
        return (text, "") if text is not None else (None, "binary")

    def tree_before(self, commit: Any) -> Any:
        """Return the id of the tree before a commit.

        Raises:
            KeyError: its parent is missing.
        """
        store: Any = self.repo.object_store
        return store[commit.parents[0]].tree

    def files(self, tree: Any) -> dict[str, bytes]:
        """Return the regular files of a tree: path to the id of its content."""
        from dulwich.object_store import iter_tree_contents

        items = iter_tree_contents(self.repo.object_store, tree)
        return {item.path.decode("utf-8", "backslashreplace"): item.sha for item in items if stat.S_ISREG(item.mode)}

    def text_of(self, sha: bytes) -> str | None:
        """Return a file's text, or None where it is binary, too large or missing."""
        store: Any = self.repo.object_store
        try:
            raw: bytes = store[sha].as_raw_string()
        except KeyError:
            return None
        return None if len(raw) > self.max_file_bytes or raw.startswith(_LFS_POINTER) else _decoded(raw)


def _decoded(raw: bytes) -> str | None:
    """Return a text, or None for what is none: NUL bytes are in none but UTF-16 and UTF-32."""
    text, encoding = decode(raw) or (None, "")
    return text if b"\0" not in raw or encoding.startswith(("utf-16", "utf-32")) else None
