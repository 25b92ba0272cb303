"""Section 3.2.4: reward models: a sequence classifier of transformers, or one behind vLLM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

import modeling_ling  # noqa: F401  # registers bailing_moe
from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.curation.quality.model_source import ModelSource
from datasets_builders.curation.quality.scorer_models import DECIMALS, quiet
from datasets_builders.curation.quality.scorers import CPU, device_kind
from datasets_builders.released.reward_fields import CAUSAL, CLASSIFIER, RewardFields

Conversation = list[dict[str, str]]
_SIGN = "\x02{}\x03"
# Of a causal reward model, as the card of Llama-3.1-Nemotron-70B-Reward-HF reads it off: scores[0][0][0].
REWARD_TOKEN = 0
_AUTO_CLASSES: dict[str, Any] = {CLASSIFIER: AutoModelForSequenceClassification, CAUSAL: AutoModelForCausalLM}


class RewardModel(Protocol):
    """What scores conversations that end with an answer."""

    def scores(self, conversations: Sequence[Conversation]) -> list[float | None]:
        """Return a score of each, higher for a better answer; None where there is none."""

    def close(self) -> None:
        """Give back what is held."""


class LoadedReward:
    """A model of transformers: a classifier's value, else the probability of its last label; or a causal one's logit.

    A conversation is rendered by the model's chat template, its contents as text in which no special token is parsed.
    Without a template it is the contents with a line end between, as `recipes/distill` trains reward models.

    Args:
        source (`ModelSource`): the model.
        fields (`RewardFields`): of the config.
        rank (`int`): of several GPUs, ranks take turns.
    """

    def __init__(self, source: ModelSource, fields: RewardFields, rank: int) -> None:
        kind = device_kind()
        self.device = torch.device(kind if kind == CPU else f"{kind}:{rank % torch.cuda.device_count()}")
        common = {"revision": source.revision, "trust_remote_code": fields.trust_remote_code}
        self.tokenizer = AutoTokenizer.from_pretrained(source.name, **common)
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
        with quiet():
            model, found = _AUTO_CLASSES[fields.kind].from_pretrained(
                source.name,
                dtype="float32" if kind == CPU else "bfloat16",
                use_safetensors=True,
                output_loading_info=True,
                **common,
            )
        if missing := sorted(found["missing_keys"]):
            raise ConfigError(f"reward: the weights of {source.name} lack {missing[0]} and {len(missing) - 1} more")
        self.is_causal = fields.kind == CAUSAL
        self.model = model.eval().to(self.device)
        if self.model.config.pad_token_id is None:
            self.model.config.pad_token_id = self.tokenizer.pad_token_id
        limits = [fields.max_tokens, getattr(model.config, "max_position_embeddings", None)]
        self.max_tokens = min(limit for limit in limits if limit)
        self.batch_size = fields.batch_size
        self.num_threads = torch.get_num_threads()
        if kind == CPU:
            torch.set_num_threads(1)  # as every other step: ranks run beside each other, and sums keep their order

    def scores(self, conversations: Sequence[Conversation]) -> list[float | None]:
        """Return a score of each; None for one that is longer than the model's context."""
        rows = [self.encode(conversation) for conversation in conversations]
        order = sorted(range(len(rows)), key=lambda number: (len(rows[number]), number))
        order = [number for number in order if 0 < len(rows[number]) <= self.max_tokens]
        scores: list[float | None] = [None] * len(rows)
        with torch.inference_mode():
            for at in range(0, len(order), self.batch_size):
                numbers = order[at : at + self.batch_size]
                values = self._values([rows[number] for number in numbers])
                for number, value in zip(numbers, values.tolist(), strict=True):
                    scores[number] = round(value, DECIMALS)
        return scores

    def _values(self, rows: list[list[int]]) -> torch.Tensor:
        batch = self._padded(rows)
        if not self.is_causal:
            logits = self.model(**batch).logits.float()
            return logits[:, 0] if logits.shape[1] == 1 else logits.softmax(-1)[:, -1]
        # Only the states behind the answers meet the head: the logits of all positions would not fit.
        states = self.model.base_model(**batch, use_cache=False).last_hidden_state
        last = torch.tensor([len(row) - 1 for row in rows], device=self.device)
        head = self.model.get_output_embeddings()
        return head(states[torch.arange(len(rows), device=self.device), last])[:, REWARD_TOKEN].float()

    def encode(self, conversation: Conversation) -> list[int]:
        """Return the ids of a conversation."""
        contents = [message["content"].encode("utf-8", "replace").decode() for message in conversation]
        if self.tokenizer.chat_template is None:
            cut = "\n".join(contents)
            return list(self.tokenizer(cut, split_special_tokens=True, verbose=False)["input_ids"])
        signs = [_SIGN.format(number) for number in range(len(conversation))]
        messages = [
            {"role": message["role"], "content": sign} for message, sign in zip(conversation, signs, strict=True)
        ]
        rest = str(self.tokenizer.apply_chat_template(messages, tokenize=False))
        ids: list[int] = []
        for sign, content in zip(signs, contents, strict=True):
            before, found, rest = rest.partition(sign)
            if not found:
                raise BuildError("reward: the model's chat template leaves out a message")
            ids += self.tokenizer(before, add_special_tokens=False)["input_ids"]
            ids += self.tokenizer(content, add_special_tokens=False, split_special_tokens=True, verbose=False)[
                "input_ids"
            ]
        return ids + self.tokenizer(rest, add_special_tokens=False)["input_ids"]

    def _padded(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        longest, pad = max(map(len, rows)), self.tokenizer.pad_token_id or 0
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows], device=self.device)
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        mask = torch.arange(longest, device=self.device)[None, :] < lengths[:, None]
        return {"input_ids": ids, "attention_mask": mask.long()}

    def close(self) -> None:
        """Give the memory and the threads back."""
        torch.set_num_threads(self.num_threads)
        del self.model


class EndpointReward:
    """A classifier behind vLLM, asked at `/classify` with the messages, which its server renders.

    Args:
        fields (`RewardFields`): of the config.
    """

    def __init__(self, fields: RewardFields) -> None:
        import openai

        from evals.models.openai_server import TRIES, api_key

        self.fields = fields
        self.client = openai.OpenAI(
            base_url=fields.base_url.rstrip("/").removesuffix("/v1"),
            api_key=api_key(fields.api_key_variable),
            max_retries=TRIES - 1,
        )

    def scores(self, conversations: Sequence[Conversation]) -> list[float | None]:
        """Return a score of each; None for one that the server refuses.

        Raises:
            BuildError: the server does not answer, or says something else.
        """
        with ThreadPoolExecutor(self.fields.concurrency) as threads:
            return list(threads.map(self._score, conversations))

    def _score(self, conversation: Conversation) -> float | None:
        import openai

        body = {"model": self.fields.model, "messages": conversation}
        try:
            said: Any = self.client.post("/classify", body=body, cast_to=object)
            values = said["data"][0]["probs"]
            return round(float(values[-1]), DECIMALS)
        except openai.BadRequestError:
            return None
        except openai.OpenAIError as error:
            raise BuildError(f"reward: {self.fields.base_url}: {error}; the same command goes on") from error
        except (KeyError, IndexError, TypeError, ValueError):
            raise BuildError(
                f"reward: what {self.fields.base_url} answers to /classify has no data[0].probs; serve a classifier "
                "(vllm serve MODEL --runner pooling)"
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self.client.close()


def load_reward(fields: RewardFields, source: ModelSource | None, rank: int) -> RewardModel:
    """Return the model that scores, loaded or connected."""
    return LoadedReward(source, fields, rank) if source else EndpointReward(fields)


def with_answer(prompt: Sequence[Mapping[str, str]], answer: str) -> Conversation:
    """Return the conversation in which an answer was given."""
    return [*map(dict, prompt), {"role": "assistant", "content": answer}]
