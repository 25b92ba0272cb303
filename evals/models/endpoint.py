"""Section 4.1: lighteval's interface over a model behind an OpenAI-compatible server.

A request that gets no answer is a fault of that row, and not scored as an empty answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from lighteval.models.abstract_model import LightevalModel, ModelConfig
from lighteval.models.model_input import GenerationParameters
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc

from evals.models.answer_file import Answer
from evals.models.endpoint_client import EndpointClient, Server
from evals.models.openai_server import NoLogLikelihoodsError
from evals.models.options import ModelOptions
from evals.models.replies import read_reply
from evals.models.responses import EndedResponse, joined


class EndpointModel(LightevalModel):
    """lighteval's interface over a server's /v1.

    Args:
        options: `base` asks /completions, else /chat/completions.

    Raises:
        EndpointError: no server there, or not this model.
    """

    def __init__(self, options: ModelOptions) -> None:
        server = Server(
            base_url=options.base_url,
            model=options.model,
            api_key_variable=options.api_key_variable,
            concurrency=options.concurrency,
        )
        self.client = EndpointClient(server, options.output / "cache" / "endpoint.jsonl")
        self.options = options
        parameters = GenerationParameters(temperature=options.temperature, top_p=options.top_p, seed=options.seed)
        self.config = ModelConfig(model_name=options.model, generation_parameters=parameters)
        self._cache = NoCache()  # lighteval's own holds whole tasks; ours holds single answers
        self.prefill = ""  # how the answers to the task at hand begin already

    def greedy_until(self, docs: list[Doc]) -> list[ModelResponse]:
        """Return each document's answers: `num_samples` of them; with temperature 0, the greedy one."""
        wanted = [(doc, number) for doc in docs for number in range(doc.num_samples)]
        answers = iter(self.client.in_parallel(self._numbered_answer, wanted, "answers"))
        responses: list[ModelResponse] = []
        for doc in docs:
            own = [next(answers) for _ in range(doc.num_samples)]
            stops = doc.stop_sequences or []
            text = [joined(self.prefill, cut(answer.text, stops)) for answer in own]
            responses.append(EndedResponse(query=doc.query, text=text, answers=own))
        return responses

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
        return self.client.answer(request | (self.options.extra_body or {}), self._read)

    def _read(self, content: bytes, max_tokens: int | None = None) -> Answer:
        """Return the answer in a reply, with the faults that a prefill can have."""
        answer = read_reply(content, max_tokens)
        if self.prefill and answer.reasoning and not answer.text and answer.finish_reason == "stop":
            # Its parser waits for the end of a thought that the prefill never let begin.
            return replace(answer, fault="the server took what follows the prefill for reasoning: turn its parser off")
        return answer

    def loglikelihood(self, docs: list[Doc]) -> list[ModelResponse]:
        """Return the log-likelihood of each document's choices after its query.

        Raises:
            NoLogLikelihoodsError: the server does not echo a prompt with its log-probabilities.
        """
        return self.client.in_parallel(self._choices, docs, "choices")

    def _choices(self, doc: Doc) -> ModelResponse:
        values = [float(self.client.answers.get(*self._likelihood(doc.query, choice)).text) for choice in doc.choices]
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
                said = self.client.openai.completions.create(**request).choices[0].logprobs
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
