# ruff: noqa: E501  (events as they are written)
"""Pull requests and issues: events in the shapes of the archive, a real git mirror, and what becomes of each thread."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from datasets_builders.building.errors import ConfigError
from datasets_builders.code_related.github_threads.builder import GithubThreadsBuilder, GithubThreadsConfig
from datasets_builders.code_related.github_threads.events import read_event
from datasets_builders.code_related.github_threads.threads import clean_comment
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
    assert (row["repository"], row["number"], row["is_merged"], row["num_users"]) == ("shop/shop", 1, True, 2)
    assert row["text"] == (
        f"# Pull request: Round the total to cents\n\nusername_0: {BODY}\n\n"
        "username_1 on prices.py:\n\n```diff\n@@ -1 +1 @@\n-a\n+b\n```\n\nWhy two?\n\n"
        "username_0: username_1 because the bill has two, too.\n\nusername_1 merged it.\n"
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"title": "Fix it"}, "short_title"),
        ({"title": "Update dependencies of the shop"}, "dependencies"),
        ({"body": "done"}, "short_description"),
        ({"user": {"login": "dependabot[bot]"}}, "bot"),
        ({"title": None, "body": None}, "no_body"),
    ],
)
def test_pull_requests_that_teach_nothing_have_a_reason(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    opened = event("PullRequestEvent", 2, 1, "ann-lee", action="closed", pull_request=pull(2, merged=True) | changed)
    _, reasons = built(tmp_path, [*thread(1), opened])
    assert reasons["join_threads"][reason] == 1


def test_pull_requests_that_nobody_wanted_go(tmp_path: Path) -> None:
    closed = event("PullRequestEvent", 2, 1, "ann-lee", action="closed", pull_request=pull(2, merged=False))
    _, reasons = built(tmp_path, [*thread(1), closed])
    assert reasons["join_threads"]["not_approved"] == 1


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
    rows, _ = built(tmp_path, thread(1))
    path = tmp_path / "archive" / "2017-05-01-2.json.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps(event).encode() + b"\n" for event in thread(2)))[:-20])
    config = GithubThreadsConfig(output_dir=str(tmp_path / "again"), archive=[str(path.parent / "*")], decontaminate=[])
    result = GithubThreadsBuilder(config).run()
    assert result.ledger.step("read_events").reasons == {"damaged_archive": 1}
    assert len(rows) == 1


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
