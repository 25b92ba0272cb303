"""Section 3.2: the fill-in-the-middle tokens of code models, told by a tokenizer's vocabulary.

The paper names the objective. Each family of code models has tokens, an order of the parts and an end of its own, and a
model that is trained further, or asked, in the form of another one answers with noise.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The markers the released checkpoints were trained with are unknown; these are our choice, and configurable.
FIM_MARKERS: dict[str, str] = {
    "prefix": "<|reserved_token_0|>",
    "suffix": "<|reserved_token_1|>",
    "middle": "<|reserved_token_2|>",
    "pad": "<|reserved_token_3|>",
}
# What a family's end is called where it is whatever ends a document.
END_OF_DOCUMENT = ""


@dataclass(frozen=True)
class MarkerFamily:
    """How a family of models is asked for the middle of a document.

    Args:
        name (`str`): for messages.
        prefix, suffix, middle (`str`): the tokens before the three parts.
        pad (`str`): its padding token for this, or another special token where it has none.
        end (`str`): what ends a middle; empty for the tokenizer's end token.
        layouts: share of each order of the parts in its training, as `recipes.objectives.fim.LAYOUTS` names them.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    pad: str = ""
    end: str = END_OF_DOCUMENT
    layouts: Mapping[str, float] = field(default_factory=lambda: {"psm": 1.0})

    @property
    def markers(self) -> tuple[str, str, str]:
        """Prefix, suffix and middle."""
        return self.prefix, self.suffix, self.middle


_HALVES = {"psm": 0.5, "spm": 0.5}
# A family whose tokens contain those of another stands before it.
FAMILIES = (
    MarkerFamily(
        "CodeGemma", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<pad>", "<|file_separator|>", _HALVES
    ),
    MarkerFamily("Qwen2.5-Coder", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|endoftext|>"),
    MarkerFamily(
        *("StarCoder", "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>", "<|endoftext|>"), layouts=_HALVES
    ),
    MarkerFamily(
        *("SantaCoder", "<fim-prefix>", "<fim-suffix>", "<fim-middle>", "<fim-pad>", "<|endoftext|>"), layouts=_HALVES
    ),
    MarkerFamily(
        "DeepSeek-Coder",
        *("<\uff5cfim\u2581begin\uff5c>", "<\uff5cfim\u2581hole\uff5c>", "<\uff5cfim\u2581end\uff5c>"),
        end="<\uff5cend\u2581of\u2581sentence\uff5c>",
    ),
    MarkerFamily(*("Code Llama", "\u2581<PRE>", "\u2581<SUF>", "\u2581<MID>"), end="\u2581<EOT>", layouts=_HALVES),
    MarkerFamily(
        *("Seed-Coder", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"), layouts={"suffix_prefix_middle": 1.0}
    ),
)
LING = MarkerFamily("Ling", **{key: FIM_MARKERS[key] for key in ("prefix", "suffix", "middle", "pad")}, layouts=_HALVES)


def known_family(vocabulary: Container[str]) -> MarkerFamily | None:
    """Return the family whose markers a vocabulary has, or None; of several, one whose end it has too."""
    found = [family for family in FAMILIES if all(token in vocabulary for token in family.markers)]
    return next((family for family in found if family.end in vocabulary), found[-1] if found else None)


def family_of(tokenizer: PreTrainedTokenizerBase) -> MarkerFamily:
    """Return how the model of a tokenizer is asked for a middle: as saved with it, or as its family is.

    Raises:
        ValueError: its vocabulary has the tokens of no family.
    """
    saved = tokenizer.init_kwargs.get("fim_markers")
    vocabulary = tokenizer.get_vocab()
    found = known_family(vocabulary)
    if saved and (found is None or saved["prefix"] != found.prefix):
        return MarkerFamily("saved", saved["prefix"], saved["suffix"], saved["middle"], saved["pad"], layouts=_HALVES)
    if found is not None:
        return found
    if all(token in vocabulary for token in FIM_MARKERS.values()):
        return LING
    names = ", ".join(family.name for family in (LING, *FAMILIES))
    raise ValueError(
        f"the tokenizer has no fill-in-the-middle tokens that are known here ({names}): save their names with it as "
        "fim_markers (prefix, suffix, middle, pad)"
    )


def markers_of(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """Return the names of the markers, keys prefix, suffix, middle and pad, each one token of the vocabulary.

    Raises:
        ValueError: see `family_of`; or a name that is not one token.
    """
    family = family_of(tokenizer)
    pad = family.pad
    if pad not in tokenizer.get_vocab():
        # Nothing is ever padded with it; a text that holds its name is left alone, as one that holds the end token's.
        pad = cast(str, tokenizer.eos_token)
    names = {"prefix": family.prefix, "suffix": family.suffix, "middle": family.middle, "pad": pad}
    fim_marker_ids(tokenizer, names)
    return names


def middle_end_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the token that ends a middle.

    Instruction-tuned models have another end token than the one that their fill-in-the-middle was trained with.

    Raises:
        ValueError: see `family_of`.
    """
    end = family_of(tokenizer).end
    return tokenizer.get_vocab().get(end, cast(int, tokenizer.eos_token_id))


def start_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return what a tokenizer puts before every text that it is asked to encode: its begin token, or nothing."""
    begin = tokenizer.bos_token_id
    added = tokenizer("a")["input_ids"][:1]
    return [begin] if begin is not None and added == [begin] else []


def fim_marker_ids(tokenizer: PreTrainedTokenizerBase, markers: Mapping[str, str] | None = None) -> dict[str, int]:
    """Return the ids of the fill-in-the-middle markers: keys prefix, suffix, middle, pad.

    Args:
        markers (*optional*): marker names; by default those saved with the tokenizer, else `FIM_MARKERS`.

    Raises:
        ValueError: a missing marker, one that does not encode to exactly one id, or two with the same id.

    Source: paper 3.2 names the objective, not the markers; reserved tokens are ours.
    """
    names = dict(markers or tokenizer.init_kwargs.get("fim_markers") or FIM_MARKERS)
    if set(names) != set(FIM_MARKERS):
        raise ValueError(f"FIM markers need exactly the keys {sorted(FIM_MARKERS)}, got {sorted(names)}")
    ids: dict[str, int] = {}
    for role, name in names.items():
        encoded = tokenizer.encode(name, add_special_tokens=False)
        if len(encoded) != 1:
            raise ValueError(
                f"FIM marker {role}={name!r} encodes to {len(encoded)} ids in this tokenizer: name one existing "
                "special token, such as '<|reserved_token_0|>'"
            )
        ids[role] = encoded[0]
    if len(set(ids.values())) != len(ids):
        raise ValueError(f"FIM markers must be four different tokens, got {names}")
    return ids


__all__ = [
    "FAMILIES",
    "FIM_MARKERS",
    "MarkerFamily",
    "family_of",
    "fim_marker_ids",
    "known_family",
    "markers_of",
    "middle_end_id",
    "start_ids",
]
