"""Section 3.2.1: held-out rows of each source of a mixture, whose loss says whether training still helps."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.data.mixture import window_tensors
from recipes.data.mixture_ratios import MixtureSource, global_ratios
from recipes.data.packing import PackedWindows, pack_documents
from recipes.data.token_store import TokenStore

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class HeldOutRows:
    """Rows of held-out documents, by source.

    Args:
        windows: of each source, packed.
        shares: of each source in the mixture.
        names: of the sources.
        num_rows: wanted over all sources, shared out as the mixture is, at least one of each.
    """

    def __init__(
        self, windows: Sequence[PackedWindows], shares: Sequence[float], names: Sequence[str], num_rows: int
    ) -> None:
        self.windows, self.shares, self.names = tuple(windows), tuple(shares), tuple(names)
        self._rows = [
            (source, number)
            for source, (packed, share) in enumerate(zip(windows, shares, strict=True))
            for number in range(min(len(packed), max(1, round(share * num_rows))))
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> dict[str, Any]:
        """Return one row, as the mixture returns its own."""
        source, number = self._rows[place]
        return {**window_tensors(self.windows[source], number), "source": source}

    def fingerprint(self) -> str:
        """Return a hash of which rows these are."""
        facts = [[windows.fingerprint for windows in self.windows], self._rows, self.shares]
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def open_held_out(
    sources: Sequence[MixtureSource],
    training_sources: Sequence[MixtureSource],
    group_ratios: Mapping[str, float],
    tokenizer: PreTrainedTokenizerBase,
    *,
    seq_length: int,
    num_rows: int,
    cache_dir: str | Path,
    num_workers: int | None = None,
) -> HeldOutRows:
    """Pack, or open, the held-out rows of every source that has a share; none of them is rearranged.

    Args:
        sources: of the mixture, with the paths of held-out token files.
        training_sources: with those that are trained on.
        group_ratios: group's name to share of all tokens.
        tokenizer: the one that wrote the token files.
        seq_length: tokens of a row.
        num_rows: over all sources.
        cache_dir: where packed windows are kept.
        num_workers: processes that pack.

    Raises:
        FileNotFoundError: a token file is missing.
        ValueError: a file is trained on too, or another tokenizer wrote it.
    """
    trained_on = {path.resolve() for source in training_sources for path in source.paths}
    used = [
        (source, share) for source, share in zip(sources, global_ratios(sources, group_ratios), strict=True) if share
    ]
    windows = []
    for source, share in used:
        path = source.paths[0]
        if path.resolve() in trained_on:
            raise ValueError(f"{path} is trained on: a loss over it says nothing about other text.")
        wanted = max(1, round(share * num_rows))
        windows.append(pack_documents(TokenStore(path), tokenizer, seq_length, None, 0, cache_dir, wanted, num_workers))
    return HeldOutRows(windows, [share for _, share in used], [source.name for source, _ in used], num_rows)
