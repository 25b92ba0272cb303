"""Section 2.1: values of tables' rows as our columns have them: what is of another type is converted, or null.

A table is written by somebody else: stars may be 1e400, "12", true or {"count": 3}. No value ends a run, and none is
changed in silence: each column says what was done.
"""

import datetime
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from datasets_builders.sources.licenses import UNRECOGNIZED, all_of

MAX_COUNT = 2**63 - 1  # what an int64 holds
MAX_TEXT_CHARACTERS = 1_000
CONVERTED, NULLED = "converted", "nulled"
_TRUTHS = {"true": True, "1": True, "false": False, "0": False, "": None}


def text_of(value: Any) -> tuple[str | None, str]:
    """Return a value as text and what was done: text stays, a number is written out, all else is null."""
    if value is None:
        return None, ""
    if isinstance(value, bytes):
        try:
            value, done = value.decode("utf-8"), CONVERTED
        except UnicodeDecodeError:
            return None, NULLED
    elif isinstance(value, int) and not isinstance(value, bool):
        value, done = str(value), CONVERTED
    else:
        done = ""
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARACTERS or _has_surrogates(value):
        return None, NULLED
    return value, done


def count_of(value: Any) -> tuple[int | None, str]:
    """Return a value as a number of things and what was done; what is negative, broken or too large is null."""
    if value is None or value == "" or value != value:
        return None, ""  # NaN is how libraries for tables write null into a column of numbers
    done = ""
    if isinstance(value, str):
        done = CONVERTED
        try:
            value = int(value) if len(value) <= 40 else None
        except ValueError:
            return None, NULLED
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_COUNT:
        return None, NULLED
    return value, done


def url_of(value: Any) -> tuple[str | None, str]:
    """Return the address of a repository and what was done: without a name and a password; one of no host is null."""
    text, done = text_of(value)
    if not text:
        return None, done
    public = public_url(text)
    return public, done if public == text else CONVERTED if public else NULLED


def public_url(address: str) -> str | None:
    """Return an address as anybody may see it: a host and a path, without a name and a password, or None.

    What was cloned from a folder of a machine has none; `git@github.com:ada/app` is one of ssh.
    """
    try:
        parts = urlsplit(address if "://" in address else f"ssh://{address.replace(':', '/', 1)}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    is_of_ssh_alone = "://" not in address and not re.match(r"[\w.-]+@[\w.-]+:", address)
    if is_of_ssh_alone or parts.scheme not in ("http", "https", "git", "ssh") or not parts.hostname:
        return None
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def truth_of(value: Any) -> tuple[bool | None, str]:
    """Return a value as true or false and what was done."""
    if value is None or isinstance(value, bool):
        return value, ""
    written = str(value).lower() if isinstance(value, str | int) else None
    return (_TRUTHS[written], CONVERTED) if written in _TRUTHS else (None, NULLED)


def date_of(value: Any) -> tuple[str | None, str]:
    """Return a value as a date's text and what was done; of a number nobody knows what it counts."""
    if isinstance(value, datetime.date):
        return value.isoformat(), ""
    return (None, NULLED) if isinstance(value, int | float) else text_of(value)


def license_of(value: Any) -> tuple[str | None, str]:
    """Return a licence and what was done. Of several all hold; what is stated but no text is unrecognised, not none."""
    if isinstance(value, list | tuple):
        # What was found in a repository; which of them holds for a file is not known, so that all must be permissive.
        found = [license_of(part) for part in value]
        names = [name for name, _ in found if name]
        done = next((done for _, done in found if done), "")
        return (all_of(names), done) if names else (None, done)
    text, done = text_of(value)
    if text is None and done:
        return UNRECOGNIZED, CONVERTED
    return (text.strip() or None) if text else None, done


def language_of_row(value: Any) -> tuple[str | None, str]:
    """Return the name of a language and what was done; of a list with one name that."""
    if isinstance(value, list) and len(value) == 1:
        text, done = text_of(value[0])
        return text, done or CONVERTED
    return text_of(value)


# Our column: how a value gets into it.
CONVERSIONS: dict[str, Callable[[Any], tuple[Any, str]]] = {
    "language": language_of_row,
    "license": license_of,
    "stars": count_of,
    "forks": count_of,
    "date": date_of,
    "commit": text_of,
    "repository_url": url_of,
    "is_fork": truth_of,
}


def _has_surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
