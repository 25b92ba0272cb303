"""Section 2.4: asking as a step of a pipeline: documents in, questions to teachers, documents or reasons out.

Questions of many documents are out at once, in a thread of their own; outcomes come in the order of the documents,
whenever their answers came, so that a dataset does not depend on how fast a server was.
"""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from datatrove.data import Document

from datasets_builders.asking.answers import (
    DETAIL_CHARACTERS,
    MALFORMED,
    TRUNCATED,
    Answer,
    MalformedAnswerError,
    RemovingError,
    again,
)
from datasets_builders.asking.asker import Asker, Asking
from datasets_builders.asking.budget import Spent, spent_in_step
from datasets_builders.asking.request import Request
from datasets_builders.asking.spawned import with_server
from datasets_builders.asking.teacher import Teacher
from datasets_builders.building.errors import BuildError
from datasets_builders.building.ledger import StepCounts
from datasets_builders.building.steps import Outcome, Removed, Step, one_line

# Documents whose questions are out or whose answers wait for those before them, for each request at once.
DOCUMENTS_PER_PLACE = 4
MIN_WINDOW = 64


class Conversation:
    """A teacher that a document's questions go to."""

    def __init__(self, asker: Asker, teacher: Teacher) -> None:
        self._asker, self.teacher = asker, teacher

    @property
    def name(self) -> str:
        """What the teacher is called."""
        return self.teacher.called

    async def complete(self, request: Request) -> Answer:
        """Return the answer to a request, which is kept; see `Asker.complete`."""
        return await self._asker.complete(self.teacher, request)


class Ask(Step):
    """Base of the steps that ask teachers: define `request` and `take`, or `converse` for several rounds.

    Reasons of removal: `malformed_answer` (after `attempts`), `truncated_answer`, `refused_by_server`,
    `filtered_by_server`, `no_answer`.

    Args:
        asking (`Asking`): who is asked, for how much; `AskingBuilder.asking`.
        name (`str`, *optional*): where a builder has two steps of one class.
    """

    type = "ASKER"
    libraries: ClassVar[tuple[str, ...]] = ("jsonschema",)
    # Whether an answer that was cut off at max_tokens is one.
    takes_truncated: ClassVar[bool] = False
    # Whether an answer without a word is given to `take`; else it is asked for again.
    takes_empty: ClassVar[bool] = False
    # Documents that come of one, and tokens of an answer, for the estimate of --dry-run.
    expected_outputs: float = 1.0
    expected_prompt_tokens: int = 0  # of a step behind another one that asks; 0: unknown
    expected_answer_tokens: int = 0  # 0: max_tokens

    def __init__(self, asking: Asking, name: str | None = None) -> None:
        if name is not None:
            self.name = name
        super().__init__()
        self.asking = asking
        asking.teachers_of(self.name)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._first_told: tuple[float, Spent] | None = None

    def request(self, doc: Document) -> Request:
        """Return what is asked about a document."""
        raise TypeError(f"step {self.name} must define request(), or converse()")

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Return what becomes of a document.

        Raises:
            MalformedAnswerError: the answer is not of the asked form; it is asked for again.
        """
        raise TypeError(f"step {self.name} must define take(), or converse()")

    def teacher_key(self, doc: Document) -> str:
        """Return by what a document's teacher is chosen; equal keys have the same teacher."""
        return doc.id

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Ask until the answer is of the asked form, at most `attempts` times.

        Each further attempt shows the model its answer and what is wrong with it: greedy decoding would repeat it.
        """
        request, fault = self.request(doc), ""
        for _ in range(self.asking.attempts):
            answer = await teacher.complete(request)
            if answer.finish_reason == "length" and not self.takes_truncated:
                return [Removed(doc, TRUNCATED, f"{answer.completion_tokens} tokens: ...{answer.text[-80:]!r}")]
            try:
                if not self.takes_empty and not answer.text.strip():
                    raise MalformedAnswerError("it is empty")
                return list(self.take(doc, answer))
            except MalformedAnswerError as error:
                fault = f"{error}: {answer.text[:DETAIL_CHARACTERS]!r}"
                request = request.with_fault(answer.text, again().substitute(fault=error))
        return [Removed(doc, MALFORMED, fault)]

    def outcomes_of(self, documents: Iterable[Document]) -> Iterator[Outcome]:
        """Give what becomes of documents, outside of a builder; the answers are kept as in one.

        Raises:
            AskingError: the server does not answer; the same call goes on.
            BuildError: another process keeps its answers in the folder just now.
            OSError: answers cannot be written.
        """
        try:
            self.begin(0, 1)
            yield from self._outcomes(documents, StepCounts(self.name, self.arity), 0, 1)
        finally:
            self.end()

    def begin(self, rank: int, world_size: int) -> None:
        """Open the answers of this rank."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for each request that is out
        teachers = {teacher.called for teacher in self.asking.teachers_of(self.name)}
        logs = Path(self.asking.folder) / "servers"
        asking = replace(
            self.asking,
            teachers=[
                with_server(teacher, logs) if teacher.called in teachers else teacher
                for teacher in self.asking.teachers
            ],
        )
        self._loop = asyncio.new_event_loop()
        # Of tasks whose errors nobody fetches, since the first one ends the run, nothing is printed.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"{self.name} asks", daemon=True)
        self._thread.start()
        self._asker = Asker(asking, self.name, rank)
        self._opened = False
        self._soon(self._asker.__aenter__()).result()
        self._opened = True

    def end(self) -> None:
        """Close the answers; what is out is given up."""
        if self._loop is None:
            return
        self._soon(self._close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = None

    async def _close(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._opened:
            await self._asker.__aexit__(None, None, None)

    def progress(self) -> str:
        """Return what was asked so far and how fast; read from disk, since the ranks may be elsewhere."""
        spent, now = spent_in_step(Path(self.asking.folder) / self.name), time.monotonic()
        first_at, first = self._first_told = self._first_told or (now, spent)
        seconds = max(now - first_at, 1e-9)
        answers, tokens = spent.requests - first.requests, spent.tokens - first.tokens
        if not answers:
            return spent.told()
        return f"{spent.told()}; {answers / seconds:,.1f} answers/s, {tokens / seconds:,.0f} tokens/s"

    def _soon(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        if self._loop is None:
            raise BuildError(f"step {self.name}: begin() opens what it asks with")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    @property
    def window(self) -> int:
        """Documents that are under way at once."""
        places = sum(
            teacher.batch_requests or DOCUMENTS_PER_PLACE * self.asking.concurrency(teacher)
            for teacher in self._asker.teachers
        )
        return max(MIN_WINDOW, places)

    def _outcomes(
        self, data: Iterable[Document] | None, counts: StepCounts, rank: int, world_size: int
    ) -> Iterator[Outcome]:
        under_way: deque[_UnderWay] = deque()
        window = self.window
        for doc in self._input(data, rank, world_size):
            counts.count_input(doc)
            under_way.append(self._start(doc))
            while len(under_way) >= window or (under_way and under_way[0].is_done()):
                yield from self._finished(under_way.popleft(), counts)
        while under_way:
            yield from self._finished(under_way.popleft(), counts)
        yield from self.finish()

    def _start(self, doc: Document) -> _UnderWay:
        if self.only_kinds and doc.metadata.get("kind") not in self.only_kinds:
            return _UnderWay(doc, doc.id, doc.metadata.get("parents"), None)
        return _UnderWay(doc, doc.id, doc.metadata.get("parents"), self._soon(self._asked_about(doc)))

    async def _asked_about(self, doc: Document) -> list[Outcome]:
        teacher = Conversation(self._asker, self._asker.teacher_for(self.teacher_key(doc)))
        try:
            return list(await self.converse(doc, teacher))
        except RemovingError as error:
            return [Removed(doc, error.reason, str(error))]
        except MalformedAnswerError as error:  # of a converse() that asks no further
            return [Removed(doc, MALFORMED, str(error))]
        except (BuildError, OSError, MemoryError):
            raise
        except Exception as error:
            return [Removed(doc, "error", one_line(error))]

    def _finished(self, under_way: _UnderWay, counts: StepCounts) -> Iterator[Outcome]:
        outcomes: list[Outcome] = [under_way.doc] if under_way.answer is None else under_way.answer.result()
        yield from self._accounted(under_way.doc, under_way.source_id, under_way.source_parents, outcomes, counts)


@dataclass
class _UnderWay:
    """A document and what is to come of it; id and parents are those that it had when it came."""

    doc: Document
    source_id: str
    source_parents: Any
    answer: Future[list[Outcome]] | None

    def is_done(self) -> bool:
        return self.answer is None or self.answer.done()
