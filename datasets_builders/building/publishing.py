"""Section 1, Figure 1a (the released datasets and models): publish a finished folder to the Hugging Face Hub.

Nothing is invented here: repositories, branches, uploads and the skipping of unchanged files are huggingface_hub's.
What is ours: refuse before the network is touched what could not be used afterwards, keep private what nobody
asked to show, go on after a busy or broken connection, and say what to do when it cannot go on.
"""

import hashlib
import logging
import re
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from datasets_builders.building.verdicts import refusal_of_inspection

if TYPE_CHECKING:
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

logger = logging.getLogger(__name__)

# State of a build or a training run, which belongs to the machine it ran on: intermediate stages, removed documents
# (they may hold what had to be removed), optimizer states, files that were being written.
# Reports show what was removed, samples and reviewers' words: they stay at home too.
LOCAL_REPORTS = ("report.*", "report_pictures/**", "review.*", "inspection.*")
DEFAULT_IGNORE = (".build/**", "removed/**", "checkpoint-*/**", "*.tmp", "*.incomplete", *LOCAL_REPORTS)

# What a push replaces as a whole: shards of an older push with another shard count would be read beside the new ones.
REPLACED_PATTERNS = {
    "dataset": ["data/**"],
    "model": ["*.safetensors", "*.safetensors.index.json"],
}

MAX_ATTEMPTS = 6
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
# A server that asks for a longer pause than this is better obeyed by a later run than by a process that looks hung.
LONGEST_RETRY_AFTER_SECONDS = 900.0
RETRIED_STATUS_CODES = frozenset({408, 425, 429, 500, 502, 503, 504})

_REVISION = re.compile(r"(?!.*(\.\.|//|@\{))[A-Za-z0-9_][A-Za-z0-9_./+-]*(?<![./])")
_TOKEN_PAGE = "https://huggingface.co/settings/tokens"
_LOG_IN = f"Run `hf auth login` (or set HF_TOKEN) with a write token from {_TOKEN_PAGE}."

T = TypeVar("T")


@dataclass(frozen=True)
class PublishResult:
    """Where a folder was published: `repo_id`, browser `url`, and the `commit` (40 hex digits) that holds it."""

    repo_id: str
    url: str
    commit: str


class PublishError(RuntimeError):
    """Publishing failed; the message says what to do about it."""


def publish_folder(
    folder: Path | str,
    repo_id: str,
    *,
    repo_type: str = "dataset",
    private: bool = True,
    revision: str | None = None,
    commit_message: str | None = None,
    ignore: Sequence[str] = DEFAULT_IGNORE,
    endpoint: str | None = None,
    force: bool = False,
) -> PublishResult:
    """Push a finished dataset or model folder, its card included, to the Hub.

    Pushing the same folder again uploads nothing and makes no commit; pushing a changed one uploads what changed and
    deletes shards that the folder no longer has. Busy servers (429), server errors and broken connections are retried
    a bounded number of times. The token comes from `hf auth login` or the environment variable HF_TOKEN only.

    Args:
        folder (`Path` or `str`): a folder with a README.md card and at least one other file.
        repo_id (`str`): `namespace/name` on the Hub; created when it does not exist.
        repo_type (`str`, defaults to `"dataset"`): `"dataset"` or `"model"`.
        private (`bool`, defaults to `True`): visibility of a repository created here. An existing repository keeps
            its own; a public one where a private one was asked for gives a `UserWarning`.
        revision (`str`, *optional*): branch to push to, created from main when missing, such as `step-000012000`.
        commit_message (`str`, *optional*): title of the commit.
        ignore (sequence of `str`): patterns, relative to `folder`, of what stays at home. `*` also matches `/`.
        endpoint (`str`, *optional*): address of the Hub; defaults to the environment variable HF_ENDPOINT.
        force (`bool`): publish a dataset although quality inspection refused it.

    Returns:
        `PublishResult`: repository, address and commit.

    Raises:
        ValueError: the folder, its card, the repository id, its type or the revision cannot be published.
        PublishError: the Hub refused, or could not be reached within the retries.

    Source: ours; private by default and the card beside the data are the Hub's own practice.
    """
    folder = Path(folder)
    check_repo_id(repo_id)
    _check_repo_type(repo_type)
    _check_revision(revision)
    paths = _files_to_publish(folder, ignore)
    if not force and (refusal := refusal_of_inspection(folder)):
        raise PublishError(refusal)
    api = _connect(endpoint)

    what = f"{repo_type} {repo_id}" + (f" at {revision}" if revision else "")
    num_bytes = sum(path.stat().st_size for path in paths)
    logger.info("Publishing %d files (%.1f MB) to %s", len(paths), num_bytes / 1e6, what)
    started = time.monotonic()
    _retried(lambda: api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True), what)
    _warn_if_public(api, repo_id, repo_type, private, what)
    if revision is not None and revision != "main" and not revision.startswith("refs/"):
        _retried(lambda: api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True), what)
    # The card goes in the same commit as the files it describes: a reader between two commits would meet new shards
    # with the old card's counts, which load_dataset refuses.
    commit = _retried(
        lambda: api.upload_folder(
            folder_path=folder,
            repo_id=repo_id,
            repo_type=repo_type,
            revision=revision,
            commit_message=commit_message or f"Publish {folder.resolve().name}",
            ignore_patterns=list(ignore),
            delete_patterns=REPLACED_PATTERNS[repo_type],
        ),
        what,
    )
    url = f"{api.endpoint}/{'datasets/' if repo_type == 'dataset' else ''}{repo_id}"
    if revision is not None:
        url += f"/tree/{revision}"
    logger.info("Published %s in %.1f s: %s", what, time.monotonic() - started, url)
    return PublishResult(repo_id=repo_id, url=url, commit=commit.oid)


def publish_to_local_hub(
    folder: Path | str,
    repo_id: str,
    hub_folder: Path | str,
    *,
    repo_type: str = "dataset",
    ignore: Sequence[str] = DEFAULT_IGNORE,
) -> PublishResult:
    """Copy a finished folder to where a plain folder keeps what the Hub would: no network, no account.

    The copy holds exactly the files that `publish_folder` would push, and replaces an older one as a whole;
    `load_dataset` and `from_pretrained` take its path in place of a repository id.

    Args:
        folder (`Path` or `str`): a folder with a README.md card and at least one other file.
        repo_id (`str`): `namespace/name`.
        hub_folder (`Path` or `str`): the copy becomes `hub_folder/datasets/namespace/name`, or `models/...`.
        repo_type (`str`, defaults to `"dataset"`): `"dataset"` or `"model"`.
        ignore (sequence of `str`): patterns, relative to `folder`, of what stays at home. `*` also matches `/`.

    Returns:
        `PublishResult`: `url` is the path of the copy, `commit` the sha1 of its names and contents.

    Raises:
        ValueError: the folder, its card, the repository id or its type cannot be published.

    Source: ours.
    """
    folder = Path(folder)
    check_repo_id(repo_id)
    _check_repo_type(repo_type)
    paths = _files_to_publish(folder, ignore)
    target = Path(hub_folder).resolve() / f"{repo_type}s" / repo_id
    fresh, old = (target.with_name(f".{target.name}.{state}") for state in ("incomplete", "old"))
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    digest = hashlib.sha1()
    for path in paths:
        name = path.relative_to(folder)
        (fresh / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, fresh / name)
        with open(path, "rb") as content:
            digest.update(f"{name.as_posix()}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    # Two renames: a reader finds the old copy or the new one, never a mixture.
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return PublishResult(repo_id=repo_id, url=str(target), commit=digest.hexdigest())


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


def _check_repo_type(repo_type: str) -> None:
    if repo_type not in REPLACED_PATTERNS:
        raise ValueError(f"repo_type is {repo_type!r}; give one of {', '.join(map(repr, REPLACED_PATTERNS))}.")


def _check_revision(revision: str | None) -> None:
    if revision is not None and not _REVISION.fullmatch(revision):
        raise ValueError(f"Revision {revision!r} is no branch name; give one such as 'main' or 'step-000012000'.")


def _files_to_publish(folder: Path, ignore: Sequence[str]) -> list[Path]:
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


def _connect(endpoint: str | None) -> "HfApi":
    """Return a client; fail here, before anything is hashed, when there is no token or no network allowed."""
    from huggingface_hub import HfApi, constants, get_token

    if constants.is_offline_mode():
        raise PublishError("HF_HUB_OFFLINE is set, so nothing can be pushed. Unset it and run the same command again.")
    if get_token() is None:
        raise PublishError(f"There is no Hugging Face token. {_LOG_IN}")
    return HfApi(endpoint=endpoint, library_name="ling-coder-recipes")


def _warn_if_public(api: "HfApi", repo_id: str, repo_type: str, private: bool, what: str) -> None:
    if private and _retried(lambda: api.repo_info(repo_id, repo_type=repo_type), what).private is False:
        warnings.warn(
            f"{what} already exists and is public: what is pushed can be read by everyone. Make it private in its "
            "settings, or push to another name.",
            stacklevel=3,
        )


def _retried(call: Callable[[], T], what: str) -> T:
    """Run `call` until it succeeds, fails for good, or has failed `MAX_ATTEMPTS` times.

    huggingface_hub retries single requests of an upload by itself; creating a repository or a branch, listing files
    and the commit it leaves to the caller. Running all of `call` again is safe: what has arrived is not sent twice.
    """
    wait = FIRST_WAIT_SECONDS
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return call()
        except Exception as error:
            cause = _hub_failure(error)
            if cause is None:
                raise
            pause = _pause_seconds(cause, wait)
            if pause is None or attempt == MAX_ATTEMPTS:
                raise PublishError(_explain(what, cause, error)) from error
        logger.warning("Pushing %s: %r; attempt %d of %d in %.1f s", what, cause, attempt + 1, MAX_ATTEMPTS, pause)
        time.sleep(pause)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _hub_failure(error: BaseException) -> "HfHubHTTPError | httpx.TransportError | None":
    """Return the Hub's or the network's failure in `error`; uploads wrap theirs in a RuntimeError."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, RuntimeError) and error.__cause__ is not None:
        error = error.__cause__
    return error if isinstance(error, HfHubHTTPError | httpx.TransportError) else None


def _pause_seconds(failure: "HfHubHTTPError | httpx.TransportError", default: float) -> float | None:
    """Return how long to wait before trying again: the server's Retry-After, else `default`; None to give up."""
    response = getattr(failure, "response", None)
    if response is None:
        return default
    if response.status_code not in RETRIED_STATUS_CODES:
        return None
    value = response.headers.get("Retry-After", "")
    pause = float(value) if value.isdecimal() else default
    return pause if pause <= LONGEST_RETRY_AFTER_SECONDS else None


def _explain(what: str, failure: "HfHubHTTPError | httpx.TransportError", error: Exception) -> str:
    """Say what happened, what to do about it, and last the client's own words."""
    namespace = what.split()[1].split("/")[0]
    advice = {
        401: f"The Hub did not accept the token. {_LOG_IN}",
        402: f"The plan of {namespace!r} does not cover this. See its billing settings, or push to another namespace.",
        403: f"The token may not write to namespace {namespace!r}. Make one with write permission for it at "
        f"{_TOKEN_PAGE}, or push to a namespace of your own (`hf auth whoami` lists them).",
        404: f"The Hub knows no such repository for this token. Check that {namespace!r} exists (`hf auth whoami`).",
        413: "A file or the repository is larger than the Hub takes. Build with more, smaller shards (num_shards).",
    }
    response = getattr(failure, "response", None)
    if response is None:
        happened = f"there was no lasting connection to the Hub in {MAX_ATTEMPTS} attempts"
        todo = "Check the network and HF_ENDPOINT; the same command goes on where this one stopped."
    elif response.status_code in RETRIED_STATUS_CODES:
        asked = response.headers.get("Retry-After")
        happened = f"the Hub still answered {response.status_code}" + (f" (Retry-After: {asked} s)" if asked else "")
        todo = "Run the same command later: it goes on where this one stopped."
    else:
        happened = f"the Hub answered {response.status_code}"
        todo = advice.get(response.status_code, "The Hub's own message:")
    detail = f"{error}" if failure is error else f"{error} {failure}"
    return f"Could not publish {what}: {happened}. {todo}\n{detail}"
