"""An exported folder against what serving engines read of it: names, shapes, configuration.

The expectations are written down from the engines' public sources (vLLM 0.32, SGLang, mlx-lm 0.32, llama.cpp's
converter with the `gguf` package's own table of names). `make check-engines` runs vLLM and MLX themselves.
"""

import json
import math
import re
from collections import Counter

import gguf
import pytest
from transformers import AutoConfig

from modeling_ling.export import export_model
from modeling_ling.serving import engine_warnings
from tests.modeling_ling.released_layout import saved_names_and_shapes

VARIANTS = {
    "as released": {},
    "a dense layer first": {"first_k_dense_replace": 1},
    "no shared experts": {"num_shared_experts": 0},
    "biased qkv": {"use_qkv_bias": True},
    "wide heads": {"head_dim": 16},
    "tied": {"norm_head": False, "tie_word_embeddings": True},
}


@pytest.fixture(params=VARIANTS, ids=lambda name: name.replace(" ", "-"))
def exported(request, build_model, tokenizer, tmp_path):
    model = build_model(**VARIANTS[request.param])
    export_model(model, tokenizer, tmp_path / "model")
    return tmp_path / "model", model.config


def vllm_parameters(config) -> dict[str, tuple[int, ...]]:
    """Return the parameters of vLLM's own BailingMoeForCausalLM, before its kernels reorder them."""
    hidden, width, heads = config.hidden_size, config.moe_intermediate_size, config.num_attention_heads
    rows = (heads + 2 * config.num_key_value_heads) * config.head_dim
    shapes = {"model.word_embeddings.weight": (config.vocab_size, hidden), "model.norm.weight": (hidden,)}
    if not config.tie_word_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    for index in range(config.num_hidden_layers):
        layer = f"model.layers.{index}"
        shapes[f"{layer}.input_layernorm.weight"] = (hidden,)
        shapes[f"{layer}.post_attention_layernorm.weight"] = (hidden,)
        shapes[f"{layer}.attention.query_key_value.weight"] = (rows, hidden)
        shapes[f"{layer}.attention.dense.weight"] = (hidden, heads * config.head_dim)
        if config.use_qkv_bias or config.use_bias:
            shapes[f"{layer}.attention.query_key_value.bias"] = (rows,)
        if index < config.first_k_dense_replace:
            shapes[f"{layer}.mlp.gate_up_proj.weight"] = (2 * config.intermediate_size, hidden)
            shapes[f"{layer}.mlp.down_proj.weight"] = (hidden, config.intermediate_size)
            continue
        shapes[f"{layer}.mlp.gate.weight"] = (config.num_experts, hidden)
        shapes[f"{layer}.mlp.experts.w13_weight"] = (config.num_experts, 2 * width, hidden)
        shapes[f"{layer}.mlp.experts.w2_weight"] = (config.num_experts, hidden, width)
        if config.num_shared_experts > 0:
            shared = width * config.num_shared_experts
            shapes[f"{layer}.mlp.shared_experts.gate_up_proj.weight"] = (2 * shared, hidden)
            shapes[f"{layer}.mlp.shared_experts.down_proj.weight"] = (hidden, shared)
    return shapes


def vllm_target(name: str) -> tuple[str, str]:
    """Return the parameter that vLLM's loader puts a tensor into, and which part of it."""
    expert = re.fullmatch(r"(.*\.mlp\.experts)\.(\d+)\.(gate|up|down)_proj\.weight", name)
    if expert:
        fused = "w2_weight" if expert[3] == "down" else "w13_weight"
        return f"{expert[1]}.{fused}", f"expert {expert[2]} {expert[3]}"
    stacked = re.fullmatch(r"(.*\.mlp(?:\.shared_experts)?)\.(gate|up)_proj\.weight", name)
    return (f"{stacked[1]}.gate_up_proj.weight", stacked[2]) if stacked else (name, "whole")


def test_every_tensor_fills_one_place_in_vllm_and_every_place_is_filled(exported):
    folder, config = exported
    tensors = saved_names_and_shapes(folder)
    parameters = vllm_parameters(config)
    places = Counter(vllm_target(name) for name in tensors)
    assert max(places.values()) == 1
    filled = Counter()
    for name, shape in tensors.items():
        parameter, _ = vllm_target(name)
        assert parameter in parameters, name
        assert len(shape) == 1 or shape[1] == parameters[parameter][-1], name
        filled[parameter] += math.prod(shape)
    assert filled == {parameter: math.prod(shape) for parameter, shape in parameters.items()}


def test_the_configuration_class_has_what_vllm_and_sglang_read(exported):
    folder, expected = exported
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    assert "AutoConfig" in config.auto_map, "engines know the model, but take its configuration from the folder"
    assert config.architectures == ["BailingMoeForCausalLM"]
    integers = [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "moe_intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "max_position_embeddings",
        "num_experts",
        "num_experts_per_tok",
        "num_shared_experts",
        "first_k_dense_replace",
    ]
    for name in integers:
        assert type(getattr(config, name)) is int, name
        assert getattr(config, name) == getattr(expected, name)
    for name in ("use_bias", "use_qkv_bias", "norm_topk_prob", "norm_head", "tie_word_embeddings"):
        assert type(getattr(config, name)) is bool, name
    assert config.hidden_act == "silu"
    assert isinstance(config.embedding_dropout, float) and isinstance(config.rms_norm_eps, float)
    assert config.router_dtype == "fp32", "vLLM takes any other text for bfloat16"
    config.rope_parameters["partial_rotary_factor"] = 1.0  # vLLM writes here
    assert config.rope_parameters["rope_theta"] == 600000.0
    assert (config.rope_theta, config.rope_scaling) == (600000.0, None), "SGLang reads the released names"
    # Read with a default if absent, and crashing on None: they belong to later models.
    for name in ("moe_shared_expert_intermediate_size", "n_group", "topk_group", "routed_scaling_factor"):
        assert not hasattr(config, name)
    for name in ("score_function", "moe_router_enable_expert_bias", "use_qk_norm", "rotary_dim"):
        assert not hasattr(config, name)


def test_config_json_has_every_key_that_mlx_requires(exported):
    folder, config = exported
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    required = [
        "model_type",
        "hidden_size",
        "intermediate_size",
        "max_position_embeddings",
        "moe_intermediate_size",
        "num_experts",
        "num_shared_experts",
        "norm_topk_prob",
        "num_attention_heads",
        "num_experts_per_tok",
        "num_hidden_layers",
        "num_key_value_heads",
        "rms_norm_eps",
        "rope_theta",
        "vocab_size",
        "first_k_dense_replace",
    ]
    assert [name for name in required if content.get(name) is None] == []
    assert content["model_type"] == "bailing_moe"
    assert content["rope_scaling"] is None
    assert content["norm_head"] is config.norm_head


def test_llama_cpp_knows_every_tensor_of_a_model_it_is_not_warned_of(exported):
    folder, config = exported
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BAILINGMOE, config.num_hidden_layers)
    unknown = set()
    for name in saved_names_and_shapes(folder):
        if name.endswith("attention.query_key_value.weight"):
            continue  # split into three by the converter
        merged = re.sub(r"experts\.\d+\.", "experts.", name)
        if table.get_name(merged, try_suffixes=(".weight",)) is None:
            unknown.add(merged)
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for name in [
        "head_dim",
        "vocab_size",
        "moe_intermediate_size",
        "num_experts",
        "num_shared_experts",
        "norm_topk_prob",
    ]:
        assert content[name] is not None
    if unknown:
        assert engine_warnings(config)["llama.cpp"], unknown
    elif config.num_shared_experts:
        assert "llama.cpp" not in engine_warnings(config)


def test_warnings_name_the_field_and_the_released_geometry_has_none(build_config):
    assert engine_warnings(build_config()) == {}
    warnings = engine_warnings(build_config(use_bias=True, head_dim=32, first_k_dense_replace=1, num_shared_experts=0))
    assert warnings.keys() == {"vLLM", "SGLang", "mlx", "llama.cpp"}
    assert "use_bias=true" in warnings["vLLM"][0]
    assert "head_dim=32" in warnings["mlx"][1]
    assert len(warnings["llama.cpp"]) == 3
    linear = build_config(rope_scaling={"type": "linear", "factor": 2.0})
    assert engine_warnings(linear) == {"llama.cpp": ["rope_scaling of type linear is dropped without a word"]}


def test_the_rotary_base_and_scaling_can_be_set_by_their_released_names(build_config):
    config = build_config(rope_theta=1e4)
    config.rope_theta = 5e5
    config.rope_scaling = {"type": "yarn", "factor": 4.0}
    assert config.rope_parameters == {
        "rope_type": "yarn",
        "rope_theta": 5e5,
        "factor": 4.0,
        "original_max_position_embeddings": 4096,
    }
    assert config.to_dict()["rope_scaling"] == {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}
    config.rope_scaling = None
    assert config.rope_parameters == {"rope_type": "default", "rope_theta": 5e5}
