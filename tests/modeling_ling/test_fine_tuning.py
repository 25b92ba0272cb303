"""LoRA by PEFT, for real: every part gets adapters that learn, merge into the weights, and come back from disk."""

import pytest
import torch
from datasets import Dataset
from peft import PeftModel, get_peft_model
from trl import SFTConfig, SFTTrainer

from modeling_ling import BailingMoeForCausalLM
from modeling_ling.export import export_model
from modeling_ling.fine_tuning import LORA_PARTS, lora_config, present_parts
from modeling_ling.quantization import quantize_experts

IMPLEMENTATIONS = ["eager", "grouped_mm", "batched_mm", "bailing_moe_grouped", "bailing_moe_auto"]
ALL_LAYERS = {"first_k_dense_replace": 1}


def randomise_adapters(model: torch.nn.Module) -> None:
    """PEFT begins with a zero update; give every adapter a visible one."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))


def adapted(names: list[str]) -> set[str]:
    """Return `layer.module` of every adapter, in the names of the model without adapters."""
    clean = (name.replace("base_model.model.", "").replace("base_layer.", "") for name in names if "lora_" in name)
    return {name.split(".lora_")[0].removeprefix("model.layers.") for name in clean}


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_every_expert_that_saw_a_token_learns_in_every_implementation(build_model, ids, implementation):
    model = build_model(**ALL_LAYERS)
    model.set_experts_implementation(implementation)
    lora = get_peft_model(model, lora_config(model, ["experts"], rank=2))
    randomise_adapters(lora)
    output = lora(input_ids=ids, labels=ids)
    output.loss.backward()
    adapters = {name: p.grad for name, p in lora.named_parameters() if p.requires_grad}
    assert len(adapters) == 8, "two layers, two projections, two matrices each"
    for name, gradient in adapters.items():
        layer = int(name.split("layers.")[1][0])
        seen = output.expert_assignments[layer - 1] > 0  # the first layer is dense
        # PEFT stores (experts * rank, in) and (out, rank * experts), the expert outermost and innermost.
        of_expert = gradient.view(16, -1) if "lora_A" in name else gradient.view(-1, 16).T
        assert (of_expert.abs().sum(dim=1) > 0).tolist() == seen.tolist(), name


def test_all_implementations_compute_the_same_adapted_model(build_model, ids):
    losses = []
    for implementation in IMPLEMENTATIONS:
        model = build_model()
        model.set_experts_implementation(implementation)
        lora = get_peft_model(model, lora_config(model))
        randomise_adapters(lora)
        losses.append(lora(input_ids=ids, labels=ids).loss)
    torch.testing.assert_close(torch.stack(losses), losses[0].expand(len(losses)), atol=1e-5, rtol=0)
    assert abs(losses[0] - build_model()(ids, labels=ids).loss) > 1e-2


def test_without_a_choice_all_parts_are_adapted_and_the_router_is_not(build_model):
    model = build_model(**ALL_LAYERS)
    lora = get_peft_model(model, lora_config(model, rank=2))
    names = [name for name, _ in lora.named_parameters()]
    attention = {f"{layer}.attention.{name}" for layer in range(3) for name in ("query_key_value", "dense")}
    projections = ("gate_proj", "up_proj", "down_proj")
    shared = {f"{layer}.mlp.shared_experts.{name}" for layer in (1, 2) for name in projections}
    assert adapted(names) == attention | shared | {f"0.mlp.{name}" for name in projections} | {
        "1.mlp.experts",
        "2.mlp.experts",
    }
    trained = [name for name, parameter in lora.named_parameters() if parameter.requires_grad]
    assert all("lora_" in name for name in trained)


@pytest.mark.parametrize("part", LORA_PARTS)
def test_each_part_alone_adapts_its_own_weights_only(build_model, part):
    model = build_model(**ALL_LAYERS)
    lora = get_peft_model(model, lora_config(model, [part], rank=2))
    found = adapted([name for name, _ in lora.named_parameters()])
    assert found
    marker = {"attention": ".attention.", "shared_experts": ".shared_experts.", "experts": ".mlp.experts"}
    assert all(marker.get(part, "0.mlp.") in name for name in found)


def test_merged_adapters_compute_the_same_and_are_exported_in_the_released_layout(build_model, ids, tmp_path):
    model = build_model().eval()
    lora = get_peft_model(model, lora_config(model, rank=2)).eval()
    randomise_adapters(lora)
    expected = lora(input_ids=ids).logits
    merged = lora.merge_and_unload()
    export_model(merged, None, tmp_path)
    loaded = BailingMoeForCausalLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(loaded(ids).logits, expected, atol=1e-5, rtol=0)
    assert (build_model().eval()(ids).logits - expected).abs().max() > 1e-2


def test_adapters_come_back_from_disk(build_model, ids, tmp_path):
    model = build_model(**ALL_LAYERS)
    lora = get_peft_model(model, lora_config(model, rank=2)).eval()
    randomise_adapters(lora)
    lora.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(build_model(**ALL_LAYERS), tmp_path).eval()
    torch.testing.assert_close(again(input_ids=ids).logits, lora(input_ids=ids).logits)
    randomise_adapters(again)  # the files hold what training left, not what a new adapter begins with
    torch.testing.assert_close(again(input_ids=ids).logits, lora(input_ids=ids).logits)


def test_checkpointed_gradients_of_adapters_are_those_without(build_model, ids):
    gradients = []
    for checkpointing in (False, True):
        model = build_model()
        if checkpointing:
            model.gradient_checkpointing_enable()
            model.enable_input_require_grads()
        lora = get_peft_model(model, lora_config(model, rank=2)).train()
        randomise_adapters(lora)
        lora(input_ids=ids, labels=ids).loss.backward()
        gradients.append({name: p.grad for name, p in lora.named_parameters() if p.requires_grad})
    torch.testing.assert_close(gradients[1], gradients[0])


def test_trl_trains_the_experts_through_its_own_peft_config(build_model, tokenizer, tmp_path):
    model = build_model(norm_head=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    rows = [{"messages": [{"role": "user", "content": "Add."}, {"role": "assistant", "content": "def add(): ..."}]}] * 4
    arguments = SFTConfig(
        output_dir=str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=2,
        learning_rate=1e-2,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=lora_config(model, ["experts"], rank=2),
    )
    trainer.train()
    moved = {name: p for name, p in trainer.model.named_parameters() if "lora_B" in name}
    assert len(moved) == 6
    assert all(parameter.abs().sum() > 0 for parameter in moved.values()), "lora_B begins at zero"


def test_mistakes_are_named(build_model):
    model = build_model(num_shared_experts=0)
    assert present_parts(model.config) == ("attention", "experts")
    with pytest.raises(ValueError, match="'router' is unknown: choose among attention"):
        lora_config(model, ["router"])
    with pytest.raises(ValueError, match="this model has no shared_experts: choose among attention, experts"):
        lora_config(model, ["shared_experts"])
    with pytest.raises(ValueError, match=r"lora_dropout=0\.1 cannot be applied to experts"):
        lora_config(model, lora_dropout=0.1)
    with pytest.raises(ValueError, match="no part to adapt"):
        lora_config(model, [])
    assert lora_config(model, ["attention"], lora_dropout=0.1).lora_dropout == 0.1


def test_experts_in_four_bits_take_no_adapters_but_the_rest_does(build_model):
    model = build_model(moe_intermediate_size=64)
    quantize_experts(model)
    with pytest.raises(ValueError, match="quantised to 4 bits"):
        lora_config(model)
    lora = get_peft_model(model, lora_config(model, ["attention"]))
    assert adapted([name for name, _ in lora.named_parameters()])
