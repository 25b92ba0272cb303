"""The released checkpoints, written down independently of the code under test: configurations, names and shapes."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from modeling_ling import BailingMoeConfig

_COMMON = {
    "architectures": ["BailingMoeForCausalLM"],
    "attention_dropout": 0.0,
    "auto_map": {
        "AutoConfig": "configuration_bailing_moe.BailingMoeConfig",
        "AutoModel": "modeling_bailing_moe.BailingMoeModel",
        "AutoModelForCausalLM": "modeling_bailing_moe.BailingMoeForCausalLM",
    },
    "eos_token_id": 126081,
    "first_k_dense_replace": 0,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "initializer_range": 0.006,
    "intermediate_size": 5632,
    "max_position_embeddings": 16384,
    "model_type": "bailing_moe",
    "moe_intermediate_size": 1408,
    "norm_head": True,
    "norm_softmax": False,
    "norm_topk_prob": True,
    "num_attention_heads": 16,
    "num_experts": 64,
    "num_experts_per_tok": 6,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "num_shared_experts": 2,
    "pad_token_id": 126081,
    "pretraining_tp": 1,
    "rope_scaling": None,
    "rope_theta": 600000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.36.0",
    "use_bias": False,
    "use_cache": True,
    "use_qkv_bias": False,
    "vocab_size": 126464,
}
# Keys and values of the public config.json files. Ling-Coder-lite's own is not public in text form: it has the size,
# the tensors and the modeling file of Ling-lite, whose chat configuration stands for it here.
RELEASED_CONFIGS = {
    "Ling-lite-base": _COMMON
    | {
        "head_dim": 0,
        "rms_norm_eps": 1e-05,
        "embedding_dropout": 0.1,
        "output_dropout": 0.1,
        "output_router_logits": False,
    },
    "Ling-lite": _COMMON | {"head_dim": 128, "rms_norm_eps": 1e-06, "embedding_dropout": 0.0, "output_dropout": 0.0},
    "Ling-lite-1.5": _COMMON
    | {
        "head_dim": 128,
        "rms_norm_eps": 1e-06,
        "embedding_dropout": 0.0,
        "output_dropout": 0.0,
        "intermediate_size": 1408,
        "max_position_embeddings": 32768,
        "norm_head": False,
        "output_router_logits": False,
        "transformers_version": "4.40.0",
    },
}
# The same files at a size a test can hold.
SMALL = {
    "vocab_size": 320,
    "eos_token_id": 311,
    "pad_token_id": 311,
    "hidden_size": 64,
    "intermediate_size": 176,
    "moe_intermediate_size": 44,
    "num_experts": 8,
    "num_experts_per_tok": 3,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def released_names_and_shapes(config: BailingMoeConfig) -> dict[str, list[int]]:
    """The table of the released layout, written out by hand."""
    h, d, i = config.hidden_size, config.head_dim, config.moe_intermediate_size
    shapes = {
        "model.word_embeddings.weight": [config.vocab_size, h],
        "model.norm.weight": [h],
        "lm_head.weight": [config.vocab_size, h],
    }

    def mlp(prefix: str, width: int) -> None:
        shapes[f"{prefix}.gate_proj.weight"] = shapes[f"{prefix}.up_proj.weight"] = [width, h]
        shapes[f"{prefix}.down_proj.weight"] = [h, width]

    for n in range(config.num_hidden_layers):
        layer = f"model.layers.{n}"
        shapes[f"{layer}.input_layernorm.weight"] = shapes[f"{layer}.post_attention_layernorm.weight"] = [h]
        rows = (config.num_attention_heads + 2 * config.num_key_value_heads) * d
        shapes[f"{layer}.attention.query_key_value.weight"] = [rows, h]
        shapes[f"{layer}.attention.dense.weight"] = [h, config.num_attention_heads * d]
        if config.use_qkv_bias:
            shapes[f"{layer}.attention.query_key_value.bias"] = [rows]
        if config.use_bias:
            shapes[f"{layer}.attention.dense.bias"] = [h]
        if n < config.first_k_dense_replace:
            mlp(f"{layer}.mlp", config.intermediate_size)
            continue
        shapes[f"{layer}.mlp.gate.weight"] = [config.num_experts, h]
        for expert in range(config.num_experts):
            mlp(f"{layer}.mlp.experts.{expert}", i)
        if config.num_shared_experts:
            mlp(f"{layer}.mlp.shared_experts", i * config.num_shared_experts)
    return shapes


def saved_names_and_shapes(folder: Path) -> dict[str, list[int]]:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118


def write_released_folder(folder: Path, released: dict, kind: str, num_shards: int = 3) -> dict[str, torch.Tensor]:
    """Write a small checkpoint as a released repository holds one; return its tensors.

    Args:
        kind (`str`): "safetensors" or "bin"; the experts of one layer are spread over the files.
    """
    folder.mkdir()
    values = released | SMALL
    if values.get("head_dim"):
        values["head_dim"] = 16
    (folder / "config.json").write_text(json.dumps(values, indent=2))
    generator = torch.Generator().manual_seed(3)
    shapes = released_names_and_shapes(BailingMoeConfig(**values))
    tensors = {
        name: (torch.randn(shape, generator=generator) * 0.1 + (len(shape) == 1)).bfloat16()
        for name, shape in shapes.items()
    }
    names = sorted(tensors, key=lambda name: name[::-1])
    stem, save = ("model", save_file) if kind == "safetensors" else ("pytorch_model", torch.save)
    weight_map = {}
    for shard in range(num_shards):
        file = f"{stem}-{shard + 1:05d}-of-{num_shards:05d}.{kind}"
        part = {name: tensors[name] for name in names[shard::num_shards]}
        save(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": sum(t.numel() * 2 for t in tensors.values())}, "weight_map": weight_map}
    (folder / f"{stem}.{kind}.index.json").write_text(json.dumps(index))
    return tensors
