"""Section 2.4: the one way to ask: answers on disk first, then the budget, then the teacher's client.

datatrove's `InferenceRunner` has one model, knows its answers by document and chunk (other documents, other chunks: all
is asked again), drops them at the end of a run, and costs more processor time than the requests themselves. Here one
`Asker` speaks to all teachers of a rank and knows answers by what was asked. The rollouts of both look alike.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from datasets_builders.asking.answers import Answer, RefusedError
from datasets_builders.asking.batches import BATCHES_SUFFIX, BatchClient
from datasets_builders.asking.budget import (
    BYTES_PER_TOKEN,
    SPENT_SUFFIX,
    Account,
    Budget,
    Spent,
    spent_of,
)
from datasets_builders.asking.client import AskingError, Client
from datasets_builders.asking.request import Request, body_of, key_of
from datasets_builders.asking.store import AnswerStore, answer_of, values_of
from datasets_builders.asking.teacher import Teacher, chosen_teacher
from datasets_builders.building.errors import ConfigError

ATTEMPTS = 3


@dataclass(frozen=True)
class Asking:
    """Who is asked, for how much, and where the answers are kept; travels to workers.

    Args:
        teachers (sequence of `Teacher`): at least one.
        folder (`str`): of the answers, with a folder for each step.
        attempts (`int`): answers asked for until one is of the asked form.
        seed (`int`): of the choice of teachers.
        budget (`Budget`): of all steps together.
        steps (mapping): by step, what the user chose for it: temperature, top_p, max_tokens, extra, teachers.
        ranks_at_once (`int`): ranks that share what a teacher bears.
    """

    teachers: Sequence[Teacher]
    folder: str
    attempts: int = ATTEMPTS
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ranks_at_once: int = 1

    def teachers_of(self, step: str) -> Sequence[Teacher]:
        """Return the teachers that a step asks.

        Raises:
            ConfigError: it names one that there is not.
        """
        names = self.chosen(step).get("teachers")
        if names is None:
            return self.teachers
        known = {teacher.called: teacher for teacher in self.teachers}
        for name in names:
            if name not in known:
                raise ConfigError(f"steps: {step} asks {name!r}, but the teachers are {', '.join(known)}")
        return [known[name] for name in names]

    def chosen(self, step: str) -> Mapping[str, Any]:
        """Return what the user chose for a step."""
        return self.steps.get(step, {})

    def concurrency(self, teacher: Teacher) -> int:
        """Return how many requests one rank may have out."""
        return max(1, math.ceil(teacher.concurrency / self.ranks_at_once))


class Asker:
    """Asks the teachers of one step for one rank; an asynchronous context manager, inside one event loop.

    Args:
        asking (`Asking`): who, for how much, where.
        step (`str`): name of the step.
        rank (`int`): number of the rank.

    Raises (on entering):
        BuildError: another process is asking for this rank.
        OSError: answers cannot be written.
    """

    def __init__(self, asking: Asking, step: str, rank: int = 0) -> None:
        self.asking, self.step, self.rank = asking, step, rank
        self.teachers = asking.teachers_of(step)
        self._chosen = asking.chosen(step)
        self._clients: dict[str, Client] = {}
        self._batch_clients: dict[str, BatchClient] = {}
        self._asked: dict[str, asyncio.Future[Answer]] = {}
        self._failed: BaseException | None = None

    async def __aenter__(self) -> Asker:
        folder = Path(self.asking.folder) / self.step
        self.store = AnswerStore(folder, f"{self.rank:05d}").__enter__()
        spent_file = folder / f"{self.rank:05d}{SPENT_SUFFIX}"
        spent = spent_of(self.store.own_lines())
        root, ranks = Path(self.asking.folder), self.asking.ranks_at_once
        self.account = Account(self.asking.budget, root, spent_file, spent, ranks)
        for teacher in self.teachers:  # whose batches of an earlier run are out is asked first how they are
            if teacher.batch_requests:
                self._batches_of(teacher)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for batch_client in self._batch_clients.values():
            await batch_client.close()
        for client in self._clients.values():
            await client.close()
        self.account.tell()
        self.store.__exit__()

    def teacher_for(self, key: str) -> Teacher:
        """Return the teacher of a document, by the hash of its key."""
        return chosen_teacher(self.teachers, f"{self.asking.seed}\0{key}")

    async def complete(self, teacher: Teacher, request: Request) -> Answer:
        """Return the answer to a request, from disk where there is one.

        Raises:
            RefusedError: the server does not take this request.
            NoAnswerError: it fails this request, while it answers others.
            AskingError: it answers nothing.
            BudgetSpentError: the budget does not allow the request.
        """
        path, body = request.path, body_of(request.payload(teacher, self._chosen))
        key = key_of(path, body, f"{teacher.name}\0{request.sample}" if teacher.name else request.sample)
        if (line := self.store.get(key)) is not None:
            return answer_of(line)
        if (asked := self._asked.get(key)) is not None:  # another document asks the same just now
            return await asyncio.shield(asked)
        if self._failed is not None:
            raise self._failed
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[key] = answer
        try:
            found = await self._ask(teacher, path, body, key, request)
        except BaseException as error:
            answer.set_exception(error)
            answer.exception()  # looked at: nobody else may be waiting for it
            if not isinstance(error, RefusedError) and self._failed is None and _ends_the_run(error):
                self._failed = error
            raise
        finally:
            del self._asked[key]
        answer.set_result(found)
        return found

    async def _ask(self, teacher: Teacher, path: str, body: bytes, key: str, request: Request) -> Answer:
        max_tokens = self._chosen.get("max_tokens") or request.max_tokens or teacher.max_tokens
        prompt_tokens = math.ceil(len(body) / BYTES_PER_TOKEN)
        worst = Spent(1, prompt_tokens, max_tokens, teacher.cost(prompt_tokens, max_tokens))
        await self.account.reserve(worst)
        try:
            if teacher.batch_requests:
                return await self._batches_of(teacher).complete(path, body, key)
            answer = await self._client(teacher).complete(path, body)
            self._keep(teacher, key, answer)
            return answer
        except RefusedError as error:
            if not teacher.batch_requests:
                self._keep(teacher, key, error)
            raise
        finally:
            self.account.release(worst)

    def _keep(self, teacher: Teacher, key: str, found: Answer | RefusedError) -> None:
        """Write an answer, or that the model gives none, and count what it cost."""
        if isinstance(found, Answer):
            dollars = teacher.cost(found.prompt_tokens, found.completion_tokens)
            self.store.put(key, values_of(found) | ({"dollars": dollars} if dollars else {}))
            self.account.spend(Spent(1, found.prompt_tokens, found.completion_tokens, dollars))
        elif found.is_answer:
            self.store.put(key, {"refused": found.reason, "detail": str(found)})
            self.account.spend(Spent(1))

    def _client(self, teacher: Teacher) -> Client:
        if teacher.called not in self._clients:
            self._clients[teacher.called] = Client(teacher, self.asking.concurrency(teacher))
        return self._clients[teacher.called]

    def _batches_of(self, teacher: Teacher) -> BatchClient:
        if teacher.called not in self._batch_clients:
            number = [known.called for known in self.asking.teachers].index(teacher.called)
            file = Path(self.asking.folder) / self.step / f"{self.rank:05d}-{number}{BATCHES_SUFFIX}"
            client, keep = self._client(teacher), partial(self._keep, teacher)
            self._batch_clients[teacher.called] = BatchClient(client, file, keep, teacher.batch_requests)
        return self._batch_clients[teacher.called]


def _ends_the_run(error: BaseException) -> bool:
    from datasets_builders.asking.budget import BudgetSpentError

    return isinstance(error, AskingError | BudgetSpentError | OSError)
