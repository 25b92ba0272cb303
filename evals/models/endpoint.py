"""Section 4.1: a model behind an OpenAI-compatible server: vLLM, SGLang, `transformers serve`, a provider.

Every answer is written down as it comes, so that a run that was killed asks for none of them again. A request that the
server refuses, or answers with what is no answer, is a fault of that row, and not scored as an empty answer. A server
that is gone, or wants another key, ends the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from lighteval.models.abstract_model import LightevalModel, ModelConfig
from lighteval.models.model_input import GenerationParameters
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc
from tqdm import tqdm

from evals.models.answer_file import Answer, AnswerFile
from evals.models.openai_server import TRIES, NoAnswerError, NoLogLikelihoodsError, api_key, check_server
from evals.models.options import ModelOptions
from evals.models.replies import BadReplyError, read_reply, refusal
from evals.models.responses import EndedResponse, joined

Item = TypeVar("Item")
Result = TypeVar("Result")

BAD_REPLY_TRIES = 3
FIRST_PAUSE_SECONDS = 0.1
MAX_FAULTS_AT_START = 20  # without an answer among them, what is wrong is not one row
# Not about one request: the key, the model's name, the quota, or what stands before a server that is gone.
OF_SERVER = (401, 403, 404, 429, 502, 503, 504)


class RefusedError(RuntimeError):
    """The server does not take this request, a prompt beyond its context, say."""


class EndpointModel(LightevalModel):
    """lighteval's interface over a server's /v1.

    Args:
        options: `base` asks /completions, else /chat/completions.

    Raises:
        EndpointError: no server there, or not this model.
    """

    def __init__(self, options: ModelOptions) -> None:
        import openai

        key = api_key(options.api_key_variable)
        self.client = openai.OpenAI(base_url=options.base_url, api_key=key, max_retries=TRIES, timeout=600)
        self.options = options
        parameters = GenerationParameters(temperature=options.temperature, top_p=options.top_p, seed=options.seed)
        self.config = ModelConfig(model_name=options.model, generation_parameters=parameters)
        self._cache = NoCache()  # lighteval's own holds whole tasks; ours holds single answers
        self.answers = AnswerFile(options.output / "cache" / "endpoint.jsonl", options.base_url)
        self.prefill = ""  # how the answers to the task at hand begin already
        self.limit_is_of_completion = False
        self.num_answers = self.num_faults = 0
        check_server(self.client, options.model, options.api_key_variable)

    def greedy_until(self, docs: list[Doc]) -> list[ModelResponse]:
        """Return each document's answers: `num_samples` of them; with temperature 0, the greedy one."""
        wanted = [(doc, number) for doc in docs for number in range(doc.num_samples)]
        answers = iter(self._in_parallel(self._numbered_answer, wanted, "answers"))
        responses: list[ModelResponse] = []
        for doc in docs:
            own = [next(answers) for _ in range(doc.num_samples)]
            stops = doc.stop_sequences or []
            text = [joined(self.prefill, cut(answer.text, stops)) for answer in own]
            responses.append(EndedResponse(query=doc.query, text=text, answers=own))
        return responses

    def _in_parallel(self, work: Callable[[Item], Result], items: Iterable[Item], description: str) -> list[Result]:
        """Return the result of each item; after an error, what has not begun is left."""
        with ThreadPoolExecutor(self.options.concurrency) as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                return [future.result() for future in tqdm(futures, desc=description, unit="")]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _request(self, doc: Doc) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.options.model,
            "temperature": self.options.temperature,
            "max_tokens": doc.generation_size,
        }
        if self.options.temperature:
            request["top_p"] = self.options.top_p
        if self.options.base:
            request |= {"prompt": doc.query}
        else:
            system = self.options.system_prompt
            messages = [{"role": "system", "content": system}] if system is not None else []
            request |= {"messages": [*messages, {"role": "user", "content": doc.query}]}
        if self.prefill:
            # As vLLM and SGLang have it; who does not know these two refuses them, or has them taken out.
            request["messages"].append({"role": "assistant", "content": self.prefill})
            request |= {"add_generation_prompt": False, "continue_final_message": True}
        if self.options.reasoning_effort:
            request["reasoning_effort"] = self.options.reasoning_effort
        if doc.stop_sequences:
            request["stop"] = list(doc.stop_sequences)[:4]  # the protocol's limit; the rest is cut here
        return request

    def _numbered_answer(self, wanted: tuple[Doc, int]) -> Answer:
        """Return one answer, asked for at most once over all runs; each of several has a seed of its own."""
        doc, number = wanted
        request = self._request(doc)
        if self.options.temperature:
            request["seed"] = self.options.seed + number
        request |= self.options.extra_body or {}
        request = {name: value for name, value in request.items() if value is not None}
        answer = self.answers.get(request, lambda: self._ask(request))
        self.num_answers += not answer.fault
        self.num_faults += bool(answer.fault)
        if not self.num_answers and self.num_faults >= MAX_FAULTS_AT_START:
            raise NoAnswerError(f"{self.options.base_url}: {self.num_faults} requests, and no answer: {answer.fault}")
        return answer

    def _ask(self, request: dict[str, Any]) -> Answer:
        """Return the server's answer, or why there is none to this request.

        Raises:
            NoAnswerError: there would be none to any other request either.
        """
        fault = ""
        for number in range(BAD_REPLY_TRIES):
            try:
                return self._read(self._post(request))
            except BadReplyError as error:
                fault = str(error)
                time.sleep(FIRST_PAUSE_SECONDS * 2**number)
            except RefusedError as error:
                return Answer(fault=str(error))
        return Answer(fault=fault)

    def _read(self, content: bytes) -> Answer:
        """Return the answer in a reply, with the faults that a prefill can have."""
        answer = read_reply(content)
        if self.prefill and answer.reasoning and not answer.text and answer.finish_reason == "stop":
            # Its parser waits for the end of a thought that the prefill never let begin.
            return replace(answer, fault="the server took what follows the prefill for reasoning: turn its parser off")
        return answer

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
            return self.client.post(path, cast_to=httpx.Response, body=body).content
        except openai.APIStatusError as error:
            reason = refusal(error)
            if error.status_code in (400, 422) and "max_tokens" in body and "max_completion_tokens" in reason:
                self.limit_is_of_completion = True  # as newer models of providers want it
                return self._post(request)
            if error.status_code not in OF_SERVER:
                raise RefusedError(reason) from error
            raise NoAnswerError(f"{self.options.base_url}: {reason}; the same command goes on") from error
        except openai.OpenAIError as error:
            raise NoAnswerError(
                f"{self.options.base_url} gave no answer after {TRIES} tries ({error}); the same command goes on"
            ) from error

    def loglikelihood(self, docs: list[Doc]) -> list[ModelResponse]:
        """Return the log-likelihood of each document's choices after its query.

        Raises:
            NoLogLikelihoodsError: the server does not echo a prompt with its log-probabilities.
        """
        return self._in_parallel(self._choices, docs, "choices")

    def _choices(self, doc: Doc) -> ModelResponse:
        values = [float(self.answers.get(*self._likelihood(doc.query, choice)).text) for choice in doc.choices]
        best = max(values)
        return ModelResponse(
            input=doc.query, logprobs=values, argmax_logits_eq_gold=[value == best for value in values]
        )

    def _likelihood(self, context: str, continuation: str) -> tuple[dict[str, Any], Callable[[], Answer]]:
        import openai

        request: dict[str, Any] = {"model": self.options.model, "prompt": context + continuation, "max_tokens": 1}
        request |= {"temperature": 0.0, "logprobs": 1, "echo": True}

        def ask() -> Answer:
            try:
                said = self.client.completions.create(**request).choices[0].logprobs
            except (AttributeError, IndexError, TypeError, ValueError) as error:
                raise NoLogLikelihoodsError(f"{self.options.base_url} gives no choices with logprobs") from error
            except openai.OpenAIError as error:
                raise NoLogLikelihoodsError(f"{self.options.base_url} refuses echo with logprobs: {error}") from error
            if not said or not said.token_logprobs or not said.text_offset:
                raise NoLogLikelihoodsError(f"{self.options.base_url} gives no log-probabilities of a prompt's tokens")
            end = len(context) + len(continuation)
            inside = [len(context) <= offset < end for offset in said.text_offset]
            if not any(inside):
                raise NoLogLikelihoodsError(f"{self.options.base_url} does not echo the prompt's tokens")
            total = sum(value for value, take in zip(said.token_logprobs, inside, strict=True) if take)
            return Answer(text=repr(total))

        return {**request, "of": continuation}, ask

    def loglikelihood_rolling(self, docs: list[Doc]) -> list[ModelResponse]:
        """Not needed by any task here.

        Raises:
            NoLogLikelihoodsError: always.
        """
        raise NoLogLikelihoodsError("perplexity over an endpoint is not offered; use --backend accelerate")

    @property
    def tokenizer(self) -> Any:
        """None: the server tokenises."""
        return None

    @property
    def add_special_tokens(self) -> bool:
        """As the server does."""
        return True

    @property
    def max_length(self) -> int:
        """The most tokens that any task's answer may have with its prompt; the server checks its own limit."""
        return 32768


def cut(text: str, stops: Sequence[str]) -> str:
    """Return the text up to its first stop string."""
    ends = [at for at in map(text.find, stops) if at >= 0]
    return text[: min(ends, default=len(text))]


class NoCache:
    """Stands where a pipeline expects lighteval's cache."""

    def _init_registry(self, registry: Any) -> None:
        """Take no note of the tasks."""
