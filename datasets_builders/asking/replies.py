"""Section 2.4: what comes back over HTTP from servers of many kinds: the text, the fault, how long to wait."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from datasets_builders.asking.answers import DETAIL_CHARACTERS
from datasets_builders.asking.budget import BYTES_PER_TOKEN
from datasets_builders.asking.request import encodable

BAD_REQUEST = frozenset({400, 413, 422})
# 425, 429: later; 503, 529: overloaded.
TOO_MANY = frozenset({425, 429, 503, 529})
PASSING = frozenset({408, 409, 500, 502, 504, 520, 521, 522, 523, 524})
NO_CREDIT = ("insufficient_quota", "credit balance", "insufficient credit", "insufficient balance")


@dataclass
class Reply:
    """What came back: a status with what stands in it, or the fault of the connection."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


def json_of(content: bytes) -> Any:
    """Return the JSON of a body, or the start of its text where it is none."""
    try:
        return orjson.loads(content)
    except ValueError:
        pass
    try:  # lone surrogates, NaN: what orjson does not read
        return encodable(json.loads(content))
    except (ValueError, RecursionError):
        return content[:DETAIL_CHARACTERS].decode("utf-8", "replace")


def is_error(body: Any) -> bool:
    """Return whether a body with status 200 tells of a fault on the way to the model, as routers do."""
    return not isinstance(body, dict) or "error" in body or "choices" in body or not body


def message_of(body: Any) -> str:
    """Return what a body tells of a fault: code, type, parameter and message."""
    if isinstance(body, dict):
        error = body.get("error", body.get("detail", body.get("message", "")))
        if isinstance(error, dict):
            return " ".join(str(error[name]) for name in ("code", "type", "param", "message") if error.get(name))
        return str(error)
    return str(body or "")


def text_of(content: Any) -> str:
    """Return the text of a message; some servers give it in parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def count_of(value: Any, num_bytes: int) -> int:
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
    if found := _WAIT.search(message_of(body)):
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
