"""What a server said: its answer read strictly, its refusals in a line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evals.models.answer_file import Answer

if TYPE_CHECKING:
    import openai

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
MAX_REASON_CHARS = 300
# What servers say in place of "length".
CUT_OFF = frozenset({"max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"})
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class BadReplyError(ValueError):
    """The server replied, and not as the protocol has it; another try may help."""


def read_reply(content: bytes, max_tokens: int | None = None) -> Answer:
    """Return the answer in the body of a reply, to a chat or a completion.

    Args:
        content: the body.
        max_tokens: how many tokens the request allowed the answer.

    Raises:
        BadReplyError: it holds none.
    """
    try:
        reply = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadReplyError(f"the reply is no JSON: {shortened(content.decode(errors='replace'), 80)}") from error
    if not isinstance(reply, dict):
        raise BadReplyError(f"the reply is no JSON object: {shortened(str(reply), 80)}")
    if reply.get("error"):
        raise BadReplyError(f"the reply is an error: {reason_in(reply)}")
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BadReplyError("the reply has no choices")
    choice = choices[0]
    message = choice.get("message", choice)
    if not isinstance(message, dict):
        raise BadReplyError("the reply's choice has no message")
    usage = counts_of(reply.get("usage"))
    finish_reason = ending_of(str(choice.get("finish_reason") or ""), usage.get("completion_tokens"), max_tokens)
    text = text_of(message)
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    ending = Answer(
        finish_reason=finish_reason,
        reasoning=reasoning if isinstance(reasoning, str) else "",
        usage=usage,
    )
    if finish_reason in ("content_filter", "error"):
        return replace(ending, fault=f"the server stopped the answer (finish_reason {finish_reason})")
    if text is None and finish_reason not in ("stop", "length"):
        return replace(ending, fault=f"the reply has no content (finish_reason {finish_reason or 'missing'})")
    return replace(ending, text=text or "")


def ending_of(finish_reason: str, completion_tokens: object, max_tokens: object) -> str:
    """Return why a model ended, "length" where it was cut off.

    Some servers and routers say "stop" of an answer that took all the tokens it was allowed
    (https://github.com/BerriAI/litellm/issues/25825): the counts are believed, not the word.

    Args:
        finish_reason: the server's word.
        completion_tokens: how many tokens the answer has, where the server says.
        max_tokens: how many it was allowed, where the request says.
    """
    if finish_reason.lower() in CUT_OFF:
        return "length"
    is_full = isinstance(completion_tokens, int) and isinstance(max_tokens, int) and completion_tokens >= max_tokens > 0
    return "length" if is_full and finish_reason.lower() in ("", "stop") else finish_reason


def allowed_tokens(request: Mapping[str, Any]) -> Any:
    """Return how many tokens a request allows its answer, under either of the names for it, or None."""
    return request.get("max_completion_tokens") or request.get("max_tokens")


def text_of(message: dict[str, Any]) -> str | None:
    """Return what a message says: its content, the text among its parts, or its refusal; None if there is none."""
    content = message.get("content", message.get("text"))
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "".join(part for part in parts if isinstance(part, str))
    if content is None:
        content = message.get("refusal")
    # Halves of surrogate pairs are no text: neither a program nor a table could hold them.
    return LONE_SURROGATE.sub("\ufffd", content) if isinstance(content, str) else None


def counts_of(usage: object) -> dict[str, int]:
    """Return the counts of tokens that a reply has, those of thinking among them."""
    if not isinstance(usage, dict):
        return {}
    details = usage.get("completion_tokens_details")
    thinking = details.get("reasoning_tokens") if isinstance(details, dict) else None
    counts = {name: usage.get(name) for name in COUNTS} | {"reasoning_tokens": thinking}
    return {name: count for name, count in counts.items() if type(count) is int}


def refusal(error: openai.APIStatusError) -> str:
    """Return why a server refused, in a line."""
    return f"the server refuses the request ({error.status_code}): {reason_in(error.body)}"


def reason_in(body: object) -> str:
    """Return the message in an error's body, which servers nest differently."""
    while isinstance(body, dict):
        body = next((body[name] for name in ("error", "message", "detail") if body.get(name)), json.dumps(body))
    return shortened(str(body or "no reason given"), MAX_REASON_CHARS)


def shortened(text: str, length: int) -> str:
    """Return the text on one line, cut to a length."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."
