# ruff: noqa: E501  (events as they are written)
"""Pull requests and issues: events in the shapes of the archive, a real git mirror, and what becomes of each thread."""

import gzip
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from datatrove.data import Document

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.steps import Removed
from datasets_builders.code_related.github_threads.builder import GithubThreadsBuilder, GithubThreadsConfig
from datasets_builders.code_related.github_threads.events import events_of_line, read_event
from datasets_builders.code_related.github_threads.steps import EventReader
from datasets_builders.code_related.github_threads.threads import broken_rule, clean_comment, render_thread, thread_of
from tests.datasets_builders.code_related.test_commits import Project

BODY = "The total was shown with many digits; it is rounded to cents now, as on the bill."


def event(kind: str, number: int, minute: int, user: str, **payload: Any) -> dict[str, Any]:
    return {
        "id": f"{number}-{minute}",
        "type": kind,
        "actor": {"login": user},
        "repo": {"name": "shop/shop"},
        "created_at": f"2017-05-01T10:{minute:02d}:00Z",
        "payload": {"number": number, **payload},
    }


def pull(number: int, **more: Any) -> dict[str, Any]:
    return {"number": number, "title": "Round the total to cents", "body": BODY, "user": {"login": "ann-lee"}, **more}


def issue(number: int, **more: Any) -> dict[str, Any]:
    return {"number": number, "title": "The total is wrong", "body": BODY * 3, "user": {"login": "ann-lee"}, **more}


def thread(number: int, **more: Any) -> list[dict[str, Any]]:
    """Return a merged pull request with a review and comments, in no order."""
    merged = pull(number, **more, merged=True)
    return [
        event("PullRequestEvent", number, 9, "bo", action="closed", pull_request=merged),
        event("PullRequestEvent", number, 1, "ann-lee", action="opened", pull_request=pull(number, **more)),
        event(
            "PullRequestReviewCommentEvent",
            number,
            3,
            "bo",
            action="created",
            pull_request=pull(number),
            comment={"id": 7, "body": "Why two?", "path": "prices.py", "diff_hunk": "@@ -1 +1 @@\n-a\n+b", "user": {"login": "bo"}},
        ),
        event("IssueCommentEvent", number, 5, "ann-lee", issue=issue(number, title="Round the total to cents", pull_request={}),
              comment={"id": 8, "body": "@bo because the bill has two, too.\n\nOn Monday bo wrote:\n> Why two?"}),
        event("IssueCommentEvent", number, 6, "ci[bot]", issue=issue(number, pull_request={}), comment={"body": "Build passed, all is well here."}),
    ]  # fmt: skip


def built(tmp_path: Path, events: list[Any], **fields: Any) -> tuple[list[dict[str, Any]], dict[str, dict[str, int]]]:
    archive = tmp_path / "archive"
    archive.mkdir(exist_ok=True)
    half = len(events) // 2
    for number, part in enumerate((events[half:], events[:half])):
        lines = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in part)
        (archive / f"2017-05-01-{number}.json.gz").write_bytes(gzip.compress(lines.encode()))
    config = GithubThreadsConfig(
        output_dir=str(tmp_path / "out"), archive=[str(archive / "*.json.gz")], decontaminate=[], **fields
    )
    result = GithubThreadsBuilder(config).run()
    reasons = {step.name: step.reasons for step in result.ledger.steps if step.reasons}
    return list(load_dataset(str(result.output_dir), split="train")), reasons


def test_events_of_a_pull_request_become_one_text_without_names(tmp_path: Path) -> None:
    push = {"type": "PushEvent", "repo": {"name": "shop/shop"}}
    (row,), reasons = built(tmp_path, [*thread(1), push, '{"type": "PullRequestEvent", "cut\n', "\n"])
    assert reasons == {"read_events": {"not_json": 1}, "join_threads": {"same_thread": 4}}
    (removed,) = (tmp_path / "out" / "removed" / "join_threads").iterdir()
    with gzip.open(removed) as lines:
        assert {json.loads(line)["kept"] for line in lines} == {"shop/shop#1"}
    assert (row["repository"], row["number"], row["is_merged"], row["num_users"]) == ("shop/shop", 1, True, 2)
    assert row["text"] == (
        f"# Pull request: Round the total to cents\n\nusername_0: {BODY}\n\n"
        "username_1 on prices.py:\n\n```diff\n@@ -1 +1 @@\n-a\n+b\n```\n\nWhy two?\n\n"
        "username_0: username_1 because the bill has two, too.\n\nusername_1 merged it.\n"
    )


def test_pull_requests_that_teach_nothing_have_a_reason(tmp_path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "short_title": {"title": "Fix it"},
        "dependencies": {"title": "Update dependencies of the shop"},
        "short_description": {"body": "done"},
        "bot": {"user": {"login": "dependabot[bot]"}},
        "no_body": {"title": None, "body": None},
        "not_approved": {"merged": False},
    }
    events = [
        event(
            "PullRequestEvent", number, 1, "ann-lee", action="closed", pull_request=pull(number, merged=True) | changed
        )
        for number, changed in enumerate(changes.values(), 2)
    ]
    (row,), reasons = built(tmp_path, [*thread(1), *events])
    assert row["number"] == 1
    assert reasons["join_threads"] == dict.fromkeys(changes, 1) | {"same_thread": 4}


def test_base_files_are_shown_whole_with_their_edits(tmp_path: Path) -> None:
    project = Project(tmp_path / "mirrors" / "shop" / "shop")
    base = project.commit("Start", prices__py="def total(prices):\n    return sum(prices)\n", a__py="a = 1\n")
    head = project.commit("Round", prices__py="def total(prices):\n    return round(sum(prices), 2)\n")
    big = project.commit("Much", **{f"f{number}__py": "x\n" for number in range(4)}, a__py="a = 2\n")
    many = project.commit("More", **{f"f{number}__py": "y\n" for number in range(4)})
    shas = {"base": {"sha": base}, "head": {"sha": head}}
    events = [
        *thread(1, **shas),
        *thread(2, base={"sha": big}, head={"sha": many}),
        *thread(3, base={"sha": base}, head={"sha": "0" * 40}),
    ]
    (row,), reasons = built(tmp_path, events, mirrors=str(tmp_path / "mirrors"))
    assert row["number"] == 1 and row["changed_paths"] == ["prices.py"]
    assert "## prices.py\n\n```\ndef total(prices):\n    return sum(prices)\n```" in row["text"]
    assert "+    return round(sum(prices), 2)" in row["text"]
    counts = reasons["join_threads"]
    assert counts["too_many_base_files"] == 5 and counts["missing_object"] == 5


def test_pull_requests_that_show_one_large_file_are_no_near_duplicates(tmp_path: Path) -> None:
    project = Project(tmp_path / "mirrors" / "shop" / "shop")
    lines = [f"def price_{n}(thing):\n    return thing.weight * {n} + {n * n}\n" for n in range(300)]
    base = project.commit("Start", prices__py="\n\n".join(lines))
    events = []
    for number, metal in enumerate(("lead", "silver"), 1):
        for place in range(40 * number, 40 * number + 12):
            lines[place] = (
                f"def {metal}_{place}(thing, {metal}_rate):\n    return {metal}_rate({place}) * thing.{metal}\n"
            )
        head = project.commit(f"Rates of {metal}", prices__py="\n\n".join(lines))
        events += thread(number, base={"sha": base}, head={"sha": head})
        base = head
    rows, _ = built(tmp_path, events, mirrors=str(tmp_path / "mirrors"))
    assert sorted(row["number"] for row in rows) == [1, 2]


def test_issues_by_the_rules_of_starcoder(tmp_path: Path) -> None:
    said = {"id": 1, "body": "It is rounded since yesterday, please try it."}
    events = [
        event("IssuesEvent", 1, 1, "ann-lee", action="opened", issue=issue(1)),
        event("IssueCommentEvent", 1, 2, "bo", action="created", issue=issue(1), comment=said),
        event("IssuesEvent", 2, 1, "ann-lee", action="opened", issue=issue(2, body="short")),
        event("IssuesEvent", 3, 1, "ann-lee", action="opened", issue=issue(3, body="word and more words " * 500)),
        *thread(4),
    ]
    (row,), reasons = built(tmp_path, events, threads="issues")
    assert row["text"].startswith("# Issue: The total is wrong\n\nusername_0: The total was shown")
    assert "username_1: It is rounded since yesterday" in row["text"]
    assert reasons["join_threads"] == {"same_thread": 1, "short": 1, "one_user": 1, "pull_request": 5}


def test_a_file_that_was_cut_says_so(tmp_path: Path) -> None:
    path = tmp_path / "2017-05-01-2.json.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps(event).encode() + b"\n" for event in thread(2)))[:-20])
    reader = EventReader([path])
    outcomes = [outcome for doc in reader.list_documents(0, 1) for outcome in reader.process(doc)]
    *kept, last = outcomes
    assert isinstance(last, Removed) and last.reason == "damaged_archive"
    assert kept and all(isinstance(outcome, Document) for outcome in kept)


EVENT = json.dumps(thread(1)[0]).encode()


# What users of the archive report of its files.
@pytest.mark.parametrize(
    ("line", "events"),
    [
        (EVENT + b"\r\n", 1),
        (b"\xef\xbb\xbf" + EVENT, 1),
        (b"\0" * 500 + EVENT + b"\0" * 300 + EVENT + b"\0", 2),
        (EVENT * 3, 3),
        (b"[" + EVENT + b"," + EVENT + b"]", 2),
        (EVENT.replace(b"cents", b"cents \\ud83d \\ude00\\udc00 \\ud83d\\ude00"), 1),
        (EVENT.replace(b"cents", b"cents \xe9"), 1),
        (EVENT[:90] + EVENT, -1),
        (EVENT + EVENT[:90], -1),
        (b'{"id":"1","actor":{"id":2,"url":"https://api.' + EVENT, -1),
        (EVENT[:90], 0),
        (b'{"type": "IssuesEvent"' * 3000, 0),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code>", 0),
        (b"\0\n", None),
    ],
)
def test_a_line_of_the_archive_is_an_event_mostly(line: bytes, events: int | None) -> None:
    """So many events; -1 for one beside what broke off, 0 for that alone, None for nothing."""
    found = list(events_of_line(line))
    whole = [read_event(raw) for raw in found if raw is not None]
    assert all(event is not None and event.key == "shop/shop#1" for event in whole)
    assert len(whole) == abs(events or 0)
    assert (None in found) == (events in (-1, 0))


def test_damage_within_a_file_is_told_and_what_stands_before_it_is_kept(tmp_path: Path) -> None:
    events = [each for number in range(90) for each in thread(number)]
    packed = gzip.compress(b"".join(json.dumps(each).encode() + b"\n" for each in events))
    generator, told, num_kept = random.Random(0), set[str](), 0
    for number in range(20):
        damaged = bytearray(packed)
        for _ in range(4):
            damaged[generator.randrange(20, len(packed))] = generator.randrange(256)
        path = tmp_path / f"{number}.json.gz"
        path.write_bytes(damaged)
        reader = EventReader([path])
        outcomes = [outcome for doc in reader.list_documents(0, 1) for outcome in reader.process(doc)]
        (removed,) = (found for found in outcomes if isinstance(found, Removed) and found.reason == "damaged_archive")
        told.add(removed.detail.split()[0])
        num_kept += sum(isinstance(outcome, Document) for outcome in outcomes)
    assert told == {"Error", "CRC"}, "the stream itself, and its sum"
    assert num_kept > 500


def test_events_of_which_a_part_is_missing_or_of_another_type_have_a_thread_or_none() -> None:
    whole = [*thread(1, base={"sha": "a"}, head={"sha": "b"}), event("IssuesEvent", 1, 1, "a", issue=issue(1))]
    num_read = 0
    for raw in whole:
        for changed in with_a_change(raw):
            found = read_event(changed)
            if found is not None:
                num_read += 1
                told, reason = thread_of([found])
                assert (told is None) == bool(reason)
                if told is not None:
                    broken_rule(told)
                    assert render_thread(told)
    assert num_read > 500


def with_a_change(value: Any) -> Iterator[Any]:
    """Give copies of JSON in each of which one part is missing or of another type."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        for changed in (*with_a_change(part), None, True, 3, "x", [], {}):
            yield {**value, key: changed} if isinstance(value, dict) else [*value[:key], changed, *value[key + 1 :]]
        if isinstance(value, dict):
            yield {name: each for name, each in value.items() if name != key}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        # 2011 to 2014: the actor is a text, the repository has owner and name.
        (
            {"type": "IssuesEvent", "actor": "ann", "created_at": "2012", "repository": {"owner": "o", "name": "r"},
             "payload": {"action": "opened", "issue": {"number": 3, "title": "t", "body": "b"}}},
            ("o/r", 3, "ann", "t"),
        ),
        # Since 2025-10-07: no title, no body.
        (event("PullRequestEvent", 5, 1, "ann", action="opened", pull_request={"number": 5}), ("shop/shop", 5, "ann", None)),
        (event("PushEvent", 1, 1, "ann"), None),
        ({"type": "IssuesEvent", "repo": {"name": "o/r"}, "payload": {"issue": {"number": "3"}}}, None),
        ({"type": "IssuesEvent", "payload": None}, None),
        # Reported of the archive: empty actor and repo, a deleted account, an action of 2011.
        ({"type": "IssuesEvent", "actor": {}, "repo": {}, "payload": {"issue": {"number": 1}}}, None),
        (
            {"type": "PullRequestEvent", "actor": None, "repo": {"name": "o/r"}, "created_at": "2011",
             "payload": {"action": "merged", "pull_request": {"number": 2, "title": "t", "user": None, "merged_by": None}}},
            ("o/r", 2, "", "t"),
        ),
        ([1], None),
    ],
)  # fmt: skip
def test_events_of_all_years(raw: Any, expected: tuple[str, int, str, str | None] | None) -> None:
    found = read_event(raw)
    assert (found and (found.repository, found.number, found.user, found.title)) == expected


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\r\nb", "a\nb"),
        ("yes\n\nOn Mon, Ann <a@b> wrote:\n> no", "yes"),
        ("yes\n________________________________\nFrom: x", "yes"),
        ("ok <!-- template --> then", "ok  then"),
        ("> quoted\nanswer", "> quoted\nanswer"),
        ("\n".join(map(str, range(90))), "\n".join([*map(str, range(60)), "[Truncated]", *map(str, range(70, 90))])),
    ],
)
def test_comments_are_what_somebody_wrote(text: str, clean: str) -> None:
    assert clean_comment(text) == clean


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "archive is not set"),
        ({"archive": ["/nowhere/*"]}, "no file matches"),
        ({"archive": ["/nowhere"], "threads": "prs"}, "pull_requests, issues"),
    ],
)
def test_mistakes_name_the_key(tmp_path: Path, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        GithubThreadsBuilder(GithubThreadsConfig(output_dir=str(tmp_path / "out"), decontaminate=[], **fields)).run()
