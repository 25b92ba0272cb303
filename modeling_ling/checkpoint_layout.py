"""Section 3.1: the tensors of a checkpoint as the released repositories hold them, and files of them written lean.

The runtime holds the experts of a layer in two tensors; a checkpoint holds three matrices per expert. Here the
matrices are views of the runtime's tensors, so that writing a model never makes a second copy of it.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from .configuration_bailing_moe import BailingMoeConfig
    from .geometry import Geometry

DEFAULT_SHARD_BYTES = 5 * 10**9
# The files of one checkpoint in transformers' names; a variant such as model.ema.safetensors is another one.
CHECKPOINT_FILE = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json")
_EXPERTS = re.compile(r"(.*\.mlp\.experts)\.(gate_up_proj|down_proj)")


def released_shapes(config: BailingMoeConfig | Geometry) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every tensor in a checkpoint of this configuration.

    Source: the released checkpoints (5,603 tensors for Ling-Coder-Lite); a tied head is not stored.
    """
    hidden, head = config.hidden_size, config.head_dim
    shapes: dict[str, tuple[int, ...]] = {"model.word_embeddings.weight": (config.vocab_size, hidden)}
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}"
        fused = (config.num_attention_heads + 2 * config.num_key_value_heads) * head
        shapes[f"{prefix}.attention.query_key_value.weight"] = (fused, hidden)
        shapes[f"{prefix}.attention.dense.weight"] = (hidden, config.num_attention_heads * head)
        if config.use_qkv_bias:
            shapes[f"{prefix}.attention.query_key_value.bias"] = (fused,)
        if config.use_bias:
            shapes[f"{prefix}.attention.dense.bias"] = (hidden,)
        shapes[f"{prefix}.input_layernorm.weight"] = (hidden,)
        shapes[f"{prefix}.post_attention_layernorm.weight"] = (hidden,)
        if layer < config.first_k_dense_replace:
            shapes |= _mlp_shapes(f"{prefix}.mlp", hidden, config.intermediate_size)
            continue
        shapes[f"{prefix}.mlp.gate.weight"] = (config.num_experts, hidden)
        for expert in range(config.num_experts):
            shapes |= _mlp_shapes(f"{prefix}.mlp.experts.{expert}", hidden, config.moe_intermediate_size)
        if config.num_shared_experts:
            width = config.moe_intermediate_size * config.num_shared_experts
            shapes |= _mlp_shapes(f"{prefix}.mlp.shared_experts", hidden, width)
    shapes["model.norm.weight"] = (hidden,)
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    return shapes


def _mlp_shapes(prefix: str, hidden: int, width: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}.gate_proj.weight": (width, hidden),
        f"{prefix}.up_proj.weight": (width, hidden),
        f"{prefix}.down_proj.weight": (hidden, width),
    }


def released_tensors(runtime_tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield tensors under their released names: experts as one view per matrix, all others as they are.

    Args:
        runtime_tensors: names and tensors of a state dict.
    """
    for name, tensor in runtime_tensors:
        match = _EXPERTS.fullmatch(name)
        if not match:
            yield name, tensor
            continue
        for expert, matrix in enumerate(tensor.unbind(0)):
            if match[2] == "down_proj":
                yield f"{match[1]}.{expert}.down_proj.weight", matrix
                continue
            for projection, part in zip(("gate_proj", "up_proj"), matrix.chunk(2), strict=True):
                yield f"{match[1]}.{expert}.{projection}.weight", part


def write_checkpoint(
    tensors: Iterable[tuple[str, torch.Tensor]], folder: Path, max_shard_bytes: int = DEFAULT_SHARD_BYTES
) -> list[Path]:
    """Write tensors as safetensors files, in the order given, holding at most one file's worth of them.

    Files of an earlier checkpoint in the folder are replaced. Everything is written under temporary names first: a
    killed run leaves the old checkpoint whole.

    Args:
        tensors: released names and tensors; consumed once.
        folder: exists.
        max_shard_bytes (`int`): a file ends before it would pass this; a larger tensor gets a file of its own.

    Returns:
        `list[Path]`: the weight files; with more than one, `model.safetensors.index.json` names them too.

    Source: ours; the naming is transformers'.
    """
    from safetensors.torch import save_file

    parts: list[list[str]] = []
    pending: dict[str, torch.Tensor] = {}
    pending_bytes = total_bytes = 0

    def flush() -> None:
        parts.append(list(pending))
        save_file(pending, folder / f"part-{len(parts):05d}.partial", metadata={"format": "pt"})
        pending.clear()

    for name, tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        if pending and pending_bytes + size > max_shard_bytes:
            flush()
            pending_bytes = 0
        pending[name] = tensor.detach().contiguous()
        pending_bytes += size
        total_bytes += size
    flush()

    for old in folder.iterdir():
        if CHECKPOINT_FILE.fullmatch(old.name):
            old.unlink()
    if len(parts) == 1:
        names = ["model.safetensors"]
    else:
        names = [f"model-{number:05d}-of-{len(parts):05d}.safetensors" for number in range(1, len(parts) + 1)]
    for number, name in enumerate(names, 1):
        partial = folder / f"part-{number:05d}.partial"
        partial.chmod(0o666 & ~_umask())  # safetensors writes files that only their owner can read
        partial.replace(folder / name)
    if len(parts) > 1:
        weight_map = {tensor: name for name, part in zip(names, parts, strict=True) for tensor in part}
        index = {"metadata": {"total_size": total_bytes}, "weight_map": dict(sorted(weight_map.items()))}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return [folder / name for name in names]


def refuse_existing_model(folder: Path) -> None:
    """Raise where a folder holds a model, which writing another would replace.

    Raises:
        ValueError: it has a config.json or weights.
    """
    found = sorted(path.name for path in (*folder.glob("config.json"), *folder.glob("*.safetensors")))
    if found:
        raise ValueError(
            f"{folder} holds a model already ({found[0]}): write elsewhere, or replace it with --overwrite"
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def parse_size(text: str) -> int:
    """Return the bytes of "5GB", "500MB" or "100KB" (powers of ten, as transformers counts).

    Raises:
        ValueError: not such a size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)", text.strip().upper())
    if not match:
        raise ValueError(f"{text!r} is no size: write 5GB, 500MB or 100KB")
    return math.ceil(float(match[1]) * {"KB": 10**3, "MB": 10**6, "GB": 10**9}[match[2]])


__all__ = [
    "DEFAULT_SHARD_BYTES",
    "parse_size",
    "refuse_existing_model",
    "released_shapes",
    "released_tensors",
    "write_checkpoint",
]


def check_name_on_hub(name: str, flag: str) -> None:
    """Raise `ValueError` when what is no folder here cannot be a name on the Hub either.

    Args:
        name (`str`): what the user gave.
        flag (`str`): as what, for the message.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise ValueError(f"{flag} {name}: no such folder, and no name on the Hub (ORG/NAME) either")
