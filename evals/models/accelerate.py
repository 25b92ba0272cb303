"""Section 4.1: a model loaded here by transformers, and asked by lighteval.

Importing this module turns torch's gradients off, as importing lighteval's does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lighteval.models.abstract_model import ModelConfig
from lighteval.models.model_input import GenerationParameters
from lighteval.models.model_output import ModelResponse
from lighteval.models.transformers import transformers_model
from lighteval.models.transformers.transformers_model import TransformersModel, TransformersModelConfig
from lighteval.tasks.requests import Doc
from lighteval.utils.cache_management import SampleCache
from tqdm import tqdm

from evals.models.answer_file import Answer, AnswerFile
from evals.models.model_folder import model_fingerprint
from evals.models.options import ModelOptions
from evals.models.prompts import PromptWriter
from evals.models.responses import EndedResponse, joined


class LoadedModel(TransformersModel):
    """lighteval's model, kept from one task's pipeline to the next."""

    def __init__(self, options: ModelOptions) -> None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        top_p = options.top_p if options.temperature else None
        parameters = GenerationParameters(temperature=options.temperature, top_p=top_p, seed=options.seed)
        config = TransformersModelConfig(
            model_name=options.model,
            trust_remote_code=True,
            dtype="bfloat16" if device == "cuda" else "float32",
            device=device,
            batch_size=options.batch_size,
            override_chat_template=not options.base,
            generation_parameters=parameters,
            system_prompt=options.system_prompt,
            cache_dir=str(options.output / "cache"),
        )
        super().__init__(config=config)
        self.options = options
        self.answers = AnswerFile(options.output / "cache" / "accelerate.jsonl", model_fingerprint(options.model))
        self.writer = PromptWriter(self.tokenizer, chat=not options.base, system_prompt=options.system_prompt)
        self.prompt_manager = self.writer
        self._add_special_tokens = self.writer.add_special_tokens
        self.end_ids = self._end_ids()
        # lighteval ends answers at the tokenizer's one end token; many chat models end a turn with another one.
        model: Any = self.model
        model.generate = partial(_generate_to_any_end, model.generate, self.end_ids)
        if options.temperature:
            # lighteval never asks transformers to sample: several answers would be refused, and one would be greedy.
            self.generation_config_dict["do_sample"] = True

    def _end_ids(self) -> list[int]:
        """Return the tokens that end an answer: those of the model's generation settings, and the tokenizer's."""
        model: Any = self.model
        known = model.generation_config.eos_token_id
        ids = known if isinstance(known, list) else [known]
        return sorted({token for token in (*ids, self.tokenizer.eos_token_id) if token is not None})

    @property
    def prefill(self) -> str:
        """How the answers to the task at hand begin already."""
        return self.writer.prefill

    @prefill.setter
    def prefill(self, text: str) -> None:
        self.writer.prefill = text

    def greedy_until(self, docs: list[Doc]) -> list[ModelResponse]:
        """Return each document's answers, written down batch by batch: a killed run asks for no batch again.

        lighteval cuts a prompt that is longer than the model's context, without a word. Here it gets no answer, and the
        reason is its fault.
        """
        names = [self._names_of(doc) for doc in docs]
        missing = {own[0]: doc for own, doc in zip(names, docs, strict=True) if not self.answers.known.keys() >= {*own}}
        lengths = {name: self._prompt_tokens(doc) for name, doc in missing.items()}
        faults: dict[str, Answer] = {}
        for name, doc in list(missing.items()):
            if lengths[name] >= self.max_length:
                del missing[name]
                fault = self.answers.add(name, Answer(fault=self._beyond_context(lengths[name])))
                faults |= dict.fromkeys(self._names_of(doc), fault)
        for batch in tqdm(self._batches(missing, lengths), desc="batches", unit=""):
            if self.options.temperature:  # of the batch, so that it does not matter how often a run was killed
                torch.manual_seed(int(self._names_of(batch[0])[0][:15], 16))
            for doc, response in zip(batch, self._padded_greedy_until(batch), strict=True):
                written = zip(self._names_of(doc), response.text, response.output_tokens, strict=True)
                for name, text, tokens in written:
                    self.answers.add(name, Answer(text=text, finish_reason=self._finish_reason(text, tokens)))
        responses: list[ModelResponse] = []
        for doc, own in zip(docs, names, strict=True):
            answers = [faults.get(name) or self.answers.known[name] for name in own]
            whole = [joined(self.prefill, answer.text) for answer in answers]
            responses.append(EndedResponse(query=doc.query, text=whole, answers=answers))
        return responses

    def _batches(self, docs: Mapping[str, Doc], lengths: Mapping[str, int]) -> list[list[Doc]]:
        """Return the documents in batches, the longest prompts first.

        lighteval gives a whole batch what room the longest prompt leaves: a prompt without room for a whole answer is
        asked alone, so that it shortens no other answer.
        """
        longest_first = sorted(docs, key=lengths.__getitem__, reverse=True)
        crowded = [
            name for name in longest_first if lengths[name] + (docs[name].generation_size or 0) > self.max_length
        ]
        others = [name for name in longest_first if name not in {*crowded}]
        size = self.options.batch_size
        batches = [[name] for name in crowded]
        batches += [others[start : start + size] for start in range(0, len(others), size)]
        return [[docs[name] for name in batch] for batch in batches]

    def _prompt_tokens(self, doc: Doc) -> int:
        prompt = self.prompt_manager.prepare_prompt(doc)
        return len(self.tokenizer(prompt, add_special_tokens=self.add_special_tokens)["input_ids"])

    def _beyond_context(self, num_tokens: int) -> str:
        return f"the prompt of {num_tokens} tokens leaves no room in the model's context of {self.max_length}"

    def loglikelihood(self, docs: list[Doc]) -> list[ModelResponse]:
        """Return the log-likelihood of each document's choices; a question beyond the model's context is its fault."""
        lengths = [self._longest_choice(doc) for doc in docs]
        short = [doc for doc, length in zip(docs, lengths, strict=True) if length <= self.max_length]
        known = iter(super().loglikelihood(short) if short else [])
        responses: list[ModelResponse] = []
        for doc, length in zip(docs, lengths, strict=True):
            if length <= self.max_length:
                responses.append(next(known))
                continue
            fault = Answer(fault=self._beyond_context(length))
            unknown = [0.0] * len(doc.choices)
            responses.append(EndedResponse(query=doc.query, text=[], answers=[fault], logprobs=unknown))
        return responses

    def tok_encode_pair(
        self, context: str, continuations: list[str], pairwise: bool = False
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Return the tokens of a prompt, once for each option, and those of the options.

        A chat message begins right behind the template's last character. lighteval puts the space there that a word
        within a line has before it, and cuts a line break off the template to begin the option with it.
        """
        if self.options.base:
            pairs: tuple[list[list[int]], list[list[int]]] = super().tok_encode_pair(context, continuations, pairwise)
            return pairs
        tokens: list[int] = self.tokenizer(context, add_special_tokens=self.add_special_tokens)["input_ids"]
        options = [self.tokenizer(text.lstrip(), add_special_tokens=False)["input_ids"] for text in continuations]
        return [tokens] * len(options), options

    def _longest_choice(self, doc: Doc) -> int:
        """Return how many tokens the model reads of a document: its prompt with the longest choice but its last."""
        pairs = self.tok_encode_pair(self.prompt_manager.prepare_prompt(doc), doc.choices, pairwise=True)
        return max(len(context) + len(choice) - 1 for context, choice in zip(*pairs, strict=True))

    def _names_of(self, doc: Doc) -> list[str]:
        """Return the names of a document's answers in the file."""
        request = {
            "prompt": self.prompt_manager.prepare_prompt(doc),
            "special_tokens": self.add_special_tokens,
            "max_new_tokens": doc.generation_size,
            "stop": list(doc.stop_sequences or []),
            "num_samples": doc.num_samples,
        }
        if self.options.temperature:
            request |= {name: getattr(self.options, name) for name in ("temperature", "top_p", "seed")}
        return [self.answers.key_of({**request, "sample": number}) for number in range(doc.num_samples)]

    def _finish_reason(self, text: str, tokens: list[int]) -> str:
        """Return "length" for an answer that neither the model nor a stop string ended."""
        ended = (
            bool({*self.end_ids} & {*map(int, tokens)})
            or self.tokenizer.decode(tokens, skip_special_tokens=True) != text
        )
        return "stop" if ended else "length"

    def cleanup(self) -> None:
        """Keep the model: a pipeline drops its own at the end, and ours goes on to the next task."""

    def release(self) -> None:
        """Give the model's memory back; nothing can be asked afterwards."""
        super().cleanup()


def _generate_to_any_end(generate: Callable[..., Any], end_ids: list[int], **arguments: Any) -> Any:
    return generate(**arguments | {"eos_token_id": end_ids})


class CacheBesideResults(SampleCache):
    """lighteval's cache of generations, below the folder that it was given, and of this very model.

    lighteval joins cache folder and model name; where the name is an absolute path, that is the model's own folder, and
    another model in the same place would be given this one's answers.
    """

    def __init__(self, model_config: ModelConfig) -> None:
        name = f"{Path(model_config.model_name).name}-{model_fingerprint(model_config.model_name)}"
        super().__init__(model_config.model_copy(update={"model_name": name}))


setattr(transformers_model, SampleCache.__name__, CacheBesideResults)  # where TransformersModel looks its cache up
