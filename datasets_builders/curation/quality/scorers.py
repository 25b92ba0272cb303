"""Section 2.2.1, the independent route to high quality: BERT classifiers, perplexity and Ask-LLM as columns of scores.

| kind | columns | what they hold |
| --- | --- | --- |
| classifier | score_classifier | value of a regression head, else the probability of `label` (of two: the second) |
| perplexity | score_loss_per_byte, score_loss_per_token | cross-entropy of the beginning of the file, in nats |
| ask_llm | score_ask_llm | probability that the first token of the answer is yes |

The paper names the three and gives no models, prompts or limits: they are the user's. Scores are rounded to six
decimals. On a CPU a rank computes with one thread, so that the number of workers does not change a bit of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from datatrove.data import Document

from datasets_builders.building.errors import BuildError, ConfigError
from datasets_builders.building.steps import Outcome, Step
from datasets_builders.building.strict_fields import checked_fields
from datasets_builders.curation.quality.agreement import SCORE_PREFIX
from datasets_builders.curation.quality.model_source import ModelSource, check_architecture, find_model, text_sha256

if TYPE_CHECKING:
    from datasets_builders.curation.quality.scorer_models import ScorerModel

CLASSIFIER, PERPLEXITY, ASK_LLM = "classifier", "perplexity", "ask_llm"
COLUMNS = {CLASSIFIER: "score_classifier", PERPLEXITY: "score_loss", ASK_LLM: "score_ask_llm"}
# Endings of the names of architectures: most causal models are ...ForCausalLM, GPT-2 and its kin ...LMHeadModel.
CAUSAL = ("ForCausalLM", "LMHeadModel")
HEADS = {CLASSIFIER: ("ForSequenceClassification",), PERPLEXITY: CAUSAL, ASK_LLM: CAUSAL}
BATCH_SIZES = {CLASSIFIER: 16, PERPLEXITY: 4, ASK_LLM: 8}  # logits of all positions are held for perplexity
DTYPES = ("float32", "bfloat16", "float16")
CPU, CUDA = DEVICES = ("cpu", "cuda")
ASK_LLM_PROMPT = Path(__file__).with_name("prompts") / "ask_llm.txt"
BATCHES_OF_A_WINDOW = 8  # within which files of like length are put together
DECIMALS = 6


@dataclass(frozen=True)
class ScorerFields:
    """What a user may set for one scorer: an entry of `scorers`.

    Args:
        kind (`str`): classifier, perplexity or ask_llm.
        model (`str`): folder, or ORG/NAME on the Hub.
        column (`str`): starts with score_; empty for the kind's own.
        revision (`str`): of a model on the Hub.
        max_tokens (`int`): of the beginning of a file; less where the model takes less.
        batch_size (`int`): files at once; 0 for the kind's own (16, 4, 8).
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
        column = self.column or COLUMNS[self.kind]
        return [f"{column}_per_byte", f"{column}_per_token"] if self.kind == PERPLEXITY else [column]

    @property
    def prompt_text(self) -> str:
        """The prompt of ask_llm."""
        return (Path(self.prompt).expanduser() if self.prompt else ASK_LLM_PROMPT).read_text(encoding="utf-8")

    def check(self, where: str) -> None:
        """Raise `ConfigError` for values that cannot be; the model is not looked at."""
        if self.kind not in COLUMNS:
            raise ConfigError(f"{where}: kind is {self.kind!r}; known: {', '.join(COLUMNS)}")
        if not self.model:
            raise ConfigError(f"{where}: no model; name a model's folder, or ORG/NAME on the Hub")
        if not re.fullmatch(rf"{SCORE_PREFIX}\w+", self.column or COLUMNS[self.kind], re.ASCII):
            raise ConfigError(f"{where}: column is {self.column!r}, but must be {SCORE_PREFIX} and a word")
        if self.max_tokens < 2 or self.batch_size < 0:
            raise ConfigError(f"{where}: max_tokens must be at least 2 and batch_size at least 0")
        for name, known in (("dtype", DTYPES), ("device", DEVICES)):
            if (value := getattr(self, name)) and value not in known:
                raise ConfigError(f"{where}: {name} is {value!r}; known: {', '.join(known)}")
        for name, kind in (("label", CLASSIFIER), ("prompt", ASK_LLM), ("chat", ASK_LLM)):
            if getattr(self, name) not in ("", None) and self.kind != kind:
                raise ConfigError(f"{where}: {name} is of {kind}, not of {self.kind}")


def read_scorers(entries: Sequence[Mapping[str, Any]]) -> list[ScorerFields]:
    """Return the entries of `scorers`, checked.

    Raises:
        ConfigError: an unknown field, a wrong type or value, or a column that two of them write.

    Source: ours.
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

    Args:
        fields (`ScorerFields`): of the config.
        source (`ModelSource`): the model.
        device (`str`): cpu or cuda, on whatever machine the scores are computed.
    """

    fields: ScorerFields
    source: ModelSource
    device: str

    @classmethod
    def found(cls, fields: ScorerFields) -> Scorer:
        """Find the model and fix the kind of device.

        Raises:
            ConfigError: there is none, or it is of another kind, lacks the label, or cannot be asked so.
        """
        where = f"scorers, {fields.kind}"
        source = find_model(fields.model, fields.revision, where)
        check_architecture(source, HEADS[fields.kind], fields.trust_remote_code, where)
        if fields.kind == CLASSIFIER:
            _check_label(fields, source, where)
        if fields.kind == ASK_LLM:
            _check_prompt(fields, where)
        return cls(fields, source, fields.device or device_kind())

    def describe(self) -> str:
        """Return what its columns hold, for the card, which does not tell where a folder lies."""
        source = self.source
        return f"{self.fields.kind} by {source.identity() if source.revision else Path(source.name).name}"

    @property
    def dtype(self) -> str:
        """The number format."""
        is_exact = self.device == CPU or self.fields.kind == CLASSIFIER
        return self.fields.dtype or ("float32" if is_exact else "bfloat16")

    def check_device(self) -> None:
        """Raise `BuildError` where this machine has another kind of device; a CPU that was asked for is everywhere."""
        if self.fields.device != CPU and (here := device_kind()) != self.device:
            raise BuildError(
                f"scorers, {self.fields.kind}: the build has fixed {self.device}, but this machine computes on {here}, "
                "where scores would differ; set the scorer's `device` to the kind that all its machines have "
                f"({' or '.join(DEVICES)}), and have GPUs given to every task for cuda"
            )


def device_kind() -> str:
    """Return where models run on this machine: cuda where there is a GPU, else cpu."""
    import torch

    return CUDA if torch.cuda.is_available() else CPU


def scorers_fingerprint(scorers: Sequence[Scorer]) -> dict[str, Any]:
    """Return what decides scores beside the config: models, kinds of device, number formats, prompts, libraries."""
    return {
        "models": [[one.source.identity(), one.device, one.dtype] for one in scorers],
        "prompts": [text_sha256(one.fields.prompt_text) for one in scorers if one.fields.kind == ASK_LLM],
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }


def _check_label(fields: ScorerFields, source: ModelSource, where: str) -> None:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(
        source.name, revision=source.revision, trust_remote_code=fields.trust_remote_code
    )
    labels = list(config.id2label.values())
    if fields.label and fields.label not in labels:
        raise ConfigError(f"{where}: {source.name} has no label {fields.label!r}; it has {', '.join(labels)}")
    if len(labels) > 2 and not fields.label:
        raise ConfigError(f"{where}: {source.name} has {len(labels)} labels; name one as `label`: {', '.join(labels)}")


def _check_prompt(fields: ScorerFields, where: str) -> None:
    try:
        template = Template(fields.prompt_text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: prompt {fields.prompt} cannot be read: {error}") from None
    if not template.is_valid() or template.template.count("$content") != 1 or template.get_identifiers() != ["content"]:
        raise ConfigError(f"{where}: prompt {fields.prompt} must hold $content once, and $$ for a dollar sign")


class ModelScores(Step):
    """Write a model's scores of each file into columns; null where a file is too short to be scored.

    Args:
        scorer (`Scorer`): of the config.

    Source: paper 2.2.1 (BERT classifiers, perplexity, askLLM).
    """

    def __init__(self, scorer: Scorer) -> None:
        super().__init__()
        self.scorer = scorer
        self.name = f"scores_{scorer.fields.columns[0].removeprefix(SCORE_PREFIX)}"
        self.batch_size = BATCHES_OF_A_WINDOW * (scorer.fields.batch_size or BATCH_SIZES[scorer.fields.kind])

    def begin(self, rank: int, world_size: int) -> None:
        """Load the model; of several GPUs, ranks take turns."""
        from datasets_builders.curation.quality.scorer_models import load_scorer

        self._model: ScorerModel | None = load_scorer(self.scorer, rank)

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Score a window of files."""
        assert self._model is not None
        columns = self.scorer.fields.columns
        for doc, scores in zip(docs, self._model.scores([doc.text for doc in docs]), strict=True):
            doc.metadata |= dict(zip(columns, scores, strict=True))
        return [[doc] for doc in docs]

    def end(self) -> None:
        """A model does not pickle."""
        if self._model:
            self._model.close()
        self._model = None
