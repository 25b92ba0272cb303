"""Section 2.1: the files of a commit, read from a git repository's objects: no checkout, no git program, no hooks."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from datasets_builders.building.errors import ConfigError
from datasets_builders.sources.entry import Content, Entry, Source, count_files, rank_of, without_excluded
from datasets_builders.sources.license_files import STATEMENT_BYTES, Licenses, read_licenses
from datasets_builders.sources.row_values import public_url

if TYPE_CHECKING:
    from dulwich.objects import Commit, ObjectID
    from dulwich.repo import Repo


class GitSource(Source):
    """The files of one commit of a local repository, bare or with a working tree.

    Args:
        path (`Path`): the repository.
        revision (`str`): branch, tag or commit; the commit that it names now is what is read.
        exclude (sequence of `str`): patterns, see `excluded_by`.
        license (`str`): SPDX name; empty: what files at the top say.

    Raises:
        ConfigError: there is no repository, or no such revision.
    """

    def __init__(self, path: Path, revision: str = "HEAD", exclude: Sequence[str] = (), license: str = "") -> None:
        from dulwich.errors import NotGitRepository
        from dulwich.objectspec import parse_commit
        from dulwich.repo import Repo

        self.path, self.exclude, self._license = str(path), list(exclude), license
        self.place = str(path.absolute())
        self.repository = path.resolve().name.removesuffix(".git") or path.resolve().parent.name
        try:
            with Repo(self.path) as repo:
                commit = parse_commit(repo, revision)
                self.url = _url_of_origin(repo)
        except NotGitRepository:
            raise ConfigError(f"git:{path}: no git repository lies there") from None
        except (KeyError, ValueError) as error:
            raise ConfigError(f"git:{path}: no commit {revision!r}: {error}") from None
        self.commit = commit.id.decode("ascii")
        self.date = datetime.fromtimestamp(commit.commit_time, UTC).isoformat()

    def entries(self, rank: int, world_size: int) -> Iterator[Entry]:
        """List the files of this rank, by a hash of the path."""
        from dulwich.repo import Repo

        with Repo(self.path) as repo:
            for entry in without_excluded(self._names(repo), self.exclude):
                if rank_of(entry.path, world_size) == rank:
                    yield self._loaded(repo, entry)

    def _names(self, repo: "Repo") -> Iterator[Entry]:
        from dulwich.object_store import iter_tree_contents

        for item in iter_tree_contents(repo.object_store, cast("Commit", repo[self.commit.encode()]).tree):
            path = item.path.decode("utf-8", "backslashreplace")
            is_file = stat.S_ISREG(item.mode)
            problem = "" if is_file else "symlink_inside" if stat.S_ISLNK(item.mode) else "submodule"
            yield Entry(path, self.repository, problem, known={"sha": item.sha})

    def _loaded(self, repo: "Repo", entry: Entry) -> Entry:
        sha = entry.known.get("sha")
        if entry.problem:
            return replace(entry, known={})
        try:
            raw = repo.object_store[cast("ObjectID", sha)].as_raw_string()
        except KeyError:
            detail = "a shallow or damaged repository"
            return Entry(entry.path, entry.repository, "missing_object", detail)
        except Exception as error:  # dulwich's and zlib's errors for an object that is damaged
            detail = f"{type(error).__name__}: {error}"[:200]
            return Entry(entry.path, entry.repository, "damaged_object", detail)
        known = {"date": self.date, "commit": self.commit} | ({"repository_url": self.url} if self.url else {})
        return replace(entry, size=len(raw), known=known, read=Content(raw))

    def fingerprint(self) -> dict[str, Any]:
        """Return the commit, and where the clone is from."""
        return {"git": self.repository, "commit": self.commit, "url": self.url}

    def describe(self) -> str:
        """Return path and commit."""
        return f"{self.repository}: {self.path} at commit {self.commit}"

    def licenses(self) -> Licenses:
        """Return the licence as given, or what licence files and package metadata say of the folders they lie in."""
        if self._license:
            return Licenses({"": self._license})
        from dulwich.repo import Repo

        with Repo(self.path) as repo:
            entries = {entry.path: entry for entry in self._names(repo) if not entry.problem}
            return read_licenses(entries, lambda path: self._loaded(repo, entries[path]).read(STATEMENT_BYTES))

    def num_files(self) -> int:
        """Return how many files the commit has."""
        from dulwich.repo import Repo

        with Repo(self.path) as repo:
            return count_files(without_excluded(self._names(repo), self.exclude))


def _url_of_origin(repo: "Repo") -> str | None:
    """Return where a clone is from, as anybody may see it."""
    try:
        return public_url(repo.get_config().get((b"remote", b"origin"), b"url").decode("utf-8", "replace"))
    except (KeyError, OSError, ValueError):
        return None  # not cloned from anywhere, or a configuration that cannot be read
