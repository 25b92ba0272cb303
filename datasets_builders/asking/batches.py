"""Section 2.4: a provider's batch API: files of requests that are answered within a day, at half the price.

Requests are collected, uploaded as a file and submitted; the batch is polled and its answers are kept. A file beside
the answers says which requests are in which batch, before the batch is made: a run that was killed waits for the
batches that are out, also for one that was made in the moment of the kill, and submits nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from datasets_builders.asking.answers import NO_ANSWER, Answer, NoAnswerError, RefusedError
from datasets_builders.asking.client import AskingError, Client
from datasets_builders.asking.replies import PASSING, TOO_MANY, Reply

BATCHES_SUFFIX = ".batches"
POLL_SECONDS = 30.0
# When no further request has come for so long, what there is makes a batch.
QUIET_SECONDS = 10.0
FIRST_WAIT_SECONDS = 1.0
MAX_FILE_BYTES = 100_000_000  # OpenAI takes 200 MB
LISTED_BATCHES = 100
CALL_TRIES = 6
COMPLETION_WINDOW = "24h"
NAME = "ling_coder_batch"  # of the metadata by which a batch is found again
DONE = frozenset({"completed", "failed", "expired", "cancelled"})
# What OpenAI says where more tokens are waiting than the account may have.
FULL_QUEUE = ("token_limit_exceeded", "enqueued token limit")

KeepAnswer = Callable[[str, Answer | RefusedError], None]


@dataclass
class _Pending:
    """A request that waits for its answer."""

    path: str
    body: bytes
    answer: asyncio.Future[Answer]
    tries: int = 0


@dataclass
class _Batch:
    """Requests that are in one batch."""

    name: str
    path: str
    keys: list[str]
    identifier: str = ""
    is_done: bool = False


@dataclass
class _Record:
    """The batches of a rank, on disk: a line when one is about to be made, is made, and is done."""

    file: Path
    batches: dict[str, _Batch] = field(default_factory=dict)

    def read(self) -> None:
        """Read what earlier runs wrote; a line that a kill left half written is none."""
        if not self.file.exists():
            return
        whole = self.file.read_bytes()
        whole = whole[: whole.rfind(b"\n") + 1]
        os.truncate(self.file, len(whole))
        for line in whole.splitlines():
            known = orjson.loads(line)
            batch = self.batches.setdefault(known["name"], _Batch(known["name"], "", []))
            batch.path, batch.keys = known.get("path", batch.path), known.get("keys", batch.keys)
            batch.identifier, batch.is_done = known.get("id", batch.identifier), known.get("done", batch.is_done)

    def write(self, batch: _Batch, **told: Any) -> None:
        """Write a line, on the disk when this returns."""
        self.batches[batch.name] = batch
        with self.file.open("ab") as file:
            file.write(orjson.dumps({"name": batch.name} | told) + b"\n")
            file.flush()
            os.fsync(file.fileno())


class BatchClient:
    """Asks one teacher by batches, for one rank; `close` at the end.

    Args:
        client (`Client`): of the teacher.
        file (`Path`): where the batches are written down.
        keep (function): keeps an answer, before anybody learns of it.
        max_requests (`int`): of a batch.
    """

    def __init__(self, client: Client, file: Path, keep: KeepAnswer, max_requests: int) -> None:
        self.client, self.keep, self.max_requests = client, keep, max_requests
        self._record = _Record(file)
        self._record.read()
        self._pending: dict[str, _Pending] = {}
        self._waiting: list[str] = []
        self._failure: BaseException | None = None
        self._came = asyncio.Event()
        self._tasks = {asyncio.create_task(self._collect())}
        self._out: dict[str, str] = {}  # key to batch
        for batch in self._record.batches.values():
            if not batch.is_done:
                self._out |= dict.fromkeys(batch.keys, batch.name)
                self._start(self._follow(batch))

    async def complete(self, path: str, body: bytes, key: str) -> Answer:
        """Return the answer to a request; raises as `Client.complete` does."""
        if self._failure is not None:
            raise self._failure
        pending = self._pending.get(key) or _Pending(path, body, asyncio.get_running_loop().create_future())
        self._pending[key] = pending
        if key not in self._out:
            self._wait(key)
        return await asyncio.shield(pending.answer)

    async def close(self) -> None:
        """Stop following the batches; they go on at the provider's."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failure = self._failure or error
            for pending in self._pending.values():
                if not pending.answer.done():
                    pending.answer.set_exception(error)

    def _wait(self, key: str) -> None:
        self._waiting.append(key)
        self._came.set()

    async def _collect(self) -> None:
        """Make batches of the requests that wait: full ones at once, another when no more come."""
        while True:
            try:
                await asyncio.wait_for(self._came.wait(), QUIET_SECONDS if self._waiting else None)
                self._came.clear()
                is_quiet = False
            except TimeoutError:
                is_quiet = True
            while self._waiting and (is_quiet or len(self._waiting) >= self.max_requests):
                batch = self._next_batch()
                self._out |= dict.fromkeys(batch.keys, batch.name)
                self._start(self._follow(batch))

    def _next_batch(self) -> _Batch:
        """Take requests of one operation, as many as a file holds."""
        path, size = self._pending[self._waiting[0]].path, 0
        keys: list[str] = []
        for key in self._waiting:
            pending = self._pending[key]
            size += len(pending.body) + 200
            if len(keys) == self.max_requests or (keys and size > MAX_FILE_BYTES):
                break
            if pending.path == path:
                keys.append(key)
        taken = set(keys)
        self._waiting = [key for key in self._waiting if key not in taken]
        # A name of its own, also for the same requests once more: by it the batch is found at the provider's.
        name = hashlib.sha256(f"{len(self._record.batches)} {' '.join(keys)}".encode()).hexdigest()[:32]
        return _Batch(name, path, keys)

    async def _follow(self, batch: _Batch) -> None:
        """See a batch through: make it unless it is there, poll it, keep its answers."""
        if not batch.identifier:
            is_new = batch.name not in self._record.batches
            if is_new:
                self._record.write(batch, path=batch.path, keys=batch.keys)
            found = None if is_new else await self._find(batch.name)
            if not found and not all(key in self._pending for key in batch.keys):
                # Of a run that was killed before it made the batch; not all of it is asked for yet.
                return self._give_back(batch)
            batch.identifier = found or await self._make(batch)
            self._record.write(batch, id=batch.identifier, done=False)
        while True:
            told = await self._call("GET", f"batches/{batch.identifier}", may_be_missing=True)
            if told is None:  # of another account, or deleted
                return self._give_back(batch)
            if told.get("status") in DONE:
                return await self._finish(batch, told)
            await asyncio.sleep(POLL_SECONDS)

    async def _make(self, batch: _Batch) -> str:
        lines = []
        for key in batch.keys:
            body = orjson.loads(self.client.adapted(self._pending[key].body))
            lines.append(
                orjson.dumps({"custom_id": key, "method": "POST", "url": f"/v1/{batch.path}", "body": body}) + b"\n"
            )
        content = b"".join(lines)

        def form() -> aiohttp.FormData:
            data = aiohttp.FormData()
            data.add_field("purpose", "batch")
            data.add_field("file", content, filename=f"{batch.name}.jsonl", content_type="application/jsonl")
            return data

        uploaded = await self._call("POST", "files", form=form)
        asked = {
            "input_file_id": uploaded["id"],
            "endpoint": f"/v1/{batch.path}",
            "completion_window": COMPLETION_WINDOW,
            "metadata": {NAME: batch.name},
        }
        made = await self._call("POST", "batches", body=orjson.dumps(asked), instead=lambda: self._find(batch.name))
        return str(made if isinstance(made, str) else made["id"])

    async def _find(self, name: str) -> str | None:
        """Return the id of the batch of this name among the last ones, if it was made."""
        listed = await self._call("GET", f"batches?limit={LISTED_BATCHES}", may_be_missing=True) or {}
        for made in listed.get("data") or ():
            if (made.get("metadata") or {}).get(NAME) == name:
                return str(made["id"])
        return None

    async def _finish(self, batch: _Batch, told: dict[str, Any]) -> None:
        faults = [
            f"{fault.get('code')}: {fault.get('message')}" for fault in (told.get("errors") or {}).get("data") or ()
        ]
        for file in filter(None, (told.get("output_file_id"), told.get("error_file_id"))):
            for line in (await self._content(file)).splitlines():
                if line.strip():
                    self._take(batch, orjson.loads(line))
        self._record.write(batch, done=True)
        batch.is_done = True
        status = told["status"]
        if status == "failed" and any(word in fault.lower() for word in FULL_QUEUE for fault in faults):
            self.max_requests = max(1, len(batch.keys) // 2)
            await asyncio.sleep(POLL_SECONDS)
        elif status in ("failed", "cancelled"):
            where = f"{self.client.teacher.called}: the batch {batch.identifier} {status}"
            raise AskingError(f"{where}: {'; '.join(faults[:3]) or 'no reason is given'}; what it answered is kept")
        self._give_back(batch)

    def _give_back(self, batch: _Batch) -> None:
        """Let what was not answered be asked for in another batch."""
        if not batch.is_done:
            self._record.write(batch, done=True)
            batch.is_done = True
        for key in batch.keys:
            self._out.pop(key, None)
            pending = self._pending.get(key)
            if pending and not pending.answer.done():
                pending.tries += 1
                if pending.tries >= self.client.teacher.tries:
                    self._settle(key, NoAnswerError(NO_ANSWER, f"in none of {pending.tries} batches"))
                else:
                    self._wait(key)

    def _take(self, batch: _Batch, line: dict[str, Any]) -> None:
        """Keep what one line of a batch's files holds; what says nothing is asked for again."""
        key, response = str(line.get("custom_id")), line.get("response") or {}
        if key not in batch.keys:
            return
        reply = Reply(int(response.get("status_code") or 0), response.get("body"))
        pending = self._pending.get(key)
        try:
            answer = self.client.answer_of(batch.path, reply, pending.body if pending else b"")
            if answer is None:
                if reply.status in TOO_MANY | PASSING | {0, 200} or self.client.adapts(reply):
                    return
                self.client.raise_final(reply)
                return
        except RefusedError as error:
            self.keep(key, error)
            self._settle(key, error)
            return
        self.keep(key, answer)
        self._settle(key, answer)

    def _settle(self, key: str, found: Answer | Exception) -> None:
        pending = self._pending.pop(key, None)
        if pending is None or pending.answer.done():
            return
        if isinstance(found, Answer):
            pending.answer.set_result(found)
        else:
            pending.answer.set_exception(found)

    async def _content(self, file: str) -> bytes:
        content: bytes = await self._call("GET", f"files/{file}/content", raw=True)
        return content

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        form: Callable[[], aiohttp.FormData] | None = None,
        raw: bool = False,
        may_be_missing: bool = False,
        instead: Callable[[], Any] | None = None,
    ) -> Any:
        """Return what an operation gives; tried again where the server or the connection fails.

        Args:
            method (`str`), path (`str`): of the operation.
            body (`bytes`), form (function): what is sent.
            raw (`bool`): give the bytes.
            may_be_missing (`bool`): give None where there is no such thing.
            instead (function): asked before another try whether the one before succeeded after all.
        """
        fault = ""
        for number in range(CALL_TRIES):
            if number:
                await asyncio.sleep(FIRST_WAIT_SECONDS * 2.0**number)
                if instead is not None and (found := await instead()):
                    return found
            reply = await self.client.call(method, path, body=body, form=form() if form else None, raw=raw)
            if reply.status in (200, 201):
                return reply.body
            if reply.status == 404 and may_be_missing:
                return None
            fault = self.client.told(reply)
            if reply.status and reply.status not in TOO_MANY | PASSING:
                break
        hint = " (has this server a batch API?)" if "404" in fault or "405" in fault else ""
        raise AskingError(f"{self.client.teacher.called}: {method} {path}: {fault}{hint}; the same command goes on")
