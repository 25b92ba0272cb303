"""Section 2.3.3: GH Archive's events about pull requests and issues, in the shapes that they had over the years.

| years | repository | what is missing |
| --- | --- | --- |
| 2011 to 2014 | `repository` with owner and name, `actor` a text | some comments and reviews |
| 2015 on | `repo.name`, `actor.login` | nothing |
| from 2025-10-07 on | as before | title, body, state and base of pull requests |

A line is an event, mostly: some hold several, NUL bytes between them, halves of surrogate pairs, or an event that
breaks off where the next one starts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import orjson

WANTED = frozenset(
    {
        "PullRequestEvent",
        "PullRequestReviewEvent",
        "PullRequestReviewCommentEvent",
        "IssuesEvent",
        "IssueCommentEvent",
    }
)


@dataclass(frozen=True)
class Event:
    """What one event says of a pull request or an issue.

    Args:
        repository (`str`): owner/name.
        number (`int`): of the thread.
        is_pull_request (`bool`): or an issue.
        time (`str`): ISO.
        kind (`str`): opened, closed, comment, review, review_comment or other.
        user (`str`): who did it.
        author (`str`): who opened the thread, where the event says so.
        title, body (`str`, *optional*): of the thread, as far as the event has them.
        text (`str`): of a comment or review.
        state (`str`): of a review: approved, changes_requested, commented.
        merged (`bool`): whether a closed pull request was merged.
        base_sha, head_sha (`str`): commits of a pull request.
        path, hunk (`str`): that a review comment is on.
        event_id (`str`): of what was said.
    """

    repository: str
    number: int
    is_pull_request: bool
    time: str
    kind: str
    user: str = ""
    author: str = ""
    title: str | None = None
    body: str | None = None
    text: str = ""
    state: str = ""
    merged: bool = False
    base_sha: str = ""
    head_sha: str = ""
    path: str = ""
    hunk: str = ""
    event_id: str = ""

    @property
    def key(self) -> str:
        """What all events of a thread have in common."""
        return f"{self.repository}#{self.number}"

    def as_json(self) -> dict[str, Any]:
        """Return the event as JSON."""
        return asdict(self)


_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
# What an event may start with; each is tried where a line breaks off, up to so many of them.
_START = re.compile(r'\{"(?:id|type|created_at|actor|actor_attributes|repo|repository|payload|public|url|org)":')
MAX_STARTS = 200


def events_of_line(line: bytes) -> Iterator[Any]:
    """Give the events of a line, parsed, and None for each part that is none.

    Args:
        line (`bytes`): of the archive.
    """
    line = line.replace(b"\0", b"").strip().removeprefix(b"\xef\xbb\xbf")
    if not line:
        return
    try:
        found = orjson.loads(line)
    except ValueError:
        yield from _pieces(_HALF_PAIR.sub(rb"\\ufffd", line).decode("utf-8", "replace"))
    else:
        yield from found if isinstance(found, list) else [found]


def _pieces(text: str) -> Iterator[Any]:
    decoder, place, num_starts, is_broken = json.JSONDecoder(strict=False), 0, 0, False
    while (start := _START.search(text, place)) and num_starts < MAX_STARTS:
        num_starts += 1
        try:
            found, place = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            place, is_broken = start.end(), True
            continue
        if "payload" not in found:
            continue  # a part of one that breaks off
        if is_broken:
            yield None
        is_broken, num_starts = False, 0
        yield found
    if is_broken or place == 0 or text[place:].strip():
        yield None


def read_event(raw: Any) -> Event | None:
    """Return an event, or None for one that is of no thread or lacks what names it.

    Args:
        raw: a line of the archive, parsed.
    """
    event, payload = _mapping(raw), _mapping(_mapping(raw).get("payload"))
    repository, kind = _repository_of(event), _text(event.get("type"))
    if kind not in WANTED or not repository:
        return None
    pull, issue = _mapping(payload.get("pull_request")), _mapping(payload.get("issue"))
    thread = pull or issue
    number = thread.get("number") or payload.get("number")
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    comment = _mapping(payload.get("comment")) or _mapping(payload.get("review"))
    action = _text(payload.get("action"))
    kinds = {
        "IssueCommentEvent": "comment",
        "PullRequestReviewEvent": "review",
        "PullRequestReviewCommentEvent": "review_comment",
    }
    what = kinds.get(kind) or (action if action in ("opened", "closed", "reopened") else "other")
    title, body = thread.get("title"), thread.get("body")
    return Event(
        repository=repository,
        number=number,
        is_pull_request=bool(pull) or isinstance(issue.get("pull_request"), dict),
        time=_text(event.get("created_at")),
        kind=what,
        user=_login(event.get("actor")) or _login(comment.get("user")),
        author=_login(thread.get("user")),
        title=title if isinstance(title, str) else None,
        body=body if isinstance(body, str) else None,
        text=_text(comment.get("body")) if what in kinds.values() else "",
        state=_text(comment.get("state")).lower() if what == "review" else "",
        merged=bool(pull.get("merged")) or bool(pull.get("merged_at")),
        base_sha=_text(_mapping(pull.get("base")).get("sha")),
        head_sha=_text(_mapping(pull.get("head")).get("sha")),
        path=_text(comment.get("path")),
        hunk=_text(comment.get("diff_hunk")),
        event_id=str(comment.get("id") or event.get("id") or ""),
    )


def _repository_of(event: dict[str, Any]) -> str:
    name = _text(_mapping(event.get("repo")).get("name"))
    if name:
        return name
    old = _mapping(event.get("repository"))
    owner = old.get("owner")
    owner = owner if isinstance(owner, str) else _login(owner)
    return f"{owner}/{old['name']}" if owner and isinstance(old.get("name"), str) else ""


def _login(user: Any) -> str:
    return user if isinstance(user, str) else _text(_mapping(user).get("login"))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
