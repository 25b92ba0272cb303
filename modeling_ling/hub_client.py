"""Requests to a Hub that does not answer at all end after a second try, and not after a minute of them.

huggingface_hub tries each request six times with 24 s of pauses, and its callers ask for several files. That is right
for a server that is busy and for a connection that breaks, and stays so. Where this process had no answer of a host yet
(nothing listens, no such name, no network, a wrong proxy) it only delays the sentence that says so.
"""

from __future__ import annotations

import time
from typing import Any

import httpx
from huggingface_hub import set_client_factory
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils._http import hf_request_event_hook

SECONDS_TO_SECOND_TRY = 1.0

_answered: set[str] = set()  # hosts, with their ports
_silent: set[str] = set()


class NoConnectionError(OfflineModeIsEnabled):
    """No connection to a host; as in offline mode, what is in the cache is used and nothing is tried again."""


class _Client(httpx.Client):
    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        host = request.url.netloc.decode()
        try:
            response = super().send(request, **options)
        except httpx.ConnectError as error:
            if host in _answered:
                raise
            if host in _silent:
                raise NoConnectionError(f"no connection to {host}: {error}") from error
            _silent.add(host)
            time.sleep(SECONDS_TO_SECOND_TRY)
            return self.send(request, **options)
        _answered.add(host)
        return response


def _client() -> httpx.Client:
    # As huggingface_hub's own, but for the class.
    return _Client(event_hooks={"request": [hf_request_event_hook]}, follow_redirects=True, timeout=None)


def use_client() -> None:
    """Make huggingface_hub send its requests by it, in this process."""
    set_client_factory(_client)
