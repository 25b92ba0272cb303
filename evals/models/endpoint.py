"""Section 4.1: a model behind an OpenAI-compatible server: vLLM, SGLang, `transformers serve`, a provider.

Every answer is written down as it comes, so that a run that was killed asks for none of them again. An answer that
cannot be had after all tries ends the run; it is not scored as an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lighteval.models.abstract_model import LightevalModel, ModelConfig
from lighteval.models.model_input import GenerationParameters
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc
from tqdm import tqdm

from evals.models.answer_file import AnswerFile
from evals.models.openai_server import TRIES, NoAnswerError, NoLogLikelihoodsError, api_key, check_server
from evals.models.options import ModelOptions


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
        check_server(self.client, options.model, options.api_key_variable)

    def greedy_until(self, docs: list[Doc]) -> list[ModelResponse]:
        """Return each document's answers: `num_samples` of them; with temperature 0, the greedy one."""
        with ThreadPoolExecutor(self.options.concurrency) as pool:
            answers = list(tqdm(pool.map(self._answers, docs), total=len(docs), desc="answers", unit=""))
        return [ModelResponse(input=doc.query, text=texts) for doc, texts in zip(docs, answers, strict=True)]

    def _answers(self, doc: Doc) -> list[str]:
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
            request |= {"messages": [{"role": "user", "content": doc.query}]}
        stops = list(doc.stop_sequences or [])
        if stops:
            request["stop"] = stops[:4]  # the protocol's limit; the rest is cut here
        return [cut(self._numbered_answer(request, number), stops) for number in range(doc.num_samples)]

    def _numbered_answer(self, request: dict[str, Any], number: int) -> str:
        """Return one answer, asked for at most once over all runs; each of several has a seed of its own."""
        if self.options.temperature:
            request = {**request, "seed": self.options.seed + number}
        return self.answers.get(request, lambda: self._ask(request))

    def _ask(self, request: dict[str, Any]) -> str:
        import openai

        try:
            if "prompt" in request:
                return self.client.completions.create(**request).choices[0].text or ""
            return self.client.chat.completions.create(**request).choices[0].message.content or ""
        except openai.OpenAIError as error:
            raise NoAnswerError(
                f"{self.options.base_url} gave no answer after {TRIES} tries ({error}); the same command goes on"
            ) from error

    def loglikelihood(self, docs: list[Doc]) -> list[ModelResponse]:
        """Return the log-likelihood of each document's choices after its query.

        Raises:
            NoLogLikelihoodsError: the server does not echo a prompt with its log-probabilities.
        """
        with ThreadPoolExecutor(self.options.concurrency) as pool:
            return list(tqdm(pool.map(self._choices, docs), total=len(docs), desc="choices", unit=""))

    def _choices(self, doc: Doc) -> ModelResponse:
        values = [float(self.answers.get(*self._likelihood(doc.query, choice))) for choice in doc.choices]
        best = max(values)
        return ModelResponse(
            input=doc.query, logprobs=values, argmax_logits_eq_gold=[value == best for value in values]
        )

    def _likelihood(self, context: str, continuation: str) -> tuple[dict[str, Any], Callable[[], str]]:
        import openai

        request: dict[str, Any] = {"model": self.options.model, "prompt": context + continuation, "max_tokens": 1}
        request |= {"temperature": 0.0, "logprobs": 1, "echo": True}

        def ask() -> str:
            try:
                said = self.client.completions.create(**request).choices[0].logprobs
            except openai.OpenAIError as error:
                raise NoLogLikelihoodsError(f"{self.options.base_url} refuses echo with logprobs: {error}") from error
            if not said or not said.token_logprobs or not said.text_offset:
                raise NoLogLikelihoodsError(f"{self.options.base_url} gives no log-probabilities of a prompt's tokens")
            end = len(context) + len(continuation)
            inside = [len(context) <= offset < end for offset in said.text_offset]
            if not any(inside):
                raise NoLogLikelihoodsError(f"{self.options.base_url} does not echo the prompt's tokens")
            return repr(sum(value for value, take in zip(said.token_logprobs, inside, strict=True) if take))

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
