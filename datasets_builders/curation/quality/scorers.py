"""Section 2.2.1, the independent route to high quality: BERT classifiers, perplexity and Ask-LLM as columns of scores.

| kind | columns | what they hold |
| --- | --- | --- |
| classifier | score_classifier | value of a regression head, else the probability of `label` (of two: the second) |
| perplexity | score_loss_per_byte, score_loss_per_token | cross-entropy of the beginning of the file, in nats |
| ask_llm | score_ask_llm | probability that the first token of the answer is yes |
| quality_model | score_quality_model | probability by a model of train-quality-model, beside the config's own |

The paper names the first three and gives no models, prompts or limits: they are the user's. Scores are rounded to six
decimals. On a CPU a rank computes with one thread, so that the number of workers does not change a bit of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any, ClassVar

from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.strict_fields import checked_fields
from datasets_builders.curation.quality.agreement import SCORE_PREFIX
from datasets_builders.curation.quality.model_source import ModelSource, check_architecture, find_model, text_sha256
from datasets_builders.curation.quality.quality_model import read_description

# Endings of the names of architectures: most causal models are ...ForCausalLM, GPT-2 and its kin ...LMHeadModel.
CAUSAL = ("ForCausalLM", "LMHeadModel")
DTYPES = ("float32", "bfloat16", "float16")
CPU, CUDA = DEVICES = ("cpu", "cuda")
ASK_LLM_PROMPT = Path(__file__).with_name("prompts") / "ask_llm.txt"


@dataclass(frozen=True)
class ScorerFields:
    """What a user may set for one scorer: an entry of `scorers`.

    Args:
        kind (`str`): classifier, perplexity, ask_llm or quality_model.
        model (`str`): folder, or ORG/NAME on the Hub.
        column (`str`): starts with score_; empty for the kind's own.
        revision (`str`): of a model on the Hub.
        max_tokens (`int`): of the beginning of a file; less where the model takes less.
        batch_size (`int`): files at once; 0 for the kind's own (16, 4, 8, 64).
        label (`str`): classifier: whose probability; not for a regression head.
        prompt (`str`): ask_llm: file with $content in it; empty for ours.
        chat (`bool`, *optional*): ask_llm: in the model's chat template; by default when it has one.
        dtype (`str`): empty for float32 on a CPU and of classifiers, else bfloat16.
        device (`str`): cpu or cuda; empty for the kind that the machine has on which the build is started.
        trust_remote_code (`bool`): run code that comes with the model.
    """

    kind: str = ""
    model: str = ""
    column: str = ""
    revision: str = ""
    max_tokens: int = 1024
    batch_size: int = 0
    label: str = ""
    prompt: str = ""
    chat: bool | None = None
    dtype: str = ""
    device: str = ""
    trust_remote_code: bool = False

    @property
    def columns(self) -> list[str]:
        """The columns that it writes."""
        kind = KINDS[self.kind]
        return [f"{self.column or kind.own_column}{ending}" for ending in kind.column_endings]

    def check(self, where: str) -> None:
        """Raise `ConfigError` for values that cannot be; the model is not looked at."""
        if self.kind not in KINDS:
            raise ConfigError(f"{where}: kind is {self.kind!r}; known: {', '.join(KINDS)}")
        if not self.model:
            raise ConfigError(f"{where}: no model; name a model's folder, or ORG/NAME on the Hub")
        if self.column and not re.fullmatch(rf"{SCORE_PREFIX}\w+", self.column, re.ASCII):
            raise ConfigError(f"{where}: column is {self.column!r}, but must be {SCORE_PREFIX} and a word")
        if self.max_tokens < 2 or self.batch_size < 0:
            raise ConfigError(f"{where}: max_tokens must be at least 2 and batch_size at least 0")
        for name, known in (("dtype", DTYPES), ("device", DEVICES)):
            if (value := getattr(self, name)) and value not in known:
                raise ConfigError(f"{where}: {name} is {value!r}; known: {', '.join(known)}")
        for other in KINDS.values():
            for name in other.own_fields:
                if getattr(self, name) not in ("", None) and other.kind != self.kind:
                    raise ConfigError(f"{where}: {name} is of {other.kind}, not of {self.kind}")


def read_scorers(entries: Sequence[Mapping[str, Any]]) -> list[ScorerFields]:
    """Return the entries of `scorers`, checked.

    Raises:
        ConfigError: an unknown field, a wrong type or value, or a column that two of them write.
    """
    scorers, seen = [], dict[str, int]()
    for number, entry in enumerate(entries):
        where = f"scorers, item {number}"
        scorer = ScorerFields(**checked_fields(ScorerFields, dict(entry), where))
        scorer.check(where)
        for column in scorer.columns:
            if column in seen:
                raise ConfigError(f"{where}: column {column} is written by item {seen[column]} too; set `column`")
            seen[column] = number
        scorers.append(scorer)
    return scorers


@dataclass(frozen=True)
class Scorer:
    """A scorer whose model was found, for one kind of device: others round otherwise.

    A class per kind says what is its own.

    Args:
        fields (`ScorerFields`): of the config.
        source (`ModelSource`): the model.
        device (`str`): cpu or cuda, on whatever machine the scores are computed.
    """

    fields: ScorerFields
    source: ModelSource
    device: str

    kind: ClassVar[str]
    own_column: ClassVar[str]
    column_endings: ClassVar[tuple[str, ...]] = ("",)
    own_fields: ClassVar[tuple[str, ...]] = ()
    own_batch_size: ClassVar[int]
    heads: ClassVar[tuple[str, ...]] = CAUSAL
    cuda_dtype: ClassVar[str] = "bfloat16"

    @staticmethod
    def found(fields: ScorerFields) -> Scorer:
        """Find the model and fix the kind of device.

        Raises:
            ConfigError: there is none, or it is of another kind, lacks the label, or cannot be asked so.
        """
        kind, where = KINDS[fields.kind], f"scorers, {fields.kind}"
        scorer = kind(fields, kind.find(fields, where), fields.device or kind.own_device())
        scorer.check(where)
        return scorer

    @classmethod
    def find(cls, fields: ScorerFields, where: str) -> ModelSource:
        """Find the model."""
        source = find_model(fields.model, fields.revision, where)
        check_architecture(source, cls.heads, fields.trust_remote_code, where)
        return source

    @staticmethod
    def own_device() -> str:
        """Return where it computes when nothing is said."""
        return device_kind()

    def check(self, where: str) -> None:
        """Raise `ConfigError` when the model cannot score as the fields say."""

    def describe(self) -> str:
        """Return what its columns hold, for the card, which does not tell where a folder lies."""
        source = self.source
        return f"{self.kind} by {source.identity() if source.revision else Path(source.name).name}"

    @property
    def dtype(self) -> str:
        """The number format."""
        return self.fields.dtype or ("float32" if self.device == CPU else self.cuda_dtype)

    @property
    def batch_size(self) -> int:
        """Files at once."""
        return self.fields.batch_size or self.own_batch_size

    @property
    def prompts(self) -> list[str]:
        """Texts that decide scores beside the model."""
        return []

    def check_device(self) -> None:
        """Raise `BuildError` where this machine has another kind of device; a CPU that was asked for is everywhere."""
        if self.fields.device != CPU and (here := device_kind()) != self.device:
            raise BuildError(
                f"scorers, {self.kind}: the build has fixed {self.device}, but this machine computes on {here}, "
                "where scores would differ; set the scorer's `device` to the kind that all its machines have "
                f"({' or '.join(DEVICES)}), and have GPUs given to every task for cuda"
            )


class ClassifierScorer(Scorer):
    """The value of a regression head, else the probability of a label."""

    kind = "classifier"
    own_column = "score_classifier"
    own_fields = ("label",)
    own_batch_size = 16
    heads = ("ForSequenceClassification",)
    cuda_dtype = "float32"

    def check(self, where: str) -> None:
        """Raise `ConfigError` when the model lacks the label, or has several and none is named."""
        from transformers import AutoConfig

        name, label = self.source.name, self.fields.label
        config = AutoConfig.from_pretrained(
            name, revision=self.source.revision, trust_remote_code=self.fields.trust_remote_code
        )
        labels = list(config.id2label.values())
        if label and label not in labels:
            raise ConfigError(f"{where}: {name} has no label {label!r}; it has {', '.join(labels)}")
        if len(labels) > 2 and not label:
            raise ConfigError(f"{where}: {name} has {len(labels)} labels; name one as `label`: {', '.join(labels)}")


class PerplexityScorer(Scorer):
    """The cross-entropy of the beginning of a file, in nats."""

    kind = "perplexity"
    own_column = "score_loss"
    column_endings = ("_per_byte", "_per_token")
    own_batch_size = 4  # the logits of all positions are held


class AskLLMScorer(Scorer):
    """The probability that the first token of the answer is yes."""

    kind = "ask_llm"
    own_column = "score_ask_llm"
    own_fields = ("prompt", "chat")
    own_batch_size = 8

    @property
    def prompts(self) -> list[str]:
        """The prompt."""
        path = Path(self.fields.prompt).expanduser() if self.fields.prompt else ASK_LLM_PROMPT
        return [path.read_text(encoding="utf-8")]

    def check(self, where: str) -> None:
        """Raise `ConfigError` when the prompt cannot be read, or does not hold $content once."""
        try:
            template = Template(self.prompts[0])
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where}: prompt {self.fields.prompt} cannot be read: {error}") from None
        is_once = template.template.count("$content") == 1 and template.get_identifiers() == ["content"]
        if not (template.is_valid() and is_once):
            raise ConfigError(f"{where}: prompt {self.fields.prompt} must hold $content once, and $$ for a dollar sign")


class QualityModelScorer(Scorer):
    """The calibrated probability by a model of train-quality-model, fastText or linear, on a CPU."""

    kind = "quality_model"
    own_column = "score_quality_model"
    own_batch_size = 64

    @classmethod
    def find(cls, fields: ScorerFields, where: str) -> ModelSource:
        """Find the folder.

        Raises:
            ConfigError: it is none, or its files do not belong together.
        """
        folder = Path(fields.model).expanduser()
        try:
            description = read_description(folder)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        return ModelSource(str(folder), None, {"sha256": description.sha256})

    @staticmethod
    def own_device() -> str:
        """Return where it computes: no GPU is of use."""
        return CPU

    def check(self, where: str) -> None:
        """Raise `ConfigError` for what only transformers' models have."""
        for name in ("revision", "dtype", "device"):
            if value := getattr(self.fields, name):
                raise ConfigError(f"{where}: {name} is {value!r}, but is of transformers' models alone")

    def check_device(self) -> None:
        """Any machine has a CPU."""


KINDS = {kind.kind: kind for kind in (ClassifierScorer, PerplexityScorer, AskLLMScorer, QualityModelScorer)}


def device_kind() -> str:
    """Return where models run on this machine: cuda where there is a GPU, else cpu."""
    import torch

    return CUDA if torch.cuda.is_available() else CPU


def scorers_fingerprint(scorers: Sequence[Scorer]) -> dict[str, Any]:
    """Return what decides scores beside the config: models, kinds of device, number formats, prompts, libraries."""
    return {
        "models": [[scorer.source.identity(), scorer.device, scorer.dtype] for scorer in scorers],
        "prompts": [text_sha256(prompt) for scorer in scorers for prompt in scorer.prompts],
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }
