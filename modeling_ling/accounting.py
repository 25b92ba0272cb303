"""Sections 3.1 and 5: parameters, FLOPs, memory and cache bytes of a Ling model, from its configuration alone.

The one place of the repository that counts: recipes, reports and evaluations call it. No tensor is created, and torch
is not imported. A configuration is a `BailingMoeConfig` or, lighter, a `Geometry`.
"Active" follows the paper: everything a token passes through, the input embedding and the output head included
(which is how 2.75B comes about for Ling-Coder-Lite).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .checkpoint_layout import released_shapes
from .geometry import Geometry

if TYPE_CHECKING:
    from .configuration_bailing_moe import BailingMoeConfig

    Sizes = Geometry | BailingMoeConfig


@dataclass(frozen=True)
class ParameterCount:
    """Parameters by component, over all layers; `total` and `active` follow from them."""

    embedding: int
    head: int
    attention: int
    router: int
    routed_experts: int
    routed_experts_active: int
    shared_experts: int
    dense_mlp: int
    norms: int

    def by_component(self) -> dict[str, tuple[int, int]]:
        """Return (stored, active per token) for every component; components that do not exist are left out."""
        stored = asdict(self)
        active_experts = stored.pop("routed_experts_active")
        return {
            name: (number, active_experts if name == "routed_experts" else number)
            for name, number in stored.items()
            if number
        }

    @property
    def total(self) -> int:
        """Every parameter stored."""
        return self._always_active + self.routed_experts

    @property
    def active(self) -> int:
        """Parameters one token uses, embedding and head included (the paper's 2.75B)."""
        return self._always_active + self.routed_experts_active

    @property
    def active_without_embedding(self) -> int:
        """Active parameters that take part in a matrix product or a norm: without the input embedding."""
        return self.active - self.embedding

    @property
    def _always_active(self) -> int:
        return (
            self.embedding
            + self.head
            + self.attention
            + self.router
            + self.shared_experts
            + self.dense_mlp
            + self.norms
        )


def count_parameters(config: Sizes) -> ParameterCount:
    """Count the parameters of a model with this configuration.

    Source: paper 3.1 (16.8B in total, 2.75B active for Ling-Coder-Lite); the breakdown is ours.
    """
    hidden, layers = config.hidden_size, config.num_hidden_layers
    dense_layers = min(config.first_k_dense_replace, layers)
    moe_layers = layers - dense_layers
    expert = 3 * hidden * config.moe_intermediate_size
    query = config.num_attention_heads * config.head_dim
    fused = query + 2 * config.num_key_value_heads * config.head_dim
    attention = hidden * fused + query * hidden
    attention += (fused if config.use_qkv_bias else 0) + (hidden if config.use_bias else 0)
    return ParameterCount(
        embedding=config.vocab_size * hidden,
        head=0 if config.tie_word_embeddings else config.vocab_size * hidden,
        attention=layers * attention,
        router=moe_layers * config.num_experts * hidden,
        routed_experts=moe_layers * config.num_experts * expert,
        routed_experts_active=moe_layers * config.num_experts_per_tok * expert,
        shared_experts=moe_layers * config.num_shared_experts * expert,
        dense_mlp=dense_layers * 3 * hidden * config.intermediate_size,
        norms=(2 * layers + 1) * hidden,
    )


def count_checkpoint_tensors(config: Sizes) -> int:
    """Return how many tensors a checkpoint in the released layout holds."""
    return len(released_shapes(config))


def linear_macs_per_token(config: Sizes) -> int:
    """Return the multiply-accumulates of all matrix products with weights, per token, output head included.

    Times the 4,096 tokens of one inference this is the x axis of the paper's Figure 1c, which it labels TFLOPs.

    Source: paper Fig. 1c; read off the figure's vector data, which four of its five models match within 0.1 %.
    """
    count = count_parameters(config)
    biases = (config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim * config.use_qkv_bias
    biases += config.hidden_size * config.use_bias
    head = config.vocab_size * config.hidden_size
    return (
        count.attention
        - config.num_hidden_layers * biases
        + count.router
        + count.routed_experts_active
        + count.shared_experts
        + count.dense_mlp
        + head
    )


def flops_per_token(config: Sizes, context_tokens: int, causal: bool = True) -> float:
    """Return the forward FLOPs per token, averaged over a sequence of `context_tokens`; a training step costs 3x.

    Args:
        context_tokens (`int`): length of the sequence in tokens.
        causal (`bool`): count only the attention scores a causal kernel needs (half of the square).

    A multiply-accumulate is 2 FLOPs; norms, softmax and rotary embeddings are left out.
    """
    query = config.num_attention_heads * config.head_dim
    attention = config.num_hidden_layers * 2 * query * context_tokens * (0.5 if causal else 1.0)
    return 2 * (linear_macs_per_token(config) + attention)


def training_flops_per_token(config: Sizes, context_tokens: int, causal: bool = True) -> float:
    """Return the FLOPs of one training step per token: forward plus a backward of twice its cost, no recomputation.

    Args:
        causal (`bool`): count the half of the square of scores that causal attention needs; reported MFU figures mostly
            count all of it.

    Source: ours; the numerator of MFU.
    """
    return 3 * flops_per_token(config, context_tokens, causal=causal)


def kv_cache_bytes_per_token(config: Sizes, bytes_per_value: int = 2) -> int:
    """Return the bytes of keys and values that one token of context occupies over all layers."""
    return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * bytes_per_value


def weight_bytes(config: Sizes, bytes_per_value: int = 2) -> int:
    """Return the bytes of all weights."""
    return count_parameters(config).total * bytes_per_value


def decode_bytes_per_token(
    config: Sizes, context_tokens: int = 0, batch_size: int = 1, bytes_per_value: int = 2
) -> float:
    """Return the bytes read from memory to decode one token for each sequence of a batch (the bandwidth floor).

    Each expert is read once however many tokens of the batch chose it; uniform independent choices are assumed.

    Source: ours; it explains the latency of paper 5.2 at batch 1 and why the advantage shrinks with the batch.
    """
    count = count_parameters(config)
    distinct_share = 1 - (1 - config.num_experts_per_tok / config.num_experts) ** batch_size
    head = config.vocab_size * config.hidden_size if config.tie_word_embeddings else 0
    weights: float = count.active_without_embedding - count.routed_experts_active + head
    weights += count.routed_experts * distinct_share
    cache = kv_cache_bytes_per_token(config, bytes_per_value) * context_tokens * batch_size
    return weights * bytes_per_value + cache


def training_state_bytes(
    config: Sizes,
    weight_bytes_per_value: int = 2,
    gradient_bytes_per_value: int = 2,
    master_weights: bool = True,
) -> dict[str, int]:
    """Return the bytes of weights, gradients and AdamW state over all devices, without activations.

    Args:
        master_weights (`bool`): keep a float32 copy of lower-precision weights.

    Source: ours; AdamW holds two float32 moments per parameter.
    """
    total = count_parameters(config).total
    sizes = {
        "weights": total * weight_bytes_per_value,
        "gradients": total * gradient_bytes_per_value,
        "optimizer_moments": total * 8,
        "master_weights": total * 4 if master_weights and weight_bytes_per_value < 4 else 0,
    }
    sizes["total"] = sum(sizes.values())
    return sizes


def inference_bytes(config: Sizes, context_tokens: int, batch_size: int = 1, bytes_per_value: int = 2) -> int:
    """Return the bytes of weights and key-value cache to serve a batch, without activations."""
    cache = kv_cache_bytes_per_token(config, bytes_per_value) * context_tokens * batch_size
    return weight_bytes(config, bytes_per_value) + cache


__all__ = [
    "ParameterCount",
    "count_checkpoint_tensors",
    "count_parameters",
    "decode_bytes_per_token",
    "flops_per_token",
    "inference_bytes",
    "kv_cache_bytes_per_token",
    "linear_macs_per_token",
    "training_flops_per_token",
    "training_state_bytes",
    "weight_bytes",
]
