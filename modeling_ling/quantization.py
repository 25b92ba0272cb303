"""What quantisation leaves untouched, said aloud, and the experts in 4 bits.

bitsandbytes replaces Linear modules. The routed experts are three-dimensional parameters: `load_in_4bit` alone leaves
nine tenths of a released model's weights as they are, and a user wonders where the memory went.
"""

from typing import Literal

import torch
from torch import nn

from .experts import BailingMoeExperts
from .norm_head import is_plain

_COMPONENTS = (
    ("mlp.experts.", "routed experts"),
    ("mlp.gate.", "routers"),
    ("word_embeddings.", "embedding"),
    ("lm_head.", "output head"),
    ("norm", "norms"),
)


def bytes_by_component(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Return the bytes that the weights of every component take: (quantised, in floating point of 16 bits or more).

    Args:
        model: a Ling model, with or without quantised weights.
    """
    sizes: dict[str, tuple[int, int]] = {}
    for name, parameter in model.named_parameters():
        component = next((title for part, title in _COMPONENTS if part in name), "attention and dense projections")
        is_quantised = not parameter.dtype.is_floating_point or parameter.element_size() < 2
        size = parameter.numel() * parameter.element_size()
        if not is_plain(parameter) and hasattr(parameter, "__tensor_flatten__") and not hasattr(parameter, "to_local"):
            parts: list[torch.Tensor] = [getattr(parameter, part) for part in parameter.__tensor_flatten__()[0]]
            is_quantised, size = True, sum(part.numel() * part.element_size() for part in parts)
        quantised, whole = sizes.get(component, (0, 0))
        sizes[component] = (quantised + size, whole) if is_quantised else (quantised, whole + size)
    return sizes


def describe_quantisation(model: nn.Module) -> str:
    """Return one line for a log: bytes quantised, and what stayed as it was, the largest first."""
    sizes = bytes_by_component(model)
    quantised = sum(size for size, _ in sizes.values())
    left = sorted(((whole, name) for name, (_, whole) in sizes.items() if whole), reverse=True)
    parts = ", ".join(f"{name} {_readable(size)}" for size, name in left)
    text = f"quantised weights take {_readable(quantised)}; not quantised: {parts or 'nothing'}"
    if sizes.get("routed experts", (0, 0))[1]:
        text += ". quantize_experts(model) puts the routed experts into 4 bits too"
    return text


@torch.no_grad()
def quantize_experts(
    model: nn.Module, device: torch.device | str | None = None, quant_type: Literal["nf4", "fp4"] = "nf4"
) -> nn.Module:
    """Put the routed experts into 4 bits with bitsandbytes, in place, a layer at a time.

    Every forward pass of a layer unpacks all its experts, so this saves memory, not time: it suits fine-tuning the
    other weights (LoRA on attention and shared experts) and reading long prompts, and makes decoding slow.

    Args:
        model: a loaded Ling model, its experts in floating point.
        device (*optional*): where the experts shall live; each layer is moved there alone, so a model on the CPU
            reaches a GPU that could not hold it unquantised. None leaves them where they are.
        quant_type (`str`): "nf4" or "fp4".

    Returns:
        The same model.

    Raises:
        ValueError: adapters on the experts, experts quantised already, or no experts.
        ImportError: bitsandbytes is not installed.

    The 4-bit format is that of bitsandbytes (QLoRA).
    """
    try:
        from bitsandbytes.nn.parametrize import replace_parameter_4bit
    except ImportError as error:
        raise ImportError("quantize_experts needs bitsandbytes: pip install 'bitsandbytes>=0.49'") from error

    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, BailingMoeExperts)]
    if not layers:
        raise ValueError("this model has no routed experts to quantise")
    for name, module in layers:
        if hasattr(module, "parametrizations"):
            raise ValueError(f"{name} is quantised already")
        if ".base_layer" in name:
            raise ValueError(f"{name} has an adapter: merge it, or adapt other parts (experts in 4 bits take none)")
    for _, module in layers:
        for name in ("gate_up_proj", "down_proj"):
            if device is not None:
                parameter = getattr(module, name)
                setattr(module, name, nn.Parameter(parameter.to(device), requires_grad=False))
            replace_parameter_4bit(module, name, quant_type=quant_type)
    return model


def _readable(num_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if num_bytes >= size:
            return f"{num_bytes / size:.2f} {unit}"
    return f"{num_bytes} bytes"


__all__ = ["bytes_by_component", "describe_quantisation", "quantize_experts"]
