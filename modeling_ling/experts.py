"""The routed experts of a Ling layer, and the ways to run them.

transformers chooses by `experts_implementation=`: "eager" (a loop, the reference), "grouped_mm", "batched_mm", and two
of ours, registered here: "bailing_moe_grouped" and the default, "bailing_moe_auto".

Shapes in this file: N tokens, H hidden size, E routed experts, K experts per token, I width of one expert, S = N * K
token-expert pairs.
"""

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers.activations import ACT2FN
from transformers.integrations import use_experts_implementation
from transformers.integrations.moe import (
    ALL_EXPERTS_FUNCTIONS,
    _grouped_linear,
    batched_mm_experts_forward,
    grouped_mm_experts_forward,
)

from .configuration_bailing_moe import BailingMoeConfig

AUTO_EXPERTS = "bailing_moe_auto"
LEAN_GROUPED = "bailing_moe_grouped"
# Up to this many token-expert pairs, gathering the experts' weights beats grouping (decoding).
_MAX_PAIRS_FOR_DECODING = 64


def at_least_float32(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in float32, or in float64 where it is that."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


@use_experts_implementation
class BailingMoeExperts(nn.Module):
    """The routed experts of a layer: gate and up of all experts in one tensor, down in another.

    `forward` is the reference ("eager"): pairs sorted by expert, one product per expert, no expert's weights copied.
    """

    config: BailingMoeConfig  # set by the decorator

    def __init__(self, config: BailingMoeConfig) -> None:
        super().__init__()
        self.num_experts = config.num_experts
        self.hidden_dim = config.hidden_size
        self.intermediate_dim = config.moe_intermediate_size
        self.gate_up_proj = nn.Parameter(torch.empty(self.num_experts, 2 * self.intermediate_dim, self.hidden_dim))
        self.down_proj = nn.Parameter(torch.empty(self.num_experts, self.hidden_dim, self.intermediate_dim))
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(
        self, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
    ) -> torch.Tensor:
        """Map `(N, H)`, `(N, K)` indices and `(N, K)` weights to the weighted sum of expert outputs `(N, H)`."""
        num_tokens, top_k = top_k_index.shape
        order = top_k_index.reshape(-1).argsort()
        # Expert-parallel dispatch marks pairs of other ranks with index num_experts: they sort last and stay zero.
        counts = torch.bincount(top_k_index.reshape(-1), minlength=self.num_experts + 1).tolist()
        sorted_inputs = hidden_states.index_select(0, order // top_k).split(counts)
        # unbind, not indexing: its backward writes one gradient tensor instead of a full-sized one per expert.
        gate_up_weights, down_weights = self.gate_up_proj.unbind(0), self.down_proj.unbind(0)
        outputs = []
        for expert in range(self.num_experts):
            if counts[expert]:
                gate, up = F.linear(sorted_inputs[expert], gate_up_weights[expert]).chunk(2, dim=-1)
                outputs.append(F.linear(self.act_fn(gate) * up, down_weights[expert]))
        if counts[self.num_experts]:
            outputs.append(torch.zeros_like(sorted_inputs[self.num_experts]))
        inverse = torch.empty_like(order)
        inverse[order] = torch.arange(order.shape[0], device=order.device)
        unsorted = torch.cat(outputs).index_select(0, inverse).view(num_tokens, top_k, self.hidden_dim)
        return (unsorted * top_k_weights[..., None]).sum(dim=1).to(hidden_states.dtype)

    def _load_from_state_dict(self, state_dict: dict[str, torch.Tensor], prefix: str, *args: Any) -> None:
        """Accept the released names here too, one matrix per expert, also when a shard holds only some of them.

        `from_pretrained` converts names itself. `load_state_dict` on what `save_pretrained` wrote does not, and
        transformers.Trainer resumes that way with strict=False: the experts would stay as they were, with a warning.
        """
        for expert in range(self.num_experts):
            for name, target, rows in (
                ("gate_proj", "gate_up_proj", slice(0, self.intermediate_dim)),
                ("up_proj", "gate_up_proj", slice(self.intermediate_dim, None)),
                ("down_proj", "down_proj", slice(None)),
            ):
                matrix = state_dict.pop(f"{prefix}{expert}.{name}.weight", None)
                if matrix is not None:
                    parameter = getattr(self, target)
                    with torch.no_grad():
                        parameter[expert, rows].copy_(matrix)
                    state_dict[f"{prefix}{target}"] = parameter.detach()
        super()._load_from_state_dict(state_dict, prefix, *args)


_loop_over_experts = inspect.unwrap(BailingMoeExperts.forward)  # under transformers' choice of an implementation


class _Dispatch(torch.autograd.Function):
    """Copy every token once per chosen expert, in the order of the experts. Its gradient is `_Combine`.

    Indexing would do, but its gradient adds with atomics or a sort where each token has exactly k copies to sum.
    """

    @staticmethod
    def forward(ctx: Any, tokens: torch.Tensor, order: torch.Tensor, inverse: torch.Tensor, top_k: int) -> torch.Tensor:
        ctx.save_for_backward(inverse)
        ctx.top_k = top_k
        return tokens.index_select(0, order // top_k)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (inverse,) = ctx.saved_tensors
        copies = gradient.index_select(0, inverse).view(-1, ctx.top_k, gradient.shape[-1])
        return copies.sum(dim=1), None, None, None


class _Combine(torch.autograd.Function):
    """Sum the k expert outputs of every token, given in the order of the experts. Its gradient is `_Dispatch`."""

    @staticmethod
    def forward(ctx: Any, pairs: torch.Tensor, order: torch.Tensor, inverse: torch.Tensor, top_k: int) -> torch.Tensor:
        ctx.save_for_backward(order)
        ctx.top_k = top_k
        return pairs.index_select(0, inverse).view(-1, top_k, pairs.shape[-1]).sum(dim=1)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (order,) = ctx.saved_tensors
        return gradient.index_select(0, order // ctx.top_k), None, None, None


class _WeightedSwiGLU(torch.autograd.Function):
    """silu(gate) * up * routing weight, of `(S, 2I)` and `(S,)`; keeps its inputs only and recomputes the rest."""

    @staticmethod
    def forward(ctx: Any, gate_up: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate_up, weights)
        gate, up = gate_up.chunk(2, dim=-1)
        # In place, so that the float32 weights are multiplied in float32 without a float32 copy of the activations.
        return F.silu(gate).mul_(up).mul_(weights[:, None])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gate_up, weights = ctx.saved_tensors
        gate, up = gate_up.chunk(2, dim=-1)
        activated = F.silu(gate)
        weights_gradient = (activated * up).mul_(gradient).sum(dim=-1, dtype=weights.dtype)
        weighted = gradient.clone().mul_(weights[:, None])
        up_gradient = activated.mul_(weighted)
        gate_gradient = torch.ops.aten.silu_backward(weighted.mul_(up), gate)
        return torch.cat((gate_gradient, up_gradient), dim=-1), weights_gradient


def lean_grouped_experts_forward(
    self: BailingMoeExperts, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """Run all experts in two grouped matrix products, with fewer passes over the activations than "grouped_mm".

    The routing weight is multiplied in before the down projection, where the rows are narrower, which is the same
    function; gathering and summing tokens are each other's gradient; nothing is kept in float32.

    The grouped product is torch's, by way of transformers.
    """
    if not _rows_are_aligned(self):
        return _loop_over_experts(self, hidden_states, top_k_index, top_k_weights)
    if _is_expert_parallel(self) or self.config.hidden_act != "silu":  # it masks the pairs that other ranks compute
        return grouped_mm_experts_forward(self, hidden_states, top_k_index, top_k_weights)
    top_k = top_k_index.shape[-1]
    experts, order = top_k_index.reshape(-1).sort()
    inverse = torch.empty_like(order)
    inverse[order] = torch.arange(order.shape[0], device=order.device)
    # histc instead of bincount: its size does not depend on the data, and CUDA graphs can hold it.
    histogram_input = experts.float() if experts.device.type == "cpu" else experts.int()
    counts = torch.histc(histogram_input, bins=self.num_experts, min=0, max=self.num_experts - 1)
    offsets = counts.cumsum(0, dtype=torch.int32)
    inputs = _Dispatch.apply(hidden_states, order, inverse, top_k)
    gate_up = _grouped_linear(inputs, self.gate_up_proj, offsets)
    weights = top_k_weights.reshape(-1).index_select(0, order)
    activated = _WeightedSwiGLU.apply(gate_up, weights)
    outputs = _grouped_linear(activated, self.down_proj, offsets)
    return _Combine.apply(outputs, order, inverse, top_k).to(hidden_states.dtype)


def _is_expert_parallel(experts: BailingMoeExperts) -> bool:
    """Return whether this process holds a share of the experts; transformers 5.17 has no attribute that says so."""
    return getattr(experts, "_is_expert_parallel", experts.num_experts != experts.config.num_experts)


def _rows_are_aligned(experts: BailingMoeExperts) -> bool:
    """Return whether torch's grouped product takes these widths: rows must be multiples of 16 bytes."""
    itemsize = experts.down_proj.element_size()
    return all(width * itemsize % 16 == 0 for width in (experts.hidden_dim, experts.intermediate_dim))


def fused_gather_experts_forward(
    self: BailingMoeExperts, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """Multiply each token with the matrices of its experts, as products and sums that a compiler fuses.

    Compiled, the gathered weights are read once and never written: a decoding step is bound by those bytes, and
    batched_mm would copy them first. Only for compiled code and few tokens: uncompiled, every product is stored.
    """
    indices = top_k_index.reshape(-1)
    if _is_expert_parallel(self):
        indices = indices.clamp(max=self.num_experts - 1)  # pairs of other ranks, whose weights are zero
    inputs = hidden_states.repeat_interleave(top_k_index.shape[-1], dim=0)
    gate, up = _matrix_vector(self.gate_up_proj[indices], inputs).chunk(2, dim=-1)
    outputs = _matrix_vector(self.down_proj[indices], self.act_fn(gate) * up)
    weighted = outputs.view(*top_k_index.shape, self.hidden_dim) * top_k_weights[..., None]
    return weighted.sum(dim=1).to(hidden_states.dtype)


def _one_token_experts_forward(
    self: BailingMoeExperts, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """Run the experts of a single token one after the other: a grouped product would look at all experts there are."""
    gate_up_weights, down_weights = self.gate_up_proj, self.down_proj
    outputs = []
    for expert, weight in zip(top_k_index[0].tolist(), top_k_weights[0].tolist(), strict=True):
        gate, up = F.linear(hidden_states, gate_up_weights[expert]).chunk(2, dim=-1)
        outputs.append(F.linear((self.act_fn(gate) * up).mul_(weight), down_weights[expert]))
    return torch.cat(outputs).sum(dim=0, keepdim=True)


def _matrix_vector(matrices: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    wide = at_least_float32(matrices) * at_least_float32(vectors)[:, None, :]
    return wide.sum(dim=-1).to(vectors.dtype)


def auto_experts_forward(
    self: BailingMoeExperts, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """Choose the experts' implementation for what is computed where; the default.

    Few tokens without gradients (a decoding step): fused_gather where it is compiled, batched_mm on a GPU, one expert
    after the other on a CPU if it is a single token. Otherwise lean_grouped.

    On a CPU these were the fastest or level in float32 and bfloat16, at every width and number of tokens
    (BENCHMARKS.md); the rule for a GPU is transformers' own, not measured here.
    """
    arguments = (self, hidden_states, top_k_index, top_k_weights)
    # An exported graph has to hold for every number of tokens, so it may not depend on there being few.
    is_exporting = torch.compiler.is_exporting()
    if not is_exporting and top_k_index.numel() <= _MAX_PAIRS_FOR_DECODING and not torch.is_grad_enabled():
        if torch.compiler.is_compiling():
            return fused_gather_experts_forward(*arguments)
        if hidden_states.device.type != "cpu":
            return batched_mm_experts_forward(*arguments)
        if hidden_states.shape[0] == 1 and not _is_expert_parallel(self):
            return _one_token_experts_forward(*arguments)
    return lean_grouped_experts_forward(*arguments)


ALL_EXPERTS_FUNCTIONS.register(AUTO_EXPERTS, auto_experts_forward)
ALL_EXPERTS_FUNCTIONS.register(LEAN_GROUPED, lean_grouped_experts_forward)


__all__ = ["AUTO_EXPERTS", "LEAN_GROUPED", "BailingMoeExperts", "at_least_float32"]
