"""Section 3.2: fill-in-the-middle, the second pre-training objective of stages 1 and 2, on characters.

A document is cut on its string into prefix, middle and suffix, and rearranged:
    PSM            [prefix] P [suffix] S [middle] M
    SPM variant 2  [prefix] [suffix] S [middle] P M
Whether, where and how is decided by a hash of the seed and the document's key, so order, worker and restart change
nothing. A split on token ids instead would teach only cursors at token boundaries. Rate, markers and layout are not in
the paper, and the released tokenizer has no FIM tokens: reserved tokens stand in, and released checkpoints may differ.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPLACEMENT_CHARACTER = "\N{REPLACEMENT CHARACTER}"
_UNIT = 2.0**64


@dataclass(frozen=True)
class FimConfig:
    """How documents are rearranged for fill-in-the-middle.

    Args:
        rate: share of documents rearranged, 0..1.
        spm_rate: share of those in SPM layout, the others in PSM, 0..1.
        prefix: marker before the prefix; all four empty means the tokenizer's own (see `resolve_markers`).
        suffix: marker before the suffix.
        middle: marker before the middle.
        pad: the marker reserved for padding; never written here, since labels are masked by position.
        min_chars: shorter documents are left as they are.

    Raises:
        ValueError: a rate outside 0..1, a negative length, or only some markers given.

    Source: ours; rates after StarCoder.
    """

    rate: float = 0.5
    spm_rate: float = 0.5
    prefix: str = ""
    suffix: str = ""
    middle: str = ""
    pad: str = ""
    min_chars: int = 10

    def __post_init__(self) -> None:
        for name in ("rate", "spm_rate"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"FIM {name} is {getattr(self, name)}: it must lie between 0 and 1.")
        if self.min_chars < 0:
            raise ValueError(f"FIM min_chars is {self.min_chars}: it must be 0 or more.")
        given = [marker for marker in self.markers if marker]
        if given and (len(given) != 4 or len(set(given)) != 4):
            raise ValueError(f"FIM needs four different markers or none (the tokenizer's own): got {self.markers}.")

    @property
    def markers(self) -> tuple[str, str, str, str]:
        """Prefix, suffix, middle and pad markers."""
        return (self.prefix, self.suffix, self.middle, self.pad)


class FimPiece(NamedTuple):
    """One run of a rearranged document: a marker (one token) or text (tokenised with special tokens off)."""

    value: str
    is_marker: bool = False


def resolve_markers(config: FimConfig, tokenizer: PreTrainedTokenizerBase) -> FimConfig:
    """Fill in the tokenizer's reserved FIM tokens and check that each marker is one token of it.

    Args:
        config: markers may be empty.
        tokenizer: the one the documents are encoded with.

    Returns:
        A config with all four markers.

    Raises:
        ValueError: a marker is not exactly one token of the vocabulary.
    """
    from modeling_ling.tokenizer import FIM_MARKERS, fim_marker_ids

    given = dict(zip(("prefix", "suffix", "middle", "pad"), config.markers, strict=True))
    names = given if config.prefix else dict(tokenizer.init_kwargs.get("fim_markers") or FIM_MARKERS)
    fim_marker_ids(tokenizer, names)
    return replace(config, **names)


def _draws(key: str, seed: int) -> list[int]:
    """Return four uniform 64-bit numbers that depend on nothing but the seed and the key."""
    digest = hashlib.blake2b(f"{seed}|{key}".encode(), digest_size=32, person=b"fim").digest()
    return [int.from_bytes(digest[start : start + 8], "little") for start in range(0, 32, 8)]


def is_selected(key: str, config: FimConfig, seed: int) -> bool:
    """Return whether the document of this key is to be rearranged, whatever its text."""
    return _draws(key, seed)[0] / _UNIT < config.rate


def refusal(text: str, config: FimConfig) -> str | None:
    """Say why a text must be left as it is, or None where it may be rearranged.

    Args:
        text: the document.
        config: with markers.

    Returns:
        "fim_too_short", "fim_marker_in_text", "fim_undecodable" or None.
    """
    if len(text) < config.min_chars:
        return "fim_too_short"
    if any(marker and marker in text for marker in config.markers):
        return "fim_marker_in_text"
    # A replacement character means that bytes were lost on the way: rearranging would write the loss into the corpus.
    if REPLACEMENT_CHARACTER in text:
        return "fim_undecodable"
    return None


def apply_fim(text: str, key: str, config: FimConfig, seed: int) -> list[FimPiece]:
    """Rearrange one document, or return it whole where it is not selected or must be left.

    Args:
        text: the document.
        key: what identifies it, whatever its place.
        config: with markers.
        seed: of the run.

    Returns:
        The pieces in the order in which they are read; a single text piece means the document is as it was.

    Source: the order of the draws (select, two cuts in 0..len inclusive, layout) is bigcode's; the hash is ours.
    """
    if not is_selected(key, config, seed) or refusal(text, config) is not None:
        return [FimPiece(text)]
    _, first, second, layout = _draws(key, seed)
    start, end = sorted((first % (len(text) + 1), second % (len(text) + 1)))
    prefix, middle, suffix = FimPiece(text[:start]), FimPiece(text[start:end]), FimPiece(text[end:])
    marks = [FimPiece(marker, True) for marker in (config.prefix, config.suffix, config.middle)]
    if layout / _UNIT < config.spm_rate:
        return [marks[0], marks[1], suffix, marks[2], FimPiece(prefix.value + middle.value)]
    return [marks[0], prefix, marks[1], suffix, marks[2], middle]
