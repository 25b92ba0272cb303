"""Section 2.1: which server is asked, and how much of it at once."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from datasets_builders.building.errors import ConfigError
from evals.models.openai_server import TRIES, EndpointError, api_key, check_server


@dataclass(frozen=True)
class Endpoint:
    """A model behind an OpenAI-compatible server.

    Args:
        base_url (`str`): with /v1, such as http://127.0.0.1:8000/v1.
        model (`str`): as the server names it.
        api_key_variable (`str`): environment variable that holds the key; the key itself is kept nowhere.
        concurrency (`int`): requests at once.
        max_tokens (`int`): of an answer.
        temperature (`float`): 0 is greedy.
        timeout_seconds (`float`): for one answer.
        tries (`int`): of a request that the server fails.
    """

    base_url: str
    model: str
    api_key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 16
    max_tokens: int = 1024
    temperature: float = 0.0
    timeout_seconds: float = 600.0
    tries: int = TRIES

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_tokens", "timeout_seconds", "tries"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"--{name.replace('_', '-')} is {getattr(self, name)}, but must be above 0")


def add_endpoint_arguments(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add the flags of an endpoint to a command."""
    group = parser.add_argument_group("the LLM that is asked")
    group.add_argument("--base-url", required=required, help="address of an OpenAI-compatible server, with /v1")
    group.add_argument("--model", required=required, help="model, as the server names it")
    group.add_argument(
        "--api-key-variable", default="OPENAI_API_KEY", metavar="NAME", help="environment variable that holds the key"
    )
    group.add_argument("--concurrency", type=int, default=Endpoint.concurrency, help="number of requests at once")
    group.add_argument(
        "--max-tokens", type=int, default=Endpoint.max_tokens, help="longest answer in tokens, reasoning included"
    )
    group.add_argument(
        "--temperature", type=float, default=Endpoint.temperature, help="temperature of sampling; 0 is greedy"
    )
    group.add_argument(
        "--timeout-seconds",
        type=float,
        default=Endpoint.timeout_seconds,
        help="longest wait for one answer, in seconds",
    )
    group.add_argument("--tries", type=int, default=TRIES, help="number of tries of a request that the server fails")


def endpoint_of(flags: Mapping[str, Any]) -> Endpoint:
    """Return the endpoint that the flags of `add_endpoint_arguments` name.

    Args:
        flags (mapping): by name, such as `vars(options)`; others are left alone.

    Raises:
        ConfigError: one of --base-url and --model alone, or a number out of its range.
    """
    if not flags["base_url"] or not flags["model"]:
        raise ConfigError("--base-url and --model name the LLM together; one of them is missing")
    return Endpoint(**{described.name: flags[described.name] for described in fields(Endpoint)})


def check_endpoint(endpoint: Endpoint) -> None:
    """Raise `ConfigError` when the server is not there, wants another key, or has other models."""
    import openai

    client = openai.OpenAI(base_url=endpoint.base_url, api_key=api_key(endpoint.api_key_variable))
    try:
        check_server(client, endpoint.model, endpoint.api_key_variable)
    except EndpointError as error:
        raise ConfigError(str(error)) from None
