"""Section 3.1: a model with fresh weights as a Hub-ready folder: what stage 1 starts from.

Weights are drawn and written one layer at a time, so that 16.8B parameters need the memory of one file of them.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from transformers import GenerationConfig, PreTrainedTokenizerBase

from .checkpoint_layout import parse_size, released_tensors, write_checkpoint
from .configuration_bailing_moe import BailingMoeConfig
from .export import special_ids, stop_token_ids, write_settings
from .modeling_bailing_moe import BailingMoeForCausalLM


def rounded_vocabulary(num_tokens: int, multiple: int = 64) -> int:
    """Return the rows of the embedding: the tokens, rounded up so that the matrices tile well."""
    return -(-num_tokens // multiple) * multiple


def write_random_model(
    config: BailingMoeConfig,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: str | Path,
    *,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    final_norm_gain: float = 1.0,
    max_shard_size: str = "5GB",
) -> Path:
    """Write fresh weights, settings, remote code and, if given, the tokenizer.

    Args:
        final_norm_gain (`float`): NormHead holds every column of the head at norm 1, so that the logits can only grow
            with the gain of the norm before it; a run of some hundred steps spends most of them on that.
        max_shard_size (`str`): size of one file; the peak of memory is this plus one layer.

    Returns:
        `Path`: the folder.

    Raises:
        ValueError: a size that is none.

    Source: the initialisation is the released one (normal, deviation `initializer_range`; routers uniform).
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = random_tensors(config, dtype, seed, final_norm_gain)
    write_checkpoint(released_tensors(tensors), folder, parse_size(max_shard_size))
    config.dtype = dtype
    ids = special_ids(config, tokenizer)
    generation_config = GenerationConfig(**ids | {"eos_token_id": stop_token_ids(ids["eos_token_id"], tokenizer)})
    write_settings(config, tokenizer, folder, generation_config)
    return folder


def random_tensors(
    config: BailingMoeConfig, dtype: torch.dtype, seed: int, final_norm_gain: float = 1.0
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the runtime's tensors with fresh weights; only those of one layer exist at a time."""
    with torch.device("meta"):
        model = BailingMoeForCausalLM(config)
        model.to(dtype=dtype)  # type: ignore[call-arg]  # transformers' wrapper of it loses self
    torch.manual_seed(seed)
    units: list[tuple[str, nn.Module]] = [("model.word_embeddings", model.model.word_embeddings)]
    units += [(f"model.layers.{number}", layer) for number, layer in enumerate(model.model.layers)]
    units.append(("model.norm", model.model.norm))
    if not config.tie_word_embeddings:
        units.append(("lm_head", model.lm_head))
    for prefix, unit in units:
        unit.to_empty(device="cpu")
        unit.apply(model._init_weights)
        if prefix == "model.norm":
            nn.init.constant_(model.model.norm.weight, final_norm_gain)
        for name, tensor in unit.state_dict().items():
            yield f"{prefix}.{name}", tensor
        unit.to("meta")


__all__ = ["random_tensors", "rounded_vocabulary", "write_random_model"]
