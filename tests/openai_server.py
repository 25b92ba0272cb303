"""OpenAI-compatible servers on 127.0.0.1 for tests: `transformers serve` with a model, and one that answers by a rule.

with transformers_serve(model_folder, tmp_path) as url: ...
with RuleServer(lambda messages: '{"grade": 3}') as server: ...   # server.url, server.asked
"""

import inspect
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

MODEL = "rule"
Rule = Callable[[list[dict[str, str]]], str | int]


@contextmanager
def transformers_serve(model: Path, log_folder: Path) -> Iterator[str]:
    """Serve a model folder; gives the URL with /v1 once the server is up."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [str(Path(sys.executable).with_name("transformers")), "serve", str(model)]
    log_file = log_folder / "transformers_serve.log"
    with open(log_file, "w") as log:
        process = subprocess.Popen([*words, "--port", str(port), "--device", "cpu"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2)
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log_file.read_text()[-3000:]
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


class RuleServer:
    """The protocol over HTTP; what it says to a conversation is the rule's text, or an error of the rule's status.

    A raw completion comes to the rule as one message of the role "prompt". `asked` holds the body of each request for
    an answer, `keys` the Authorization header of each. With `counts_tokens` words of question and answer are counted.
    """

    def __init__(self, rule: Rule, key: str | None = None, counts_tokens: bool = False) -> None:
        self.rule, self.key, self.counts_tokens = rule, key, counts_tokens
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        config = uvicorn.Config(
            Starlette(routes=self._routes()), log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def _routes(self) -> list[Route]:
        asked = [Route(f"/v1/{path}completions", self._chat, methods=["POST"]) for path in ("chat/", "")]
        return [Route("/v1/models", self._models), *asked]

    def __enter__(self) -> "RuleServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

    def _refusal(self, request: Request) -> Response | None:
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"error": {"message": "wrong key"}}, 401)
        return None

    async def _models(self, request: Request) -> Response:
        answer = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "tests"}]}
        return self._refusal(request) or JSONResponse(answer)

    async def _chat(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.asked.append(body)
        self.keys.append(request.headers.get("authorization"))
        if refusal := self._refusal(request):
            return refusal
        messages = body.get("messages") or [{"role": "prompt", "content": body["prompt"]}]
        said = self.rule(messages)
        if isinstance(said, int):
            return JSONResponse({"error": {"message": f"status {said}"}}, said)
        message = {"message": {"role": "assistant", "content": said}} if "messages" in body else {"text": said}
        choice = {"index": 0, "finish_reason": "stop"} | message
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice]}
        usage = None
        if self.counts_tokens:
            usage = {
                "prompt_tokens": sum(len(message["content"].split()) for message in messages),
                "completion_tokens": len(said.split()),
            }
        # Escaped, as some servers do: so that lone surrogates can be sent.
        return Response(json.dumps(answer | {"usage": usage}), media_type="application/json")


class ScriptedServer(RuleServer):
    """The protocol for chats and completions; what comes back over HTTP is the script's, byte for byte.

    The script is given the body of a request; it may be asynchronous, to answer late.
    """

    def __init__(self, script: Callable[[dict[str, Any]], Response | Awaitable[Response]]) -> None:
        super().__init__(lambda messages: 500)
        self.script = script

    async def _chat(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.asked.append(body)
        self.keys.append(request.headers.get("authorization"))
        said = self.script(body)
        return await said if inspect.isawaitable(said) else said


class BatchServer(ScriptedServer):
    """The batch API over files: a batch is done at its second look, its lines answered by the script.

    `made` holds the batches by id. `asked` holds the requests of batches when they are answered. `before_answer` is
    called with a batch before it is done, and may give it another end.
    """

    def __init__(self, script: Callable[[dict[str, Any]], Response]) -> None:
        super().__init__(script)
        self.files: dict[str, bytes] = {}
        self.made: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}
        self.before_answer: Callable[[dict[str, Any]], None] = lambda batch: None
        self.after_making: Callable[[dict[str, Any]], Response | None] = lambda batch: None

    def _routes(self) -> list[Route]:
        return [
            *super()._routes(),
            Route("/v1/files", self._upload, methods=["POST"]),
            Route("/v1/files/{name}/content", self._content),
            Route("/v1/batches", self._make, methods=["POST"]),
            Route("/v1/batches", self._list),
            Route("/v1/batches/{name}", self._look),
        ]

    async def _upload(self, request: Request) -> Response:
        content = await request.body()
        boundary = request.headers["content-type"].partition("boundary=")[2].encode()
        file = next(part for part in content.split(b"--" + boundary) if b"filename=" in part)
        name = f"file-{len(self.files)}"
        self.files[name] = file.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        return JSONResponse({"id": name, "object": "file", "purpose": "batch"})

    async def _content(self, request: Request) -> Response:
        return Response(self.files[request.path_params["name"]])

    async def _make(self, request: Request) -> Response:
        asked = json.loads(await request.body())
        batch = {"id": f"batch_{len(self.made)}", "object": "batch", "status": "in_progress", "errors": None}
        self.made[batch["id"]] = batch | asked | {"output_file_id": None, "error_file_id": None}
        return self.after_making(self.made[batch["id"]]) or JSONResponse(self.made[batch["id"]])

    async def _list(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": list(self.made.values())[::-1], "has_more": False})

    async def _look(self, request: Request) -> Response:
        batch = self.made.get(request.path_params["name"])
        if batch is None:
            return JSONResponse({"error": {"message": "no such batch"}}, 404)
        self.looks[batch["id"]] = self.looks.get(batch["id"], 0) + 1
        if batch["status"] == "in_progress" and self.looks[batch["id"]] > 1:
            batch["status"] = "completed"
            self.before_answer(batch)
            if batch["status"] != "failed":
                self._answer(batch)
        return JSONResponse(batch)

    def _answer(self, batch: dict[str, Any]) -> None:
        good, bad = [], []
        for line in self.files[batch["input_file_id"]].splitlines():
            request = json.loads(line)
            self.asked.append(request["body"])
            response = self.script(request["body"])
            if response is None:  # never came to it
                continue
            told = {"status_code": response.status_code, "body": json.loads(bytes(response.body))}
            line = json.dumps({"custom_id": request["custom_id"], "response": told, "error": None})
            (good if response.status_code == 200 else bad).append(line)
        for kind, lines in (("output", good), ("error", bad)):
            if lines:
                batch[f"{kind}_file_id"] = f"{batch['id']}-{kind}"
                self.files[batch[f"{kind}_file_id"]] = "\n".join(lines).encode()


def chat_answer(text: str, finish_reason: str = "stop", **more: Any) -> Response:
    """Return a good answer to a chat."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
    answer = {"id": "1", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice]}
    return JSONResponse(answer | {"usage": {"prompt_tokens": 10, "completion_tokens": 5}} | more)


def cut_connection() -> Response:
    """Return what begins as an answer, and then the connection is gone."""

    async def half() -> AsyncIterator[bytes]:
        yield b'{"choices": ['
        raise ConnectionAbortedError

    return StreamingResponse(half(), media_type="application/json", headers={"content-length": "1000"})
