"""Section 1, Figure 1a: what a push adds to a branch of the Hub and deletes from it, in as few commits as it takes.

The rule of what is deleted is in `publishing.py`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import tempfile
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from .checkpoint_layout import CHECKPOINT_FILE
from .hub_calls import PublishError, retried, status_of

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

logger = logging.getLogger(__name__)

Kind = Literal["dataset", "model", "results"]
Content = Path | bytes

CARD_FILE = "README.md"
MANIFEST_FILE = ".published_files.json"
_MANIFEST_TEXT = "Files that ling-coder-recipes pushed here: the next push deletes those that it no longer has."

# Files that a reader takes for part of a repository's content by their names alone.
_READ_BY_NAME: dict[Kind, re.Pattern[str]] = {
    "model": CHECKPOINT_FILE,
    "dataset": re.compile(r"data/([^/]+/)?[^/]+_\d{5}_of_\d{5}\.parquet"),
}

# The Hub checks the files of a commit one by one before it answers.
MAX_FILES_PER_COMMIT = 1000
MIN_FILES_PER_COMMIT = 50
GATEWAY_TIMEOUT = 504
_UNFINISHED = """> [!WARNING]
> This upload is not finished: files that this page describes are not there yet. Its last commit takes this notice away.
> If none comes any more, the upload broke off: the same push again goes on with what is missing.
"""
_YAML_HEADER = re.compile(rb"\A\s*---[ \t]*\r?\n.*?^---[ \t]*(\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_PLURAL: dict[Kind, str] = {"dataset": "a dataset's files", "model": "a model's files", "results": "results"}


@dataclass
class Branch:
    """A branch of a repository, as it is looked at and committed to; `max_files` is what a commit may hold."""

    api: HfApi
    repo_id: str
    repo_type: str
    revision: str | None
    max_files: int = field(default_factory=lambda: MAX_FILES_PER_COMMIT)
    _hashes: dict[str, str] = field(default_factory=dict)

    def replace(self, files: Mapping[str, Content], kind: Kind, commit_message: str, what: str) -> str:
        """Bring the branch to `files` and return the commit that holds them, or the last one if nothing changed.

        A reader between two commits would meet new shards with the old card's counts, which load_dataset refuses, or
        half of a model: so additions, deletions, card and manifest are one, as far as one commit bears them. The commit
        names the one it was made for as its parent: where another push came between, the Hub refuses, and all of this
        is done again. What is more comes in several. Until the last one, load_dataset must not take a part for the
        whole: the card of an earlier push, whose counts fit nothing but its own shards, goes last; where there was
        none, the new one comes first, with a notice that the rest is not there yet, and comes as it is with the
        last. A model's index comes behind its shards. A push that broke off between two goes on with what is missing.
        """
        while not (commit := retried(lambda: self._advance(files, kind, commit_message), what)):
            pass
        if missing := sorted({*files, MANIFEST_FILE} - retried(lambda: self._entries(commit), what).keys()):
            raise self._left_out(missing, len(files) + 1)
        return commit

    def _advance(self, files: Mapping[str, Content], kind: Kind, commit_message: str) -> str | None:
        """Make the next commit and return it when the branch is whole then, else None."""
        head = self._head()
        there = self._entries(head)
        manifest = self._manifest(head, there)
        if manifest.kind not in (None, kind):
            raise ValueError(
                f"{self.repo_id} holds {_PLURAL[manifest.kind]} that were pushed from here: pushing {_PLURAL[kind]} "
                "would delete them. Give another name, or delete the repository first."
            )
        card = files.get(CARD_FILE)
        contents = {**files, MANIFEST_FILE: _manifest_content(kind, files, None if card is None else _blob_id(card))}
        changed = [path for path, content in contents.items() if not self._holds(there.get(path), path, content)]
        stale = stale_files(kind, there=there, ours=manifest.files, new=contents)
        if not changed and not stale:
            return head
        if len(changed) + len(stale) <= self.max_files:
            self._warn_about_edited_card(manifest, there, files, head)
            return self._commit({path: contents[path] for path in changed}, stale, commit_message, head)
        # Announced before they come, so that another push deletes them should this one never end.
        announced = _manifest_content(kind, {*files, *manifest.files}, manifest.card)
        ahead: dict[str, Content] = {}
        if not self._holds(there.get(MANIFEST_FILE), "", announced):
            ahead[MANIFEST_FILE] = announced
        if card is not None and CARD_FILE not in there:
            ahead[CARD_FILE] = _card_of_a_part(card)
        todo = [*(path for path in changed if path not in (CARD_FILE, MANIFEST_FILE)), *stale]
        now = todo[: self.max_files - 2]
        logger.info("%s takes this push in several commits; %d files to go", self.repo_id, len(todo))
        added = ahead | {path: contents[path] for path in now if path in contents}
        gone = [path for path in now if path not in contents]
        if self._commit(added, gone, f"{commit_message} ({len(todo)} files to go)", head) == head:
            raise self._left_out(now, len(contents))
        return None

    def _left_out(self, paths: Sequence[str], num_files: int) -> PublishError:
        # A .gitignore on the Hub makes the client leave files out without an error.
        return PublishError(
            f"{self.repo_id} did not take {len(paths)} of {num_files} files, {paths[0]} among them: a .gitignore there "
            "or in the folder leaves them out. Delete it and push again."
        )

    def _commit(self, added: Mapping[str, Content], gone: Iterable[str], message: str, parent: str) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete
        from huggingface_hub.errors import HfHubHTTPError

        for path in gone:
            logger.info("Deleting %s from %s: the push does not have it", path, self.repo_id)
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationDelete(path, is_folder=False) for path in gone
        ]
        operations += [
            CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
            for path, content in added.items()
        ]
        try:
            return self.api.create_commit(
                self.repo_id,
                operations,
                commit_message=message,
                repo_type=self.repo_type,
                revision=self.revision,
                parent_commit=parent,
            ).oid
        except HfHubHTTPError as error:
            if status_of(error) == GATEWAY_TIMEOUT:  # the Hub checks each file, in a minute for all
                self.max_files = max(min(self.max_files, len(operations)) // 2, MIN_FILES_PER_COMMIT)
            raise

    def _holds(self, entry: RepoFile | None, path: str, content: Content) -> bool:
        """Whether a file on the Hub has this content; a file here is hashed once."""
        if entry is None or entry.size != num_bytes_of(content):
            return False
        if entry.lfs is None:
            return entry.blob_id == _blob_id(content)
        if path not in self._hashes:
            self._hashes[path] = _sha256(content)
        return entry.lfs.sha256 == self._hashes[path]

    def _head(self) -> str:
        head = self.api.repo_info(self.repo_id, repo_type=self.repo_type, revision=self.revision).sha
        if head is None:
            raise PublishError(f"The Hub names no commit of {self.repo_id}: has the repository just been made?")
        return head

    def _entries(self, commit: str) -> dict[str, RepoFile]:
        """Return every file of a commit by its path."""
        from huggingface_hub.hf_api import RepoFile

        entries = self.api.list_repo_tree(self.repo_id, repo_type=self.repo_type, revision=commit, recursive=True)
        return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

    def _manifest(self, commit: str, there: Collection[str]) -> _Manifest:
        if MANIFEST_FILE not in there:
            return _Manifest(None, frozenset(), None)
        with tempfile.TemporaryDirectory() as cache:
            path = self.api.hf_hub_download(
                self.repo_id, MANIFEST_FILE, repo_type=self.repo_type, revision=commit, cache_dir=cache
            )
            return _read_manifest(Path(path).read_text(encoding="utf-8", errors="replace"), self.repo_id)

    def _warn_about_edited_card(
        self, manifest: _Manifest, there: Mapping[str, RepoFile], files: Mapping[str, Content], head: str
    ) -> None:
        edited = CARD_FILE in there and manifest.card not in (None, there[CARD_FILE].blob_id)
        if edited and CARD_FILE in files and _blob_id(files[CARD_FILE]) != there[CARD_FILE].blob_id:
            warnings.warn(
                f"The card of {self.repo_id} was edited on the Hub and is replaced now; commit {head} keeps it.",
                stacklevel=5,
            )


def stale_files(kind: Kind, *, there: Iterable[str], ours: Collection[str], new: Collection[str]) -> list[str]:
    """Return the files on the Hub that a push deletes, sorted; the rule is in the docstring of `publishing.py`.

    Args:
        kind (`str`): of what is pushed.
        there: files on the branch now.
        ours: files that the last push from here put there.
        new: files of this push.
    """
    read = _READ_BY_NAME.get(kind)
    by_name = read is not None and any(read.fullmatch(path) for path in new)
    return sorted(
        path
        for path in there
        if path not in new
        and path != ".gitattributes"
        and (path in ours or (by_name and read is not None and read.fullmatch(path)))
    )


@dataclass(frozen=True)
class _Manifest:
    """What the last push from here put on a branch: `kind` is None where there was none."""

    kind: Kind | None
    files: frozenset[str]
    card: str | None


def _manifest_content(kind: Kind, files: Iterable[str], card: str | None) -> bytes:
    content = {"about": _MANIFEST_TEXT, "kind": kind, "card": card, "files": sorted({*files, MANIFEST_FILE})}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _read_manifest(text: str, repo_id: str) -> _Manifest:
    try:
        content = json.loads(text)
        kind, files, card = content["kind"], content["files"], content.get("card")
        if kind not in get_args(Kind) or not all(isinstance(path, str) for path in files):
            raise ValueError("not a list of files and their kind")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.warn(
            f"{MANIFEST_FILE} of {repo_id} cannot be read ({error}): what an earlier push left there stays.",
            stacklevel=6,
        )
        return _Manifest(None, frozenset(), None)
    return _Manifest(kind, frozenset(files), card)


def _card_of_a_part(card: Content) -> bytes:
    """Return a card that says below its YAML header, which stays whole, that not all it describes is there."""
    text = card if isinstance(card, bytes) else card.read_bytes()
    header = _YAML_HEADER.match(text)
    start = header.end() if header else 0
    return b"\n".join([text[:start], _UNFINISHED.encode(), text[start:]])


def num_bytes_of(content: Content) -> int:
    """Return the size of a file."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _sha256(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _blob_id(content: Content) -> str:
    """Return the sha1 that git gives a file of this content."""
    data = content if isinstance(content, bytes) else content.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
