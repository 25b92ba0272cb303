"""Section 3.1: how evenly the experts of a Mixture-of-Experts model are used, measured on what a step really routed.

1.0 is perfect for the two load figures. A dead expert received less than 1 % of the mean load since the last log line.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from modeling_ling.losses import expert_load, router_entropy

DEAD_SHARE_OF_MEAN = 0.01


def routing_statistics(
    router_logits: Sequence[torch.Tensor], num_experts_per_tok: int, keep: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Counts assignments and sums router entropies of one micro-batch.

    Args:
        router_logits: one tensor (num_tokens, num_experts) per MoE layer, raw logits.
        num_experts_per_tok: k of the top-k router.
        keep: (num_tokens,) bool, False on padding; None keeps every token.

    Returns:
        counts (num_layers, num_experts), entropy sums in nats (num_layers,), number of tokens kept.

    Source: ours.
    """
    num_tokens = router_logits[0].reshape(-1, router_logits[0].shape[-1]).shape[0] if keep is None else int(keep.sum())
    counts = expert_load(router_logits, num_experts_per_tok, keep).double() * num_experts_per_tok * num_tokens
    entropy_sums = router_entropy(router_logits, keep).double() * num_tokens
    return counts.cpu(), entropy_sums.cpu(), num_tokens


def summarise_load(counts: torch.Tensor, entropy_sums: torch.Tensor, num_tokens: float) -> dict[str, object]:
    """The load figures of a log line.

    Args:
        counts: (num_layers, num_experts) routed assignments.
        entropy_sums: (num_layers,) summed router entropies in nats.
        num_tokens: tokens the sums run over.

    Returns:
        load_max_over_mean, load_min_over_mean, dead_experts, router_entropy (nats): one value per layer each, and
        worst_load_max_over_mean and num_dead_experts over all layers.

    Source: ours; max over mean is the load imbalance that OLMo reports.
    """
    mean = counts.mean(dim=1, keepdim=True).clamp(min=1e-9)
    relative = counts / mean
    dead = (relative < DEAD_SHARE_OF_MEAN).sum(dim=1)
    highest = relative.max(dim=1).values
    return {
        "load_max_over_mean": [round(value, 4) for value in highest.tolist()],
        "load_min_over_mean": [round(value, 4) for value in relative.min(dim=1).values.tolist()],
        "dead_experts": [int(value) for value in dead.tolist()],
        "router_entropy": [round(value, 6) for value in (entropy_sums / max(num_tokens, 1.0)).tolist()],
        "worst_load_max_over_mean": round(float(highest.max()), 4),
        "num_dead_experts": int(dead.sum()),
    }


class StepStatistics:
    """What is gathered between two log lines: loss parts per optimizer step, and routing counts.

    Source: ours.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Starts again at zero, after a log line."""
        self.sums: dict[str, float] = {}
        self.counts: torch.Tensor | None = None
        self.entropy_sums: torch.Tensor | None = None
        self.num_routed_tokens = 0.0
        self.num_trained_tokens = 0.0

    def add_value(self, name: str, value: float) -> None:
        """Adds to a sum; what is logged is the sum divided by the optimizer steps since the last log line."""
        self.sums[name] = self.sums.get(name, 0.0) + value

    def add_routing(self, counts: torch.Tensor, entropy_sums: torch.Tensor, num_tokens: float) -> None:
        """Adds the output of `routing_statistics`."""
        self.counts = counts if self.counts is None else self.counts + counts
        self.entropy_sums = entropy_sums if self.entropy_sums is None else self.entropy_sums + entropy_sums
        self.num_routed_tokens += float(num_tokens)
