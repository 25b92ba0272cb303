"""Section 3.2, Table 1: the token mixture of a pre-training stage, at both levels.

Table 1 gives the shares of code, natural language and mathematics, and within code those of raw, code-related and
synthetic data. A group's ratio times a source's ratio within it is the source's share of the real tokens: a source
whose windows are padded more gets more of them.
"""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset

from recipes.data.mixture_ratios import MixtureSource, global_ratios
from recipes.data.packing import PackedWindows, pack_documents
from recipes.data.token_store import TokenStore
from recipes.data.window_batches import BatchesAhead, Located, window_row
from recipes.data.window_order import BlockOrder, permuted, permuted_all
from recipes.objectives.fim import FimConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PACKED_MARGIN = 1.25
# Of the order alone; a stage takes the windows of a step.
DEFAULT_BLOCK_WINDOWS = 2000

# About five microseconds each, for each source: some seconds.
MAX_COUNTED_WINDOWS = 200_000


@dataclass(frozen=True)
class PackedSource:
    """A source with its windows: what `MixtureDataset` reads."""

    source: MixtureSource
    windows: tuple[PackedWindows, ...]

    @property
    def num_windows(self) -> int:
        """Windows of all token files."""
        return sum(len(windows) for windows in self.windows)

    @property
    def num_tokens(self) -> int:
        """Real tokens of all token files."""
        return sum(windows.num_tokens for windows in self.windows)

    @property
    def available_tokens(self) -> int:
        """Real tokens of all token files, packed or not: a stage packs no more than it reads."""
        return sum(windows.store_tokens for windows in self.windows)

    @property
    def tokens_per_window(self) -> float:
        """Mean number of real tokens in a window."""
        return self.num_tokens / self.num_windows


@dataclass(frozen=True)
class PlanRow:
    """What a stage takes from one source.

    Attributes:
        source: name.
        group: group's name.
        ratio: share of the real tokens asked for, both levels multiplied.
        windows: windows planned.
        tokens_wanted: real tokens by the ratio.
        tokens_planned: real tokens of the windows planned.
        tokens_available: real tokens that the source holds.
        epochs: passes over the source.
        token_share: share of the stage's real tokens.
        padding_fraction: share of the source's positions that is padding.
    """

    source: str
    group: str
    ratio: float
    windows: int
    tokens_wanted: int
    tokens_planned: int
    tokens_available: int
    epochs: float
    token_share: float
    padding_fraction: float


class MixtureDataset(Dataset):
    """The windows of a stage in their order: a map-style dataset that any sequential sampler reads.

    Args:
        sources: with their windows packed.
        group_ratios: group's name to share of all tokens.
        num_windows: windows of the stage.
        seed: of the order of blocks and of windows within a source.
        block_size: windows that are shuffled among each other; at the end of each, all shares hold.
        max_epochs: passes over a source that are allowed.

    Raises:
        ValueError: ratios wrong, windows of different lengths, or a source too small for its share.

    Source: paper Table 1 (ratios); the blocks, the order and the limit on passes are ours.
    """

    def __init__(
        self,
        sources: Sequence[PackedSource],
        group_ratios: Mapping[str, float],
        num_windows: int,
        seed: int,
        block_size: int = DEFAULT_BLOCK_WINDOWS,
        max_epochs: float = 4.0,
    ) -> None:
        self.sources = tuple(sources)
        self.group_ratios = dict(group_ratios)
        self.ratios = global_ratios([packed.source for packed in self.sources], self.group_ratios)
        self.seed = seed
        self.max_epochs = max_epochs
        lengths = {windows.seq_length for packed in self.sources for windows in packed.windows}
        if len(lengths) != 1:
            raise ValueError(f"Windows of a mixture must have one length, these have {sorted(lengths)}.")
        self.seq_length = lengths.pop()
        # A share of tokens is a share of windows only where all sources fill theirs alike.
        weights = [ratio / packed.tokens_per_window for ratio, packed in zip(self.ratios, self.sources, strict=True)]
        self.order = BlockOrder([weight / sum(weights) for weight in weights], num_windows, block_size, seed)
        self._starts = [[0, *accumulate(len(windows) for windows in packed.windows)] for packed in self.sources]
        self._check_supply()
        self._batches = BatchesAhead(self._locate_all, len(self), self.seq_length)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_batches"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._batches = BatchesAhead(self._locate_all, len(self), self.seq_length)

    def _check_supply(self) -> None:
        """Stop before the first step where a source would be repeated too often, naming every such source."""
        short = []
        for row, packed in zip(self.plan(), self.sources, strict=True):
            if row.windows and row.epochs > self.max_epochs:
                short.append(
                    f"  {row.source}: {row.windows} windows ({row.tokens_planned} tokens) wanted, {packed.num_windows} "
                    f"({row.tokens_available} tokens) available = {row.epochs:.2f} epochs"
                )
        if short:
            raise ValueError(
                f"Sources are too small for their share at max_epochs {self.max_epochs:g}:\n"
                + "\n".join(short)
                + "\nAdd data, lower their ratio or the stage's tokens, or raise max_epochs."
            )

    def __len__(self) -> int:
        return self.order.num_windows

    def locate(self, place: int) -> tuple[int, int]:
        """Return the source at a place of the stage and the ordinal of its window, which counts on over epochs.

        Args:
            place: 0 to len - 1: global step times windows per step, plus the place within the step.

        Returns:
            Source number and ordinal; a function of `place`, the ratios and the seed only.

        Raises:
            IndexError: no such place.
        """
        return self.order.locate(place)

    def window_of(self, source: int, ordinal: int) -> tuple[PackedWindows, int]:
        """Return the packed windows and the window number behind an ordinal: each epoch in its own order."""
        epoch, rank = divmod(ordinal, self.sources[source].num_windows)
        number = permuted(rank, self.sources[source].num_windows, self.seed + 1_000_003 * source, epoch)
        return self._of_store(source, number)

    def tokens_before(self, place: int) -> list[int]:
        """Count the real tokens per source of the windows before a place.

        Whole passes over a source are known; of the last, begun pass at most MAX_COUNTED_WINDOWS windows are looked at,
        and the rest counted by the source's mean: a run that is told to end has seconds for this.

        Args:
            place: 0 to len.
        """
        totals = []
        for source, count in enumerate(self.order.windows_before(place)):
            packed = self.sources[source]
            passes, rest = divmod(count, packed.num_windows)
            looked_at = min(rest, MAX_COUNTED_WINDOWS)
            total = passes * packed.num_tokens + round((rest - looked_at) * packed.tokens_per_window)
            for ordinal in range(passes * packed.num_windows, passes * packed.num_windows + looked_at):
                windows, number = self.window_of(source, ordinal)
                total += int(windows.boundaries(number)[-1])
            totals.append(total)
        return totals

    def __getitem__(self, place: int) -> dict[str, Any]:
        """Return one window.

        Args:
            place: 0 to len - 1.

        Returns:
            `input_ids`, `position_ids` (from 0 in every chunk, and in the padding) and `labels`, each (seq_length,)
            int64, and `token_mask`: (seq_length,) bool: a row of `window_batch`. `source`: the source's number.

        Raises:
            IndexError: no such place.
        """
        source, ordinal = self.locate(place)
        return {**window_row(*self.window_of(source, ordinal)), "source": source}

    def __getitems__(self, places: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the windows of a batch, which torch's loaders ask for at once; see `window_batch`.

        Raises:
            IndexError: no such place.
        """
        if not 0 <= min(places) <= max(places) < len(self):
            raise IndexError(f"The plan has {len(self)} windows: {min(places)} to {max(places)} are asked for.")
        return self._batches(places)

    def _locate_all(self, places: np.ndarray) -> list[Located]:
        sources, ordinals = self.order.locate_all(places)
        numbers = np.empty(len(sources), dtype=np.int64)
        for source in np.unique(sources).tolist():
            num_windows, seed = self.sources[source].num_windows, self.seed + 1_000_003 * source
            epochs, ranks = np.divmod(ordinals, num_windows)
            for epoch in np.unique(epochs[sources == source]).tolist():
                chosen = (sources == source) & (epochs == epoch)
                numbers[chosen] = permuted_all(ranks[chosen], num_windows, seed, epoch)
        return [self._of_store(*pair) for pair in zip(sources.tolist(), numbers.tolist(), strict=True)]

    def _of_store(self, source: int, number: int) -> Located:
        store = bisect_right(self._starts[source], number) - 1
        return self.sources[source].windows[store], number - self._starts[source][store]

    def plan(self) -> list[PlanRow]:
        """Return what the stage takes from each source, in windows and in real tokens."""
        windows = [self.order.windows_of(number) for number in range(len(self.sources))]
        tokens = [round(count * packed.tokens_per_window) for count, packed in zip(windows, self.sources, strict=True)]
        return [
            PlanRow(
                source=packed.source.name,
                group=packed.source.group,
                ratio=ratio,
                windows=count,
                tokens_wanted=round(ratio * sum(tokens)),
                tokens_planned=planned,
                tokens_available=packed.available_tokens,
                epochs=count / packed.num_windows * (packed.num_tokens / packed.available_tokens),
                token_share=planned / sum(tokens),
                padding_fraction=1.0 - packed.tokens_per_window / self.seq_length,
            )
            for packed, ratio, count, planned in zip(self.sources, self.ratios, windows, tokens, strict=True)
        ]

    def fingerprint(self) -> str:
        """Return a hash of all that decides which window comes where: a resumed run must find the same."""
        facts = {
            "sources": [
                [packed.source.name, ratio, [windows.fingerprint for windows in packed.windows]]
                for packed, ratio in zip(self.sources, self.ratios, strict=True)
            ],
            "seq_length": self.seq_length,
            "num_windows": len(self),
            "block_size": self.order.block_size,
            "seed": self.seed,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def build_mixture(
    sources: Sequence[MixtureSource],
    group_ratios: Mapping[str, float],
    tokenizer: PreTrainedTokenizerBase,
    seq_length: int,
    num_windows: int,
    seed: int,
    cache_dir: str | Path,
    fim: FimConfig | None = None,
    block_size: int = DEFAULT_BLOCK_WINDOWS,
    max_epochs: float = 4.0,
    num_workers: int | None = None,
) -> MixtureDataset:
    """Pack of every source what the stage reads, or open what was packed before, and plan the stage.

    Args:
        sources: with the paths of their token files.
        group_ratios: group's name to share of all tokens.
        tokenizer: the one that wrote the token files.
        seq_length: tokens per window.
        num_windows: windows of the stage: its tokens over `seq_length`.
        seed: of fill-in-the-middle and of the order.
        cache_dir: where packed windows are kept.
        fim: for sources with `is_code`; None for none.
        block_size: windows that are shuffled among each other; at the end of each, all shares hold.
        max_epochs: passes over a source that are allowed.
        num_workers: processes that pack; see `pack_documents`.

    Returns:
        The stage's windows.

    Raises:
        FileNotFoundError: a token file is missing.
        ValueError: ratios, tokenizer, markers or supply are wrong.

    Source: paper 3.2, Table 1.
    """
    ratios = global_ratios(sources, group_ratios)
    # A source without a share (no synthetic data in some stage, say) need not even exist.
    used = [(source, ratio) for source, ratio in zip(sources, ratios, strict=True) if ratio > 0]
    used_groups = {source.group for source, _ in used}
    shares = {group: share for group, share in group_ratios.items() if group in used_groups}

    def packed(source: MixtureSource, windows_wanted: float | None) -> PackedSource:
        stores = [TokenStore(path) for path in source.paths]
        total = sum(store.num_tokens for store in stores)
        windows = (
            pack_documents(
                store,
                tokenizer,
                seq_length,
                fim if source.is_code else None,
                seed,
                cache_dir,
                None if windows_wanted is None else math.ceil(windows_wanted * store.num_tokens / total),
                num_workers,
            )
            for store in stores
        )
        return PackedSource(source, tuple(windows))

    # How many windows a source has in the stage depends on how full they are: a part more than for full ones.
    packs = [packed(source, num_windows * ratio * PACKED_MARGIN) for source, ratio in used]
    dataset = MixtureDataset(packs, shares, num_windows, seed, block_size, max_epochs)
    too_few = [
        dataset.order.windows_of(number) > pack.num_windows and pack.num_tokens < pack.available_tokens
        for number, pack in enumerate(packs)
    ]
    if not any(too_few):
        return dataset
    packs = [
        packed(source, None) if is_short else pack
        for (source, _), pack, is_short in zip(used, packs, too_few, strict=True)
    ]
    return MixtureDataset(packs, shares, num_windows, seed, block_size, max_epochs)
