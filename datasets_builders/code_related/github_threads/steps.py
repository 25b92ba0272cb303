"""Section 2.3.3: the steps from GH Archive's files to pull requests and issues."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.steps import Arity, Merged, Outcome, Reader, Removed, Step
from datasets_builders.code_related.commits.history import Change, History
from datasets_builders.code_related.commits.rendering import render_edits
from datasets_builders.code_related.github_threads.events import Event, events_of_line, read_event
from datasets_builders.code_related.github_threads.threads import Thread, broken_rule, render_thread, thread_of
from datasets_builders.sources.entry import rank_of

_TYPES = (b'"PullRequest', b'"Issue')
MAX_LINE_BYTES = 5_000_000


def key_of(doc: Document) -> str:
    """Return what all events of a thread have in common."""
    return str(doc.metadata["key"])


class EventReader(Reader):
    """Read the events about pull requests and issues of GH Archive's hourly files; others are passed over.

    Args:
        paths (sequence of `Path`): `.json.gz` or `.json`, a line per event.
    """

    name = "read_events"
    libraries = ("orjson",)

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self.paths = list(paths)

    def weight(self, rank: int, world_size: int) -> int:
        """Return how much a rank has to read, in bytes on disk."""
        return sum(path.stat().st_size for path in self.paths if rank_of(path.name, world_size) == rank)

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """List this rank's events, file by file, and the places where a file is damaged."""
        for path in self.paths:
            if rank_of(path.name, world_size) == rank:
                for number, line in _lines(path):
                    for place, known in enumerate(_known_of(line)):
                        yield Document("", f"{path.name}:{number}" + (f".{place}" if place else ""), metadata=known)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Read one event, or remove it with the reason."""
        raw, reason, detail = (doc.metadata.pop(name, "") for name in ("raw", "reason", "detail"))
        event = None if reason else read_event(raw)
        if event is None:
            yield Removed(doc, reason or "no_thread", detail)
            return
        doc.metadata = {"key": event.key, "event": event.as_json()}
        doc.text = event.text or event.title or event.kind
        yield doc


def _known_of(line: bytes | str) -> Iterator[dict[str, Any]]:
    """Give what a line of an archive holds: events, or the reasons for which there are none."""
    if isinstance(line, str):
        yield {"reason": "damaged_archive", "detail": line}
    elif not any(kind in line for kind in _TYPES):
        return
    elif len(line) > MAX_LINE_BYTES:
        yield {"reason": "too_large"}
    else:
        for raw in events_of_line(line):
            yield {"reason": "not_json"} if raw is None else {"raw": raw}


def _lines(path: Path) -> Iterator[tuple[int, bytes | str]]:
    """Give (number, line) of a file; of damage (number, what is wrong), behind which nothing can be read."""
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line
    except (EOFError, OSError, zlib.error) as error:
        yield number + 1, str(error)


class JoinThreads(Step):
    """Join the events of a thread, which meet in one rank, into one document.

    Args:
        wants (`str`): pull_requests or issues.
        mirrors (`Path`, *optional*): folder of git mirrors, owner/name or owner/name.git.
        max_base_files (`int`): pull requests that change more are removed.
        max_file_bytes (`int`): larger files make a pull request go.

    Source: StarCoder2 5.2; at most three base files, all of them whole, is the paper's.
    """

    name = "join_threads"
    arity: Arity = "n:1"
    libraries = ("dulwich",)

    def __init__(self, wants: str, mirrors: Path | None, max_base_files: int, max_file_bytes: int) -> None:
        super().__init__()
        self.wants, self.mirrors = wants, mirrors
        self.max_base_files, self.max_file_bytes = max_base_files, max_file_bytes

    def begin(self, rank: int, world_size: int) -> None:
        """Start without events."""
        self._events = DiskSort(itemgetter(0, 1), self.runs_folder)

    def end(self) -> None:
        """Let go of the events."""
        self._events.close()

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the event until all are known."""
        self._events.add([doc.metadata["key"], doc.id, doc.text, doc.metadata["event"]])
        return iter(())

    def finish(self) -> Iterator[Outcome]:
        """Give each thread, its first event standing for it."""
        members: list[list[Any]] = []
        for row in self._events:
            if members and members[0][0] != row[0]:
                yield from self._joined(members)
                members = []
            members.append(row)
        if members:
            yield from self._joined(members)

    def _joined(self, members: list[list[Any]]) -> Iterator[Outcome]:
        key = members[0][0]
        first = Document(members[0][2], members[0][1], metadata={"key": key})
        outcome = self._thread(first, [Event(**row[3]) for row in members])
        into = outcome.id if isinstance(outcome, Document) else outcome.doc.id
        yield outcome
        for row in members[1:]:
            doc = Document(row[2], row[1], metadata={"key": key})
            if isinstance(outcome, Document):
                yield Merged(doc, into, "same_thread", key)
            else:
                yield Removed(doc, outcome.reason, outcome.detail)

    def _thread(self, doc: Document, events: list[Event]) -> Document | Removed:
        thread, reason = thread_of(events)
        if thread is None:
            return Removed(doc, reason)
        is_wanted = thread.first.is_pull_request == (self.wants == "pull_requests")
        if not is_wanted:
            return Removed(doc, "issue" if self.wants == "pull_requests" else "pull_request")
        if broken := broken_rule(thread):
            return Removed(doc, *broken)
        diffs, paths = "", list[str]()
        if thread.first.is_pull_request and self.mirrors is not None:
            changes, reason, detail = self._changes(thread)
            if reason:
                return Removed(doc, reason, detail)
            diffs, paths = render_edits(changes), [change.path for change in changes]
        text = render_thread(thread, diffs)
        said = [event for event in thread.events if event.text.strip()]
        known = {
            "repository": thread.first.repository,
            "number": thread.first.number,
            "path": doc.metadata["key"],
            "date": thread.first.time,
            "is_merged": thread.is_merged,
            "num_comments": len(said),
            "num_users": len({event.user for event in said} | {thread.author}),
            "changed_paths": paths,
            "license": None,
            "quality": None,
            "num_bytes": len(text.encode("utf-8", "replace")),
        }
        return Document(text, content_id(text), metadata=known | {"parents": [doc.id]})

    def _changes(self, thread: Thread) -> tuple[list[Change], str, str]:
        """Return the changes of a pull request, or why it has none."""
        from dulwich.repo import Repo

        assert self.mirrors is not None
        ends = next(((event.base_sha, event.head_sha) for event in reversed(thread.events) if event.head_sha), None)
        if ends is None or not all(ends):
            return [], "no_commits", ""
        name = thread.first.repository
        folder = next((path for path in (self.mirrors / name, self.mirrors / f"{name}.git") if path.is_dir()), None)
        if folder is None or ".." in name.split("/"):
            return [], "no_mirror", name
        try:
            with Repo(str(folder)) as repo:
                changes = History(repo, ends[1], self.max_file_bytes).changes_since(ends[0])
        except (KeyError, ValueError):
            return [], "missing_object", f"{ends[0][:12]}..{ends[1][:12]}"
        shown = [change for change in changes if not change.problem]
        bases = [change for change in changes if change.before is not None or change.problem]
        if len(bases) > self.max_base_files:
            return [], "too_many_base_files", str(len(bases))
        return (shown, "", "") if shown else ([], "no_text", "")
