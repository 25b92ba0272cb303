"""The configuration as a strict dataclass: types and contradictions are found when a value is set, early or late."""

import copy

import pytest
from huggingface_hub.errors import StrictDataclassFieldValidationError
from transformers import AutoConfig

from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM, load_preset

CONTRADICTIONS = [
    ({"norm_head": True}, "tie_word_embeddings", True, "norm_head=true with tie_word_embeddings=true"),
    ({"tie_word_embeddings": True}, "norm_head", True, "norm_head=true with tie_word_embeddings=true"),
    ({}, "norm_softmax", True, "norm_softmax=true is not supported"),
    ({}, "router_dtype", "int8", "router_dtype='int8' is unknown"),
    ({}, "num_experts_per_tok", 65, "num_experts_per_tok=65 must lie between"),
    ({}, "num_experts_per_tok", 0, "num_experts_per_tok=0 must lie between"),
    ({}, "num_experts", 5, "num_experts_per_tok=6 must lie between 1 and num_experts=5"),
    ({}, "num_key_value_heads", 3, "must be a multiple of num_key_value_heads=3"),
    ({}, "head_dim", 33, "head_dim=33 must be even"),
    ({}, "router_warmup_steps", -1, "router_warmup_steps=-1"),
    ({}, "vocab_size", 0, "vocab_size=0 must be at least 1"),
]


@pytest.mark.parametrize(("others", "name", "value", "message"), CONTRADICTIONS)
def test_a_contradiction_is_refused_when_made_and_when_set(others, name, value, message):
    with pytest.raises(ValueError, match=message):
        BailingMoeConfig(**others, **{name: value})
    config = BailingMoeConfig(**others)
    before = getattr(config, name)
    with pytest.raises(ValueError, match=message):
        setattr(config, name, value)
    assert getattr(config, name) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("hidden_size", "2048"), ("norm_head", "yes"), ("rms_norm_eps", None), ("num_experts", 64.0), ("head_dim", "64")],
)
def test_another_type_is_refused_when_made_and_when_set(name, value):
    with pytest.raises(StrictDataclassFieldValidationError, match=name):
        BailingMoeConfig(**{name: value})
    with pytest.raises(StrictDataclassFieldValidationError, match=name):
        setattr(BailingMoeConfig(), name, value)


@pytest.mark.parametrize(("value", "kept"), [("float32", "fp32"), ("bf16", "bf16"), ("bfloat16", "bf16"), (None, None)])
def test_the_dtype_of_the_router_is_kept_in_one_spelling(build_config, tmp_path, value, kept):
    assert build_config(router_dtype=value).router_dtype == kept
    config = build_config()
    config.router_dtype = value
    assert config.router_dtype == kept
    BailingMoeForCausalLM(config).save_pretrained(tmp_path)
    assert BailingMoeForCausalLM.from_pretrained(tmp_path, router_dtype=value).config.router_dtype == kept


def test_overrides_of_a_file_are_checked_together(tmp_path):
    load_preset("tiny").save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(
        tmp_path, tie_word_embeddings=True, norm_head=False, num_experts=2, num_experts_per_tok=1
    )
    assert (config.num_experts, config.num_experts_per_tok, config.norm_head) == (2, 1, False)
    longer = AutoConfig.from_pretrained(tmp_path, rope_scaling={"type": "yarn", "factor": 4.0})
    assert longer.rope_parameters["rope_type"] == "yarn" and longer.rope_theta == 10000.0
    slower, unused = AutoConfig.from_pretrained(tmp_path, rope_theta=5e5, colour=1, return_unused_kwargs=True)
    assert slower.rope_theta == 5e5 and unused == {"colour": 1}
    with pytest.raises(ValueError, match="num_experts_per_tok=4"):
        AutoConfig.from_pretrained(tmp_path, num_experts=2)


def test_a_file_and_a_copy_give_the_same_configuration(tmp_path):
    config = load_preset("lite")
    config.save_pretrained(tmp_path)
    read = BailingMoeConfig.from_pretrained(tmp_path).to_dict()
    assert read == config.to_dict() | {"architectures": read["architectures"]} == copy.deepcopy(config).to_dict()
    assert config.to_diff_dict()["rope_theta"] == 600000.0
