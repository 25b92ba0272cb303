"""What training does to the routers: stochastic warm-up, freezing, recomputation, statistics without waiting."""

import copy

import pytest
import torch

from modeling_ling.losses import summarise_routing


def expert_choices(model) -> list[torch.Tensor]:
    """Record the experts of every call of the first MoE layer, recomputations included."""
    calls: list[torch.Tensor] = []
    model.model.layers[0].mlp.experts.register_forward_pre_hook(
        lambda module, arguments: calls.append(arguments[1].detach().clone())
    )
    return calls


# ---- stochastic warm-up


def test_routing_is_random_at_step_zero_and_learned_from_the_last_warm_up_step_on(build_model, ids):
    model = build_model(router_warmup_steps=10).train()
    choices = expert_choices(model)
    for step in (0, 0, 10, 11):
        model.set_routing_step(step)
        model(ids, use_cache=False)
    first, second, learned, later = (call.sort(-1).values for call in choices)
    assert not torch.equal(first, second), "noise is drawn anew in every forward"
    assert torch.equal(learned, later)
    plain = build_model().train()
    plain_choices = expert_choices(plain)
    plain(ids, use_cache=False)
    assert torch.equal(learned, plain_choices[0].sort(-1).values)


def test_random_routing_is_even_where_the_learned_one_is_not(build_model):
    ids = torch.randint(0, 509, (8, 100), generator=torch.Generator().manual_seed(0))
    model = build_model(router_warmup_steps=100, router_aux_loss_coef=1.0).train()
    balance = {}
    for step in (0, 50, 100):
        torch.manual_seed(1)
        model.set_routing_step(step)
        balance[step] = model(ids, labels=ids, use_cache=False).aux_loss.item()
    assert balance[0] < 1.1 < balance[100]
    assert balance[0] < balance[50] < balance[100]


def test_the_gradient_of_the_router_grows_with_the_learned_share(build_model, ids):
    norms = []
    for step in (0, 1):
        model = build_model(router_warmup_steps=2).train()
        model.set_routing_step(step)
        model(ids, labels=ids, use_cache=False).loss.backward()
        norms.append(model.model.layers[0].mlp.gate.weight.grad.norm().item())
    assert norms[0] == 0.0 and norms[1] > 0.0


@torch.no_grad()
def test_evaluation_never_sees_the_warm_up(build_model, ids):
    warming, plain = build_model(router_warmup_steps=10).eval(), build_model().eval()
    assert torch.equal(warming(ids).logits, plain(ids).logits)


def test_a_warm_up_without_a_step_is_refused(build_model, ids):
    with pytest.raises(RuntimeError, match=r"call model\.set_routing_step\(step\)"):
        build_model(router_warmup_steps=10).train()(ids)
    with pytest.raises(ValueError, match="router_warmup_steps=-1"):
        build_model(router_warmup_steps=-1)


def test_recomputation_draws_the_same_noise(build_model, ids):
    gradients = []
    for checkpointing in (False, True):
        model = build_model(router_warmup_steps=10).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        model.set_routing_step(5)
        torch.manual_seed(3)
        model(ids, labels=ids, use_cache=False).loss.backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    torch.testing.assert_close(gradients[0], gradients[1])


# ---- frozen routers


def test_a_frozen_router_stays_and_its_losses_are_reported_but_not_added(build_model, ids):
    model = build_model(router_aux_loss_coef=0.5).train()
    before = [layer.mlp.gate.weight.clone() for layer in model.model.layers]
    model.freeze_router()
    output = model(ids, labels=ids, use_cache=False)
    assert output.aux_loss > 0.9 and torch.equal(output.loss, output.ce_loss)
    output.loss.backward()
    torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-2).step()
    assert all(torch.equal(old, layer.mlp.gate.weight) for old, layer in zip(before, model.model.layers, strict=True))
    model.freeze_router(False)
    assert model(ids, labels=ids, use_cache=False).loss > output.ce_loss


# ---- recomputation


class Unsteady(torch.nn.Module):
    """A router whose logits differ from call to call, as kernels that round differently make them."""

    def __init__(self, router) -> None:
        super().__init__()
        self.router, self.calls = router, 0
        self.weight = router.weight

    def forward(self, hidden_states):
        self.calls += 1
        noise = torch.randn(hidden_states.shape, generator=torch.Generator().manual_seed(self.calls))
        return self.router(hidden_states + noise)


@pytest.mark.parametrize("use_reentrant", [None, False, True])
def test_a_recomputation_that_rounds_differently_keeps_every_token_at_its_experts(build_model, ids, use_reentrant):
    model = build_model().train()
    model.gradient_checkpointing_enable(None if use_reentrant is None else {"use_reentrant": use_reentrant})
    mlp = model.model.layers[0].mlp
    mlp.gate = Unsteady(mlp.gate)
    choices = expert_choices(model)
    model(ids, labels=ids, use_cache=False).loss.backward()
    assert mlp.gate.calls == 2, "the layer has to be recomputed for this test to mean anything"
    assert torch.equal(choices[0], choices[1])


def test_without_that_protection_the_same_router_would_flip(build_model, ids):
    router = Unsteady(build_model().model.layers[0].mlp.gate)
    hidden = torch.randn(18, 64, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(router(hidden)[2].sort(-1).values, router(hidden)[2].sort(-1).values)


def test_checkpointing_counts_every_token_once(build_model, ids):
    plain = build_model().train()
    checkpointed = copy.deepcopy(plain)
    checkpointed.gradient_checkpointing_enable()
    outputs = [model(ids, labels=ids, use_cache=False) for model in (plain, checkpointed)]
    for output in outputs:
        output.loss.backward()
    assert torch.equal(outputs[0].expert_assignments, outputs[1].expert_assignments)
    assert outputs[1].expert_assignments.sum(1).tolist() == [ids.numel() * 4] * 3


# ---- statistics


def test_the_statistics_of_a_forward_are_those_of_its_logits(build_model, ids):
    output = build_model().train()(ids, labels=ids, use_cache=False)
    for layer, logits in enumerate(output.router_logits):
        counts = torch.bincount(logits.topk(4, dim=-1).indices.reshape(-1), minlength=16)
        assert output.expert_assignments[layer].tolist() == counts.tolist()
        probabilities = logits.softmax(-1)
        entropy = -(probabilities * probabilities.log()).sum()
        torch.testing.assert_close(output.router_entropy_sums[layer], entropy)


def test_padding_is_counted_nowhere(build_model, ids):
    mask = torch.ones_like(ids)
    mask[:, :3] = 0
    output = build_model().train()(ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100))
    assert output.expert_assignments.sum(1).tolist() == [12 * 4] * 3


def test_the_statistics_never_read_a_number_back_from_the_device():
    # On the meta device there are no numbers: reading one back, or a shape that depends on one, raises.
    logits = [torch.empty(32, 16, device="meta", requires_grad=True) for _ in range(3)]
    routing = summarise_routing(logits, 4, torch.empty(32, device="meta"))
    (routing.balance_loss + routing.z_loss).backward()
    assert routing.assignments.shape == (3, 16) and routing.entropy_sums.shape == (3,)


def test_layers_on_different_dtypes_and_shapes_are_summarised_together():
    flat = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    together = summarise_routing([flat, flat.view(2, 3, 8)], 2)
    torch.testing.assert_close(together.assignments[0], together.assignments[1])
