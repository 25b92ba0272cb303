"""Section 2.4: the client of one teacher: requests over HTTP, tried again where it helps, as many at once as it bears.

What is an answer, a refusal of this one request, a passing fault or the end of the run is decided here and nowhere
else. Requests are sent by aiohttp, in a third of the processor time that the client of OpenAI needs for them; its types
and its own tries are of no use to a run of millions that must know each status and header itself.
"""

from __future__ import annotations

import asyncio
import email.utils
import math
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from datasets_builders.asking.answers import (
    DETAIL_CHARACTERS,
    FILTERED,
    NO_ANSWER,
    REFUSED,
    Answer,
    NoAnswerError,
    RefusedError,
)
from datasets_builders.asking.budget import BYTES_PER_TOKEN
from datasets_builders.asking.limit import AdaptiveLimit
from datasets_builders.asking.request import COMPLETION, encodable
from datasets_builders.asking.teacher import Teacher
from datasets_builders.building.errors import BuildError
from evals.models.openai_server import api_key

FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.5, 60.0
CONNECT_SECONDS = 30.0
# A server that says for so long, without one answer, that it is asked too much has no place for this run.
MAX_LIMITED_SECONDS = 1800.0

BAD_REQUEST = frozenset({400, 413, 422})
# 425, 429: later; 503, 529: overloaded.
TOO_MANY = frozenset({425, 429, 503, 529})
PASSING = frozenset({408, 409, 500, 502, 504, 520, 521, 522, 523, 524})
NO_CREDIT = ("insufficient_quota", "credit balance", "insufficient credit", "insufficient balance")
# So many documents are not refused for the same reason in the same words, one after another: the request is wrong.
MAX_SAME_REFUSALS = 50
FORM_WORDS = ("response_format", "json_schema", "structured output", "guided")
FILTER_WORDS = ("content_filter", "content management policy", "moderation", "flagged", "responsibleai")


class AskingError(BuildError):
    """The server gives no answers; those that it gave are kept for the next run."""


@dataclass
class _Reply:
    """What came back: a status with what stands in it, or the fault of the connection."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


class Client:
    """The client of one teacher, inside one event loop; `close` at the end.

    Args:
        teacher (`Teacher`): who is asked.
        concurrency (`int`): most requests at once from here.
    """

    def __init__(self, teacher: Teacher, concurrency: int) -> None:
        self.teacher = teacher
        self.limit = AdaptiveLimit(concurrency)
        self.num_failed_tries = 0
        self._key = api_key(teacher.api_key_variable)
        self._base = teacher.base_url.rstrip("/")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=teacher.timeout_seconds, sock_connect=CONNECT_SECONDS),
            trust_env=True,
        )
        self._enforces_form = True
        self._names_max_tokens = "max_tokens"
        self._last_answered = -1.0  # when the last request was sent that was answered
        self._limited_since: float | None = None
        self._refused_in_a_row, self._refusal = 0, ""

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def complete(self, path: str, body: bytes) -> Answer:
        """Return the answer to a request.

        Args:
            path (`str`): operation, behind /v1/.
            body (`bytes`): JSON.

        Raises:
            RefusedError: the server does not take this request.
            NoAnswerError: it fails this request, while it answers others.
            AskingError: it answers nothing, wants another key, or has no such model.
        """
        tries, first_failure = 0, None
        while True:
            sent_at = await self.limit.enter()
            try:
                reply = await self._send(path, self._adapted(body))
                answer = self._answer(path, reply, len(body))
                if answer is not None:
                    self.limit.answered()
                    self._last_answered = max(self._last_answered, sent_at)
                    self._limited_since, self._refused_in_a_row = None, 0
                    return answer
                limited = reply.status in TOO_MANY
                if limited or not reply.status:
                    self.limit.too_many(sent_at, seconds_to_wait(reply.headers, reply.body))
            finally:
                self.limit.leave()
            if self._adapts(reply):
                continue
            self._raise_final(reply)
            self.num_failed_tries += 1
            first_failure = sent_at if first_failure is None else first_failure
            if reply.status == 429:  # not a fault of the request: waiting is all that it needs
                self._check_limited(reply)
                continue
            tries += 1
            if tries >= self.teacher.tries:
                self._give_up(reply, tries, first_failure)
            await asyncio.sleep(min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (tries - 1)) * random.uniform(0.5, 1))

    async def get(self, path: str) -> Any:
        """Return the JSON of a GET, or None where the server has no such page."""
        async with self._session.get(f"{self._base}/{path}") as response:
            return await response.json(content_type=None) if response.status == 200 else None

    async def _send(self, path: str, body: bytes) -> _Reply:
        try:
            async with self._session.post(f"{self._base}/{path}", data=body) as response:
                content = await response.read()
                return _Reply(response.status, _json_of(content), response.headers)
        except TimeoutError:
            return _Reply(0, fault=f"nothing came within {self.teacher.timeout_seconds:g} seconds")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _Reply(0, fault=self.masked(f"{type(error).__name__}: {error}"))

    def _answer(self, path: str, reply: _Reply, num_bytes: int) -> Answer | None:
        """Return the answer that a reply holds, or None where it holds none.

        Raises:
            RefusedError: the server keeps back what the model said.
        """
        if reply.status != 200 or not isinstance(reply.body, dict):
            return None
        choices = reply.body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return None
        message = choice if path == COMPLETION else choice.get("message")
        if not isinstance(message, dict):
            return None
        text = _text_of(message.get("text" if path == COMPLETION else "content"))
        finish_reason = str(choice.get("finish_reason") or "stop")
        if finish_reason == "content_filter":
            raise RefusedError(FILTERED, "finish_reason content_filter", is_answer=True)
        if not text and message.get("refusal"):
            raise RefusedError(FILTERED, str(message["refusal"])[:DETAIL_CHARACTERS], is_answer=True)
        reasoning = _text_of(message.get("reasoning_content") or message.get("reasoning"))
        usage = reply.body.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        return Answer(
            text=text,
            finish_reason=finish_reason,
            model=self.teacher.called,
            reasoning=reasoning,
            prompt_tokens=_count(counts.get("prompt_tokens"), num_bytes),
            completion_tokens=_count(
                counts.get("completion_tokens"), len((text + reasoning).encode("utf-8", "replace"))
            ),
        )

    def _adapted(self, body: bytes) -> bytes:
        """Return the request in the words that this server was found to take."""
        if self._enforces_form and self._names_max_tokens == "max_tokens":
            return body
        payload = orjson.loads(body)
        if not self._enforces_form:
            payload.pop("response_format", None)
        if "max_tokens" in payload:
            payload[self._names_max_tokens] = payload.pop("max_tokens")
        return orjson.dumps(payload)

    def _adapts(self, reply: _Reply) -> bool:
        """Return whether a refusal is of a parameter that can be left out or named otherwise; from then on it is."""
        if reply.status not in BAD_REQUEST:
            return False
        told = _message(reply.body)
        if self._enforces_form and any(
            word in told for word in ("response_format", "json_schema", "structured output")
        ):
            self._enforces_form = False
            return True
        if self._names_max_tokens == "max_tokens" and "max_completion_tokens" in told:
            self._names_max_tokens = "max_completion_tokens"
            return True
        return False

    def _raise_final(self, reply: _Reply) -> None:
        """Raise where another try cannot help."""
        where, told = f"{self.teacher.called} at {self._base}", self._told(reply)
        if reply.status and self._is_out_of_credit(reply):
            raise AskingError(f"{where}: {told}: the account has no credit left; the same command goes on")
        if reply.status in BAD_REQUEST or (reply.status == 403 and self._last_answered >= 0):
            # 403 where the key is good: a moderated prompt.
            self._refused_in_a_row = self._refused_in_a_row + 1 if told == self._refusal else 1
            self._refusal = told
            if self._refused_in_a_row >= MAX_SAME_REFUSALS:
                raise AskingError(f"{where} refuses all that it is asked: {told}")
            filtered = reply.status == 403 or any(word in told.lower() for word in FILTER_WORDS)
            raise RefusedError(FILTERED if filtered else REFUSED, told)
        if reply.status in (401, 403):
            raise AskingError(f"{where}: {told}: it wants another key in {self.teacher.api_key_variable}")
        if reply.status == 404:
            raise AskingError(f"{where}: {told}: check --model, the key, and that --base-url ends in /v1")
        if reply.status == 200 and not _is_error(reply.body):
            raise AskingError(f"{where}: what comes back is no completion; check that --base-url ends in /v1")
        if reply.status and reply.status not in TOO_MANY | PASSING | {200}:
            raise AskingError(f"{where}: {told}: another try does not help")

    def _is_out_of_credit(self, reply: _Reply) -> bool:
        """Return whether waiting does not help; a limit of a minute is told in nearly the same words."""
        told = _message(reply.body).lower()
        if reply.status == 429:
            return "insufficient_quota" in told and seconds_to_wait(reply.headers, reply.body) is None
        return reply.status == 402 or (reply.status in (400, 403) and any(word in told for word in NO_CREDIT))

    def _check_limited(self, reply: _Reply) -> None:
        now = time.monotonic()
        self._limited_since = self._limited_since or now
        if now - self._limited_since > MAX_LIMITED_SECONDS:
            raise AskingError(
                f"{self.teacher.called} at {self._base}: nothing but {self._told(reply)} for "
                f"{MAX_LIMITED_SECONDS / 60:.0f} minutes; the same command goes on where it stopped"
            )

    def _give_up(self, reply: _Reply, tries: int, first_failure: float) -> None:
        told = f"no answer after {tries} tries ({self._told(reply)})"
        if self._last_answered > first_failure:
            raise NoAnswerError(NO_ANSWER, told)
        raise AskingError(f"{self.teacher.called} at {self._base}: {told}; the same command goes on where it stopped")

    def _told(self, reply: _Reply) -> str:
        if not reply.status:
            return reply.fault
        return self.masked(f"status {reply.status}: {_message(reply.body)}")[:DETAIL_CHARACTERS]

    def masked(self, text: str) -> str:
        """Return a text without the key, which some servers repeat in what they tell."""
        return text.replace(self._key, "***") if len(self._key) > 6 else text


def _json_of(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        pass
    try:  # lone surrogates, NaN: what orjson does not read
        import json

        return encodable(json.loads(content))
    except (ValueError, RecursionError):
        return content[:DETAIL_CHARACTERS].decode("utf-8", "replace")


def _is_error(body: Any) -> bool:
    """Return whether a body with status 200 tells of a fault on the way to the model, as routers do."""
    return not isinstance(body, dict) or "error" in body or "choices" in body or not body


def _message(body: Any) -> str:
    if isinstance(body, dict):
        error = body.get("error", body.get("detail", body.get("message", "")))
        if isinstance(error, dict):
            return " ".join(str(error[name]) for name in ("code", "type", "param", "message") if error.get(name))
        return str(error)
    return str(body or "")


def _text_of(content: Any) -> str:
    """Return the text of a message; some servers give it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _count(value: Any, num_bytes: int) -> int:
    """Return a number of tokens, estimated from the bytes of a text where the server does not count."""
    return value if isinstance(value, int) and value > 0 else math.ceil(num_bytes / BYTES_PER_TOKEN)


def seconds_to_wait(headers: Mapping[str, str], body: Any) -> float | None:
    """Return for how long a server wants no request, or None where it does not say.

    It says so in `retry-after-ms` or `retry-after` (seconds or a date), in its message ("try again in 6m0s"), or in the
    `x-ratelimit-reset-` of what has nothing left.
    """
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds:
            return _not_negative(float(milliseconds) / 1000)
        if value and value.strip()[:1].isalpha() and "," in value:
            return _not_negative(email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        if value:
            return _not_negative(float(value))
    except (ValueError, TypeError):
        pass
    if found := _WAIT.search(_message(body)):
        return _seconds(found[1], found[2])
    for kind in ("requests", "tokens"):
        if headers.get(f"x-ratelimit-remaining-{kind}") == "0":
            reset = _DURATION.fullmatch(headers.get(f"x-ratelimit-reset-{kind}", ""))
            if reset:
                return _seconds(reset[1], reset[2])
    return None


# A number with a unit, or hours, minutes and seconds: 20s, 842ms, 60 seconds, 1h2m3.5s.
_PARTS = r"((?:\d+h)?(?:\d+m(?!s))?)(\d+(?:\.\d+)? ?(?:ms|s)|)"
_DURATION = re.compile(_PARTS)
_WAIT = re.compile(rf"(?:try again|retry) in {_PARTS}", re.IGNORECASE)


def _seconds(hours_and_minutes: str, seconds: str) -> float | None:
    total = sum(
        float(number) * {"h": 3600.0, "m": 60.0}[unit] for number, unit in re.findall(r"(\d+)([hm])", hours_and_minutes)
    )
    if number := re.match(r"\d+(?:\.\d+)?", seconds):
        total += float(number[0]) / (1000.0 if seconds.endswith("ms") else 1.0)
    return total if hours_and_minutes or seconds else None


def _not_negative(seconds: float) -> float | None:
    return None if math.isnan(seconds) else max(0.0, seconds)
