"""Section 2.4: the client of one teacher: requests over HTTP, tried again where it helps, as many at once as it bears.

What is an answer, a refusal of this one request, a passing fault or the end of the run is decided here and nowhere
else. Requests are sent by aiohttp, in a third of the processor time that the client of OpenAI needs for them; its types
and its own tries are of no use to a run of millions that must know each status and header itself.
"""

from __future__ import annotations

import asyncio
import random
import time
import urllib.request
from urllib.parse import urlsplit

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
from datasets_builders.asking.limit import AdaptiveLimit
from datasets_builders.asking.replies import (
    BAD_REQUEST,
    NO_CREDIT,
    PASSING,
    TOO_MANY,
    Reply,
    count_of,
    is_error,
    json_of,
    message_of,
    seconds_to_wait,
    text_of,
)
from datasets_builders.asking.request import COMPLETION
from datasets_builders.asking.teacher import Teacher
from datasets_builders.building.errors import BuildError
from evals.models.openai_server import api_key
from evals.models.replies import allowed_tokens, ending_of

FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS = 0.5, 60.0
CONNECT_SECONDS = 30.0
JSON_HEADERS = {"Content-Type": "application/json"}
# A server that says for so long, without one answer, that it is asked too much has no place for this run.
MAX_LIMITED_SECONDS = 1800.0

# So many documents are not refused for the same reason in the same words, one after another: the request is wrong.
MAX_SAME_REFUSALS = 50
FORM_WORDS = ("response_format", "json_schema", "structured output", "guided")
FILTER_WORDS = ("content_filter", "content management policy", "moderation", "flagged", "responsibleai")

# Where servers ended an answer themselves.
BROKEN_OFF = frozenset({"abort", "aborted", "cancelled", "error"})


class AskingError(BuildError):
    """The server gives no answers; those that it gave are kept for the next run."""


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
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=aiohttp.ClientTimeout(total=teacher.timeout_seconds, sock_connect=CONNECT_SECONDS),
            # Found once: aiohttp's own trust_env reads environment and ~/.netrc again for each request.
            proxy=proxy_of(self._base),
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
                reply = await self.call("POST", path, body=self.adapted(body))
                answer = self.answer_of(path, reply, body)
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
            if self.adapts(reply):
                continue
            self.raise_final(reply)
            self.num_failed_tries += 1
            first_failure = sent_at if first_failure is None else first_failure
            if reply.status == 429:  # not a fault of the request: waiting is all that it needs
                self._check_limited(reply)
                continue
            tries += 1
            if tries >= self.teacher.tries:
                self._give_up(reply, tries, first_failure)
            await asyncio.sleep(min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (tries - 1)) * random.uniform(0.5, 1))

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        form: aiohttp.FormData | None = None,
        raw: bool = False,
    ) -> Reply:
        """Return what comes back of one try of an operation.

        Args:
            method (`str`), path (`str`): of the operation, behind /v1/.
            body (`bytes`, *optional*): JSON that is sent.
            form (`FormData`, *optional*): what is sent otherwise.
            raw (`bool`): give bytes where it succeeds, not the JSON in them.
        """
        data, headers = (form, {}) if body is None else (body, JSON_HEADERS)
        try:
            async with self._session.request(method, f"{self._base}/{path}", data=data, headers=headers) as response:
                content = await response.read()
                is_raw = raw and response.status == 200
                return Reply(response.status, content if is_raw else json_of(content), response.headers)
        except TimeoutError:
            return Reply(0, fault=f"nothing came within {self.teacher.timeout_seconds:g} seconds")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Reply(0, fault=self.masked(f"{type(error).__name__}: {error}"))

    def answer_of(self, path: str, reply: Reply, body: bytes) -> Answer | None:
        """Return the answer that a reply to a request holds, or None where it holds none.

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
        text = text_of(message.get("text" if path == COMPLETION else "content"))
        finish_reason = str(choice.get("finish_reason") or "stop").lower()
        if finish_reason in BROKEN_OFF:
            return None
        if finish_reason == "content_filter":
            raise RefusedError(FILTERED, "finish_reason content_filter", is_answer=True)
        if not text and message.get("refusal"):
            raise RefusedError(FILTERED, str(message["refusal"])[:DETAIL_CHARACTERS], is_answer=True)
        reasoning = text_of(message.get("reasoning_content") or message.get("reasoning"))
        usage = reply.body.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        request = orjson.loads(body) if body else {}
        return Answer(
            text=text,
            finish_reason=ending_of(finish_reason, counts.get("completion_tokens"), allowed_tokens(request)),
            model=self.teacher.called,
            reasoning=reasoning,
            prompt_tokens=count_of(counts.get("prompt_tokens"), len(body)),
            completion_tokens=count_of(
                counts.get("completion_tokens"), len((text + reasoning).encode("utf-8", "replace"))
            ),
        )

    def adapted(self, body: bytes) -> bytes:
        """Return the request in the words that this server was found to take."""
        if self._enforces_form and self._names_max_tokens == "max_tokens":
            return body
        payload = orjson.loads(body)
        if not self._enforces_form:
            payload.pop("response_format", None)
        if "max_tokens" in payload:
            payload[self._names_max_tokens] = payload.pop("max_tokens")
        return orjson.dumps(payload)

    def adapts(self, reply: Reply) -> bool:
        """Return whether a refusal is of a parameter that can be left out or named otherwise; from then on it is."""
        if reply.status not in BAD_REQUEST:
            return False
        told = message_of(reply.body)
        if self._enforces_form and any(
            word in told for word in ("response_format", "json_schema", "structured output")
        ):
            self._enforces_form = False
            return True
        if self._names_max_tokens == "max_tokens" and "max_completion_tokens" in told:
            self._names_max_tokens = "max_completion_tokens"
            return True
        return False

    def raise_final(self, reply: Reply) -> None:
        """Raise where another try cannot help."""
        where, told = f"{self.teacher.called} at {self._base}", self.told(reply)
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
        if reply.status == 200 and not is_error(reply.body):
            raise AskingError(f"{where}: what comes back is no completion; check that --base-url ends in /v1")
        if reply.status and reply.status not in TOO_MANY | PASSING | {200}:
            raise AskingError(f"{where}: {told}: another try does not help")

    def _is_out_of_credit(self, reply: Reply) -> bool:
        """Return whether waiting does not help; a limit of a minute is told in nearly the same words."""
        told = message_of(reply.body).lower()
        if reply.status == 429:
            return "insufficient_quota" in told and seconds_to_wait(reply.headers, reply.body) is None
        return reply.status == 402 or (reply.status in (400, 403) and any(word in told for word in NO_CREDIT))

    def _check_limited(self, reply: Reply) -> None:
        now = time.monotonic()
        self._limited_since = self._limited_since or now
        if now - self._limited_since > MAX_LIMITED_SECONDS:
            raise AskingError(
                f"{self.teacher.called} at {self._base}: nothing but {self.told(reply)} for "
                f"{MAX_LIMITED_SECONDS / 60:.0f} minutes; the same command goes on where it stopped"
            )

    def _give_up(self, reply: Reply, tries: int, first_failure: float) -> None:
        told = f"no answer after {tries} tries ({self.told(reply)})"
        if self._last_answered > first_failure:
            raise NoAnswerError(NO_ANSWER, told)
        raise AskingError(f"{self.teacher.called} at {self._base}: {told}; the same command goes on where it stopped")

    def told(self, reply: Reply) -> str:
        """Return what a reply tells of a fault, without the key."""
        if not reply.status:
            return reply.fault
        return self.masked(f"status {reply.status}: {message_of(reply.body)}")[:DETAIL_CHARACTERS]

    def masked(self, text: str) -> str:
        """Return a text without the key, which some servers repeat in what they tell."""
        return text.replace(self._key, "***") if len(self._key) > 6 else text


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for an address, or None."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)
