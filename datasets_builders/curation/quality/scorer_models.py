"""Section 2.2.1: the models behind the scorers. Files are text throughout: no special token is parsed in them."""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

import modeling_ling  # noqa: F401  # registers bailing_moe
from datasets_builders.building.errors import ConfigError
from datasets_builders.curation.quality.quality_model import QualityModel
from datasets_builders.curation.quality.scorers import CPU, CUDA, Scorer

CHARACTERS_PER_TOKEN = 32  # of a long file only so much is tokenised
MAX_CONTEXT = 1 << 30  # tokenizers without a limit name a larger one
CONTENT_SIGN = "\x02content\x03"
DECIMALS = 6
YES = ("yes", "Yes", "YES", " yes", " Yes")
NO = ("no", "No", "NO", " no", " No")

Scores = list[float | None]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' bar of loaded weights from the terminal, where the build has its own."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


class ScorerModel(ABC):
    """A loaded model that scores texts."""

    auto_class: Any = AutoModelForCausalLM

    def __init__(self, scorer: Scorer, rank: int) -> None:
        fields, source = scorer.fields, scorer.source
        self.device = torch.device(
            f"{CUDA}:{rank % torch.cuda.device_count()}" if scorer.device == CUDA else scorer.device
        )
        self.batch_size = scorer.batch_size
        common = {"revision": source.revision, "trust_remote_code": fields.trust_remote_code}
        self.tokenizer = AutoTokenizer.from_pretrained(source.name, **common)
        if not self.tokenizer.is_fast:
            raise ConfigError(f"scorers: {source.name} has no fast tokenizer (tokenizer.json), which scoring needs")
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token or self.tokenizer.unk_token
        self.tokenizer.padding_side = "right"
        with quiet():
            model, found = self.auto_class.from_pretrained(
                source.name, dtype=scorer.dtype, use_safetensors=True, output_loading_info=True, **common
            )
        if missing := sorted(found["missing_keys"]):
            raise ConfigError(f"scorers: the weights of {source.name} lack {missing[0]} and {len(missing) - 1} more")
        self.model = model.eval().to(self.device)
        if self.model.config.pad_token_id is None:
            self.model.config.pad_token_id = self.tokenizer.pad_token_id
        self.max_tokens = min(fields.max_tokens, self._context())
        self.num_threads = torch.get_num_threads()
        if scorer.device == CPU:
            torch.set_num_threads(1)  # as every other step: ranks run beside each other, and sums keep their order

    def _context(self) -> int:
        limits = [self.tokenizer.model_max_length, getattr(self.model.config, "max_position_embeddings", None)]
        return min((limit for limit in limits if limit and 0 < limit < MAX_CONTEXT), default=MAX_CONTEXT)

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        """Return the scores of each text, a value per column; batches hold texts of like length."""
        clean = [self._beginning(text) for text in texts]
        order = sorted(range(len(clean)), key=lambda number: (len(clean[number]), number))
        scores: list[Scores] = [[] for _ in clean]
        with torch.inference_mode():
            for at in range(0, len(order), self.batch_size):
                numbers = order[at : at + self.batch_size]
                for number, values in zip(numbers, self._batch([clean[number] for number in numbers]), strict=True):
                    scores[number] = [_rounded(value) for value in values]
        return scores

    def _beginning(self, text: str) -> str:
        cut = text[: self.max_tokens * CHARACTERS_PER_TOKEN]
        return cut.encode("utf-8", "replace").decode()  # a lone surrogate is no text for a tokenizer

    @abstractmethod
    def _batch(self, texts: list[str]) -> Iterator[Scores]:
        """Give the scores of each text of a batch."""

    def close(self) -> None:
        """Give the memory and the threads back."""
        torch.set_num_threads(self.num_threads)
        del self.model
        if self.device.type == CUDA:
            torch.cuda.empty_cache()

    def _padded(self, rows: list[list[int]]) -> dict[str, torch.Tensor]:
        """Return rows of ids as a batch, padded behind: what comes later changes nothing in a causal model."""
        longest = max(map(len, rows))
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row in rows], device=self.device)
        lengths = torch.tensor([len(row) for row in rows], device=self.device)
        mask = torch.arange(longest, device=self.device)[None, :] < lengths[:, None]
        return {"input_ids": ids, "attention_mask": mask.long()}


class Classifier(ScorerModel):
    """A model with a head for sequences: its regression value, or the probability of a label; none of no tokens."""

    auto_class = AutoModelForSequenceClassification

    def __init__(self, scorer: Scorer, rank: int) -> None:
        super().__init__(scorer, rank)
        names = self.model.config.id2label
        self.label = next((number for number in names if names[number] == scorer.fields.label), len(names) - 1)

    def _batch(self, texts: list[str]) -> Iterator[Scores]:
        tokens = self.tokenizer(
            texts,
            truncation=True,
            max_length=self.max_tokens,
            padding=True,
            split_special_tokens=True,
            return_attention_mask=True,
            return_tensors="pt",
        ).to(self.device)
        lengths = tokens["attention_mask"].sum(1).tolist()
        if not any(lengths):
            for _ in texts:
                yield [None]
            return
        logits = self.model(**tokens).logits.float()
        values = logits[:, 0] if logits.shape[1] == 1 else logits.softmax(-1)[:, self.label]
        for value, length in zip(values.tolist(), lengths, strict=True):
            yield [value if length else None]


class Perplexity(ScorerModel):
    """Nats per byte and per token that a causal model needs for the beginning of a file.

    The first token is predicted from the token that begins (else ends) documents; without either it is given.
    """

    def _batch(self, texts: list[str]) -> Iterator[Scores]:
        start = self.tokenizer.bos_token_id
        start = self.tokenizer.eos_token_id if start is None else start
        prefix = [] if start is None else [start]
        tokens = self.tokenizer(
            texts,
            add_special_tokens=False,
            split_special_tokens=True,
            truncation=True,
            max_length=self.max_tokens - len(prefix),
            return_offsets_mapping=True,
            return_attention_mask=False,
        )
        # A model cannot be given a row of no tokens.
        rows = [prefix + ids or [0] for ids in tokens["input_ids"]]
        logits = self.model(**self._padded(rows), use_cache=False).logits
        for text, row, offsets, row_logits in zip(texts, rows, tokens["offset_mapping"], logits, strict=True):
            predicted = offsets[1 - len(prefix) :]
            if not predicted:
                yield [None, None]
                continue
            targets = torch.tensor(row[1:], device=self.device)
            losses = torch.nn.functional.cross_entropy(row_logits[: len(targets)].float(), targets, reduction="none")
            nats = float(losses.double().sum())
            num_bytes = len(text[predicted[0][0] : predicted[-1][1]].encode())
            yield [nats / max(num_bytes, 1), nats / len(targets)]


class AskLLM(ScorerModel):
    """The probability that a causal model's answer starts with yes, by the prompt about a file.

    Source: Ask-LLM (arXiv 2402.09668), whose score is the probability of "yes"; ours adds up its spellings.
    """

    def __init__(self, scorer: Scorer, rank: int) -> None:
        super().__init__(scorer, rank)
        before, after = self._frame(scorer)
        self.before, self.after = self._special(before), self._special(after)
        self.max_tokens = min(scorer.fields.max_tokens, self._context() - len(self.before) - len(self.after))
        if self.max_tokens < 1:
            raise ConfigError(f"scorers: the prompt leaves no room for a file in the context of {scorer.source.name}")
        yes, no = ({self._special(word)[0] for word in words if self._special(word)} for words in (YES, NO))
        if not yes - no:
            raise ConfigError(f"scorers: the tokenizer of {scorer.source.name} starts yes and no with the same tokens")
        self.yes = sorted(yes - no)
        self.can_keep = "logits_to_keep" in inspect.signature(self.model.forward).parameters

    def _frame(self, scorer: Scorer) -> tuple[str, str]:
        prompt = Template(scorer.prompts[0]).substitute(content=CONTENT_SIGN).rstrip()
        has_template = self.tokenizer.chat_template is not None
        if scorer.fields.chat and not has_template:
            raise ConfigError(f"scorers: chat is true, but {scorer.source.name} has no chat template")
        if has_template and scorer.fields.chat is not False:
            prompt = self._in_chat(prompt)
        elif self.tokenizer.bos_token:
            prompt = self.tokenizer.bos_token + prompt
        before, _, after = prompt.partition(CONTENT_SIGN)
        return before, after

    def _in_chat(self, prompt: str) -> str:
        rendered = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,  # the first token shall be the answer's; templates that do not know it ignore it
        )
        assert isinstance(rendered, str)
        return rendered

    def _special(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _batch(self, texts: list[str]) -> Iterator[Scores]:
        contents = self.tokenizer(
            texts,
            add_special_tokens=False,
            split_special_tokens=True,
            truncation=True,
            max_length=self.max_tokens,
            return_attention_mask=False,
        )["input_ids"]
        rows = [[*self.before, *ids, *self.after] for ids in contents]
        last = torch.tensor([len(row) - 1 for row in rows], device=self.device)
        if self.can_keep:  # else all positions' logits would be held, for the last one of each row
            kept, last = last.unique(return_inverse=True)
            logits = self.model(**self._padded(rows), use_cache=False, logits_to_keep=kept).logits
        else:
            logits = self.model(**self._padded(rows), use_cache=False).logits
        chosen = logits[torch.arange(len(rows), device=self.device), last].float()
        for value in chosen.softmax(-1)[:, self.yes].sum(-1).tolist():
            yield [value]


def _rounded(value: float | None) -> float | None:
    """Return a score as it is written; one that is no number, as half precision can give, is none."""
    return round(value, DECIMALS) if value is not None and math.isfinite(value) else None


class QualityModelScores:
    """A model of train-quality-model as one scorer among others."""

    def __init__(self, scorer: Scorer, rank: int) -> None:
        self.model = QualityModel(Path(scorer.source.name))

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        """Return the score of each text."""
        return [[_rounded(score)] for score in self.model.scores(texts)]

    def close(self) -> None:
        """Give the memory back."""
        del self.model


LoadedScorer = ScorerModel | QualityModelScores
MODELS: dict[str, type[LoadedScorer]] = {
    "classifier": Classifier,
    "perplexity": Perplexity,
    "ask_llm": AskLLM,
    "quality_model": QualityModelScores,
}


def load_scorer(scorer: Scorer, rank: int) -> LoadedScorer:
    """Load a scorer's model for a rank.

    Raises:
        ConfigError: the weights lack a part, or the model cannot be asked as the fields say.
        BuildError: this machine has another kind of device than the build has fixed.
    """
    scorer.check_device()
    return MODELS[scorer.kind](scorer, rank)
