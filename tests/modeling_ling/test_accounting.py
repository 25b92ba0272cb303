"""Counts against the paper's figures and against real models."""

import dataclasses

import pytest
import torch

from modeling_ling import PRESETS, BailingMoeConfig, BailingMoeForCausalLM, load_preset
from modeling_ling.accounting import (
    count_checkpoint_tensors,
    count_parameters,
    decode_bytes_per_token,
    flops_per_token,
    inference_bytes,
    kv_cache_bytes_per_token,
    linear_macs_per_token,
    training_flops_per_token,
    training_state_bytes,
    weight_bytes,
)
from modeling_ling.geometry import Geometry


def test_lite_has_the_papers_total_and_active_parameters():
    count = count_parameters(load_preset("lite"))
    assert count.total == 16_801_974_272
    assert count.active == 2_753_153_024
    assert count.active_without_embedding == 2_494_154_752
    assert weight_bytes(load_preset("lite")) == 33_603_948_544
    assert count_checkpoint_tensors(load_preset("lite")) == 5603


def test_ling_plus_comes_out_at_290_billion():
    plus = BailingMoeConfig(
        hidden_size=5376,
        num_hidden_layers=88,
        num_attention_heads=56,
        num_key_value_heads=8,
        moe_intermediate_size=3072,
        num_experts=64,
        num_experts_per_tok=4,
        num_shared_experts=1,
    )
    assert count_parameters(plus).total == 290_602_910_976
    assert count_parameters(plus).active == 29_004_170_496


def test_figure_1c_and_the_flops_of_one_4096_token_inference():
    lite = load_preset("lite")
    assert linear_macs_per_token(lite) * 4096 / 1e12 == pytest.approx(10.22, abs=0.005)
    assert flops_per_token(lite, 4096) * 4096 / 1e12 == pytest.approx(22.36, abs=0.005)
    assert flops_per_token(lite, 4096, causal=False) * 4096 / 1e12 == pytest.approx(24.28, abs=0.005)
    assert training_flops_per_token(lite, 4096) == 3 * flops_per_token(lite, 4096)


def test_bytes_read_and_cached_while_decoding():
    lite = load_preset("lite")
    assert kv_cache_bytes_per_token(lite) == 57_344
    assert decode_bytes_per_token(lite) / 1e9 == pytest.approx(4.99, abs=0.005)
    assert decode_bytes_per_token(lite, context_tokens=4096) / 1e9 == pytest.approx(5.22, abs=0.005)
    by_batch = [round(decode_bytes_per_token(lite, batch_size=b) / 1e9, 1) for b in (2, 4, 8, 16, 32)]
    assert by_batch == [7.6, 12.2, 19.0, 26.7, 31.8]
    assert inference_bytes(lite, 4096) == 33_603_948_544 + 4096 * 57_344


def test_training_state_of_lite_in_bfloat16_with_adamw():
    sizes = training_state_bytes(load_preset("lite"))
    assert sizes["total"] == 16_801_974_272 * 16
    assert training_state_bytes(load_preset("lite"), master_weights=False)["total"] == 16_801_974_272 * 12


@pytest.mark.parametrize(
    "overrides",
    [{}, {"first_k_dense_replace": 1}, {"use_bias": True, "use_qkv_bias": True}, {"num_shared_experts": 0}],
)
def test_the_count_equals_the_parameters_of_a_real_model(build_config, overrides):
    config = build_config(**overrides)
    with torch.device("meta"):
        model = BailingMoeForCausalLM(config)
    assert count_parameters(config).total == sum(p.numel() for p in model.parameters())


def test_tied_heads_are_counted_once(build_config):
    config = build_config(norm_head=False, tie_word_embeddings=True)
    model = BailingMoeForCausalLM(config)
    assert count_parameters(config).total == sum(p.numel() for p in model.parameters())


def test_presets_have_the_sizes_they_promise():
    assert 0.9e9 < count_parameters(load_preset("ablation_1b")).total < 1.2e9
    tiny = load_preset("tiny")
    assert 3e6 < count_parameters(tiny).total < 4e6
    assert tiny.head_dim == 64 and tiny.num_shared_experts == 2 and tiny.norm_head
    assert tiny.num_key_value_heads < tiny.num_attention_heads


def test_a_preset_for_another_vocabulary_drops_the_released_special_ids():
    config = load_preset("lite", vocab_size=1000)
    assert (config.vocab_size, config.eos_token_id, config.pad_token_id) == (1000, None, None)
    with pytest.raises(ValueError, match="no preset"):
        load_preset("huge")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"num_key_value_heads": None, "num_shared_experts": None, "head_dim": None, "hidden_size": 256},
        {"use_bias": True, "use_qkv_bias": True, "first_k_dense_replace": 2},
        {"tie_word_embeddings": True, "num_attention_heads": 8, "num_experts": 4, "num_experts_per_tok": 1},
    ],
)
def test_a_geometry_counts_as_the_configuration_of_the_same_keys(values):
    config, geometry = BailingMoeConfig(**values), Geometry.from_values(values)
    for field in dataclasses.fields(Geometry):
        assert getattr(geometry, field.name) == getattr(config, field.name), field.name
    assert count_parameters(geometry) == count_parameters(config)
    assert count_checkpoint_tensors(geometry) == count_checkpoint_tensors(config)


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_geometry_is_that_of_its_configuration(name):
    assert Geometry.of_preset(name) == Geometry.from_values(load_preset(name).to_dict())
