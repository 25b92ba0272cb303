"""Section 3.1: token log-probabilities through NormHead, for the trainers of TRL.

TRL's trainers patch the model's forward with a fused head that multiplies the hidden states with `lm_head.weight`
directly: NormHead's column scale would be skipped, and another model trained than the one that is saved. This module
gives them a replacement of the same shape that applies the scale.
"""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from modeling_ling.losses import summarise_routing

if TYPE_CHECKING:
    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM

# Positions whose logits exist at one time: 1,024 x 126,464 in fp32 is 0.5 GB.
CHUNK_POSITIONS = 1024


@dataclass
class TokenScores:
    """What TRL's losses read, per target position; zero on ignored positions.

    Attributes:
        log_probs, entropy, mean_logits, log_sum_sq_probs: (batch, seq - 1), fp32.
        is_top1, label_mask: (batch, seq - 1), bool.
        aux_loss: the pinned balance loss, a scalar; None when router logits were not asked for, like all that follow.
        z_loss: the router z-loss, a scalar.
        expert_assignments, router_entropy_sums, router_layer_losses: (num_layers, num_experts), (num_layers,) and
            (2, num_layers), as in the model's output.
    """

    log_probs: torch.Tensor
    entropy: torch.Tensor
    mean_logits: torch.Tensor
    log_sum_sq_probs: torch.Tensor
    is_top1: torch.Tensor
    label_mask: torch.Tensor
    aux_loss: torch.Tensor | None = None
    z_loss: torch.Tensor | None = None
    expert_assignments: torch.Tensor | None = None
    router_entropy_sums: torch.Tensor | None = None
    router_layer_losses: torch.Tensor | None = None


def _score_chunk(hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    logits = functional.linear(hidden, weight).float()
    log_probabilities = logits.log_softmax(dim=-1)
    chosen = log_probabilities.gather(-1, labels[:, None]).squeeze(-1)
    with torch.no_grad():
        probabilities = log_probabilities.exp()
        entropy = -(probabilities * log_probabilities).sum(-1)
        log_sum_sq = (probabilities**2).sum(-1).log()
        is_top1 = logits.argmax(-1) == labels
        mean_logits = logits.mean(-1)
    return chosen, entropy, mean_logits, log_sum_sq, is_top1


def score_tokens(model: BailingMoeForCausalLM, labels: torch.Tensor, **inputs: Any) -> TokenScores:
    """Run a Ling model and score the labelled next tokens with the logits that its own forward would give.

    Logits exist for CHUNK_POSITIONS target positions at a time and are recomputed in the backward pass.

    Args:
        model: a BailingMoeForCausalLM.
        labels: (batch, seq) token ids, -100 on positions that are not targets; shifted in here.
        **inputs: input_ids (batch, seq), attention_mask or position_ids, output_router_logits.

    Returns:
        TokenScores; log_probs carry gradients.

    Source: NormHead is paper 3.1; computing it in chunks is ours.
    """
    inputs["use_cache"] = False
    outputs = model.model(**inputs)
    # Scaling hidden states equals scaling the columns of the head: h @ (W * s)^T = (h * s) @ W^T.
    hidden = model.scale_for_head(outputs.last_hidden_state)[:, :-1]
    weight = model.lm_head.weight
    if hasattr(weight, "full_tensor"):
        weight = weight.full_tensor()  # FSDP2 shards the vocabulary
    targets = labels[:, 1:].to(hidden.device)
    mask = targets != -100
    flat_hidden, flat_labels = hidden[mask], targets[mask]
    pieces = []
    for start in range(0, flat_hidden.shape[0], CHUNK_POSITIONS):
        part = slice(start, start + CHUNK_POSITIONS)
        arguments = (flat_hidden[part], weight, flat_labels[part])
        if torch.is_grad_enabled():
            pieces.append(checkpoint(_score_chunk, *arguments, use_reentrant=False))
        else:
            pieces.append(_score_chunk(*arguments))
    columns = [torch.cat(column) for column in zip(*pieces, strict=True)] if pieces else None

    def spread(index: int) -> torch.Tensor:
        if columns is None:
            return (hidden.sum(-1) * 0).float() if index < 4 else torch.zeros_like(mask)
        return columns[index].new_zeros(mask.shape).masked_scatter(mask, columns[index])

    scores = TokenScores(spread(0), spread(1), spread(2), spread(3), spread(4), mask)
    if inputs.get("output_router_logits"):
        token_mask = inputs.get("attention_mask")
        routing = summarise_routing(outputs.router_logits, model.config.num_experts_per_tok, token_mask)
        scores.aux_loss, scores.z_loss = routing.balance_loss, routing.z_loss
        scores.expert_assignments, scores.router_entropy_sums = routing.assignments, routing.entropy_sums
        scores.router_layer_losses = routing.layer_losses
    return scores


def add_norm_head(model: BailingMoeForCausalLM, **_: Any) -> None:
    """Patch a model as TRL's `add_fused_lm_head` would, but with NormHead in the log-probabilities.

    Args:
        model: a BailingMoeForCausalLM; `model(..., labels=..., fused_lm_head=True)` gives TokenScores afterwards,
            any other call runs the model's own forward.

    Raises:
        TypeError: the model has no `scale_for_head`, so its head cannot be reproduced here.
    """
    if not hasattr(model, "scale_for_head"):
        raise TypeError(
            f"{type(model).__name__} has no scale_for_head(): only Ling models can be trained by these recipes."
        )
    own_forward = model.forward

    @functools.wraps(type(model).forward)
    def forward(self: Any, *args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head:
            return own_forward(*args, **kwargs)
        labels = kwargs.pop("labels")
        kwargs.pop("num_items_in_batch", None)
        scores = score_tokens(self, labels, **kwargs)
        # TRL's loss keeps only the fields it knows; the z-loss is read from here.
        self.__dict__["last_scores"] = scores if scores.aux_loss is not None else None
        return scores

    model.forward = types.MethodType(forward, model)


@contextlib.contextmanager
def norm_head_instead_of_fused_head(trl_module: types.ModuleType) -> Iterator[None]:
    """Make a TRL trainer that is built in this context patch models with `add_norm_head`.

    Args:
        trl_module: the module that imported add_fused_lm_head by name, trl.trainer.sft_trainer or dpo_trainer.

    Raises:
        RuntimeError: the installed TRL has no such function, so whether it keeps NormHead is not known.
    """
    if not hasattr(trl_module, "add_fused_lm_head"):
        import trl

        raise RuntimeError(
            f"trl {trl.__version__} has no add_fused_lm_head in {trl_module.__name__}, so it cannot be told to keep "
            "NormHead. Use the version in constraints.txt."
        )
    original = trl_module.add_fused_lm_head
    trl_module.__dict__["add_fused_lm_head"] = add_norm_head
    try:
        yield
    finally:
        trl_module.__dict__["add_fused_lm_head"] = original
