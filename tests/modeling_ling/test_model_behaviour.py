"""What users do with the model: generate, pack, checkpoint gradients, accumulate, mix training and evaluation."""

import pytest
import torch
from transformers import DynamicCache

EXPERTS = ["eager", "grouped_mm", "batched_mm", "bailing_moe_grouped", "bailing_moe_auto"]


@torch.no_grad()
def test_sixteen_greedy_steps_with_a_cache_equal_those_without(build_model, ids):
    model = build_model().eval()
    cached = model.generate(ids, max_new_tokens=16, do_sample=False, use_cache=True)
    plain = ids
    for _ in range(16):
        plain = torch.cat([plain, model(plain, use_cache=False).logits[:, -1:].argmax(-1)], dim=1)
    assert cached.shape == (2, 25)
    assert cached.tolist() == plain.tolist()


@torch.no_grad()
def test_cached_logits_equal_uncached_logits(build_model, ids):
    model = build_model().eval()
    expected = model(ids, use_cache=False).logits
    cache = DynamicCache(config=model.config)
    steps = [model(ids[:, t : t + 1], past_key_values=cache, use_cache=True).logits for t in range(ids.shape[1])]
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_left_padded_generation_equals_generation_alone(build_model, ids):
    model = build_model().eval()
    alone = model.generate(ids[1:, :4], max_new_tokens=8, do_sample=False)
    padded = torch.cat([torch.zeros(1, 5, dtype=torch.long), ids[1:, :4]], dim=1)
    mask = torch.tensor([[1] * 9, [0] * 5 + [1] * 4])
    both = model.generate(torch.cat([ids[:1], padded]), attention_mask=mask, max_new_tokens=8, do_sample=False)
    assert both[1, 9:].tolist() == alone[0, 4:].tolist()


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_packed_documents_do_not_see_each_other(build_model, ids, attention):
    model = build_model().eval()
    model.set_attn_implementation(attention)
    packed = torch.cat([ids[:1], ids[1:, :5]], dim=1)
    positions = torch.tensor([[*range(9), *range(5)]])
    logits = model(packed, position_ids=positions, use_cache=False).logits
    torch.testing.assert_close(logits[:, :9], model(ids[:1], use_cache=False).logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(logits[:, 9:], model(ids[1:, :5], use_cache=False).logits, atol=1e-5, rtol=0)
    joined = model(packed, use_cache=False).logits
    assert (joined[:, 9:] - logits[:, 9:]).abs().max() > 1e-2, "without restarting positions the documents are one"


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_gradient_checkpointing_changes_neither_loss_nor_gradients(build_model, ids, use_reentrant):
    plain, checkpointed = build_model().train(), build_model().train()
    checkpointed.gradient_checkpointing_enable({"use_reentrant": use_reentrant})
    results = []
    for model in (plain, checkpointed):
        output = model(ids, labels=ids, use_cache=False)
        output.loss.backward()
        results.append((output, {name: p.grad for name, p in model.named_parameters()}))
    (expected, gradients), (actual, recomputed) = results
    assert len(actual.router_logits) == 3, "a recomputation must not record a layer twice"
    torch.testing.assert_close(actual.loss, expected.loss)
    torch.testing.assert_close(actual.aux_loss, expected.aux_loss)
    torch.testing.assert_close(recomputed, gradients)


def test_router_losses_reach_the_router_under_reentrant_checkpointing(build_model, ids):
    model = build_model(router_aux_loss_coef=0.0, router_z_loss_coef=1.0).train()
    model.gradient_checkpointing_enable({"use_reentrant": True})
    model(ids, labels=ids, use_cache=False).z_loss.backward()
    assert all(layer.mlp.gate.weight.grad.abs().sum() > 0 for layer in model.model.layers)


def test_accumulated_micro_batches_give_the_loss_of_the_whole_batch(build_model, ids):
    model = build_model(router_z_loss_coef=0.0).train()
    whole = model(ids, labels=ids)
    num_items = 2 * (ids.shape[1] - 1)
    parts = [model(row[None], labels=row[None], num_items_in_batch=num_items) for row in ids]
    router_share = sum(model.config.router_aux_loss_coef * part.aux_loss for part in parts) / 2
    torch.testing.assert_close(sum(part.ce_loss for part in parts), whole.ce_loss)
    torch.testing.assert_close(sum(part.loss for part in parts), whole.ce_loss + router_share)


def test_accumulated_z_losses_are_that_of_the_whole_batch(build_model, ids):
    model = build_model(router_aux_loss_coef=0.0, router_z_loss_coef=0.1).train()
    rows = ids[:2]
    labels = rows.clone()
    labels[0, :-2] = -100  # few predicted tokens where there are as many real ones
    mask = torch.ones_like(rows)
    mask[1, -3:] = 0
    labels[1, -3:] = -100
    whole = model(rows, labels=labels, attention_mask=mask)
    counts = {
        "num_items_in_batch": int((labels[:, 1:] != -100).sum()),
        "num_tokens_in_batch": int(mask.sum()),
    }
    parts = [
        model(rows[[row]], labels=labels[[row]], attention_mask=mask[[row]], **counts).loss for row in range(len(rows))
    ]
    torch.testing.assert_close(sum(parts), whole.loss, atol=1e-6, rtol=1e-6)


def test_evaluating_and_generating_leave_every_weight_as_it_was(build_model, ids):
    model = build_model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.eval()
    model.generate(ids, max_new_tokens=2, do_sample=False)
    model.train()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert model.config.norm_head


def test_the_end_token_embedding_learns_although_it_is_the_padding_token(build_model, ids):
    model = build_model(eos_token_id=7, pad_token_id=7)
    batch = ids.clone()
    batch[:, 3] = 7
    model(batch, labels=batch).loss.backward()
    assert model.model.word_embeddings.weight.grad[7].abs().sum() > 0


@pytest.mark.parametrize("experts", EXPERTS)
def test_bfloat16_training_keeps_the_router_in_float32(build_model, ids, experts):
    model = build_model(router_dtype="float32").to(torch.bfloat16)
    model.set_experts_implementation(experts)
    output = model(ids, labels=ids)
    output.loss.backward()
    assert output.router_logits[0].dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_autocast_does_not_lower_the_router(build_model, ids):
    model = build_model()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(ids, labels=ids)
    assert output.router_logits[0].dtype == torch.float32
    assert build_model(router_dtype=None).to(torch.bfloat16)(ids, labels=ids).router_logits[0].dtype == torch.bfloat16


def test_router_logits_are_raw_and_one_tensor_per_moe_layer(build_model, ids):
    model = build_model(first_k_dense_replace=1).eval()
    assert model(ids).router_logits is None
    logits = model(ids, output_router_logits=True).router_logits
    assert [tuple(layer.shape) for layer in logits] == [(18, 16)] * 2
    assert logits[0].min() < 0, "probabilities instead of logits would cut the balance loss from its gradient"


def test_an_expert_that_no_token_chose_gets_a_zero_gradient(build_model):
    model = build_model()
    one_token = torch.tensor([[5, 5]])
    model(one_token, labels=one_token).loss.backward()
    gradient = model.model.layers[0].mlp.experts.down_proj.grad
    idle = gradient.abs().sum(dim=(1, 2)) == 0
    assert 0 < idle.sum() < 16


def test_attentions_and_hidden_states_are_returned_on_request(build_model, ids):
    model = build_model().eval()
    model.set_attn_implementation("eager")
    output = model(ids, output_hidden_states=True, output_attentions=True)
    assert len(output.hidden_states) == 4
    assert [tuple(weights.shape) for weights in output.attentions] == [(2, 8, 9, 9)] * 3


def test_ambiguous_input_is_refused(build_model):
    with pytest.raises(ValueError, match="exactly one"):
        build_model()()
