"""Section 3.2.4: by what answers are ranked: the `reward` of a config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datasets_builders.building.errors import ConfigError
from datasets_builders.building.strict_fields import checked_fields
from datasets_builders.curation.quality.model_source import ModelSource, check_architecture, find_model

GIVEN, CLASSIFIER, CAUSAL, ENDPOINT, EXECUTION = KINDS = ("given", "classifier", "causal", "endpoint", "execution")
# Kinds whose model is loaded here, with the endings of the names of its architecture.
HEADS = {CLASSIFIER: ("ForSequenceClassification",), CAUSAL: ("ForCausalLM", "LMHeadModel")}


@dataclass(frozen=True)
class RewardFields:
    """How answers get their scores.

    Args:
        kind (`str`): given: the scores that the rows have; classifier: a sequence classifier of transformers, in this
            process; causal: a language model whose reward is the logit of token 0 behind the answer, as of the paper's
            Llama-3.1-Nemotron-70B-Reward-HF; endpoint: a classifier behind vLLM (`/classify`); execution: the share of
            the row's checks passed.
        model (`str`): classifier and causal: folder, or ORG/NAME on the Hub; endpoint: as the server names it.
        revision (`str`): of a model on the Hub.
        base_url (`str`): endpoint: such as http://127.0.0.1:8000/v1.
        api_key_variable (`str`): endpoint: environment variable that holds the key.
        concurrency (`int`): endpoint: requests at once.
        max_tokens (`int`): classifier and causal: question and answer together; an answer that is longer has no score.
        batch_size (`int`): classifier and causal: answers at once.
        trust_remote_code (`bool`): classifier and causal: run code that comes with the model.
    """

    kind: str = GIVEN
    model: str = ""
    revision: str = ""
    base_url: str = ""
    api_key_variable: str = "OPENAI_API_KEY"
    concurrency: int = 16
    max_tokens: int = 4096
    batch_size: int = 8
    trust_remote_code: bool = False

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> RewardFields:
        """Return the entry of a config, checked.

        Raises:
            ConfigError: an unknown field, a wrong type or value.
        """
        fields = cls(**checked_fields(cls, dict(entry), "reward"))
        if fields.kind not in KINDS:
            raise ConfigError(f"reward: kind is {fields.kind!r}; known: {', '.join(KINDS)}")
        if fields.kind in (*HEADS, ENDPOINT) and not fields.model:
            raise ConfigError(f"reward: {fields.kind} has no model")
        if fields.kind == ENDPOINT and not fields.base_url:
            raise ConfigError("reward: endpoint has no base_url, such as http://127.0.0.1:8000/v1")
        if min(fields.concurrency, fields.max_tokens, fields.batch_size) < 1:
            raise ConfigError("reward: concurrency, max_tokens and batch_size must be at least 1")
        return fields

    def source(self) -> ModelSource | None:
        """Return the model that is loaded here, None for other kinds.

        Raises:
            ConfigError: it is nowhere, or has another head.
        """
        if self.kind not in HEADS:
            return None
        source = find_model(self.model, self.revision, "reward")
        check_architecture(source, HEADS[self.kind], self.trust_remote_code, "reward")
        return source
