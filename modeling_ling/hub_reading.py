"""Say in one sentence why something cannot be read from the Hub, and what to do.

transformers, datasets and huggingface_hub each wrap the same few causes in words of their own, on several lines, the
cause last. `hub_failure` finds it in the chain of an error; the name, the kind and the revision that were asked for
stand in the address of the request.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

# Pages of the real Hub, wherever HF_ENDPOINT leads.
TOKEN_PAGE = "https://huggingface.co/settings/tokens"
LOG_IN = f"`hf auth login` (or HF_TOKEN) with a token from {TOKEN_PAGE}"

_KINDS = "models|datasets|spaces"
_API = re.compile(rf"/api/({_KINDS})/([^/]+/[^/]+)(?:/(?:revision|tree|paths-info|resolve)/([^/]+))?")
_FILE = re.compile(r"/(?:(datasets|spaces)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_CLOCK = re.compile(r"certificate (is not yet valid|has expired)|RequestTimeTooSkewed", re.IGNORECASE)
_FULL = (errno.ENOSPC, errno.EDQUOT)
MAX_NAMED = 8
SECONDS_FOR_A_LOOK = 10


def read_failure(error: BaseException) -> str:
    """Return why something could not be read: `hub_failure`'s sentence, or the error's own words on one line."""
    return hub_failure(error) or f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def hub_failure(error: BaseException) -> str | None:
    """Return what the Hub, the network or the cache refused, and what to do; None for an error of another kind.

    May look once more at the Hub: what kind of repository has that name, which revisions there are.
    """
    chain = list(_chain(error))
    if "huggingface_hub" not in sys.modules:  # nothing was asked of the Hub
        return None
    if any(isinstance(each, OSError) and each.errno in _FULL and _is_of_the_client(each) for each in chain):
        return _full_cache()
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    if client := sys.modules.get("modeling_ling.hub_client"):
        for found in chain:
            if isinstance(found, client.NoConnectionError):
                return _no_connection(found)
    for kind in (HfHubHTTPError, OfflineModeIsEnabled, httpx.TransportError, LocalEntryNotFoundError):
        for found in chain:
            if not isinstance(found, kind):
                continue
            if isinstance(found, HfHubHTTPError):
                return _refused(found)
            return _offline() if isinstance(found, OfflineModeIsEnabled) or _is_offline() else _no_connection(found)
    if any(isinstance(each, json.JSONDecodeError) and _is_of_the_client(each) for each in chain):
        host = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        return f"what answers at {host} is not the Hub (a proxy's page, say): look at network, proxy and HF_ENDPOINT"
    # datasets has its own class for it, with nothing behind.
    return _offline() if _is_offline() and any(isinstance(each, ConnectionError) for each in chain) else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_of_the_client(error: BaseException) -> bool:
    """Whether huggingface_hub was at work when it happened."""
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__", "").startswith("huggingface_hub.") for frame, _ in frames)


def _is_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _refused(failure: HfHubHTTPError) -> str:
    """Explain an answer of the Hub."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    response = failure.response
    url = str(response.url)
    kind, name, revision, file = _asked(url)
    said = " ".join((getattr(failure, "server_message", None) or "").split())
    page = f"https://huggingface.co/{'' if kind == 'model' else f'{kind}s/'}{name}"
    if "expired" in said and "oken" in said:
        return f"the Hub's token has expired: {LOG_IN} that is valid, then the same command again"
    if response.status_code == 401 and said.startswith("Invalid credentials"):
        return f"the Hub does not know the token: {LOG_IN}, then the same command again"
    if isinstance(failure, GatedRepoError):
        first = "" if get_token() else f"{LOG_IN}, and "
        return (
            f"{name} is gated: {first}ask for access (accept its terms) on {page} with the account of the token "
            "(`hf auth whoami`), then the same command again"
        )
    if isinstance(failure, RevisionNotFoundError):
        there = _revisions(url, kind, name)
        return f"{name} has no revision {revision!r}" + (f"; there are {there}" if there else "")
    if isinstance(failure, RepositoryNotFoundError):
        if other := _other_kind(url, kind, name):
            return f"{name} is a {other} on the Hub, and a {kind} is wanted: give a {kind}'s name, or a folder"
        if get_token():
            return f"the Hub has no {kind} {name} that this token may read: look for it at {page}, or give a folder"
        return f"the Hub has no {kind} {name}, or it is private: {LOG_IN} that may read it, or give a folder"
    if file:
        file = f"; it was asked for {file}"
    if response.status_code == 404:
        return f"{name or url} on the Hub does not hold what is wanted{file}"
    if response.status_code == 429:
        wait = response.headers.get("Retry-After") or ""
        pause = f"{wait} seconds" if wait.isdecimal() and int(wait) else "some minutes"
        more = "" if get_token() else f", or log in, which allows more: {LOG_IN}"
        return f"the Hub has had too many requests from here (429): wait {pause}, then the same command again{more}"
    if _CLOCK.search(said):
        return _CLOCK_WORDS
    if response.status_code >= 500:
        return f"the Hub answers {response.status_code} for {name or url}: later the same command again"
    return f"the Hub answers {response.status_code} for {name or url}" + (f": {said[:200]}" if said else "")


def _asked(url: str) -> tuple[str, str, str, str]:
    """Return the kind of repository, its name, the revision and the file that a request was for."""
    path = urlsplit(url).path
    if found := _API.search(path):
        return found[1].removesuffix("s"), found[2], unquote(found[3] or ""), ""
    if found := _FILE.search(path):
        return (found[1] or "models").removesuffix("s"), found[2], unquote(found[3]), found[4]
    return "model", "", "", ""


def _other_kind(url: str, kind: str, name: str) -> str | None:
    """Return what a name stands for on the Hub if not for what was asked."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=_endpoint(url))
    for other in ("model", "dataset", "space"):
        if other != kind and name:
            try:
                api.repo_info(name, repo_type=other, timeout=SECONDS_FOR_A_LOOK)
            except Exception:
                continue
            return "Space" if other == "space" else other
    return None


def _revisions(url: str, kind: str, name: str) -> str:
    """Return the branches and tags of a repository, in words."""
    from huggingface_hub import HfApi

    try:
        refs = HfApi(endpoint=_endpoint(url)).list_repo_refs(name, repo_type=kind)
    except Exception:  # a look for a better message has no failures of its own
        return ""
    names = [ref.name for ref in (*refs.branches, *refs.tags)]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


_CLOCK_WORDS = (
    "the Hub's certificate or this machine's clock is not of today: look at `date`, then the same command again"
)


def _no_connection(failure: BaseException) -> str:
    return no_answer(failure, ", and not in the cache: look at network, proxy and HF_ENDPOINT, or give a folder")


def no_answer(failure: BaseException, otherwise: str) -> str:
    """Explain a request that got no answer: by the clock, a certificate, or else what `otherwise` says."""
    words = " ".join(str(each) for each in _chain(failure))
    if _CLOCK.search(words):
        return _CLOCK_WORDS
    host = _asked_host(failure) or os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if "CERTIFICATE_VERIFY_FAILED" in words:
        return (
            f"the certificate of {host} is not accepted: for a proxy of your organization, SSL_CERT_FILE names its own"
        )
    return f"no connection to {host}{otherwise}"


def _asked_host(failure: BaseException) -> str | None:
    """Return the address of the host whose answer is missing, as `https://host`, where a request is known."""
    for each in _chain(failure):
        # httpx' errors raise where they have no request.
        with contextlib.suppress(AttributeError, RuntimeError):
            return _endpoint(str(each.request.url))  # type: ignore[attr-defined]
    return None


def _offline() -> str:
    return "HF_HUB_OFFLINE is set, and it is not in the cache: unset that, `hf download NAME` before, or give a folder"


def _full_cache() -> str:
    from huggingface_hub import constants

    return (
        f"no space left for the Hub's cache {constants.HF_HOME}: `hf cache ls` shows and `hf cache rm` removes what is "
        "there, HF_HOME puts it elsewhere; then the same command again"
    )


__all__ = ["hub_failure", "read_failure"]
