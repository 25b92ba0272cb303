"""Section 3.1: the router losses of a Ling MoE, by formulas pinned here, and the statistics of its routing.

Over the real tokens of one MoE layer, with E experts of which each token visits k:

    balance = E / k * sum_e f_e * P_e     f_e: tokens sent to expert e / tokens, sums to k
                                          P_e: mean softmax probability of expert e, sums to 1
    z       = mean(logsumexp(logits) ** 2)

Both are averaged over the MoE layers. balance is 1.0 when the load and the probabilities are even. The gradient of
balance flows through P_e only: f_e counts discrete choices.
"""

from collections.abc import Iterable

import torch


def balance_loss(
    router_logits: torch.Tensor | Iterable[torch.Tensor],
    num_experts_per_tok: int,
    token_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the load-balance loss averaged over layers: 1.0 at perfect balance, E / k at full collapse for k = 1.

    Args:
        router_logits (`Tensor` or iterable of `Tensor`): raw logits per MoE layer, each `(num_tokens, num_experts)`
            or `(batch, seq, num_experts)`. Not probabilities: a softmax is applied here.
        num_experts_per_tok (`int`): k.
        token_mask (`Tensor`, *optional*): `num_tokens` values in any shape; zero or False leaves a token out.

    Returns:
        `Tensor`: a float32 scalar (float64 for float64 logits), 0 when there is no layer or no real token.

    Source: the coefficient 0.015 is the Ling technical report's (3.2.2, 3.4.1); it gives no formula, the one here is
    that of Switch Transformer scaled so that balance means 1.
    """
    values = []
    for logits in _layers(router_logits):
        probabilities = _probabilities(logits)
        weights = _token_weights(token_mask, probabilities)
        num_experts = probabilities.shape[-1]
        load = _assignments_per_token(probabilities, num_experts_per_tok, weights)
        mean_probability = (probabilities * weights[:, None]).sum(0) / weights.sum().clamp(min=1)
        values.append(num_experts / num_experts_per_tok * (load * mean_probability).sum())
    return _mean(values)


def z_loss(
    router_logits: torch.Tensor | Iterable[torch.Tensor], token_mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the router z-loss: the mean squared logsumexp of the raw logits, averaged over layers.

    Args:
        router_logits, token_mask: as in `balance_loss`.

    Returns:
        `Tensor`: a scalar, 0 when there is no layer or no real token.

    Source: ST-MoE (Zoph et al.), cited with coefficient 1e-4 by the Ling technical report 3.2.2.
    """
    values = []
    for logits in _layers(router_logits):
        flat = _flat(logits)
        weights = _token_weights(token_mask, flat)
        values.append((torch.logsumexp(flat, dim=-1).square() * weights).sum() / weights.sum().clamp(min=1))
    return _mean(values)


@torch.no_grad()
def expert_load(
    router_logits: torch.Tensor | Iterable[torch.Tensor],
    num_experts_per_tok: int,
    token_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the share of a layer's assignments that each expert receives.

    Returns:
        `Tensor`: `(num_moe_layers, num_experts)`, each row sums to 1; an even load is `1 / num_experts`.

    Source: ours; the quantity behind the load figures that every run logs.
    """
    rows = []
    for logits in _layers(router_logits):
        probabilities = _probabilities(logits)
        weights = _token_weights(token_mask, probabilities)
        rows.append(_assignments_per_token(probabilities, num_experts_per_tok, weights) / num_experts_per_tok)
    return torch.stack(rows) if rows else torch.zeros(0, 0)


@torch.no_grad()
def router_entropy(
    router_logits: torch.Tensor | Iterable[torch.Tensor], token_mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean entropy in nats of the routing distribution of each layer, shape `(num_moe_layers,)`.

    Source: ours; log(num_experts) means undecided, 0 means certain.
    """
    rows = []
    for logits in _layers(router_logits):
        log_probabilities = torch.log_softmax(_flat(logits), dim=-1)
        weights = _token_weights(token_mask, log_probabilities)
        entropy = -(log_probabilities.exp() * log_probabilities).sum(-1)
        rows.append((entropy * weights).sum() / weights.sum().clamp(min=1))
    return torch.stack(rows) if rows else torch.zeros(0)


def _layers(router_logits: torch.Tensor | Iterable[torch.Tensor]) -> list[torch.Tensor]:
    layers = [router_logits] if isinstance(router_logits, torch.Tensor) else list(router_logits)
    return [logits for logits in layers if logits is not None]


def _flat(logits: torch.Tensor) -> torch.Tensor:
    flat = logits.reshape(-1, logits.shape[-1])
    return flat if flat.dtype == torch.float64 else flat.float()


def _probabilities(logits: torch.Tensor) -> torch.Tensor:
    return torch.softmax(_flat(logits), dim=-1)


def _token_weights(token_mask: torch.Tensor | None, flat: torch.Tensor) -> torch.Tensor:
    if token_mask is None:
        return flat.new_ones(flat.shape[0])
    weights = token_mask.reshape(-1).to(device=flat.device)
    if weights.shape[0] != flat.shape[0]:
        raise ValueError(f"token_mask has {weights.shape[0]} values but the router saw {flat.shape[0]} tokens")
    return (weights != 0).to(flat.dtype)


def _assignments_per_token(probabilities: torch.Tensor, top_k: int, weights: torch.Tensor) -> torch.Tensor:
    chosen = probabilities.detach().topk(top_k, dim=-1, sorted=False).indices
    counts = torch.zeros(probabilities.shape[-1], dtype=probabilities.dtype, device=probabilities.device)
    counts = counts.scatter_add(0, chosen.reshape(-1), weights[:, None].expand_as(chosen).reshape(-1))
    return counts / weights.sum().clamp(min=1)


def _mean(values: list[torch.Tensor]) -> torch.Tensor:
    return torch.stack(values).mean() if values else torch.zeros(())


__all__ = ["balance_loss", "expert_load", "router_entropy", "z_loss"]
