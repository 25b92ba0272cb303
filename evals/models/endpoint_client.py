"""Section 4.1: requests to an OpenAI-compatible server: vLLM, SGLang, `transformers serve`, a provider.

Every answer is written down as it comes, so that a run that was killed asks for none of them again. A request that the
server refuses, or answers with what is no answer, is a fault of that request. A server that is gone, or wants another
key, ends the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from evals.models.answer_file import Answer, AnswerFile
from evals.models.openai_server import TRIES, NoAnswerError, api_key, check_server, check_url
from evals.models.replies import BadReplyError, allowed_tokens, read_reply, refusal

Item = TypeVar("Item")
Result = TypeVar("Result")

BAD_REPLY_TRIES = 3
FIRST_PAUSE_SECONDS = 0.1
MAX_FAULTS_AT_START = 20  # without an answer among them, what is wrong is not one row
# Not about one request: the key, the model's name, the quota, or what stands before a server that is gone.
OF_SERVER = (401, 403, 404, 429, 502, 503, 504)


class RefusedError(RuntimeError):
    """The server does not take this request, a prompt beyond its context, say."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A model behind a server, and how it is asked.

    Args:
        base_url (`str`): of an OpenAI-compatible server, with /v1.
        model (`str`): its name there.
        api_key_variable (`str`): the environment variable that holds the key, so that it stands in no command line.
        concurrency (`int`): requests at once.

    Raises:
        UsageError: the address cannot be one.
    """

    base_url: str
    model: str
    api_key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 16

    def __post_init__(self) -> None:
        check_url(self.base_url)


class EndpointClient:
    """Asks a server, each request once over all runs.

    Args:
        server: that is asked.
        answers: the file that answers are written into as they come.

    Raises:
        EndpointError: no server there, or not this model.
    """

    def __init__(self, server: Server, answers: Path) -> None:
        import openai

        key = api_key(server.api_key_variable)
        self.server = server
        self.openai = openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=TRIES, timeout=600)
        self.answers = AnswerFile(answers, server.base_url)
        self.limit_is_of_completion = False
        self.num_answers = self.num_faults = 0
        check_server(self.openai, server.model, server.api_key_variable)

    def in_parallel(self, work: Callable[[Item], Result], items: Iterable[Item], description: str) -> list[Result]:
        """Return the result of each item; after an error, what has not begun is left."""
        with ThreadPoolExecutor(self.server.concurrency) as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                return [future.result() for future in tqdm(futures, desc=description, unit="")]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def answer(self, request: dict[str, Any], read: Callable[[bytes, int | None], Answer] = read_reply) -> Answer:
        """Return the answer to a request, or why there is none; parameters that are None are left out.

        Args:
            request: the body: of /completions where it has a prompt, else of /chat/completions.
            read: takes the answer from the body of a reply, given the tokens it was allowed; raises BadReplyError
                where there is none.

        Raises:
            NoAnswerError: there would be none to any other request either.
        """
        request = {name: value for name, value in request.items() if value is not None}
        answer = self.answers.get(request, lambda: self._ask(request, read))
        self.num_answers += not answer.fault
        self.num_faults += bool(answer.fault)
        if not self.num_answers and self.num_faults >= MAX_FAULTS_AT_START:
            raise NoAnswerError(f"{self.server.base_url}: {self.num_faults} requests, and no answer: {answer.fault}")
        return answer

    def _ask(self, request: dict[str, Any], read: Callable[[bytes, int | None], Answer]) -> Answer:
        fault = ""
        for number in range(BAD_REPLY_TRIES):
            try:
                return read(self._post(request), allowed_tokens(request))
            except BadReplyError as error:
                fault = str(error)
                time.sleep(FIRST_PAUSE_SECONDS * 2**number)
            except RefusedError as error:
                return Answer(fault=str(error))
        return Answer(fault=fault)

    def _post(self, request: dict[str, Any]) -> bytes:
        """Return the body of the server's reply.

        Raises:
            NoAnswerError: the server is gone or takes no request of ours.
            RefusedError: it does not take this one.
        """
        import httpx
        import openai

        path = "/completions" if "prompt" in request else "/chat/completions"
        body = dict(request)
        if self.limit_is_of_completion and "max_tokens" in body:
            body["max_completion_tokens"] = body.pop("max_tokens")
        try:
            return self.openai.post(path, cast_to=httpx.Response, body=body).content
        except openai.APIStatusError as error:
            reason = refusal(error)
            if error.status_code in (400, 422) and "max_tokens" in body and "max_completion_tokens" in reason:
                self.limit_is_of_completion = True  # as newer models of providers want it
                return self._post(request)
            if error.status_code not in OF_SERVER:
                raise RefusedError(reason) from error
            raise NoAnswerError(f"{self.server.base_url}: {reason}; the same command goes on") from error
        except openai.OpenAIError as error:
            raise NoAnswerError(
                f"{self.server.base_url} gave no answer after {TRIES} tries ({error}); the same command goes on"
            ) from error
