"""What clients of an OpenAI-compatible server need: the key, and whether server and model are there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from evals.errors import UsageError

if TYPE_CHECKING:
    import openai

TRIES = 8
CHECK_SECONDS = 30


class EndpointError(RuntimeError):
    """The server cannot be reached, refuses, or lacks what is needed; the message says which."""


class NoLogLikelihoodsError(EndpointError):
    """The server does not say how likely a given continuation is; tasks that need it are unscorable."""


class NoAnswerError(EndpointError):
    """The server was there, and then gave no answer after all tries."""


def check_url(url: str) -> None:
    """Refuse what cannot be the address of an OpenAI-compatible server.

    Raises:
        UsageError: it is empty, no URL, or a single operation's.
    """
    if not url:
        raise UsageError("--backend endpoint needs --base-url, such as http://127.0.0.1:8000/v1")
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--base-url {url}: it must start with http:// or https://")
    for operation in ("/chat/completions", "/completions"):
        base = url.rstrip("/").removesuffix(operation)
        if base != url.rstrip("/"):
            raise UsageError(f"--base-url {url}: give the server's address alone, {base}")


def api_key(variable: str) -> str:
    """Return the key in an environment variable, or a word that servers without keys ignore.

    A key stands in no command line, where every user of the machine could read it.
    """
    return os.environ.get(variable) or "none"


def check_server(client: openai.OpenAI, model: str, key_variable: str) -> None:
    """Ask the server which models it has; a server without such a list passes.

    Raises:
        EndpointError: no server there, it wants another key, or has other models.
    """
    import openai

    try:
        known = [
            model_card.id for model_card in client.with_options(max_retries=1, timeout=CHECK_SECONDS).models.list()
        ]
    except openai.AuthenticationError as error:
        raise EndpointError(f"{client.base_url} wants a key in {key_variable}") from error
    except openai.APIStatusError:
        return  # some servers have no list
    except openai.OpenAIError as error:
        raise EndpointError(f"--base-url {client.base_url}: {error}") from error
    if known and model not in known:
        raise EndpointError(f"--model {model}: not on this server, which has {', '.join(known[:5])}")
