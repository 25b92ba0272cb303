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

import logging
import re
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from .hub_branch import CARD_FILE, MANIFEST_FILE, Branch, Content, Kind, num_bytes_of
from .hub_calls import PublishError, connect, retried

if TYPE_CHECKING:
    from huggingface_hub import HfApi

logger = logging.getLogger(__name__)

# State of a build or a training run, which belongs to the machine it ran on: intermediate stages, removed documents
# (they may hold what had to be removed), optimizer states, files that were being written.
# Reports show what was removed, samples and reviewers' words: they stay at home too.
LOCAL_REPORTS = ("report.*", "report_pictures/**", "review.*", "inspection.*", "rows.*")
_LOCAL_STATE = (".build/**", "removed/**", "checkpoint-*/**", "*.tmp", "*.partial", "*.incomplete")
# What version control, downloads by huggingface_hub and imports leave in a folder; the Hub refuses the first two.
_BY_TOOLS = (".git/**", "*/.git/**", ".cache/**", "*/.cache/**", "__pycache__/**", "*/__pycache__/**", MANIFEST_FILE)
DEFAULT_IGNORE = (*_LOCAL_STATE, *_BY_TOOLS, *LOCAL_REPORTS)

MAX_FILES_PER_FOLDER = 10_000  # of the Hub
_ADDRESS = re.compile(r"https?://[^/]+/(?:datasets/|models/)?([^/]+/[^/]+?)(?:\.git|/|/tree/.*)?")
_REVISION = re.compile(r"(?!.*(\.\.|//|@\{))[A-Za-z0-9_][A-Za-z0-9_./+-]*(?<![./])")


@dataclass(frozen=True)
class PublishResult:
    """Where a folder was published: `repo_id`, browser `url`, and the `commit` (40 hex digits) that holds it."""

    repo_id: str
    url: str
    commit: str


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
    num_bytes = sum(map(num_bytes_of, files.values()))
    logger.info("Publishing %d files (%.1f MB) to %s", len(files), num_bytes / 1e6, what)
    started = time.monotonic()
    retried(lambda: api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True), what)
    _warn_about_visibility(api, repo_id, repo_type, private, what)
    if revision is not None and revision != "main" and not revision.startswith("refs/"):
        retried(lambda: api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True), what)
    branch = Branch(api, repo_id, repo_type, revision)
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
    if isinstance(repo_id, str) and (address := _ADDRESS.fullmatch(repo_id)):
        raise ValueError(f"Cannot publish to {repo_id!r}: that is a repository's address; give {address[1]}.")
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
    card = folder / CARD_FILE
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
