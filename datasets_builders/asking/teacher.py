"""Sections 2.1 and 2.4: who is asked: a model behind an OpenAI-compatible server, and how much of it at once."""

from __future__ import annotations

import argparse
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.strict_fields import checked_fields
from evals.models.openai_server import TRIES

OPERATIONS = ("/chat/completions", "/completions", "/models")
MAX_BATCH_REQUESTS = 50_000  # of OpenAI
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# What decides what is answered; where the server stands, how fast it is and what it costs does not.
FIELDS_OF_ANSWERS = ("model", "name", "weight", "temperature", "top_p", "max_tokens", "extra")


@dataclass(frozen=True)
class Teacher:
    """A model behind an OpenAI-compatible server.

    Args:
        model (`str`): as the server names it.
        base_url (`str`): with /v1, such as http://127.0.0.1:8000/v1.
        name (`str`): what steps call it by; the model when empty.
        weight (`float`): share of the documents, beside the weights of the other teachers.
        api_key_variable (`str`): environment variable that holds the key; the key itself is kept nowhere.
        concurrency (`int`): most requests at once, over all workers.
        max_tokens (`int`): of an answer, reasoning included.
        temperature (`float`, *optional*): 0 is greedy; None leaves it to the server.
        top_p (`float`, *optional*): None leaves it to the server.
        timeout_seconds (`float`): for one answer.
        tries (`int`): of a request that the server fails.
        price_input (`float`), price_output (`float`): dollars for a million tokens.
        extra (dict): further parameters of each request, such as {top_k: 20}.
        batch_requests (`int`): requests of a batch of the provider's batch API (half the price, within a day); 0 asks
            one by one.
        spawn (dict): instead of base_url, the server that each process starts: {server: vllm, tp: 2, max_model_len:
            16384, ...}; what is not tp, dp, pp or max_model_len is a flag of its command.
    """

    model: str
    base_url: str = ""
    name: str = ""
    weight: float = 1.0
    api_key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 16
    max_tokens: int = 1024
    temperature: float | None = 0.0
    top_p: float | None = None
    timeout_seconds: float = 600.0
    tries: int = TRIES
    price_input: float = 0.0
    price_output: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)
    batch_requests: int = 0
    spawn: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_tokens", "timeout_seconds", "tries", "weight"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{_flag(name)} is {getattr(self, name)}, but must be above 0")
        for name in ("temperature", "price_input", "price_output"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ConfigError(f"{_flag(name)} is {value}, but must be 0 or more")
        if not 0 <= self.batch_requests <= MAX_BATCH_REQUESTS:
            raise ConfigError(f"--batch-requests is {self.batch_requests}, but must be 0 to {MAX_BATCH_REQUESTS}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"--top-p is {self.top_p}, but must be above 0 and at most 1")
        if not self.model:
            raise ConfigError("--model is empty; give the model as the server names it")
        # Whoever writes the key itself there must not read it again in a message, a plan or a card.
        if not _VARIABLE.fullmatch(self.api_key_variable):
            raise ConfigError(
                "--api-key-variable names an environment variable, such as OPENAI_API_KEY; what was given is no name "
                "of one (the key itself belongs into the environment only)"
            )
        if self.base_url and self.spawn:
            raise ConfigError("base_url and spawn both say where the model is; leave one out")
        if not self.spawn:
            _check_url(self.base_url)

    @property
    def called(self) -> str:
        """The name by which steps and figures know it."""
        return self.name or self.model

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return what tokens cost, in dollars."""
        return (prompt_tokens * self.price_input + completion_tokens * self.price_output) / 1e6

    def fields_of_answers(self) -> dict[str, Any]:
        """Return the fields that decide what is answered."""
        return {name: getattr(self, name) for name in FIELDS_OF_ANSWERS}


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_url(url: str) -> None:
    """Raise `ConfigError`, without what stands in a wrong one: it may hold a password."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise ConfigError("--base-url must be the address of an OpenAI-compatible server, http://HOST:PORT/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError("--base-url holds a user, a password or a query; a key belongs into an environment variable")
    for operation in OPERATIONS:
        if url.rstrip("/").endswith(operation):
            address = url.rstrip("/").removesuffix(operation)
            raise ConfigError(f"--base-url {url}: give the server's address alone, {address}")


def read_teachers(given: Sequence[Mapping[str, Any]]) -> tuple[Teacher, ...]:
    """Return the teachers that a config lists.

    Args:
        given (sequence of dict): fields of `Teacher` each.

    Raises:
        ConfigError: an unknown field, a wrong value, or two teachers of one name.
    """
    teachers = []
    for number, values in enumerate(given, start=1):
        checked = checked_fields(Teacher, dict(values), f"teacher {number}")
        if "model" not in checked or not {"base_url", "spawn"} & checked.keys():
            missing = "model" if "model" not in checked else "base_url"
            raise ConfigError(f"teacher {number} has no {missing}; it needs model, and base_url or spawn")
        try:
            teachers.append(Teacher(**checked))
        except ConfigError as error:
            raise ConfigError(f"teacher {number}: {error}") from None
    names = [teacher.called for teacher in teachers]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two teachers are called {name!r}; give each a name of its own")
    return tuple(teachers)


def chosen_teacher(teachers: Sequence[Teacher], key: str) -> Teacher:
    """Return the teacher of a document, by weight: the same on every run and machine.

    A teacher that is added or whose weight rises takes documents from others, and no other document changes hands.

    Args:
        teachers (sequence of `Teacher`): at least one.
        key (`str`): of the document.

    Source: weighted rendezvous hashing.
    """
    if len(teachers) == 1:
        return teachers[0]

    def score(teacher: Teacher) -> float:
        drawn = hashlib.sha256(f"{teacher.called}\0{key}".encode("utf-8", "replace")).digest()
        uniform = (int.from_bytes(drawn[:8], "big") + 1) / (2**64 + 1)
        return -teacher.weight / math.log(uniform)

    return max(teachers, key=score)


def add_teacher_arguments(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add the flags of a teacher to a command."""
    group = parser.add_argument_group("the LLM that is asked")
    group.add_argument("--base-url", required=required, help="address of an OpenAI-compatible server, with /v1")
    group.add_argument("--model", required=required, help="model, as the server names it")
    group.add_argument(
        "--api-key-variable", default="OPENAI_API_KEY", metavar="NAME", help="environment variable that holds the key"
    )
    group.add_argument("--concurrency", type=int, default=Teacher.concurrency, help="most requests at once")
    group.add_argument(
        "--max-tokens", type=int, default=Teacher.max_tokens, help="longest answer in tokens, reasoning included"
    )
    group.add_argument(
        "--temperature", type=float, default=Teacher.temperature, help="temperature of sampling; 0 is greedy"
    )
    group.add_argument(
        "--timeout-seconds",
        type=float,
        default=Teacher.timeout_seconds,
        help="longest wait for one answer, in seconds",
    )
    group.add_argument("--tries", type=int, default=TRIES, help="number of tries of a request that the server fails")


def teacher_of(flags: Mapping[str, Any]) -> Teacher:
    """Return the teacher that the flags of `add_teacher_arguments` name.

    Args:
        flags (mapping): by name, such as `vars(options)`; others are left alone.

    Raises:
        ConfigError: one of --base-url and --model alone, or a number out of its range.
    """
    if not flags["base_url"] or not flags["model"]:
        raise ConfigError("--base-url and --model name the LLM together; one of them is missing")
    known = [described.name for described in fields(Teacher) if described.name in flags]
    return Teacher(**{name: flags[name] for name in known})
