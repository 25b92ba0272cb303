"""Section 1, Figure 1a (the released datasets and models): publish a finished folder to the Hugging Face Hub.

The one publisher of the project, for datasets, models and results. Nothing is invented here: repositories, branches,
uploads and the skipping of unchanged files are huggingface_hub's. What is ours: refuse before the network is touched
what could not be used afterwards, keep private what nobody asked to show, leave nothing of an earlier push that the
new one would be mixed with, go on after a busy or broken connection, and say what to do when it cannot go on.

What a push deletes, in the same commit as its upload:

- what an earlier push from here put there and the new one no longer has. Every push writes its list of files to
  `.published_files.json` beside them, and the next push to that branch reads it;
- whoever put them there, files that a reader would take for part of what is pushed now: a model's
  `model.safetensors`, `model-00001-of-00005.safetensors` and index (`from_pretrained` prefers the single file and
  would load old weights without a word), a dataset's `data/SPLIT_00000_of_00003.parquet`, also in a folder of `data/`
  (`load_dataset` would read old rows too).

Everything else stays: discussions, and every file that somebody added by hand. The card is replaced with each push,
because it has to describe what lies beside it; a warning names the commit that holds a card edited on the Hub.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

from .checkpoint_layout import CHECKPOINT_FILE
from .hub_reading import no_answer

if TYPE_CHECKING:
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.hf_api import RepoFile

logger = logging.getLogger(__name__)

Kind = Literal["dataset", "model", "results"]
Content = Path | bytes

CARD_FILE = "README.md"
MANIFEST_FILE = ".published_files.json"
_MANIFEST_TEXT = "Files that ling-coder-recipes pushed here: the next push deletes those that it no longer has."

# State of a build or a training run, which belongs to the machine it ran on: intermediate stages, removed documents
# (they may hold what had to be removed), optimizer states, files that were being written.
# Reports show what was removed, samples and reviewers' words: they stay at home too.
LOCAL_REPORTS = ("report.*", "report_pictures/**", "review.*", "inspection.*", "rows.*")
_LOCAL_STATE = (".build/**", "removed/**", "checkpoint-*/**", "*.tmp", "*.partial", "*.incomplete")
# What version control, downloads by huggingface_hub and imports leave in a folder; the Hub refuses the first two.
_BY_TOOLS = (".git/**", "*/.git/**", ".cache/**", "*/.cache/**", "__pycache__/**", "*/__pycache__/**", MANIFEST_FILE)
DEFAULT_IGNORE = (*_LOCAL_STATE, *_BY_TOOLS, *LOCAL_REPORTS)

# Files that a reader takes for part of a repository's content by their names alone.
_READ_BY_NAME: dict[Kind, re.Pattern[str]] = {
    "model": CHECKPOINT_FILE,
    "dataset": re.compile(r"data/([^/]+/)?[^/]+_\d{5}_of_\d{5}\.parquet"),
}

MAX_ATTEMPTS = 6
FIRST_WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 60.0
# A server that asks for a longer pause than this is better obeyed by a later run than by a process that looks hung.
MAX_RETRY_AFTER_SECONDS = 900.0
# 412: somebody else's commit came between the look at the branch and ours.
RETRIED_STATUS_CODES = frozenset({408, 412, 425, 429, 500, 502, 503, 504})

# The Hub checks the files of a commit one by one before it answers, and refuses to hold more than so many in a folder.
MAX_FILES_PER_COMMIT = 1000
MIN_FILES_PER_COMMIT = 50
MAX_FILES_PER_FOLDER = 10_000
GATEWAY_TIMEOUT = 504

# What the user has to mend: the token, the plan, the name.
_REFUSALS = frozenset({401, 402, 403, 404})

_REVISION = re.compile(r"(?!.*(\.\.|//|@\{))[A-Za-z0-9_][A-Za-z0-9_./+-]*(?<![./])")
TOKEN_PAGE = "https://huggingface.co/settings/tokens"
_LOG_IN = f"Run `hf auth login` (or set HF_TOKEN) with a write token from {TOKEN_PAGE}."

T = TypeVar("T")


@dataclass(frozen=True)
class PublishResult:
    """Where a folder was published: `repo_id`, browser `url`, and the `commit` (40 hex digits) that holds it."""

    repo_id: str
    url: str
    commit: str


class PublishError(RuntimeError):
    """Publishing failed; the message says what to do about it."""


class PublishRefusedError(PublishError, ValueError):
    """The Hub did not allow it: no token, or none with the right to write there. The user's to mend."""


def publish_folder(
    folder: Path | str,
    repo_id: str,
    *,
    kind: Kind = "dataset",
    private: bool = True,
    revision: str | None = None,
    tag: str | None = None,
    commit_message: str | None = None,
    ignore: Sequence[str] = DEFAULT_IGNORE,
    endpoint: str | None = None,
) -> PublishResult:
    """Push a finished dataset or model folder, its card included, to the Hub.

    Pushing the same folder again uploads nothing and makes no commit; pushing a changed one uploads what changed and
    deletes what this module's docstring says. Busy servers (429), server errors, broken connections and commits that
    somebody else made meanwhile are retried a bounded number of times. The token comes from `hf auth login` or the
    environment variable HF_TOKEN only.

    Args:
        folder (`Path` or `str`): a folder with a README.md card and at least one other file.
        repo_id (`str`): `namespace/name` on the Hub; created when it does not exist.
        kind (`str`, defaults to `"dataset"`): `"dataset"`, `"model"` or `"results"` (in a dataset repository).
        private (`bool`, defaults to `True`): visibility of a repository created here. An existing repository keeps
            its own; another one than was asked for gives a `UserWarning`.
        revision (`str`, *optional*): branch to push to, created from main when missing, such as `step-000012000`.
        tag (`str`, *optional*): name for the commit; one that names another commit already stays there, which is an
            error after the push.
        commit_message (`str`, *optional*): title of the commit.
        ignore (sequence of `str`): patterns, relative to `folder`, of what stays at home. `*` also matches `/`.
        endpoint (`str`, *optional*): address of the Hub; defaults to the environment variable HF_ENDPOINT.

    Returns:
        `PublishResult`: repository, address and commit.

    Raises:
        ValueError: the folder, its card, the repository id, its kind or the revision cannot be published, or the
            repository holds something of another kind.
        PublishError: the Hub refused, or could not be reached within the retries.
    """
    folder = Path(folder)
    _check_arguments(repo_id, kind, revision)
    paths = files_to_publish(folder, ignore)
    return publish_files(
        {path.relative_to(folder).as_posix(): path for path in paths},
        repo_id,
        kind=kind,
        private=private,
        revision=revision,
        tag=tag,
        commit_message=commit_message or f"Publish {folder.resolve().name}",
        endpoint=endpoint,
    )


def publish_files(
    files: Mapping[str, Content],
    repo_id: str,
    *,
    kind: Kind,
    commit_message: str,
    private: bool = True,
    revision: str | None = None,
    tag: str | None = None,
    endpoint: str | None = None,
) -> PublishResult:
    """Push files, by their path in the repository; all else is as `publish_folder` has it.

    Args:
        files (mapping): path in the repository to a file or its content.
    """
    _check_arguments(repo_id, kind, revision)
    check_revision(tag)
    _check_folders(files)
    api = connect(endpoint)
    repo_type = _repo_type(kind)
    what = f"{repo_type} {repo_id}" + (f" at {revision}" if revision else "")
    num_bytes = sum(
        len(content) if isinstance(content, bytes) else content.stat().st_size for content in files.values()
    )
    logger.info("Publishing %d files (%.1f MB) to %s", len(files), num_bytes / 1e6, what)
    started = time.monotonic()
    retried(lambda: api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True), what)
    _warn_about_visibility(api, repo_id, repo_type, private, what)
    if revision is not None and revision != "main" and not revision.startswith("refs/"):
        retried(lambda: api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True), what)
    branch = _Branch(api, repo_id, repo_type, revision)
    commit = branch.replace(files, kind, commit_message, what)
    url = f"{api.endpoint}/{'datasets/' if repo_type == 'dataset' else ''}{repo_id}"
    if tag is not None:
        retried(lambda: _name_commit(api, repo_id, repo_type, tag, commit), what)
    if tag is not None or revision is not None:
        url += f"/tree/{tag or revision}"
    logger.info("Published %s in %.1f s: %s", what, time.monotonic() - started, url)
    return PublishResult(repo_id=repo_id, url=url, commit=commit)


def _name_commit(api: HfApi, repo_id: str, repo_type: str, tag: str, commit: str) -> None:
    """Give a commit a name that stays: a tag that names another commit is not moved."""
    refs = api.list_repo_refs(repo_id, repo_type=repo_type)
    named = {ref.name: ref.target_commit for ref in refs.tags}
    if tag not in named:
        api.create_tag(repo_id, tag=tag, revision=commit, repo_type=repo_type)
    elif named[tag] != commit:
        raise PublishError(
            f"{repo_id} is pushed as commit {commit}, but the tag {tag!r} names {named[tag]} already and stays there: "
            "who uses it relies on that. Give another tag."
        )


@dataclass
class _Branch:
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
        is done again. What is more comes in several: the files that were announced first, the card last. A push that
        broke off between two goes on with what is missing.
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
        ahead = {} if self._holds(there.get(MANIFEST_FILE), "", announced) else {MANIFEST_FILE: announced}
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
            if _status(error) == GATEWAY_TIMEOUT:  # the Hub checks each file, in a minute for all
                self.max_files = max(min(self.max_files, len(operations)) // 2, MIN_FILES_PER_COMMIT)
            raise

    def _holds(self, entry: RepoFile | None, path: str, content: Content) -> bool:
        """Whether a file on the Hub has this content; a file here is hashed once."""
        if entry is None or entry.size != _num_bytes(content):
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
    """Return the files on the Hub that a push deletes, sorted; the rule is in this module's docstring.

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


def _num_bytes(content: Content) -> int:
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


_PLURAL: dict[Kind, str] = {"dataset": "a dataset's files", "model": "a model's files", "results": "results"}


def check_repo_id(repo_id: str) -> None:
    """Raise when a repository id is not `namespace/name` as the Hub takes it; needs no network.

    Args:
        repo_id (`str`): what the user gave, for example as `--push-to`.

    Raises:
        ValueError: the id is malformed; the message shows a valid one.

    Source: the Hub's own naming rules, as huggingface_hub checks them.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    example = "Give ORGANIZATION/NAME, such as my-team/ling-coder-sft: letters, digits, '-', '_' and '.' only."
    if not isinstance(repo_id, str) or repo_id.count("/") != 1:
        raise ValueError(f"Cannot publish to repository id {repo_id!r}: it has no single '/'. {example}")
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ValueError(f"Cannot publish to repository id {repo_id!r}: {error} {example}") from error


def _check_arguments(repo_id: str, kind: str, revision: str | None) -> None:
    check_repo_id(repo_id)
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind!r}; give one of {', '.join(map(repr, get_args(Kind)))}.")
    check_revision(revision)


def _check_folders(files: Iterable[str]) -> None:
    folder, count = max(Counter(path.rpartition("/")[0] for path in files).items(), key=lambda item: item[1])
    if count > MAX_FILES_PER_FOLDER:
        raise ValueError(
            f"{folder or 'The folder'} holds {count:,} files, but the Hub takes {MAX_FILES_PER_FOLDER:,} in one "
            "folder. Build with fewer shards (num_shards)."
        )


def _repo_type(kind: Kind) -> str:
    return "model" if kind == "model" else "dataset"


def check_revision(revision: str | None) -> None:
    """Raise `ValueError` when a name is none that git and the Hub take for a branch or a tag; None is fine."""
    if revision is not None and not _REVISION.fullmatch(revision):
        raise ValueError(f"{revision!r} is no name of a branch or a tag; give one such as 'step-000012000' or 'v1.0'.")


def files_to_publish(folder: Path, ignore: Sequence[str]) -> list[Path]:
    """Return the files that would be pushed, sorted, card included."""
    if not folder.is_dir():
        raise ValueError(f"Cannot publish {folder}: it is not a folder. Build or train first, then push its output.")
    card = folder / "README.md"
    if not card.is_file() or not card.read_text(encoding="utf-8", errors="replace").strip():
        raise ValueError(
            f"Cannot publish {folder}: it has no README.md card, or an empty one. Builders and training runs write it; "
            "for a folder of your own, write one with the licence of the content in its YAML header."
        )
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    kept = [path for path in paths if not _is_ignored(path.relative_to(folder).as_posix(), ignore)]
    if card not in kept:
        raise ValueError(f"The patterns {list(ignore)} leave out {card}; nothing is published without its card.")
    if len(kept) == 1:
        raise ValueError(f"Cannot publish {folder}: beside the card there is no file that {list(ignore)} would keep.")
    return kept


def _is_ignored(path: str, patterns: Sequence[str]) -> bool:
    # As huggingface_hub reads patterns: one that ends in "/" stands for the whole folder.
    return any(fnmatch(path, pattern + "*" if pattern.endswith("/") else pattern) for pattern in patterns)


def connect(endpoint: str | None) -> HfApi:
    """Return a client; fail here, before anything is hashed, when there is no token or no network allowed."""
    from huggingface_hub import HfApi, constants, get_token

    if constants.is_offline_mode():
        raise PublishError("HF_HUB_OFFLINE is set, so nothing can be pushed. Unset it and run the same command again.")
    if get_token() is None:
        raise PublishRefusedError(f"There is no Hugging Face token. {_LOG_IN}")
    # HF_ENDPOINT is read now: the client's own value was read when it was imported.
    return HfApi(endpoint=endpoint or os.environ.get("HF_ENDPOINT"), library_name="ling-coder-recipes")


def _warn_about_visibility(api: HfApi, repo_id: str, repo_type: str, private: bool, what: str) -> None:
    is_private = retried(lambda: api.repo_info(repo_id, repo_type=repo_type), what).private
    if is_private is None or is_private == private:
        return
    happens = (
        "and is private, and stays so: it can be made public"
        if is_private
        else "and is public: what is pushed can be read by everyone. It can be made private"
    )
    warnings.warn(f"{what} already exists {happens} in its settings, or push to another name.", stacklevel=4)


def retried(call: Callable[[], T], what: str) -> T:
    """Run `call` until it succeeds, fails for good, or has failed `MAX_ATTEMPTS` times.

    huggingface_hub retries single requests of an upload by itself; creating a repository or a branch, listing files
    and the commit it leaves to the caller. Running all of `call` again is safe: what has arrived is not sent twice.
    """
    from huggingface_hub.errors import OfflineModeIsEnabled

    wait = FIRST_WAIT_SECONDS
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return call()
        except OfflineModeIsEnabled as error:  # no connection from the first, which hub_client.py has tried twice
            todo = ". Check the network, the proxy and HF_ENDPOINT, then run the same command again."
            raise PublishError(f"Could not publish {what}: {no_answer(error, todo)}") from error
        except Exception as error:
            cause = _hub_failure(error)
            if cause is None:
                raise
            pause = _pause_seconds(cause, wait)
            if pause is None or attempt == MAX_ATTEMPTS:
                error_class = PublishRefusedError if _status(cause) in _REFUSALS else PublishError
                raise error_class(_explain(what, cause, error)) from error
        logger.warning("Pushing %s: %r; attempt %d of %d in %.1f s", what, cause, attempt + 1, MAX_ATTEMPTS, pause)
        time.sleep(pause)
        wait = min(2 * wait, MAX_WAIT_SECONDS)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _hub_failure(error: BaseException) -> HfHubHTTPError | httpx.TransportError | None:
    """Return the Hub's or the network's failure in `error`; uploads wrap theirs in a RuntimeError."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error if isinstance(error, HfHubHTTPError | httpx.TransportError) else None


def _status(failure: HfHubHTTPError | httpx.TransportError) -> int | None:
    response = getattr(failure, "response", None)
    return None if response is None else response.status_code


def _pause_seconds(failure: HfHubHTTPError | httpx.TransportError, default: float) -> float | None:
    """Return how long to wait before trying again: the server's Retry-After, else `default`; None to give up."""
    response = getattr(failure, "response", None)
    if response is None:
        return default
    if response.status_code not in RETRIED_STATUS_CODES:
        return None
    value = response.headers.get("Retry-After", "")
    pause = float(value) if value.isdecimal() else default
    return pause if pause <= MAX_RETRY_AFTER_SECONDS else None


def _explain(what: str, failure: HfHubHTTPError | httpx.TransportError, error: Exception) -> str:
    """Say what happened, what to do about it, and last the client's own words."""
    from huggingface_hub.errors import DisabledRepoError

    namespace = what.split()[1].split("/")[0]
    advice = {
        401: f"The Hub did not accept the token. {_LOG_IN}",
        402: f"The plan of {namespace!r} does not cover this. See its billing settings, or push to another namespace.",
        403: f"The token may not write to namespace {namespace!r}. Make one with write permission for it at "
        f"{TOKEN_PAGE}, or push to a namespace of your own (`hf auth whoami` lists them).",
        404: f"The Hub knows no such repository for this token. Check that {namespace!r} exists (`hf auth whoami`).",
        413: "A file or the repository is larger than the Hub takes. Build with more, smaller shards (num_shards).",
    }
    response = getattr(failure, "response", None)
    if response is None:
        happened = f"there was no lasting connection to the Hub in {MAX_ATTEMPTS} attempts"
        todo = "Check the network and HF_ENDPOINT; the same command goes on where this one stopped."
    elif isinstance(failure, DisabledRepoError):
        happened = "the Hub has disabled this repository"
        todo = "Its page says why; write to the Hub's support, or push to another name."
    elif response.status_code in RETRIED_STATUS_CODES:
        asked = response.headers.get("Retry-After")
        happened = f"the Hub still answered {response.status_code}" + (f" (Retry-After: {asked} s)" if asked else "")
        todo = "Run the same command later: it goes on where this one stopped."
    else:
        happened = f"the Hub answered {response.status_code}"
        todo = advice.get(response.status_code, "The Hub's own message follows.")
    detail = f"{error}" if failure is error else f"{error} {failure}"
    return f"Could not publish {what}: {happened}. {todo} ({' '.join(detail.split())})"
