"""Section 3.2: documents as chunks that fit a window, each rearranged for fill-in-the-middle or left as it is."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from modeling_ling.fill_in_the_middle import middle_end_id, start_ids
from recipes.data.token_store import TokenStore
from recipes.objectives.fim import FimConfig, is_selected
from recipes.objectives.fim_ids import FimEncoder, FimRefusedError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Room left in a chunk that will be rearranged: three markers, the end token, and tokens split anew at two cuts.
FIM_SLACK_TOKENS = 10
# A chunk may end this share of the window early to end at a line's end; a longer line is cut where the window ends.
LINE_SEARCH_FRACTION = 0.25


@dataclass(frozen=True)
class Chunk:
    """A run of token ids that stays together in one window.

    Attributes:
        ids: uint32 of shape (tokens,).
        document: number of the document in its store.
        part: number of the chunk in its document.
        key: what the draws of fill-in-the-middle hang on, empty where the chunk is not selected.
        rearranged: whether `ids` are the rearranged ones.
    """

    ids: np.ndarray
    document: int
    part: int
    key: str = ""
    rearranged: bool = False


def document_key(ids: np.ndarray) -> str:
    """Return what identifies a document wherever it stands: a hash of its token ids."""
    return hashlib.blake2b(np.ascontiguousarray(ids, dtype="<u4").tobytes(), digest_size=16).hexdigest()


class LineEnds:
    """Which ids of a vocabulary end a line or begin with a line end, learnt from the tokenizer on first use."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._ends: np.ndarray | None = None
        self._starts: np.ndarray | None = None

    def last_cut(self, ids: np.ndarray, budget: int) -> int:
        """Return how many of `ids` (at most `budget`) make a chunk that ends at a line's end, where one is near."""
        if self._ends is None or self._starts is None:
            texts = self._tokenizer.batch_decode([[token] for token in range(len(self._tokenizer))])
            self._ends = np.array([text.endswith("\n") for text in texts])
            self._starts = np.array([text.startswith("\n") for text in texts])
        earliest = max(int(budget * (1.0 - LINE_SEARCH_FRACTION)), 1)
        # A cut at c is at a line end if token c - 1 ends in a newline, or token c (newline, indentation) begins so.
        fits = self._ends[ids[earliest - 1 : budget]] | self._starts[ids[earliest : budget + 1]]
        cuts = np.flatnonzero(fits)
        return earliest + int(cuts[-1]) if len(cuts) else budget


def _middle_end_id(tokenizer: PreTrainedTokenizerBase, end_id: int) -> int:
    """Return what ends a middle: as the tokenizer's family has it, or the end token where markers are the recipe's."""
    try:
        return middle_end_id(tokenizer)
    except ValueError:
        return end_id


class Chunker:
    """Cuts the documents of one store and applies fill-in-the-middle; `counts` says what was done.

    Cutting between tokens rather than re-encoding cut text keeps every id of the corpus, and a newline is never inside
    a character, so a chunk cut at one decodes cleanly.

    Args:
        tokenizer: the one that wrote the store.
        seq_length: tokens per window; no chunk is longer.
        fim: with markers resolved, or None.
        seed: of the rearranging.
        end_id: the end token of documents.

    Source: ours; context-level fill-in-the-middle in effect, without its damage at window edges.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, seq_length: int, fim: FimConfig | None, seed: int, end_id: int
    ) -> None:
        self.seq_length, self.fim, self.seed, self.end_id = seq_length, fim, seed, end_id
        self.line_ends = LineEnds(tokenizer)
        self.counts: Counter[str] = Counter()
        self.encoder = FimEncoder(tokenizer, fim, seed) if fim else None
        self.middle_end_id = _middle_end_id(tokenizer, end_id) if fim else end_id
        # What the tokenizer puts before a prompt stands before every chunk: it is what a chunk's beginning is read as.
        self.start = np.array(start_ids(tokenizer), dtype=np.uint32)

    def chunks(self, store: TokenStore, documents: range | None = None) -> Iterator[Chunk]:
        """Yield every chunk of some documents of the store, of all by default, in their order."""
        chosen = range(store.num_documents) if documents is None else documents
        return map(self._started, map(self._rearranged, self._cut(store, chosen)))

    def _started(self, chunk: Chunk) -> Chunk:
        return replace(chunk, ids=np.concatenate([self.start, chunk.ids])) if len(self.start) else chunk

    def _cut(self, store: TokenStore, documents: range) -> Iterator[Chunk]:
        longest = self.seq_length - len(self.start)
        for number in documents:
            ids = store.document(number)
            name = document_key(ids) if self.fim else ""
            start = part = 0
            while start < len(ids):
                selected = self.fim is not None and is_selected(f"{name}/{part}", self.fim, self.seed)
                rest = ids[start:]
                # A rest that fits stays whole, even where rearranging it then proves too long.
                budget = longest - (FIM_SLACK_TOKENS if selected and len(rest) > longest else 0)
                size = len(rest) if len(rest) <= budget else self.line_ends.last_cut(rest, budget)
                yield Chunk(rest[:size], number, part, f"{name}/{part}" if selected else "")
                start, part = start + size, part + 1
            self.counts["documents"] += 1
            self.counts["documents_cut"] += part > 1
            self.counts["chunks"] += part

    def _rearranged(self, chunk: Chunk) -> Chunk:
        """Return a selected chunk rearranged, or as it is with the reason counted."""
        if not chunk.key or self.encoder is None:
            return chunk
        try:
            ids = self.encoder.rearrange(chunk.ids[:-1] if self._ends_document(chunk) else chunk.ids, chunk.key)
        except FimRefusedError as refused:
            self.counts[str(refused)] += 1
            return chunk
        # The end token stays a target after the middle, or the model never learns to stop filling in.
        return self._fitting(chunk, [*ids, self.middle_end_id])

    def _ends_document(self, chunk: Chunk) -> bool:
        return int(chunk.ids[-1]) == self.end_id

    def _fitting(self, chunk: Chunk, ids: list[int]) -> Chunk:
        if len(ids) > self.seq_length - len(self.start):
            self.counts["fim_too_long"] += 1
            return chunk
        self.counts["fim_rearranged"] += 1
        self.counts["fim_end_tokens_added"] += not self._ends_document(chunk)
        return replace(chunk, ids=np.array(ids, dtype=np.uint32), rearranged=True)
