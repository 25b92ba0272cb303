"""Section 2.3.3: the history of a git repository as events of GH Archive: each commit a merged pull request.

    python tests/benchmarks/history_as_events.py path/to/repository owner/name outputs/events/2017-05-01-0.json.gz
    python -m datasets_builders github_threads 'archive=[outputs/events/*.gz]' mirrors=outputs/mirrors \
        output_dir=outputs/pulls decontaminate=[]

outputs/mirrors/owner/name is a link to the repository, or a clone. Title and description are the commit's subject and
message, its changes the pull request's; who opens and who merges are its author and committer. Texts, diffs and base
files are real, that there was a pull request is not: for trials where the archive cannot be had.
"""

import argparse
import gzip
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dulwich.repo import Repo

from datasets_builders.code_related.commits.history import History


def events_of(repository: Path, name: str) -> list[dict[str, Any]]:
    """Return two events for each commit that has a parent, the newest first."""
    found = []
    with Repo(str(repository)) as repo:
        for number, commit in enumerate(History(repo, "HEAD", 0).commits(), 1):
            if not commit.parents:
                continue
            subject, _, body = commit.message.decode("utf-8", "replace").partition("\n")
            users = [who.decode("utf-8", "replace").split(" <")[0] for who in (commit.author, commit.committer)]
            pull = {
                "number": number,
                "title": subject,
                "body": body.strip() or subject,
                "user": {"login": users[0]},
                "base": {"sha": commit.parents[0].decode()},
                "head": {"sha": commit.id.decode()},
            }
            for minute, (action, user) in enumerate(zip(("opened", "closed"), users, strict=True)):
                time = datetime.fromtimestamp(commit.commit_time + 60 * minute, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                payload = {"action": action, "number": number, "pull_request": pull | {"merged": action == "closed"}}
                event = {"id": f"{number}-{minute}", "type": "PullRequestEvent", "actor": {"login": user}}
                found.append(event | {"repo": {"name": name}, "created_at": time, "payload": payload})
    return found


def main() -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path, help="folder of a git repository, bare or not")
    parser.add_argument("name", help="owner/name in the events")
    parser.add_argument("to", type=Path, help="file to write, .json.gz")
    options = parser.parse_args()
    options.to.parent.mkdir(parents=True, exist_ok=True)
    events = events_of(options.repository, options.name)
    options.to.write_bytes(gzip.compress("".join(json.dumps(event) + "\n" for event in events).encode(), mtime=0))
    print(f"{len(events)} events in {options.to}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
