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
