"""Section 3.1: the sizes of a model, without torch or transformers: all that counting needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .presets import preset_values


@dataclass(frozen=True)
class Geometry:
    """The keys of a `BailingMoeConfig` that parameters, FLOPs and memory follow from, with the same defaults."""

    vocab_size: int = 126464
    hidden_size: int = 2048
    intermediate_size: int = 5632
    num_hidden_layers: int = 28
    num_attention_heads: int = 16
    num_key_value_heads: int = 4
    head_dim: int = 128
    moe_intermediate_size: int = 1408
    num_experts: int = 64
    num_experts_per_tok: int = 6
    num_shared_experts: int = 2
    first_k_dense_replace: int = 0
    use_bias: bool = False
    use_qkv_bias: bool = False
    tie_word_embeddings: bool = False

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Geometry:
        """Return the sizes in the keys of a config.json; keys that are no sizes are passed over.

        Source: what `BailingMoeConfig` makes of missing and null values.
        """
        sizes = {field.name: values.get(field.name, field.default) for field in fields(cls)}
        sizes["head_dim"] = values.get("head_dim") or sizes["hidden_size"] // sizes["num_attention_heads"]
        sizes["num_key_value_heads"] = sizes["num_key_value_heads"] or sizes["num_attention_heads"]
        sizes["num_shared_experts"] = sizes["num_shared_experts"] or 0
        sizes["first_k_dense_replace"] = sizes["first_k_dense_replace"] or 0
        return cls(**sizes)

    @classmethod
    def of_preset(cls, name: str, vocab_size: int | None = None) -> Geometry:
        """Return the sizes of a preset; the arguments are `load_preset`'s."""
        return cls.from_values(preset_values(name, vocab_size))


__all__ = ["Geometry"]
