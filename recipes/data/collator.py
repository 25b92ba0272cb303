"""Section 3.2: windows of the mixture stacked into a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch


def collate_windows(windows: Sequence[Mapping[str, Any]] | Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Stack windows of one length, where they were not made together.

    There is no attention mask: documents are told apart by `position_ids`.

    Args:
        windows: items of a MixtureDataset, or its batch.

    Returns:
        `input_ids`, `position_ids`, `labels`: int64 of shape (batch, seq_length); `token_mask`: bool of that shape,
        false on padding. The source numbers stay out, since the whole batch goes to the model.
    """
    keys = ("input_ids", "position_ids", "labels", "token_mask")
    if isinstance(windows, Mapping):
        return {key: windows[key] for key in keys}
    return {key: torch.stack([window[key] for window in windows]) for key in keys}
