"""Section 1, Figure 1a: calls of the Hub by a push: go on after what passes, and say what to do about what does not."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from .hub_reading import hub_failure, no_answer

if TYPE_CHECKING:
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 6
FIRST_WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 60.0
# A server that asks for a longer pause than this is better obeyed by a later run than by a process that looks hung.
MAX_RETRY_AFTER_SECONDS = 900.0
# 412: somebody else's commit came between the look at the branch and ours.
RETRIED_STATUS_CODES = frozenset({408, 412, 425, 429, 500, 502, 503, 504})

# What the user has to mend: the token, the plan, the name.
_REFUSALS = frozenset({401, 402, 403, 404})
TOKEN_PAGE = "https://huggingface.co/settings/tokens"
_LOG_IN = f"Run `hf auth login` (or set HF_TOKEN) with a write token from {TOKEN_PAGE}."

T = TypeVar("T")


class PublishError(RuntimeError):
    """Publishing failed; the message says what to do about it."""


class PublishRefusedError(PublishError, ValueError):
    """The Hub did not allow it: no token, or none with the right to write there. The user's to mend."""


def connect(endpoint: str | None) -> HfApi:
    """Return a client; fail here, before anything is hashed, when there is no token or no network allowed."""
    from huggingface_hub import HfApi, constants, get_token

    if constants.is_offline_mode():
        raise PublishError("HF_HUB_OFFLINE is set, so nothing can be pushed. Unset it and run the same command again.")
    if get_token() is None:
        raise PublishRefusedError(f"There is no Hugging Face token. {_LOG_IN}")
    # HF_ENDPOINT is read now: the client's own value was read when it was imported.
    return HfApi(endpoint=endpoint or os.environ.get("HF_ENDPOINT"), library_name="ling-coder-recipes")


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
        except json.JSONDecodeError as error:
            raise PublishError(f"Could not publish {what}: {hub_failure(error) or error}.") from error
        except OfflineModeIsEnabled as error:  # no connection from the first, which hub_client.py has tried twice
            todo = ". Check the network, the proxy and HF_ENDPOINT, then run the same command again."
            raise PublishError(f"Could not publish {what}: {no_answer(error, todo)}") from error
        except Exception as error:
            cause = _hub_failure(error)
            if cause is None:
                raise
            pause = _pause_seconds(cause, wait)
            if pause is None or attempt == MAX_ATTEMPTS:
                error_class = PublishRefusedError if status_of(cause) in _REFUSALS else PublishError
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


def status_of(failure: HfHubHTTPError | httpx.TransportError) -> int | None:
    """Return the status code of an answer; None where there was none."""
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
