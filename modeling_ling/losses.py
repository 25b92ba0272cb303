"""Section 3.1: the router losses of a Ling MoE, by formulas pinned here, and the statistics of its routing.

Over the real tokens of one MoE layer, with E experts of which each token visits k:

    balance = E / k * sum_e f_e * P_e     f_e: tokens sent to expert e / tokens, sums to k
                                          P_e: mean softmax probability of expert e, sums to 1
    z       = mean(logsumexp(logits) ** 2)

Both are averaged over the MoE layers. balance is 1.0 when the load and the probabilities are even. The gradient of
balance flows through P_e only: f_e counts discrete choices.

z is a mean over tokens: those of parts of a batch, weighted by their tokens, are that of the batch. balance is a
product of two means, and is not: an even batch may have parts that are not. It depends on what is summarised at once.

Losses and statistics come from one pass over all layers at once, and nothing in it waits for the device.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch


@dataclass
class RoutingSummary:
    """What the routers of all L MoE layers did with the real tokens of one forward.

    Attributes:
        balance_loss, z_loss: scalars with gradients, averaged over layers; 0 without a layer or a real token.
        assignments: `(L, E)`, tokens sent to each expert; every row sums to k times the number of real tokens.
        entropy_sums: `(L,)`, entropies in nats of the routing distributions, summed over the tokens;
            log(E) per token means undecided, 0 means certain.
        num_tokens: real tokens, a scalar.
        layer_losses: `(2, L)`, balance and z-loss of each layer, without gradients: a mean over layers hides one that
            fails.
    """

    balance_loss: torch.Tensor
    z_loss: torch.Tensor
    assignments: torch.Tensor
    entropy_sums: torch.Tensor
    layer_losses: torch.Tensor
    num_tokens: torch.Tensor


def summarise_routing(
    router_logits: torch.Tensor | Iterable[torch.Tensor],
    num_experts_per_tok: int,
    token_mask: torch.Tensor | None = None,
) -> RoutingSummary:
    """Return both router losses and the statistics of the routing.

    Args:
        router_logits (`Tensor` or iterable of `Tensor`): raw logits per MoE layer, each `(num_tokens, num_experts)`
            or `(batch, seq, num_experts)`. Not probabilities: a softmax is applied here.
        num_experts_per_tok (`int`): k.
        token_mask (`Tensor`, *optional*): `num_tokens` values in any shape; zero or False leaves a token out.

    Returns:
        `RoutingSummary`: in float32 (float64 for float64 logits), on the device of the first layer's logits.

    Raises:
        ValueError: the mask's length is not the number of tokens.

    Source: the coefficients 0.015 and 1e-4 are the Ling technical report's (3.2.2, 3.4.1); it gives no formula for
    the balance loss, the one here is that of Switch Transformer scaled so that balance means 1. The z-loss is
    ST-MoE's (Zoph et al.).
    """
    layers = [router_logits] if isinstance(router_logits, torch.Tensor) else list(router_logits)
    layers = [logits.reshape(-1, logits.shape[-1]) for logits in layers if logits is not None]
    if not layers:
        nothing = torch.zeros(())
        return RoutingSummary(nothing, nothing, torch.zeros(0, 0), torch.zeros(0), torch.zeros(2, 0), nothing)
    logits = torch.stack([layer.to(layers[0].device) for layer in layers])
    logits = logits if logits.dtype == torch.float64 else logits.float()
    num_layers, num_tokens, num_experts = logits.shape
    weights = _token_weights(token_mask, logits)
    num_real_tokens = weights.sum()
    total = num_real_tokens.clamp(min=1)

    log_normalisers = torch.logsumexp(logits, dim=-1)
    probabilities = torch.softmax(logits, dim=-1)
    mean_probabilities = (probabilities * weights[:, None]).sum(1) / total
    with torch.no_grad():
        chosen = logits.topk(num_experts_per_tok, dim=-1, sorted=False).indices.reshape(num_layers, -1)
        repeated = weights[:, None].expand(num_tokens, num_experts_per_tok).reshape(1, -1).expand_as(chosen)
        assignments = logits.new_zeros(num_layers, num_experts).scatter_add_(1, chosen, repeated)
        entropies = log_normalisers - (probabilities * logits).sum(-1)
    balance = num_experts / num_experts_per_tok * (assignments / total * mean_probabilities).sum(-1)
    z_losses = (log_normalisers.square() * weights).sum(-1) / total
    return RoutingSummary(
        balance_loss=balance.mean(),
        z_loss=z_losses.mean(),
        assignments=assignments,
        entropy_sums=(entropies * weights).sum(-1),
        layer_losses=torch.stack([balance.detach(), z_losses.detach()]),
        num_tokens=num_real_tokens,
    )


def balance_loss(
    router_logits: torch.Tensor | Iterable[torch.Tensor],
    num_experts_per_tok: int,
    token_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the load-balance loss averaged over layers: 1.0 at perfect balance, E / k at full collapse for k = 1.

    Source: as `summarise_routing`.
    """
    return summarise_routing(router_logits, num_experts_per_tok, token_mask).balance_loss


def z_loss(
    router_logits: torch.Tensor | Iterable[torch.Tensor], token_mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the router z-loss: the mean squared logsumexp of the raw logits, averaged over layers.

    Source: as `summarise_routing`.
    """
    return summarise_routing(router_logits, 1, token_mask).z_loss


def _token_weights(token_mask: torch.Tensor | None, logits: torch.Tensor) -> torch.Tensor:
    num_tokens = logits.shape[1]
    if token_mask is None:
        return logits.new_ones(num_tokens)
    weights = token_mask.reshape(-1).to(device=logits.device)
    if weights.shape[0] != num_tokens:
        raise ValueError(f"token_mask has {weights.shape[0]} values but the router saw {num_tokens} tokens")
    return (weights != 0).to(logits.dtype)


__all__ = ["RoutingSummary", "balance_loss", "summarise_routing", "z_loss"]
