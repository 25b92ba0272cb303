"""Section 3.2: rows that nothing is trained on, and what of them is in the training data all the same.

The rows of a source are spread evenly over all that it has, so that a few are a sample of the whole. Pre-training reads
them without fill-in-the-middle: a figure of plain next-token loss, whatever the recipe's objective.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recipes.data.built_once import built_once
from recipes.data.chat_rows import ChatStore
from recipes.data.chat_sources import ChatSource, rows_of
from recipes.data.packing import pack_documents
from recipes.data.token_store import TokenStore
from recipes.data.window_batches import window_row
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEXT_COLUMNS = ("content", "text")
TOKEN_FILE = "held_out.ds"
# Hashing takes three microseconds a document; a check of the data that was built long ago may not take hours.
MAX_CHECKED_DOCUMENTS = 1_000_000


@dataclass(frozen=True)
class HeldOutSource:
    """Rows that the loss of a model is measured on.

    Attributes:
        name: as it is reported.
        row: gives the row of a number, as the trainer's collator takes it.
        num_rows: how many there are.
        fingerprint: of the content.
        documents: hashes of the documents, of the first MAX_CHECKED_DOCUMENTS; read anew with each call.
        share: of the training data, where that is known: the loss over all sources then weighs them by it.
    """

    name: str
    row: Callable[[int], dict[str, Any]]
    num_rows: int
    fingerprint: str
    documents: Callable[[], Iterator[bytes]]
    share: float | None = None


@dataclass(frozen=True)
class Overlap:
    """How many documents of a held-out source are documents of the training data.

    Attributes:
        name: of the source.
        num_documents: that were looked up.
        num_in_training: that were found.
        is_partial: whether documents of either side were not looked at, since there are too many.
    """

    name: str
    num_documents: int
    num_in_training: int
    is_partial: bool

    def __str__(self) -> str:
        words = f"{self.num_in_training:,} of {self.num_documents:,} documents of {self.name} are trained on"
        return words + (f" (of the first {MAX_CHECKED_DOCUMENTS:,} on each side)" if self.is_partial else "")


def spread(num_all: int, num_wanted: int | None) -> list[int]:
    """Return so many numbers below `num_all`, evenly spaced; all of them where no more are there."""
    num_wanted = num_all if num_wanted is None else min(num_wanted, num_all)
    return [number * num_all // num_wanted for number in range(num_wanted)]


def held_out_windows(
    name: str,
    store: TokenStore,
    tokenizer: PreTrainedTokenizerBase,
    seq_length: int,
    cache_dir: str | Path,
    num_rows: int | None,
    num_workers: int | None = None,
    share: float | None = None,
) -> HeldOutSource:
    """Pack a token file and take windows of it.

    Args:
        name: of the source.
        store: the token file.
        tokenizer: the one that wrote it.
        seq_length: tokens per window.
        cache_dir: where packed windows are kept.
        num_rows: windows wanted; None for all.
        num_workers: processes that pack.
        share: of the source in the mixture.

    Raises:
        ValueError: a damaged file, or another tokenizer's.
    """
    windows = pack_documents(store, tokenizer, seq_length, None, 0, cache_dir, num_rows, num_workers)
    numbers = spread(len(windows), num_rows)
    end = tokenizer.eos_token_id
    return HeldOutSource(
        name,
        lambda number: window_row(windows, numbers[number]),
        len(numbers),
        _fingerprint(windows.fingerprint, numbers),
        lambda: (document_hash(ids, end) for ids in documents_of(store)),
        share,
    )


def held_out_chat_rows(name: str, store: ChatStore, num_rows: int | None, share: float | None = None) -> HeldOutSource:
    """Take rows of encoded conversations, or pairs.

    Args:
        name: of the source.
        store: the rows.
        num_rows: rows wanted; None for all.
        share: of the dataset in the training data.
    """
    numbers = spread(len(store), num_rows)
    row: Callable[[int], dict[str, Any]] = store.pair if store.is_pairs else store.packed_row
    return HeldOutSource(
        name,
        lambda number: dict(row(numbers[number])),
        len(numbers),
        _fingerprint(store.fingerprint, numbers),
        lambda: (document_hash(ids) for ids in chat_documents_of(store)),
        share,
    )


def open_held_out_tokens(
    name: str, dataset: str, split: str, tokenizer: PreTrainedTokenizerBase, cache_dir: str | Path, max_tokens: int
) -> TokenStore:
    """Return documents as a token file: a `.ds` file as it is, those of a dataset encoded once.

    Args:
        name: of the source, for messages.
        dataset: a `.ds` file, or a folder, a file or a dataset on the Hub with a column of TEXT_COLUMNS.
        split: of a dataset.
        tokenizer: of the run.
        cache_dir: where an encoded dataset is kept.
        max_tokens: no document is encoded after so many tokens.

    Raises:
        RecipeError: it cannot be read, or holds no text.
    """
    from datasets_builders.tokenized.token_files import write_token_store
    from datasets_builders.tokenized.tokenization import tokenizer_fingerprint

    if dataset.endswith(".ds"):
        return TokenStore(dataset)
    source = ChatSource(dataset, split)
    fingerprint = tokenizer_fingerprint(tokenizer)
    facts = {"source": source.identity(), "tokenizer": fingerprint, "max_tokens": max_tokens}
    folder = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]

    def build(unfinished: Path) -> None:
        documents = _encoded_texts(name, source, tokenizer, max_tokens)
        write_token_store(unfinished / TOKEN_FILE, documents, {"source": name, "tokenizer_fingerprint": fingerprint})

    return TokenStore(built_once(Path(cache_dir) / folder, f"{TOKEN_FILE}.metadata", build) / TOKEN_FILE)


def _encoded_texts(
    name: str, source: ChatSource, tokenizer: PreTrainedTokenizerBase, max_tokens: int
) -> Iterator[list[int]]:
    from datasets_builders.tokenized.tokenization import encode_document

    num_tokens = 0
    for row in (row for group in source.groups() for row in rows_of(group)):
        text = next((row[key] for key in TEXT_COLUMNS if isinstance(row, dict) and isinstance(row.get(key), str)), None)
        if text is None:
            raise RecipeError(f"eval_data: {name}: {source.dataset} has a row without a text in {TEXT_COLUMNS}.")
        if not text:
            continue
        ids = encode_document(tokenizer, text)
        num_tokens += len(ids)
        yield ids
        if num_tokens >= max_tokens:
            return


def document_hash(ids: Sequence[int] | np.ndarray, end_id: int | None = None) -> bytes:
    """Return what names a document by its tokens, with or without the end token."""
    array = np.asarray(ids, dtype="<u4")
    if len(array) and array[-1] == end_id:
        array = array[:-1]
    return hashlib.blake2b(array.tobytes(), digest_size=16).digest()


def documents_of(store: TokenStore) -> Iterator[np.ndarray]:
    """Yield the documents of a token file, the first MAX_CHECKED_DOCUMENTS."""
    return (store.document(number) for number in range(min(len(store), MAX_CHECKED_DOCUMENTS)))


def chat_documents_of(store: ChatStore) -> Iterator[np.ndarray]:
    """Yield the conversations of all rows, or the pairs, the first MAX_CHECKED_DOCUMENTS."""

    def all_of_them() -> Iterator[np.ndarray]:
        for number in range(len(store)):
            tokens, ends = store.parts(number)
            yield from [tokens] if store.is_pairs else np.split(tokens, ends[:-1])

    return islice(all_of_them(), MAX_CHECKED_DOCUMENTS)


def overlap_of(sources: Iterable[HeldOutSource], training: Iterable[Iterable[bytes]]) -> list[Overlap]:
    """Look held-out documents up in the training data.

    Args:
        sources: held out.
        training: hashes of the documents of each part of the training data.
    """
    hashes = {source.name: set(source.documents()) for source in sources}
    left = {name: set(found) for name, found in hashes.items()}
    is_partial = any(len(found) >= MAX_CHECKED_DOCUMENTS for found in hashes.values())
    for part in training:
        num_seen = 0
        for document in part:
            num_seen += 1
            for found in left.values():
                found.discard(document)
        is_partial = is_partial or num_seen >= MAX_CHECKED_DOCUMENTS
    return [Overlap(name, len(found), len(found) - len(left[name]), is_partial) for name, found in hashes.items()]


def _fingerprint(content: str, numbers: Sequence[int]) -> str:
    return hashlib.sha256(json.dumps([content, list(numbers)]).encode()).hexdigest()[:16]


__all__ = [
    "HeldOutSource",
    "Overlap",
    "chat_documents_of",
    "document_hash",
    "documents_of",
    "held_out_chat_rows",
    "held_out_windows",
    "open_held_out_tokens",
    "overlap_of",
    "spread",
]
