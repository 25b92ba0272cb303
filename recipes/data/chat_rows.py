"""Sections 3.2.3 and 3.2.4: conversations and pairs, encoded and packed once, and read from memory maps in their order.

One process per file system encodes, with workers; all read. Nothing of the data is held in memory, and the order of a
run is computed place by place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from torch.utils.data import Dataset

from datasets_builders.tokenized.chat_rows import (
    DESCRIPTION_FILE,
    GROUP_ROWS,
    ID_MASK,
    LAYOUT_VERSION,
    TARGET_BIT,
    OverLength,
    Removals,
    RowFileWriter,
    RowGroup,
    RowMaker,
)
from datasets_builders.tokenized.conversations import RowFormat
from datasets_builders.tokenized.tokenization import tokenizer_fingerprint
from recipes.data.built_once import built_once
from recipes.data.chat_sources import ChatSource, Group, rows_of
from recipes.data.window_order import BlockOrder, permuted
from recipes.data.workers import ordered_map
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

IGNORED_LABEL = -100
_STORE_SEED = 1_000_003
Kind = Literal["sft", "dpo"]


@dataclass(frozen=True)
class ChatSettings:
    """How the rows of a dataset become rows to train on.

    Args:
        kind: conversations ("sft") or pairs ("dpo").
        max_tokens: of a row, and of a prompt with one answer.
        names: of columns and roles.
        over_length: what becomes of a conversation that is longer.
    """

    kind: Kind
    max_tokens: int
    names: RowFormat = field(default_factory=RowFormat)
    over_length: OverLength = "drop"


class ChatStore:
    """A folder of rows, mapped; see `datasets_builders.tokenized.chat_rows` for its files.

    Attributes:
        description: counts and hashes, as written.
        removals: what of the dataset is not in the rows.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.description: dict[str, Any] = json.loads((self.folder / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        self.removals = Removals()
        self.removals.counts.update(self.description["removed"])
        self.removals.examples.update(self.description["removed_examples"])
        self._open()

    def _open(self) -> None:
        names = {"rows.bin": "<u4", "row_ends.bin": "<u8", "parts.bin": "<u4", "part_ends.bin": "<u8"}
        if self.description["num_rows"] == 0:
            arrays = [np.zeros(0, dtype) for dtype in names.values()]
        else:
            arrays = [np.memmap(self.folder / name, dtype=dtype, mode="r") for name, dtype in names.items()]
        self._tokens, self._row_ends, self._parts, self._part_ends = arrays

    def __getstate__(self) -> dict[str, Any]:
        # A pickled memmap is a full copy: a data loader's worker maps the files again instead.
        return {"folder": self.folder, "description": self.description, "removals": self.removals}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __len__(self) -> int:
        return int(self.description["num_rows"])

    @property
    def num_tokens(self) -> int:
        """Tokens of all rows as a model reads them: a pair's prompt twice."""
        prompts = int(self._parts[::3].sum(dtype=np.int64)) if self.is_pairs else 0
        return int(self.description["num_tokens"]) + prompts

    @property
    def is_pairs(self) -> bool:
        """Whether a row is a preference pair, not a row of conversations."""
        return bool(self.description["kind"] == "dpo")

    @property
    def fingerprint(self) -> str:
        """Hash of the rows."""
        return str(self.description["content_sha256"])

    def row_tokens(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many tokens each of some rows has, a pair's prompt counted twice."""
        ends = self._row_ends[numbers].astype(np.int64)
        before = self._row_ends[np.maximum(numbers - 1, 0)].astype(np.int64)
        prompts = self._parts[3 * numbers].astype(np.int64) if self.is_pairs else 0
        return ends - np.where(numbers > 0, before, 0) + prompts

    def parts(self, number: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the ids of a row with TARGET_BIT, and where its parts end."""
        start = int(self._row_ends[number - 1]) if number else 0
        first = int(self._part_ends[number - 1]) if number else 0
        ends = self._parts[first : int(self._part_ends[number])].astype(np.int64)
        return self._tokens[start : int(self._row_ends[number])], ends

    def packed_row(self, number: int) -> dict[str, NDArray[np.int64]]:
        """Return one row of conversations side by side, none of which attends to another.

        Returns:
            input_ids; labels, -100 where nothing is learned, by position and never by token id; position_ids, from 0 in
            each conversation; each int64 of shape (tokens,).

        Source: paper 3.2.3 (packing); isolation of the packed conversations is ours.
        """
        marked, ends = self.parts(number)
        input_ids = (marked & ID_MASK).astype(np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
        labels = np.where(marked & TARGET_BIT, input_ids, IGNORED_LABEL)
        # The first token of a conversation would otherwise be predicted from the one before it.
        labels[starts] = IGNORED_LABEL
        position_ids = np.arange(len(input_ids)) - np.repeat(starts, ends - starts)
        return {"input_ids": input_ids, "labels": labels, "position_ids": position_ids}

    def pair(self, number: int) -> dict[str, list[int]]:
        """Return one pair as the ids that TRL's collator pads: prompt_ids, chosen_ids, rejected_ids."""
        marked, ends = self.parts(number)
        prompt, chosen, rejected = np.split((marked & ID_MASK).astype(np.int64), ends[:-1])
        return {"prompt_ids": prompt.tolist(), "chosen_ids": chosen.tolist(), "rejected_ids": rejected.tolist()}


class ChatDataset(Dataset):
    """The rows of a run in the order in which they are trained; nothing is listed, each place is computed.

    Args:
        stores: of the datasets.
        shares: of each in the tokens; None: all of each in every epoch.
        num_epochs: passes over as many rows as all stores have.
        rows_per_step: the last step is filled up, so that every step is whole.
        seed: of the order, which differs from epoch to epoch.

    Source: paper 3.2.3 (epochs, 3:1:1); the order is ours.
    """

    def __init__(
        self,
        stores: Sequence[ChatStore],
        shares: Sequence[float] | None,
        num_epochs: int,
        rows_per_step: int,
        seed: int,
    ) -> None:
        self.stores, self.seed, self.rows_per_step = tuple(stores), seed, rows_per_step
        self.num_places = sum(map(len, stores)) * num_epochs
        self.num_places += -self.num_places % rows_per_step
        wanted = [float(store.num_tokens) for store in stores] if shares is None else list(shares)
        self.shares = [share / sum(wanted) for share in wanted]
        # A share of tokens is one of rows only where all datasets fill theirs alike.
        weights = [share * len(store) / store.num_tokens for share, store in zip(self.shares, stores, strict=True)]
        self._order = None
        if len(stores) > 1:
            weights = [weight / sum(weights) for weight in weights]
            self._order = BlockOrder(weights, self.num_places, rows_per_step, seed)

    def __len__(self) -> int:
        return self.num_places

    def locate(self, place: int) -> tuple[int, int]:
        """Return the store and the row at a place: a function of the place and the seed only.

        Raises:
            IndexError: no such place.
        """
        if not 0 <= place < self.num_places:
            raise IndexError(f"The run has {self.num_places} rows: there is no number {place}.")
        store, ordinal = (0, place) if self._order is None else self._order.locate(place)
        epoch, rank = divmod(ordinal, len(self.stores[store]))
        return store, permuted(rank, len(self.stores[store]), self.seed + _STORE_SEED * store, epoch)

    def __getitem__(self, place: int) -> dict[str, Any]:
        """Return the row at a place: see `ChatStore.packed_row` and `pair`."""
        store, number = self.locate(place)
        if self.stores[store].is_pairs:
            return dict(self.stores[store].pair(number))
        return dict(self.stores[store].packed_row(number))

    def num_rows_of(self, store: int) -> int:
        """Return how many places a store has."""
        return self.num_places if self._order is None else self._order.windows_of(store)

    def consumed(self, num_places: int) -> list[int]:
        """Return the tokens of each store in the first places of the run."""
        counts = []
        for store, num_rows in enumerate(self._rows_before(min(num_places, self.num_places))):
            whole, rest = divmod(num_rows, len(self.stores[store]))
            size, seed = len(self.stores[store]), self.seed + _STORE_SEED * store
            numbers = np.array([permuted(rank, size, seed, whole) for rank in range(rest)], dtype=np.int64)
            counts.append(self.stores[store].num_tokens * whole + int(self.stores[store].row_tokens(numbers).sum()))
        return counts

    def _rows_before(self, place: int) -> list[int]:
        """Return how many of the places before one each store has."""
        if self._order is None:
            return [place]
        counts = [0] * len(self.stores)
        missing = set(range(len(self.stores)))
        while place and missing:
            place -= 1
            store, ordinal = self._order.locate(place)
            if store in missing:
                missing.remove(store)
                counts[store] = ordinal + 1
        return counts

    def fingerprint(self) -> str:
        """Return a hash of the rows and of their order."""
        facts = [
            [store.fingerprint for store in self.stores],
            self.shares,
            self.num_places,
            self.rows_per_step,
            self.seed,
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def open_chat_store(
    source: ChatSource,
    settings: ChatSettings,
    tokenizer: PreTrainedTokenizerBase,
    cache_dir: str | Path,
    num_workers: int | None = None,
    announce: bool = False,
) -> ChatStore:
    """Encode a dataset, or open what was encoded before from the same inputs.

    Args:
        source: the dataset.
        settings: how it is read.
        tokenizer: with the special tokens of the family.
        cache_dir: the rows are kept in a folder of it named by all that they depend on.
        num_workers: processes that encode; by default one per core, and none for a dataset of one group.
        announce: print a line before rows are encoded.

    Returns:
        The rows, mapped; there may be none.

    Raises:
        RecipeError: the dataset cannot be read.
    """
    if (Path(source.dataset) / DESCRIPTION_FILE).is_file():
        return _open_built(source, settings, tokenizer)
    facts = {
        "layout": LAYOUT_VERSION,
        "group_rows": GROUP_ROWS,
        "source": source.identity(),
        "settings": asdict(settings),
        "tokenizer": tokenizer_fingerprint(tokenizer),
    }
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]

    def build(folder: Path) -> None:
        if announce:
            print(f"Encoding {source.dataset} once, into {Path(cache_dir) / name}.", flush=True)
        with RowFileWriter(folder) as writer:
            for group in encoded_groups(source, settings, tokenizer, num_workers):
                writer.add(group)
            writer.finish({"kind": settings.kind, "max_tokens": settings.max_tokens, "inputs": facts})

    return ChatStore(built_once(Path(cache_dir) / name, DESCRIPTION_FILE, build))


def _open_built(source: ChatSource, settings: ChatSettings, tokenizer: PreTrainedTokenizerBase) -> ChatStore:
    """Open the rows that `datasets_builders tokenized` wrote, after checking that they are of this recipe's kind."""
    store = ChatStore(source.dataset)
    found = store.description
    wanted = {
        "layout": LAYOUT_VERSION,
        "kind": settings.kind,
        "tokenizer_fingerprint": tokenizer_fingerprint(tokenizer),
    }
    for key, value in wanted.items():
        if found.get(key) != value:
            raise RecipeError(
                f"dataset: {source.dataset} was built with {key} {found.get(key)}, this recipe has {value}. Build it "
                "again (python -m datasets_builders tokenized)."
            )
    if found["max_tokens"] > settings.max_tokens:
        raise RecipeError(
            f"dataset: {source.dataset} has rows of {found['max_tokens']} tokens, sequence_length is "
            f"{settings.max_tokens}. Raise it, or build the rows again."
        )
    if source.max_rows is not None or settings.over_length != "drop" or settings.names != RowFormat():
        raise RecipeError(
            f"dataset: {source.dataset} holds rows that are built already: max_samples, over_length, dataset_columns "
            "and dataset_roles change nothing of them. Leave these keys out."
        )
    return store


def encoded_groups(
    source: ChatSource, settings: ChatSettings, tokenizer: PreTrainedTokenizerBase, num_workers: int | None
) -> Iterator[RowGroup]:
    """Yield the groups of a dataset in its order, encoded by workers where there is more than one."""
    numbered = zip(count(0, GROUP_ROWS), source.groups(), strict=False)
    return ordered_map(_GroupEncoder, (tokenizer, settings), numbered, num_workers)


class _GroupEncoder:
    def __init__(self, tokenizer: PreTrainedTokenizerBase, settings: ChatSettings) -> None:
        self._maker = RowMaker(tokenizer, settings.kind, settings.max_tokens, settings.names, settings.over_length)

    def __call__(self, task: tuple[int, Group]) -> RowGroup:
        first_number, group = task
        return self._maker.group(rows_of(group), first_number)


__all__ = ["ChatDataset", "ChatSettings", "ChatStore", "encoded_groups", "open_chat_store"]
