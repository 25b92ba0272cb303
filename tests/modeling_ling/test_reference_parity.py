"""The model against the float64 reference: every configuration field, implementation and layout of the batch."""

import pytest
import torch

from tests.modeling_ling.parity import check_parity
from tests.modeling_ling.reference_model import Reference

pytestmark = pytest.mark.slow

CASES = {
    "as released": {},
    "norm_head off": {"norm_head": False},
    "embedding and head tied, without NormHead": {"norm_head": False, "tie_word_embeddings": True},
    "one dense layer": {"first_k_dense_replace": 1},
    "two dense layers": {"first_k_dense_replace": 2},
    "weights not renormalised": {"norm_topk_prob": False},
    "no shared experts": {"num_shared_experts": 0},
    "one expert per token": {"num_experts_per_tok": 1},
    "every expert for every token": {"num_experts": 4},
    "head_dim of its own, with biases": {"head_dim": 24, "use_qkv_bias": True, "use_bias": True},
    "multi-head attention": {"num_key_value_heads": 8},
    "the base models' epsilon": {"rms_norm_eps": 1e-5},
    "linear rope scaling": {"rope_scaling": {"type": "linear", "factor": 4.0}},
    "dynamic rope scaling beyond the context": {
        "rope_scaling": {"type": "dynamic", "factor": 2.0},
        "max_position_embeddings": 6,
        "rope_theta": 100.0,
    },
    "yarn as the released code defaults": {"rope_scaling": {"type": "yarn", "factor": 4.0}, "rope_theta": 100.0},
    "yarn with its own magnitude": {
        "rope_scaling": {
            "type": "yarn",
            "factor": 8.0,
            "original_max_position_embeddings": 64,
            "mscale": 0.7,
            "beta_fast": 16,
        },
        "rope_theta": 100.0,
    },
    "yarn with both magnitudes": {
        "rope_scaling": {
            "type": "yarn",
            "factor": 8.0,
            "original_max_position_embeddings": 64,
            "mscale": 0.7,
            "mscale_all_dim": 1.3,
        },
        "rope_theta": 100.0,
    },
}


@pytest.mark.parametrize("case", CASES)
def test_logits_losses_and_gradients_equal_the_reference(build_model, tmp_path, ids, case):
    assert check_parity(build_model(**CASES[case]), tmp_path, [ids[0], ids[1]])


@pytest.mark.parametrize("implementation", ["eager", "grouped_mm", "batched_mm", "bailing_moe_grouped"])
def test_every_experts_implementation_equals_the_reference(build_model, tmp_path, ids, implementation):
    model = build_model()
    model.set_experts_implementation(implementation)
    assert check_parity(model, tmp_path, [ids[0], ids[1]])


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("layout", ["left", "right", "packed"])
def test_padding_and_packing_change_nothing_for_the_real_tokens(build_model, tmp_path, ids, layout, attention):
    model = build_model()
    model.set_attn_implementation(attention)
    assert check_parity(model, tmp_path, [ids[0], ids[1, :5], ids[1, 2:4]], layout)


def test_sixteen_greedy_steps_with_a_cache_take_what_the_reference_finds_likeliest(build_model, tmp_path, ids):
    model = build_model().eval()
    model.save_pretrained(tmp_path)
    prompt = ids[:1]
    generated = model.generate(
        prompt, max_new_tokens=16, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    with torch.no_grad():
        expected, _ = Reference.load(tmp_path, model.config).sequence(generated.sequences[0, :-1])
    first = prompt.shape[1] - 1
    assert generated.sequences[0, first + 1 :].tolist() == expected[first:].argmax(dim=-1).tolist()
    torch.testing.assert_close(torch.cat(generated.logits).double(), expected[first:], atol=1e-5, rtol=0)


def test_a_prompt_in_chunks_through_the_cache_equals_the_reference(build_model, tmp_path, ids):
    model = build_model().eval()
    model.save_pretrained(tmp_path)
    cache, pieces = None, []
    for chunk in ids[:1].split([4, 1, 3, 1], dim=1):
        with torch.no_grad():
            output = model(chunk, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        pieces.append(output.logits[0])
    with torch.no_grad():
        expected, _ = Reference.load(tmp_path, model.config).sequence(ids[0])
    torch.testing.assert_close(torch.cat(pieces).double(), expected, atol=1e-5, rtol=0)
