"""The files behind the loopback Hub: repositories whose commits never change, blobs named by their content.

root/repositories/{models,datasets}/NAMESPACE/NAME/repository.json      visibility, branches, tags
root/repositories/{models,datasets}/NAMESPACE/NAME/commits/OID.json     parent, title, date, path -> Entry
root/blobs/git/SHA1 and root/blobs/lfs/SHA256                           contents, shared by all repositories
"""

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

GIT_ATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
COMMIT_OID = re.compile(r"[0-9a-f]{40}")


class HubError(Exception):
    """An answer other than success: HTTP status, the Hub's error code, and its message."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


@dataclass(frozen=True)
class Entry:
    """One file of a commit: `oid` is the git blob's sha1, or the content's sha256 when `lfs`."""

    oid: str
    size: int
    lfs: bool


@dataclass(frozen=True)
class Commit:
    """One snapshot of a repository."""

    oid: str
    parent: str | None
    title: str
    description: str
    date: str
    files: dict[str, Entry]


def git_blob_oid(content: bytes) -> str:
    """Return the sha1 that git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that readers never see half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{threading.get_ident()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


class Blobs:
    """Contents by name. LFS uploads are refused when the bytes do not have the promised sha256."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, entry: Entry) -> Path:
        return self.root / ("lfs" if entry.lfs else "git") / entry.oid

    def has_lfs(self, sha256: str) -> bool:
        return (self.root / "lfs" / sha256).is_file()

    def put_git(self, content: bytes) -> Entry:
        entry = Entry(git_blob_oid(content), len(content), lfs=False)
        if not self.path(entry).exists():
            write_whole(self.path(entry), content)
        return entry

    def put_lfs(self, sha256: str, content: bytes) -> None:
        if hashlib.sha256(content).hexdigest() != sha256:
            raise HubError(400, "BadUpload", f"{len(content)} bytes arrived that do not have the sha256 {sha256}")
        write_whole(self.root / "lfs" / sha256, content)

    def lfs_entry(self, sha256: str) -> Entry:
        if not self.has_lfs(sha256):
            raise HubError(400, "LfsObjectMissing", f"LFS object {sha256} was never uploaded")
        return Entry(sha256, (self.root / "lfs" / sha256).stat().st_size, lfs=True)

    def names(self) -> set[str]:
        """Names of all blobs, for tests that count uploads."""
        return {path.name for path in self.root.rglob("*") if path.is_file()}


class Repository:
    """One model or dataset repository on disk."""

    def __init__(self, folder: Path, repo_type: str, repo_id: str) -> None:
        self.folder, self.repo_type, self.repo_id = folder, repo_type, repo_id
        self.state: dict[str, Any] = json.loads((folder / "repository.json").read_text(encoding="utf-8"))

    @property
    def private(self) -> bool:
        return self.state["private"]

    @property
    def branches(self) -> dict[str, str]:
        return self.state["branches"]

    @property
    def tags(self) -> dict[str, str]:
        return self.state["tags"]

    def save(self) -> None:
        write_whole(self.folder / "repository.json", json.dumps(self.state, indent=1).encode())

    def commit(self, oid: str) -> Commit:
        record = json.loads((self.folder / "commits" / f"{oid}.json").read_text(encoding="utf-8"))
        record["files"] = {path: Entry(**entry) for path, entry in record["files"].items()}
        return Commit(oid=oid, **record)

    def resolve(self, revision: str) -> Commit:
        """Return the commit of a branch, tag, pull request or commit hash."""
        oid = self.branches.get(revision.removeprefix("refs/heads/")) or self.tags.get(revision)
        if oid is None and COMMIT_OID.fullmatch(revision) and (self.folder / "commits" / f"{revision}.json").is_file():
            oid = revision
        if oid is None:
            raise HubError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return self.commit(oid)

    def history(self, commit: Commit) -> list[Commit]:
        commits = [commit]
        while commits[-1].parent is not None:
            commits.append(self.commit(commits[-1].parent))
        return commits

    def add_commit(self, branch: str, files: dict[str, Entry], title: str, description: str = "") -> str:
        record = {
            "parent": self.branches.get(branch),
            "title": title,
            "description": description,
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")[:-4] + "Z",
            "files": {path: asdict(files[path]) for path in sorted(files)},
        }
        content = json.dumps(record, sort_keys=True).encode()
        oid = hashlib.sha1(content).hexdigest()
        write_whole(self.folder / "commits" / f"{oid}.json", content)
        self.branches[branch] = oid
        self.save()
        return oid


class Storage:
    """All repositories under a folder. Methods that change something are called with `lock` held."""

    def __init__(self, root: Path) -> None:
        self.repositories = root / "repositories"
        self.blobs = Blobs(root / "blobs")
        self.lock = threading.RLock()

    def _folder(self, repo_type: str, repo_id: str) -> Path:
        return self.repositories / f"{repo_type}s" / repo_id

    def get(self, repo_type: str, repo_id: str) -> Repository:
        folder = self._folder(repo_type, repo_id)
        if not (folder / "repository.json").is_file():
            raise HubError(404, "RepoNotFound", "Repository not found")
        return Repository(folder, repo_type, repo_id)

    def create(self, repo_type: str, repo_id: str, private: bool) -> Repository:
        folder = self._folder(repo_type, repo_id)
        if folder.exists():
            raise HubError(409, "", "You already created this repo")
        folder.mkdir(parents=True)
        state = {"private": private, "branches": {}, "tags": {}, "num_pull_requests": 0}
        write_whole(folder / "repository.json", json.dumps(state).encode())
        repository = Repository(folder, repo_type, repo_id)
        repository.add_commit("main", {".gitattributes": self.blobs.put_git(GIT_ATTRIBUTES)}, "initial commit")
        return repository

    def delete(self, repo_type: str, repo_id: str) -> None:
        shutil.rmtree(self.get(repo_type, repo_id).folder)


def apply_operations(
    files: dict[str, Entry], operations: list[dict[str, Any]], blobs: Blobs, decode: Callable[[dict[str, Any]], bytes]
) -> dict[str, Entry]:
    """Return the files after a commit's operations, as they stand in its ndjson lines after the header."""
    result = dict(files)
    for operation in operations:
        key, value = operation["key"], operation["value"]
        path = value["path"]
        if key == "file":
            result[path] = blobs.put_git(decode(value))
        elif key == "lfsFile":
            result[path] = blobs.lfs_entry(value["oid"])
        elif key == "deletedFile":
            if path not in result:
                raise HubError(404, "EntryNotFound", f"A file with this name doesn't exist: {path}")
            del result[path]
        elif key == "deletedFolder":
            prefix = path.rstrip("/") + "/"
            result = {name: entry for name, entry in result.items() if not name.startswith(prefix)}
        else:
            raise HubError(400, "", f"Unknown commit operation {key!r}")
    return result


def entry_kinds(files: dict[str, Entry], folder: str, recursive: bool) -> list[tuple[str, Entry | None]]:
    """List a folder of a commit, sorted: (path, entry) for files, (path, None) for folders."""
    prefix = f"{folder}/" if folder else ""
    listed: dict[str, Entry | None] = {}
    for path, entry in files.items():
        if not path.startswith(prefix):
            continue
        parts = path[len(prefix) :].split("/")
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            listed[prefix + "/".join(parts[:depth])] = None
        if recursive or len(parts) == 1:
            listed[path] = entry
    if folder and not listed:
        raise HubError(404, "EntryNotFound", f"{folder} does not exist")
    return sorted(listed.items(), key=lambda item: item[0])


def blob_fields(entry: Entry) -> dict[str, Any]:
    """Return what a repository's info says of a file."""
    fields: dict[str, Any] = {"size": entry.size, "blobId": entry.oid}
    if entry.lfs:
        fields["lfs"] = {"sha256": entry.oid, "size": entry.size, "pointerSize": 134}
    return fields


def tree_row(path: str, entry: Entry | None, commit: Commit) -> dict[str, Any]:
    """Return what a tree listing says of a file, or of a folder when `entry` is None."""
    last = {"lastCommit": {"id": commit.oid, "title": commit.title, "date": commit.date}}
    if entry is None:
        return {"type": "directory", "path": path, "oid": commit.oid, "size": 0, **last}
    row = {"type": "file", "path": path, "oid": entry.oid, "size": entry.size, **last}
    return row | ({"lfs": {"oid": entry.oid, "size": entry.size, "pointerSize": 134}} if entry.lfs else {})
