"""Section 2.3.3: a thread of events cleaned and written as one text, with names of users taken out.

Source: StarCoder2 2.3 and 5.2 for pull requests, StarCoder 5.2 for issues; the form in Markdown is ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from datasets_builders.code_related.commits.rules import is_bot
from datasets_builders.code_related.github_threads.events import Event

MIN_TITLE_CHARS, MAX_TITLE_CHARS = 10, 500
MIN_BODY_CHARS, MAX_BODY_CHARS = 20, 1000
MAX_LINES, FIRST_LINES, LAST_LINES = 80, 60, 20
MIN_COMMENT_CHARS = 20
MAX_HUNK_CHARS = 10_000
MIN_ISSUE_CHARS, MAX_LONELY_CHARS, MAX_LONELY_EVENTS = 200, 7000, 10
_DEPENDENCIES = re.compile(r"\b(?:dependenc(?:y|ies)|depend|release)\b", re.IGNORECASE)
_MAIL_REPLY = re.compile(
    r"(?ms)^(?:On .{5,200}\bwrote:|-+ ?Original Message ?-+|Reply to this email directly\b|From: .*@.*$|_{20,}).*\Z"
)
_QUOTE = re.compile(r"(?m)^>.*\n?")
_HTML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True)
class Thread:
    """A pull request or an issue.

    Args:
        events (tuple of `Event`): in order of time, bots' left out.
        title, body (`str`): of its first events that have them.
        author (`str`): who opened it.
    """

    events: tuple[Event, ...]
    title: str
    body: str
    author: str

    @property
    def first(self) -> Event:
        """The first event that is left."""
        return self.events[0]

    @property
    def is_merged(self) -> bool:
        """Whether it was merged."""
        return any(event.merged for event in self.events)

    @property
    def is_approved(self) -> bool:
        """Whether a review approved it."""
        return any(event.state == "approved" for event in self.events)


def thread_of(events: Sequence[Event]) -> tuple[Thread | None, str]:
    """Return a thread of its events, or the reason for which there is none.

    Args:
        events (sequence of `Event`): of one thread, in any order.
    """
    ordered = sorted(events, key=lambda event: (event.time, event.event_id))
    author = next((event.author for event in ordered if event.author), ordered[0].user)
    if is_bot(author):
        return None, "bot"
    title = next((event.title for event in ordered if event.title), None)
    body = next((event.body for event in ordered if event.body is not None), None)
    if title is None:
        return None, "no_body"  # the archive lost it
    kept = tuple(event for event in ordered if not is_bot(event.user))
    if not kept:
        return None, "bot"
    if kept[0].is_pull_request or any(event.is_pull_request for event in kept):
        kept = tuple(replace(event, is_pull_request=True) for event in kept)
    return Thread(kept, title, body or "", author), ""


def broken_rule(thread: Thread) -> tuple[str, str] | None:
    """Return the first rule that drops a thread, with what was found, or None."""
    if thread.first.is_pull_request:
        return _broken_by_pull_request(thread)
    said = [event for event in thread.events if event.text.strip()]
    num_chars = len(thread.body) + sum(len(event.text) for event in said)
    users = {event.user for event in said} | {thread.author}
    if num_chars < MIN_ISSUE_CHARS:
        return "short", f"{num_chars} characters"
    if len(users) < 2 and (num_chars > MAX_LONELY_CHARS or len(said) > MAX_LONELY_EVENTS):
        return "one_user", f"{num_chars} characters"
    return None


def _broken_by_pull_request(thread: Thread) -> tuple[str, str] | None:
    if len(thread.title) < MIN_TITLE_CHARS:
        return "short_title", thread.title
    if _DEPENDENCIES.search(thread.title):
        return "dependencies", thread.title[:80]
    if len(thread.body.strip()) < MIN_BODY_CHARS:
        return "short_description", f"{len(thread.body.strip())} characters"
    if "Qwiet" in thread.body:
        return "bot", "Qwiet"
    return None if thread.is_merged or thread.is_approved else ("not_approved", "neither merged nor approved")


def clean_comment(text: str) -> str:
    """Return what somebody said, without quoted mail, HTML comments and lines in the middle of very long ones."""
    text = _HTML_COMMENT.sub("", text.replace("\r\n", "\n"))
    text = _MAIL_REPLY.sub("", text)
    if "notifications@github.com" in text or "Reply to this email" in text:
        text = _QUOTE.sub("", text)
    lines = text.strip().split("\n")
    if len(lines) > MAX_LINES:
        lines = [*lines[:FIRST_LINES], "[Truncated]", *lines[-LAST_LINES:]]
    return "\n".join(lines).strip()


def render_thread(thread: Thread, diffs: str = "") -> str:
    """Return a thread as one text; users are numbered in the order in which they appear.

    Args:
        thread (`Thread`): whose rules hold.
        diffs (`str`): base files and diffs of a pull request, or empty.
    """
    names: dict[str, str] = {}

    def called(user: str) -> str:
        return names.setdefault(user or "?", f"username_{len(names)}")

    kind = "Pull request" if thread.first.is_pull_request else "Issue"
    body = clean_comment(thread.body)[:MAX_BODY_CHARS]
    parts = [f"# {kind}: {thread.title[:MAX_TITLE_CHARS]}\n\n{called(thread.author)}: {body}", *filter(None, [diffs])]
    for event in thread.events:
        text = clean_comment(event.text)
        if event.kind == "review" and (text or event.state in ("approved", "changes_requested")):
            parts.append(f"{called(event.user)} ({event.state.replace('_', ' ')}): {text}".rstrip(": "))
        elif event.kind == "review_comment" and text:
            hunk = event.hunk if len(event.hunk) <= MAX_HUNK_CHARS else "[...]"
            parts.append(f"{called(event.user)} on {event.path}:\n\n```diff\n{hunk}\n```\n\n{text}")
        elif event.kind == "comment" and len(text) >= MIN_COMMENT_CHARS:
            parts.append(f"{called(event.user)}: {text}")
        elif event.kind in ("closed", "reopened"):
            parts.append(f"{called(event.user)} {'merged' if event.merged else event.kind} it.")
    text = "\n\n".join(parts) + "\n"
    # In what was said too; the longest first, so that ann-lee is not username_0-lee.
    for user in sorted(names, key=len, reverse=True):
        sign = "@?" if len(user) > 2 else "@"  # a short name is a word of its own, too
        text = re.sub(rf"(?<![\w-]){sign}{re.escape(user)}(?![\w-])", names[user], text)
    return text
