"""A loopback Hub for tests: the protocol of the Hugging Face Hub over files, for the real clients.

    with HubServer(tmp_path / "hub") as hub:
        subprocess.run([...], env={**os.environ, **hub.env(home=tmp_path / "home")}, check=True)

Repositories, branches, tags, pull requests, LFS uploads (basic and multipart), downloads with ranges and redirects,
private and gated repositories, limits of files in a commit and a folder, and on request what the real one also does:
answer 429 and 500, or cut a connection.
"""

import base64
import json
import re
import socket
import threading
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, quote, unquote

import uvicorn
import yaml
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.responses import JSONResponse, Response

from tests.hub_faults import Faults
from tests.hub_storage import Entry, HubError, Repository, Storage, apply_operations, blob_fields, entry_kinds, tree_row

WRITE_TOKEN = "hf_test"
READ_TOKEN = "hf_read"
EXPIRED_TOKEN = "hf_expired"
USER = "tester"
LFS_SUFFIXES = (".parquet", ".safetensors", ".bin", ".arrow", ".gz", ".zst", ".pt")
LFS_ABOVE_BYTES = 10 << 20

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass
class Call:
    """One request as the handlers see it; `path` is raw: revisions arrive percent-encoded."""

    method: str
    path: str
    headers: Headers
    query: QueryParams
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body or b"{}")


class HubServer:
    """A Hub on 127.0.0.1 whose state lies in `root`; a context manager that serves from a background thread."""

    def __init__(
        self,
        root: Path,
        *,
        namespaces: tuple[str, ...] = (USER, "acme"),
        lfs_redirect: bool = True,
        multipart_chunk_bytes: int | None = None,
        page_size: int = 1000,
        max_files_per_commit: int = 25_000,
        max_files_per_folder: int = 10_000,
    ) -> None:
        self.storage = Storage(root)
        self.parts = root / "parts"
        self.namespaces = namespaces
        self.lfs_redirect = lfs_redirect
        self.multipart_chunk_bytes = multipart_chunk_bytes
        self.page_size = page_size
        self.max_files_per_commit = max_files_per_commit
        self.max_files_per_folder = max_files_per_folder
        self.faults = Faults()
        self.gated: set[str] = set()  # repositories whose files go to who has been let in: nobody here
        self.moved: dict[str, str] = {}  # an older name of a repository to its present one
        self.calls: list[tuple[str, str, int]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            log_level="critical",
            lifespan="off",
            proxy_headers=False,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> "HubServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

    def env(self, home: Path | None = None, token: str | None = WRITE_TOKEN) -> dict[str, str]:
        """Environment variables that point a client process here; `home` is its own cache folder."""
        variables = {
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": token or "",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            "TRANSFORMERS_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        if home is not None:
            variables |= {"HF_HOME": str(home), "HF_MODULES_CACHE": str(home / "modules")}
        return variables

    def count(self, method: str, path_pattern: str) -> int:
        """Return how many requests of this method matched so far."""
        return sum(called == method and re.search(path_pattern, path) is not None for called, path, _ in self.calls)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope["raw_path"].decode("ascii")
        fault = self.faults.take(scope["method"], path)
        if fault == "cut" and scope["method"] in ("POST", "PUT"):
            await receive()  # the first bytes of the body have arrived when the connection breaks
            await _break_connection(receive, send)
            self.calls.append((scope["method"], path, 0))
            return
        body = await _read_body(receive)
        if fault is not None and fault.isdecimal():
            headers = {"Retry-After": "0"} if fault == "429" else {}
            response = Response("injected failure", status_code=int(fault), headers=headers)
        else:
            query = QueryParams(scope["query_string"])
            call = Call(scope["method"], path, Headers(raw=scope["headers"]), query, body)
            response = await run_in_threadpool(self._answer, call)
        self.calls.append((scope["method"], path, response.status_code))
        if fault == "lost":
            await _break_connection(receive, send)
        elif fault == "cut":
            await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
            await send(
                {"type": "http.response.body", "body": response.body[: len(response.body) // 2], "more_body": True}
            )
            # Returning before the promised length: uvicorn flushes what it has and closes the connection.
        else:
            await response(scope, receive, send)

    def _answer(self, call: Call) -> Response:
        try:
            for old, new in self.moved.items():
                if f"/{old}" in call.path:
                    query = f"?{call.query}" if call.query else ""
                    return Response(status_code=307, headers={"Location": call.path.replace(old, new) + query})
            for methods, pattern, handler in ROUTES:
                match = pattern.fullmatch(call.path)
                if match and call.method in methods:
                    return handler(
                        self, call, **{key: unquote(value or "") for key, value in match.groupdict().items()}
                    )
            raise HubError(404, "", f"No such route: {call.method} {call.path}")
        except HubError as error:
            headers = {"X-Error-Message": error.message, **error.headers}
            if error.code:
                headers["X-Error-Code"] = error.code
            return JSONResponse({"error": error.message}, error.status, headers=headers)
        except Exception as error:  # a fault of this server, not one of the Hub's: 501 is retried by no client
            message = "".join(traceback.format_exception(error))
            return JSONResponse({"error": message}, 501, headers={"X-Error-Message": repr(error)})

    # Who may do what

    def _token(self, call: Call) -> str | None:
        token = call.headers.get("authorization", "").removeprefix("Bearer ").strip() or None
        if token == EXPIRED_TOKEN:
            raise HubError(401, "", 'User Access Token "test" is expired')
        if token not in (None, WRITE_TOKEN, READ_TOKEN):
            raise HubError(401, "", "Invalid credentials in Authorization header")
        return token

    def _check_write(self, call: Call, namespace: str) -> None:
        token = self._token(call)
        if token is None:
            raise HubError(401, "", "Invalid username or password.")
        if token == READ_TOKEN or namespace not in self.namespaces:
            raise HubError(403, "", f"You don't have the rights to write under the namespace {namespace!r}")

    def _repository(self, call: Call, kind: str, repo_id: str, write: bool = False) -> Repository:
        token = self._token(call)
        repo_type = (kind or "models").removesuffix("s")
        try:
            repository = self.storage.get(repo_type, repo_id)
        except HubError as error:
            # The real Hub does not tell a stranger whether a repository is missing or private.
            raise error if token else HubError(401, "RepoNotFound", "Invalid username or password.") from None
        if repository.private and token is None:
            raise HubError(401, "RepoNotFound", "Invalid username or password.")
        if write:
            self._check_write(call, repo_id.split("/")[0])
        return repository

    def _check_gate(self, call: Call, repo_id: str) -> None:
        if repo_id in self.gated:
            status, who = (403, "you are not in the authorized list") if self._token(call) else (401, "log in first")
            raise HubError(status, "GatedRepo", f"Access to {repo_id} is restricted and {who}.")

    # Account and repositories

    def whoami(self, call: Call) -> Response:
        token = self._token(call)
        if token is None:
            raise HubError(401, "", "Invalid username or password.")
        role = "write" if token == WRITE_TOKEN else "read"
        orgs = [{"name": name, "type": "org"} for name in self.namespaces if name != USER]
        auth = {"type": "access_token", "accessToken": {"displayName": "test", "role": role}}
        return JSONResponse({"type": "user", "id": "1", "name": USER, "orgs": orgs, "auth": auth})

    def validate_yaml(self, call: Call) -> Response:
        header = re.match(r"---\r?\n(.*?)\r?\n---", call.json()["content"], re.DOTALL)
        if header is None:
            return JSONResponse(
                {"errors": [], "warnings": [{"message": "empty or missing yaml metadata in repo card"}]}
            )
        try:
            metadata = yaml.safe_load(header[1])
            errors = [] if isinstance(metadata, dict | None) else [{"message": "metadata is no mapping"}]
        except yaml.YAMLError as error:
            errors = [{"message": str(error)}]
        return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)

    def create(self, call: Call) -> Response:
        wanted = call.json()
        repo_id = f"{wanted.get('organization') or USER}/{wanted['name']}"
        repo_type = wanted.get("type") or "model"
        url = f"{self.url}/{'datasets/' if repo_type == 'dataset' else ''}{repo_id}"
        self._check_write(call, repo_id.split("/")[0])
        with self.storage.lock:
            try:
                private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
                self.storage.create(repo_type, repo_id, private)
            except HubError as error:
                return JSONResponse({"error": error.message, "url": url}, error.status)
        return JSONResponse({"url": url, "name": repo_id, "id": repo_id})

    def delete(self, call: Call) -> Response:
        wanted = call.json()
        repo_id = f"{wanted.get('organization') or USER}/{wanted['name']}"
        with self.storage.lock:
            repository = self._repository(call, f"{wanted.get('type') or 'model'}s", repo_id, write=True)
            self.storage.delete(repository.repo_type, repo_id)
        return JSONResponse({})

    def settings(self, call: Call, kind: str, repo_id: str) -> Response:
        with self.storage.lock:
            repository = self._repository(call, kind, repo_id, write=True)
            wanted = call.json()
            repository.state["private"] = wanted.get("visibility") == "private" or bool(wanted.get("private"))
            repository.save()
        return JSONResponse({"private": repository.private})

    def info(self, call: Call, kind: str, repo_id: str, revision: str = "main") -> Response:
        repository = self._repository(call, kind, repo_id)
        commit = repository.resolve(revision)
        siblings = [{"rfilename": path} for path in commit.files]
        if call.query.get("blobs"):
            siblings = [{"rfilename": path, **blob_fields(entry)} for path, entry in commit.files.items()]
        common = {"_id": "1", "id": repo_id, "author": repo_id.split("/")[0], "sha": commit.oid, "siblings": siblings}
        common |= {
            "private": repository.private,
            "gated": "manual" if repo_id in self.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
        }
        common |= {"tags": [], "lastModified": commit.date, "createdAt": repository.history(commit)[-1].date}
        return JSONResponse(common | ({"modelId": repo_id} if kind == "models" else {}))

    def auth_check(self, call: Call, kind: str, repo_id: str) -> Response:
        self._repository(call, kind, repo_id)
        self._check_gate(call, repo_id)
        return JSONResponse({})

    # Branches, tags, history

    def refs(self, call: Call, kind: str, repo_id: str) -> Response:
        repository = self._repository(call, kind, repo_id)
        pulls = {name: oid for name, oid in repository.branches.items() if name.startswith("refs/pr/")}
        branches = {name: oid for name, oid in repository.branches.items() if name not in pulls}
        return JSONResponse(
            {
                "branches": [_ref(name, f"refs/heads/{name}", oid) for name, oid in branches.items()],
                "tags": [_ref(name, f"refs/tags/{name}", oid) for name, oid in repository.tags.items()],
                "pullRequests": [_ref(name, name, oid) for name, oid in pulls.items()],
                "converts": [],
            }
        )

    def branch(self, call: Call, kind: str, repo_id: str, name: str) -> Response:
        with self.storage.lock:
            repository = self._repository(call, kind, repo_id, write=True)
            if call.method == "DELETE":
                if repository.branches.pop(name, None) is None:
                    raise HubError(404, "RevisionNotFound", f"Invalid rev id: {name}")
            elif name in repository.branches:
                raise HubError(409, "", f"Reference already exists: {name}")
            else:
                repository.branches[name] = repository.resolve(call.json().get("startingPoint", "main")).oid
            repository.save()
        return JSONResponse({})

    def tag(self, call: Call, kind: str, repo_id: str, name: str) -> Response:
        with self.storage.lock:
            repository = self._repository(call, kind, repo_id, write=True)
            if call.method == "DELETE":
                repository.tags.pop(name, None)
            else:  # a POST names the revision in the address and the tag in the body
                tag = call.json()["tag"]
                if tag in repository.tags:
                    raise HubError(409, "", f"Tag reference exists already: {tag}")
                repository.tags[tag] = repository.resolve(name).oid
            repository.save()
        return JSONResponse({})

    def commits(self, call: Call, kind: str, repo_id: str, revision: str) -> Response:
        repository = self._repository(call, kind, repo_id)
        history = repository.history(repository.resolve(revision))
        rows = [
            {"id": c.oid, "title": c.title, "message": c.description, "date": c.date, "authors": [{"user": USER}]}
            for c in history
        ]
        return JSONResponse(rows)

    # Reading

    def tree(self, call: Call, kind: str, repo_id: str, revision: str, folder: str = "") -> Response:
        commit = self._repository(call, kind, repo_id).resolve(revision)
        recursive = call.query.get("recursive", "false").lower() in ("true", "1")
        listed = entry_kinds(commit.files, folder.strip("/"), recursive)
        start = int(call.query.get("cursor", 0))
        stop = start + self.page_size
        headers = {}
        if stop < len(listed):
            following = call.query.get("expand", "false")
            query = f"recursive={str(recursive).lower()}&expand={following}&cursor={stop}"
            headers["Link"] = f'<{self.url}{call.path}?{query}>; rel="next"'
        return JSONResponse([tree_row(path, entry, commit) for path, entry in listed[start:stop]], headers=headers)

    def paths_info(self, call: Call, kind: str, repo_id: str, revision: str) -> Response:
        commit = self._repository(call, kind, repo_id).resolve(revision)
        as_json = call.headers.get("content-type", "").startswith("application/json")
        paths = call.json()["paths"] if as_json else parse_qs(call.body.decode()).get("paths", [])
        listed = dict(entry_kinds(commit.files, "", recursive=True))
        return JSONResponse([tree_row(path, listed[path], commit) for path in paths if path in listed])

    def resolve(self, call: Call, kind: str, repo_id: str, revision: str, path: str) -> Response:
        commit = self._repository(call, kind, repo_id).resolve(revision)
        if path != "README.md":
            self._check_gate(call, repo_id)
        headers = {"X-Repo-Commit": commit.oid}
        entry = commit.files.get(path)
        if entry is None:
            raise HubError(404, "EntryNotFound", f"Entry not found: {path}", headers)
        if not entry.lfs:
            headers["ETag"] = f'"{entry.oid}"'
            return _content(call, self.storage.blobs.path(entry), headers)
        headers |= {"X-Linked-ETag": f'"{entry.oid}"', "X-Linked-Size": str(entry.size)}
        if not self.lfs_redirect:
            return _content(call, self.storage.blobs.path(entry), {**headers, "ETag": f'"{entry.oid}"'})
        # Another origin, as the real one redirects to its storage: clients must not follow with their token.
        headers["Location"] = f"http://localhost:{self.port}/lfs/{entry.oid}"
        return Response(status_code=302, headers=headers)

    # Writing

    def preupload(self, call: Call, kind: str, repo_id: str, revision: str) -> Response:
        files = self._repository(call, kind, repo_id, write=True).resolve(revision).files
        request = call.json()
        ignored = request.get("gitIgnore") or self._text(files, ".gitignore")
        answers = []
        for wanted in request["files"]:
            path = wanted["path"]
            lfs = path.endswith(LFS_SUFFIXES) or wanted["size"] > LFS_ABOVE_BYTES
            oid = files[path].oid if path in files else None
            mode = "lfs" if lfs else "regular"
            ignore = any(fnmatch(path, pattern) for pattern in ignored.split())  # the simple ones of git's patterns
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": ignore, "oid": oid})
        return JSONResponse({"files": answers})

    def _text(self, files: dict[str, Entry], path: str) -> str:
        return self.storage.blobs.path(files[path]).read_text(encoding="utf-8") if path in files else ""

    def lfs_batch(self, call: Call, kind: str, repo_id: str) -> Response:
        self._repository(call, kind, repo_id, write=True)
        objects = []
        for wanted in call.json()["objects"]:
            answer = {"oid": wanted["oid"], "size": wanted["size"]}
            href, chunk = f"{self.url}/lfs/{wanted['oid']}", self.multipart_chunk_bytes
            if not self.storage.blobs.has_lfs(wanted["oid"]):
                header: dict[str, str] = {}
                if chunk is not None and wanted["size"] > chunk:
                    count = -(-wanted["size"] // chunk)
                    header = {"chunk_size": str(chunk)} | {f"{n:05d}": f"{href}/part/{n}" for n in range(1, count + 1)}
                upload = {"href": href, "header": header}
                answer["actions"] = {"upload": upload, "verify": {"href": f"{href}/verify"}}
            objects.append(answer)
        return JSONResponse({"transfer": "basic", "objects": objects})

    def lfs_object(self, call: Call, oid: str) -> Response:
        if call.method in ("GET", "HEAD"):
            return _content(call, self.storage.blobs.path(self.storage.blobs.lfs_entry(oid)), {"ETag": f'"{oid}"'})
        content = call.body
        if call.method == "POST":  # the parts have arrived
            numbers = [part["partNumber"] for part in call.json()["parts"]]
            content = b"".join((self.parts / oid / str(number)).read_bytes() for number in numbers)
        self.storage.blobs.put_lfs(oid, content)
        return JSONResponse({})

    def lfs_part(self, call: Call, oid: str, number: str) -> Response:
        folder = self.parts / oid
        folder.mkdir(parents=True, exist_ok=True)
        (folder / number).write_bytes(call.body)
        return Response(headers={"ETag": f'"{oid[:8]}-{number}"'})

    def lfs_verify(self, call: Call, oid: str) -> Response:
        self.storage.blobs.lfs_entry(oid)
        return JSONResponse({})

    def commit(self, call: Call, kind: str, repo_id: str, revision: str) -> Response:
        lines = [json.loads(line) for line in call.body.splitlines() if line.strip()]
        header, operations = lines[0]["value"], lines[1:]
        if len(operations) > self.max_files_per_commit:  # the real one is still at work when its own gateway gives up
            raise HubError(504, "", "Gateway Time-out")
        with self.storage.lock:
            repository = self._repository(call, kind, repo_id, write=True)
            base = repository.resolve(revision)
            branch = revision.removeprefix("refs/heads/")
            pull = f"refs/pr/{repository.state['num_pull_requests'] + 1}" if call.query.get("create_pr") else None
            if pull is None and branch not in repository.branches:
                raise HubError(403, "", f"Commits go to branches; {revision} is none")
            if header.get("parentCommit") not in (None, base.oid):
                raise HubError(412, "", "A commit has happened since. Please refresh and try again.")
            files = apply_operations(base.files, operations, self.storage.blobs, _decode)
            folders = Counter(path.rpartition("/")[0] for path in files)
            if max(folders.values()) > self.max_files_per_folder:
                raise HubError(400, "", "Your push was rejected because it contains too many files per directory.")
            if pull is not None:
                repository.state["num_pull_requests"] += 1
                repository.branches[pull] = base.oid
            oid = repository.add_commit(pull or branch, files, header["summary"], header.get("description", ""))
        url = f"{self.url}/{'datasets/' if kind == 'datasets' else ''}{repo_id}"
        answer = {"success": True, "commitOid": oid, "commitUrl": f"{url}/commit/{oid}"}
        if pull is not None:
            answer["pullRequestUrl"] = f"{url}/discussions/{pull.removeprefix('refs/pr/')}"
        return JSONResponse(answer)


async def _read_body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _break_connection(receive: Receive, send: Send) -> None:
    """Reset the connection under the request. ASGI has no word for it, so uvicorn's transport is taken directly."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":
        pass


def _decode(value: dict[str, Any]) -> bytes:
    return base64.b64decode(value["content"]) if value.get("encoding") == "base64" else value["content"].encode()


def _content(call: Call, path: Path, headers: dict[str, str]) -> Response:
    """Answer with a file, or the range of it that was asked for."""
    content, status = path.read_bytes(), 200
    headers = {**headers, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", call.headers.get("range", ""))
    if wanted and wanted[0] != "bytes=-":
        size = len(content)
        start = int(wanted[1]) if wanted[1] else max(size - int(wanted[2]), 0)
        stop = min(int(wanted[2]) + 1, size) if wanted[1] and wanted[2] else size
        if start >= size:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        content, status = content[start:stop], 206
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(len(content))
    return Response(b"" if call.method == "HEAD" else content, status, headers=headers)


def _ref(name: str, ref: str, oid: str) -> dict[str, str]:
    return {"name": quote(name, safe="/."), "ref": ref, "targetCommit": oid}


_API = r"/api/(?P<kind>models|datasets)/(?P<repo_id>[^/]+/[^/]+)"
_WEB = r"/(?:(?P<kind>datasets)/)?(?P<repo_id>[^/]+/[^/]+?)"
_LFS = r"/lfs/(?P<oid>[0-9a-f]{64})"
_REVISION = r"(?P<revision>[^/]+)"

Handler = Callable[..., Response]
ROUTES: list[tuple[tuple[str, ...], re.Pattern[str], Handler]] = [
    (methods, re.compile(pattern), handler)
    for methods, pattern, handler in [
        (("GET",), "/api/whoami-v2", HubServer.whoami),
        (("POST",), "/api/validate-yaml", HubServer.validate_yaml),
        (("POST",), "/api/repos/create", HubServer.create),
        (("DELETE",), "/api/repos/delete", HubServer.delete),
        (("GET",), _API, HubServer.info),
        (("GET",), rf"{_API}/revision/{_REVISION}", HubServer.info),
        (("PUT",), rf"{_API}/settings", HubServer.settings),
        (("GET",), rf"{_API}/auth-check", HubServer.auth_check),
        (("GET",), rf"{_API}/refs", HubServer.refs),
        (("POST", "DELETE"), rf"{_API}/branch/(?P<name>[^/]+)", HubServer.branch),
        (("POST", "DELETE"), rf"{_API}/tag/(?P<name>[^/]+)", HubServer.tag),
        (("GET",), rf"{_API}/commits/{_REVISION}", HubServer.commits),
        (("GET",), rf"{_API}/tree/{_REVISION}(?:/(?P<folder>.+))?", HubServer.tree),
        (("POST",), rf"{_API}/paths-info/{_REVISION}", HubServer.paths_info),
        (("POST",), rf"{_API}/preupload/{_REVISION}", HubServer.preupload),
        (("POST",), rf"{_API}/commit/{_REVISION}", HubServer.commit),
        (("POST",), rf"{_WEB}\.git/info/lfs/objects/batch", HubServer.lfs_batch),
        (("GET", "HEAD"), rf"{_WEB}/resolve/{_REVISION}/(?P<path>.+)", HubServer.resolve),
        (("GET", "HEAD", "PUT", "POST"), _LFS, HubServer.lfs_object),
        (("PUT",), rf"{_LFS}/part/(?P<number>\d+)", HubServer.lfs_part),
        (("POST",), rf"{_LFS}/verify", HubServer.lfs_verify),
    ]
]
