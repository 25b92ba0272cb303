"""4 and 8 bits by bitsandbytes, for real, on whatever device the tests have."""

import logging

import pytest
import torch
from peft import get_peft_model
from transformers import BitsAndBytesConfig

from modeling_ling import BailingMoeForCausalLM
from modeling_ling.export import export_model
from modeling_ling.fine_tuning import lora_config
from modeling_ling.quantization import bytes_by_component, describe_quantisation, quantize_experts

# bitsandbytes on a CPU packs blocks of 64 inputs: widths are multiples of it, as in every released model.
WIDTHS = {"moe_intermediate_size": 64, "intermediate_size": 128, "first_k_dense_replace": 1}


@pytest.fixture
def folder(build_model, tmp_path):
    export_model(build_model(**WIDTHS).to(torch.bfloat16), None, tmp_path)
    return tmp_path


def load(folder, **quantisation) -> BailingMoeForCausalLM:
    config = BitsAndBytesConfig(bnb_4bit_compute_dtype=torch.bfloat16, **quantisation)
    return BailingMoeForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, quantization_config=config).eval()


@pytest.mark.parametrize("bits", ["load_in_4bit", "load_in_8bit"])
def test_loading_says_what_stayed_unquantised(folder, ids, bits, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    with caplog.at_level(logging.WARNING):
        model = load(folder, **{bits: True})
    # 2 layers of 16 experts, each 64 * 128 + 64 * 64 numbers of 2 bytes
    experts = 2 * 16 * (64 * 128 + 64 * 64) * 2
    assert bytes_by_component(model)["routed experts"] == (0, experts)
    text = describe_quantisation(model)
    assert f"not quantised: routed experts {experts / 1e3:.2f} kB, " in text
    assert "routers" in text and "quantize_experts(model)" in text
    assert text in caplog.text
    assert model(ids).logits.isfinite().all()


def test_experts_in_four_bits_take_a_quarter_and_compute_nearly_the_same(folder, ids):
    plain = BailingMoeForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    model = quantize_experts(BailingMoeForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval())
    _, whole = bytes_by_component(plain)["routed experts"]
    assert bytes_by_component(model)["routed experts"] == (whole // 4, 0)
    assert "routed experts" not in describe_quantisation(model).split("not quantised")[1]
    expected = plain(ids).logits.float()
    for implementation in ("eager", "grouped_mm", "batched_mm", "bailing_moe_grouped", "bailing_moe_auto"):
        model.set_experts_implementation(implementation)
        logits = model(ids).logits.float()
        similarity = torch.nn.functional.cosine_similarity(logits.flatten(), expected.flatten(), dim=0)
        assert 0.9 < similarity < 1, implementation
    assert model.generate(ids, max_new_tokens=3, min_new_tokens=3, do_sample=False).shape == (2, 12)


def test_adapters_on_attention_learn_while_everything_else_is_in_four_bits(folder, ids):
    model = quantize_experts(load(folder, load_in_4bit=True)).train()
    lora = get_peft_model(model, lora_config(model, ["attention"], rank=2))
    lora(input_ids=ids, labels=ids).loss.backward()
    learning = {name: p.grad.abs().sum() for name, p in lora.named_parameters() if "lora_B" in name}
    assert len(learning) == 6
    assert all(size > 0 for size in learning.values()), learning


def test_mistakes_are_named(build_model):
    model = build_model(**WIDTHS)
    with pytest.raises(ValueError, match="no routed experts"):
        quantize_experts(build_model(first_k_dense_replace=3))
    quantize_experts(model)
    with pytest.raises(ValueError, match=r"layers\.1\.mlp\.experts is quantised already"):
        quantize_experts(model)
    adapted = build_model(**WIDTHS)
    get_peft_model(adapted, lora_config(adapted, ["experts"]))
    with pytest.raises(ValueError, match="has an adapter: merge it"):
        quantize_experts(adapted)


def test_a_quantised_model_is_not_exported_as_if_it_were_whole(folder, tmp_path_factory):
    with pytest.raises(ValueError, match="plain weights"):
        export_model(load(folder, load_in_8bit=True), None, tmp_path_factory.mktemp("export"))
