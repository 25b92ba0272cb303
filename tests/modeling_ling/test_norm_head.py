"""NormHead as a module: its norm, when it is taken anew, and what others put around it or read from it."""

import copy

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import BitsAndBytesConfig, DynamicCache
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.trainer.utils import add_fused_lm_head

from modeling_ling import BailingMoeForCausalLM, norm_head
from modeling_ling.norm_head import BailingMoeNormHead, column_norms

pytestmark = pytest.mark.slow

TRAINING_ON_A_CPU = {"report_to": [], "use_cpu": True, "bf16": False, "max_steps": 2, "disable_tqdm": True}


@pytest.fixture
def counted_norms(monkeypatch) -> list[tuple[int, ...]]:
    """Return a list that grows by the shape of every weight whose norms are computed."""
    shapes = []

    def count(weight):
        shapes.append(tuple(weight.shape))
        return column_norms(weight)

    monkeypatch.setattr(norm_head, "column_norms", count)
    return shapes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(1, 3), (509, 64), (3000, 1024)], ids=str)
def test_column_norms_are_those_of_float64_in_pieces_too(dtype, shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    norms = column_norms(weight)
    assert norms.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(norms.double(), weight.double().norm(dim=0), rtol=2e-6, atol=0)


def test_the_head_scales_its_input_by_the_norms_of_its_columns(build_model, ids):
    model = build_model().eval()
    head = model.lm_head
    torch.testing.assert_close(head.scale(), 1 / (head.weight.detach().norm(dim=0) + 1e-7))
    hidden = model.model(ids).last_hidden_state
    logits = model(ids).logits
    torch.testing.assert_close(model.lm_head(hidden), logits)
    torch.testing.assert_close(model.scale_for_head(hidden) @ head.weight.T, logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(hidden @ head.scaled_weight().T, logits, atol=1e-5, rtol=0)
    plain = build_model(norm_head=False).eval()
    assert type(plain.lm_head) is torch.nn.Linear and plain.scale_for_head(hidden) is hidden


def test_a_state_dict_has_the_released_name_and_nothing_more(build_model):
    model = build_model()
    model.eval().lm_head(torch.ones(1, 64))  # a norm that is kept is no part of a checkpoint
    assert [name for name in model.state_dict() if "head" in name] == ["lm_head.weight"]
    assert [name for name, _ in model.named_buffers() if "head" in name] == []
    assert torch.equal(copy.deepcopy(model).lm_head(torch.ones(1, 64)), model.lm_head(torch.ones(1, 64)))


@torch.no_grad()
def test_the_norm_is_taken_once_per_prompt_and_once_for_many_scored_texts(build_model, ids, counted_norms):
    model = build_model().eval()
    model.generate(ids, max_new_tokens=5, min_new_tokens=5, do_sample=False)
    assert len(counted_norms) == 1
    for _ in range(4):
        model(ids, labels=ids, use_cache=False)
    assert len(counted_norms) == 1
    model.generate(ids, max_new_tokens=5, min_new_tokens=5, do_sample=False, num_beams=2)
    assert len(counted_norms) == 2


def multiply_in_place(weight):
    weight[:, 0] *= 50.0


def multiply_data(weight):
    weight.data[:, 0] *= 50.0  # which no version counter sees


def replace_data(weight):
    weight.data = weight.data * torch.linspace(0.5, 20.0, weight.shape[1])


def copy_into(weight):
    weight.copy_(torch.randn(weight.shape))


def step_of_an_optimizer(weight):
    weight.grad = torch.ones_like(weight)
    torch.optim.AdamW([weight], lr=0.5).step()


@torch.no_grad()
@pytest.mark.parametrize("call", ["score", "prompt and step", "generate", "inference mode"])
@pytest.mark.parametrize(
    "change",
    [multiply_in_place, multiply_data, replace_data, copy_into, step_of_an_optimizer],
    ids=lambda change: change.__name__,
)
def test_the_norm_follows_every_change_of_the_weight(build_model, ids, change, call):
    model = build_model().eval()
    model(ids, use_cache=False)
    model.generate(ids, max_new_tokens=2, do_sample=False)
    change(model.lm_head.weight)
    if call == "score":
        found = model(ids, use_cache=False).logits
    elif call == "inference mode":
        with torch.inference_mode():
            found = model(ids, use_cache=False).logits
    elif call == "generate":
        arguments = {"output_logits": True, "return_dict_in_generate": True}
        generated = model.generate(ids, max_new_tokens=3, do_sample=False, **arguments)
        ids, found = generated.sequences[:, :-1], torch.stack(generated.logits, dim=1)
    else:
        cache = DynamicCache(config=model.config)
        prompt = model(ids, past_key_values=cache, use_cache=True).logits
        following = prompt[:, -1:].argmax(-1)
        ids, found = torch.cat([ids, following], 1), model(following, past_key_values=cache, use_cache=True).logits
    weight = model.lm_head.weight
    expected = model.model(ids).last_hidden_state @ (weight / (weight.norm(dim=0) + 1e-7)).T
    torch.testing.assert_close(found, expected[:, -found.shape[1] :], atol=1e-5, rtol=0)


def test_a_kept_norm_of_inference_mode_does_not_break_gradients(build_model, ids):
    model = build_model().eval()
    with torch.inference_mode():
        model(ids)
    model(ids, labels=ids).loss.backward()
    assert model.lm_head.weight.grad.abs().sum() > 0


def adapted(model, **options):
    torch.manual_seed(3)
    adapter = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=["lm_head"], **options))
    with torch.no_grad():
        for name, parameter in adapter.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.3)
    return adapter


@pytest.mark.parametrize("merge", ["merge_and_unload", "safe merge", "merge in place", "saved and loaded"])
def test_lora_on_the_head_and_the_merged_head_give_the_same_logits(build_model, ids, tmp_path, merge):
    bare = build_model().eval()
    without = bare(ids).logits.detach()
    model = adapted(bare).eval()
    expected = model(ids).logits.detach()
    assert (expected - without).abs().max() > 0.1
    with model.disable_adapter():
        torch.testing.assert_close(model(ids).logits, without, atol=1e-5, rtol=0)
    if merge == "merge in place":
        model.merge_adapter()
        torch.testing.assert_close(model(ids).logits, expected, atol=1e-5, rtol=0)
        model.unmerge_adapter()
        merged = model
    else:
        merged = model.merge_and_unload(safe_merge=merge == "safe merge")
        assert type(merged.lm_head) is BailingMoeNormHead
        if merge == "saved and loaded":
            merged.save_pretrained(tmp_path)
            merged = BailingMoeForCausalLM.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(merged(ids).logits, expected, atol=1e-5, rtol=0)
    generated = merged.generate(ids, max_new_tokens=4, do_sample=False)
    assert generated.tolist() == adapted(build_model().eval()).eval().generate(ids, max_new_tokens=4).tolist()


def test_training_an_adapter_of_the_head_lowers_the_merged_loss_alike(build_model, ids):
    model = adapted(build_model()).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-2)
    for _ in range(10):
        model(input_ids=ids, labels=ids).ce_loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    loss = model(input_ids=ids, labels=ids).loss
    torch.testing.assert_close(model.merge_and_unload()(input_ids=ids, labels=ids).loss, loss, atol=1e-5, rtol=0)


def test_an_adapter_that_is_no_added_matrix_is_refused(build_model, ids):
    with pytest.raises(NotImplementedError, match="variant of LoRA"):
        adapted(build_model(), use_dora=True)(ids)


def test_a_copied_adapter_scales_by_its_own_weight(build_model, ids):
    model = adapted(build_model()).eval()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        model.get_base_model().lm_head.base_layer.weight.mul_(torch.linspace(0.5, 20.0, 64))
    merged = copy.deepcopy(twin).merge_and_unload()
    torch.testing.assert_close(twin(ids).logits, merged(ids).logits, atol=1e-5, rtol=0)


def test_the_fused_head_of_trl_trains_the_same_function(build_model, ids):
    """Its loss and every gradient are those of the model's own forward."""
    own, patched = build_model(router_aux_loss_coef=0.0, router_z_loss_coef=0.0), build_model()
    add_fused_lm_head(patched)
    outputs = patched(input_ids=ids, labels=ids, fused_lm_head=True)
    expected = own(input_ids=ids, labels=ids, use_cache=False)
    torch.testing.assert_close(outputs.loss, expected.loss, atol=1e-5, rtol=1e-5)
    outputs.loss.backward()
    expected.loss.backward()
    for (name, parameter), other in zip(patched.named_parameters(), own.parameters(), strict=True):
        error = (parameter.grad - other.grad).norm() / other.grad.norm().clamp(min=1e-12)
        assert error < 1e-4, name
    assert patched.get_output_embeddings() is patched.lm_head
    torch.testing.assert_close(patched(ids).logits, own(ids).logits)


def test_stock_trl_trainers_train_with_norm_head(build_model, tokenizer, tmp_path):
    special = {"vocab_size": 448, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    special["router_aux_loss_coef"] = 0.0
    chat = [{"role": "user", "content": "name the class"}, {"role": "assistant", "content": "Stack"}]
    model = build_model(**special)
    batch = tokenizer.apply_chat_template([chat], return_tensors="pt", return_dict=True)["input_ids"]
    before = functional.cross_entropy(model.eval()(batch).logits[0, :-1], batch[0, 1:]).item()
    arguments = SFTConfig(output_dir=str(tmp_path), logging_steps=1, learning_rate=1e-3, **TRAINING_ON_A_CPU)
    data = Dataset.from_list([{"messages": chat}] * 8)
    trainer = SFTTrainer(model=model.train(), args=arguments, train_dataset=data, processing_class=tokenizer)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(before, abs=2e-3)

    pairs = Dataset.from_list([{"prompt": "name", "chosen": "Stack", "rejected": "import os"}] * 8)
    arguments = DPOConfig(output_dir=str(tmp_path), logging_steps=1, **TRAINING_ON_A_CPU)
    build_model(**special).save_pretrained(tmp_path / "model")  # DPO loads its reference from where the model was
    model = BailingMoeForCausalLM.from_pretrained(tmp_path / "model")
    trainer = DPOTrainer(model=model, args=arguments, train_dataset=pairs, processing_class=tokenizer)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(0.6931, abs=1e-3)


@pytest.mark.parametrize("options", [{"load_in_4bit": True}, {"load_in_8bit": True}], ids=str)
@pytest.mark.parametrize("skipped", [None, ["model.layers.0"], ["lm_head"]], ids=str)
def test_bitsandbytes_with_any_list_of_skipped_modules_leaves_the_head_whole(
    build_model, ids, tmp_path, options, skipped
):
    build_model().save_pretrained(tmp_path)
    config = BitsAndBytesConfig(**options, llm_int8_skip_modules=skipped)
    model = BailingMoeForCausalLM.from_pretrained(tmp_path, quantization_config=config).eval()
    assert type(model.lm_head) is BailingMoeNormHead and model.lm_head.weight.is_floating_point()
    assert not model.model.layers[1].attention.dense.weight.is_floating_point() or options == {"load_in_8bit": True}
    model(ids)
    assert (skipped or []) == [name for name in (config.llm_int8_skip_modules or []) if name in (skipped or [])]


def test_a_quantised_module_in_place_of_the_head_is_refused(build_model):
    from bitsandbytes.nn import Linear4bit

    with pytest.raises(ValueError, match='name "lm_head" among the modules'):
        build_model().lm_head = Linear4bit(64, 509, bias=False)
    build_model(norm_head=False).lm_head = Linear4bit(64, 509, bias=False)


def test_a_resized_vocabulary_keeps_norm_head(build_model, ids):
    model = build_model().eval()
    model.resize_token_embeddings(512)
    assert type(model.lm_head) is BailingMoeNormHead
    weight = model.lm_head.weight
    expected = model.model(ids).last_hidden_state @ (weight / weight.norm(dim=0)).T
    torch.testing.assert_close(model(ids).logits, expected, atol=1e-5, rtol=0)


def test_a_whole_copy_of_the_head_trained_by_peft_stays_a_norm_head(build_model, ids):
    options = {"target_modules": ["query_key_value"], "modules_to_save": ["lm_head"]}
    model = get_peft_model(build_model().eval(), LoraConfig(r=4, **options)).eval()
    with torch.no_grad():
        model.get_base_model().lm_head.modules_to_save["default"].weight.normal_()
    expected = model(ids).logits
    merged = model.merge_and_unload()
    weight = merged.lm_head.weight
    torch.testing.assert_close(merged(ids).logits, expected, atol=1e-4, rtol=0)
    hidden = merged.model(ids).last_hidden_state
    torch.testing.assert_close(hidden @ (weight / weight.norm(dim=0)).T, expected, atol=1e-4, rtol=0)


def test_of_two_adapters_the_active_one_is_in_the_norm(build_model, ids):
    model = adapted(build_model().eval())
    model.add_adapter("other", LoraConfig(r=4, target_modules=["lm_head"]))
    with torch.no_grad():
        model.get_base_model().lm_head.lora_B["other"].weight.normal_(0, 0.3)
    first = model.eval()(ids).logits
    model.set_adapter("other")
    second = model(ids).logits
    assert (first - second).abs().max() > 0.1
    model.set_adapter("default")
    torch.testing.assert_close(model(ids).logits, first, atol=1e-5, rtol=0)
    model.set_adapter("other")
    torch.testing.assert_close(model.merge_and_unload()(ids).logits, second, atol=1e-4, rtol=0)


def test_an_adapter_on_a_resized_head_is_merged_saved_and_read_back(build_model, ids, tmp_path):
    model = build_model().eval()
    model.resize_token_embeddings(520)
    model = adapted(model).eval()
    expected = model(ids).logits
    model.merge_and_unload().save_pretrained(tmp_path)
    torch.testing.assert_close(
        BailingMoeForCausalLM.from_pretrained(tmp_path).eval()(ids).logits, expected, atol=1e-4, rtol=0
    )
