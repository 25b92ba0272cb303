"""Section 3.2.3: the encoder of semantic deduplication: a transformers model, its states averaged over the tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from datasets_builders.curation.quality.model_source import ModelSource
from datasets_builders.curation.quality.scorer_models import CHARACTERS_PER_TOKEN, quiet
from datasets_builders.curation.quality.scorers import device_kind

BATCH_ROWS = 32


class TextEncoder:
    """Embeds texts; a text of no tokens is embedded as zeros, which are like nothing.

    Args:
        source (`ModelSource`): weights are safetensors alone; no code that comes with the model is run.
        max_tokens (`int`): of the beginning of a text.
    """

    def __init__(self, source: ModelSource, max_tokens: int) -> None:
        self.device = torch.device(device_kind())
        self.tokenizer = AutoTokenizer.from_pretrained(source.name, revision=source.revision)
        with quiet():
            model = AutoModel.from_pretrained(
                source.name, revision=source.revision, dtype="float32", use_safetensors=True
            )
        self.model = model.eval().to(self.device)
        limits = [max_tokens, self.tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", None)]
        self.max_tokens = min(limit for limit in limits if limit and limit > 0)

    def embeddings(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a vector of norm 1 for each text, (texts, numbers)."""
        cut = [
            text[: self.max_tokens * CHARACTERS_PER_TOKEN].encode("utf-8", "replace").decode("utf-8") for text in texts
        ]
        order = sorted(range(len(cut)), key=lambda number: (len(cut[number]), number))
        found: list[NDArray[np.float32] | None] = [None] * len(cut)
        with torch.inference_mode():
            for at in range(0, len(order), BATCH_ROWS):
                numbers = order[at : at + BATCH_ROWS]
                for number, vector in zip(numbers, self._batch([cut[number] for number in numbers]), strict=True):
                    found[number] = vector
        return np.stack([vector for vector in found if vector is not None])

    def _batch(self, texts: list[str]) -> NDArray[np.float32]:
        tokens = self.tokenizer(
            texts,
            truncation=True,
            max_length=self.max_tokens,
            padding=True,
            split_special_tokens=True,
            return_attention_mask=True,
            return_tensors="pt",
        ).to(self.device)
        states = self.model(**tokens).last_hidden_state
        mask = tokens["attention_mask"][:, :, None].to(states.dtype)
        means = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(means, dim=-1).cpu().numpy()
