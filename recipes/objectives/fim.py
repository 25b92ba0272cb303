"""Section 3.2: fill-in-the-middle, the second pre-training objective of stages 1 and 2, on characters.

A document is cut on its string into prefix, middle and suffix, and rearranged in one of three layouts:
    psm                    [prefix] P [suffix] S [middle] M
    spm                    [prefix] [suffix] S [middle] P M
    suffix_prefix_middle   [suffix] S [prefix] P [middle] M
The three parts are encoded apart, in every layout: an editor knows nothing of the middle when it asks, so the tokens
before the middle must be those of a text that ends at the cursor. Whether, where and how is decided by a hash of the
seed and the document's key, so order, worker and restart change nothing. A split on token ids instead would teach only
cursors at token boundaries. Rates, markers and layouts are not in the paper, and the released tokenizer has no FIM
tokens: reserved tokens stand in, and released checkpoints may differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPLACEMENT_CHARACTER = "\N{REPLACEMENT CHARACTER}"
_UNIT = 2.0**64

# What is read in which order: the two markers and the parts behind them.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "psm": ("[prefix]", "prefix", "[suffix]", "suffix", "[middle]", "middle"),
    "spm": ("[prefix]", "[suffix]", "suffix", "[middle]", "prefix", "middle"),
    "suffix_prefix_middle": ("[suffix]", "suffix", "[prefix]", "prefix", "[middle]", "middle"),
}
_SHARES_TOLERANCE = 1e-6


def check_layouts(layouts: Mapping[str, Any]) -> str | None:
    """Say what is wrong with shares of layouts, or None.

    Args:
        layouts: layout to its share of the rearranged documents.
    """
    unknown = sorted(set(layouts) - set(LAYOUTS))
    if unknown:
        return f"{unknown[0]!r} is no layout: the layouts are {', '.join(LAYOUTS)}"
    for name, share in layouts.items():
        if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 <= share <= 1:
            return f"the share of {name} is {share!r}: it must lie between 0 and 1"
    total = sum(layouts.values())
    return None if abs(total - 1) <= _SHARES_TOLERANCE else f"the shares of the layouts sum to {total:g}, not to 1"


@dataclass(frozen=True)
class FimConfig:
    """How documents are rearranged for fill-in-the-middle.

    Args:
        rate: share of documents rearranged, 0..1.
        layouts: share of each layout among those, 0..1, summing to 1.
        prefix: marker before the prefix; all four empty means the tokenizer's own (see `resolve_markers`).
        suffix: marker before the suffix.
        middle: marker before the middle.
        pad: the marker reserved for padding; never written here, since labels are masked by position.
        min_chars: shorter documents are left as they are.

    Raises:
        ValueError: a rate outside 0..1, an unknown layout, a negative length, or only some markers given.

    Source: rates after StarCoder; `suffix_prefix_middle` is Seed-Coder's.
    """

    rate: float = 0.5
    layouts: Mapping[str, float] = field(default_factory=lambda: {"psm": 0.5, "spm": 0.5})
    prefix: str = ""
    suffix: str = ""
    middle: str = ""
    pad: str = ""
    min_chars: int = 10

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"FIM rate is {self.rate}: it must lie between 0 and 1.")
        wrong = check_layouts(self.layouts)
        if wrong:
            raise ValueError(f"FIM layouts: {wrong}.")
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
    """Fill in the FIM tokens of the tokenizer's family and check that each marker is one token of it.

    Args:
        config: markers may be empty.
        tokenizer: the one the documents are encoded with.

    Returns:
        A config with all four markers.

    Raises:
        ValueError: no family's tokens, or a marker that is not exactly one token of the vocabulary.
    """
    from modeling_ling.fill_in_the_middle import fim_marker_ids, markers_of

    given = dict(zip(("prefix", "suffix", "middle", "pad"), config.markers, strict=True))
    names = given if config.prefix else markers_of(tokenizer)
    fim_marker_ids(tokenizer, names)
    return replace(config, prefix=names["prefix"], suffix=names["suffix"], middle=names["middle"], pad=names["pad"])


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


class FimCut(NamedTuple):
    """Where a document is cut, in characters, and how its parts are laid out."""

    layout: str
    start: int
    end: int


def draw_cut(num_characters: int, key: str, config: FimConfig, seed: int) -> FimCut:
    """Return where the middle of a document begins and ends, and the layout.

    Args:
        num_characters: of the document; both cuts may lie at either end of it.
        key: what identifies the document, whatever its place.
        config: with the shares of the layouts.
        seed: of the run.

    Source: the order of the draws (select, two cuts in 0..len inclusive, layout) is bigcode's; the hash is ours.
    """
    _, first, second, third = _draws(key, seed)
    start, end = sorted((first % (num_characters + 1), second % (num_characters + 1)))
    wanted = [name for name in LAYOUTS if config.layouts.get(name)]
    remaining = third / _UNIT
    for layout in wanted[:-1]:
        remaining -= config.layouts[layout]
        if remaining < 0:
            return FimCut(layout, start, end)
    return FimCut(wanted[-1], start, end)


def apply_fim(text: str, key: str, config: FimConfig, seed: int) -> list[FimPiece]:
    """Rearrange one document, or return it whole where it is not selected or must be left.

    Args:
        text: the document.
        key: what identifies it, whatever its place.
        config: with markers.
        seed: of the run.

    Returns:
        The pieces in the order in which they are read, each to be encoded alone; a single text piece means the document
        is as it was.
    """
    if not is_selected(key, config, seed) or refusal(text, config) is not None:
        return [FimPiece(text)]
    layout, start, end = draw_cut(len(text), key, config, seed)
    parts = {"prefix": text[:start], "middle": text[start:end], "suffix": text[end:]}
    markers = {"[prefix]": config.prefix, "[suffix]": config.suffix, "[middle]": config.middle}
    return [FimPiece((parts | markers)[name], name in markers) for name in LAYOUTS[layout]]
