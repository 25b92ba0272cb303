"""What `from_pretrained` refuses: tensors that are missing, unknown, misshapen, or not numbers."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from .configuration_bailing_moe import BailingMoeConfig
from .norm_head import BailingMoeNormHead, is_plain

_FLOATING = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def refuse_mismatched(mismatched: Iterable[tuple], source: Any, config: BailingMoeConfig) -> None:
    """Raise ValueError for tensors of another shape: (name, shape in the checkpoint, shape here)."""
    mismatched = sorted(mismatched)
    if not mismatched:
        return
    shapes = [f"{name}: {tuple(found)} in the checkpoint, {tuple(needed)} here" for name, found, needed in mismatched]
    hint = "Does config.json belong to these weights?"
    if any("word_embeddings" in name or "lm_head" in name for name, _, _ in mismatched):
        hint = f"The vocabularies differ: vocab_size={config.vocab_size} must be the number of rows in the checkpoint."
    elif any("experts" in name for name, _, _ in mismatched):
        width = config.moe_intermediate_size
        hint = f"num_experts={config.num_experts} and moe_intermediate_size={width} must be those of the checkpoint."
    raise ValueError(
        f"{source}: {_some(shapes)}. {hint} ignore_mismatched_sizes=True fills such tensors with random weights"
    )


def refuse_missing(missing: set[str], unexpected: set[str], source: Any) -> None:
    """Raise ValueError for tensors that the checkpoint lacks, or that the model has no place for."""
    problems = []
    if missing:
        problems.append(f"the checkpoint lacks {_some(sorted(missing))}")
    if unexpected:
        problems.append(f"the model has no place for {_some(sorted(unexpected))}")
    if problems:
        raise ValueError(
            f"{source}: {'; '.join(problems)}. Is the download complete, and does config.json (num_hidden_layers, "
            "num_experts, first_k_dense_replace, num_shared_experts, use_bias, use_qkv_bias) belong to it? "
            "allow_missing_weights=True fills what is missing with random weights and drops the rest"
        )


@torch.no_grad()
def refuse_non_finite(parameters: Iterable[tuple[str, nn.Parameter]], source: Any) -> None:
    """Raise ValueError for parameters with NaN or infinite values; quantised ones are passed by."""
    sums: dict[torch.device, list[torch.Tensor]] = {}
    names: dict[torch.device, list[str]] = {}
    for name, parameter in parameters:
        tensor = parameter.to_local() if hasattr(parameter, "to_local") else parameter
        if is_plain(tensor) and not tensor.is_meta and tensor.dtype in _FLOATING:
            # One number per tensor, read back once per device: NaN and infinity survive a sum.
            sums.setdefault(tensor.device, []).append(tensor.sum(dtype=torch.float32))
            names.setdefault(tensor.device, []).append(name)
    bad = [
        name
        for device, values in sums.items()
        for name, finite in zip(names[device], torch.stack(values).isfinite().tolist(), strict=True)
        if not finite
    ]
    if bad:
        raise ValueError(
            f"{source}: NaN or infinite values in {_some(bad)}. The file is damaged or the training diverged: take an "
            "earlier checkpoint or download it again"
        )


def refuse_quantised_head(model: PreTrainedModel, source: Any) -> None:
    """Raise where a quantisation has put another module in the place of NormHead."""
    head = getattr(model, "lm_head", None)
    if head is not None and model.config.norm_head and not isinstance(head, BailingMoeNormHead):
        raise ValueError(
            f'{source}: {type(head).__name__} in place of lm_head leaves NormHead out: name "lm_head" among the '
            "modules that the quantisation skips"
        )


def _some(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


__all__ = ["refuse_mismatched", "refuse_missing", "refuse_non_finite", "refuse_quantised_head"]
