"""The parity tests see every mistake that implementations of this model are known to make."""

import pytest
import torch

from modeling_ling import modeling_bailing_moe as modeling
from tests.modeling_ling.parity import check_parity

pytestmark = pytest.mark.slow


def norm_over_rows(model):
    head = model.lm_head
    head.scale = lambda **_: 1.0 / (head.weight.detach().norm(dim=1).mean() + 1e-7)


def gradient_through_the_norm(model):
    model.lm_head.scale = lambda **_: 1.0 / (model.lm_head.weight.norm(dim=0) + 1e-7)


def no_norm_head(model):
    model.lm_head.scale = lambda **_: torch.ones(model.config.hidden_size)


def top_weights_not_renormalised(model):
    for layer in model.model.layers:
        layer.mlp.gate.norm_topk_prob = False


def sigmoid_scores(model):
    for layer in model.model.layers:
        gate = layer.mlp.gate

        def forward(hidden_states, gate=gate):
            logits = hidden_states @ gate.weight.T
            weights, indices = logits.sigmoid().topk(gate.top_k)
            return logits, weights / weights.sum(-1, keepdim=True), indices

        gate.forward = forward


def router_in_bfloat16(model):
    for layer in model.model.layers:
        layer.mlp.gate.router_dtype = torch.bfloat16


def no_shared_experts(model):
    for layer in model.model.layers:
        layer.mlp.shared_experts = None


def epsilon_of_the_base_model(model):
    for module in model.modules():
        if isinstance(module, modeling.BailingMoeRMSNorm):
            module.variance_epsilon = 1e-5


def grouped_fused_projection(model):
    """Rows ordered as GPT-NeoX does: per key head its queries, then its key, then its value."""
    c = model.config
    groups = c.num_attention_heads // c.num_key_value_heads
    order = []
    for key in range(c.num_key_value_heads):
        order += [key * groups + g for g in range(groups)]
        order += [c.num_attention_heads + key, c.num_attention_heads + c.num_key_value_heads + key]
    rows = torch.tensor(order).argsort()
    for layer in model.model.layers:
        weight = layer.attention.query_key_value.weight
        weight.data = weight.data.view(len(order), c.head_dim, -1)[rows].reshape(weight.shape)


def detached_router_losses(model):
    for layer in model.model.layers:
        layer.mlp.register_forward_hook(lambda module, inputs, output: (output[0], output[1].detach()))


MISTAKES = [
    norm_over_rows,
    gradient_through_the_norm,
    no_norm_head,
    top_weights_not_renormalised,
    sigmoid_scores,
    router_in_bfloat16,
    no_shared_experts,
    epsilon_of_the_base_model,
    grouped_fused_projection,
    detached_router_losses,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_known_mistake_does_not_pass(build_model, tmp_path, ids, mistake):
    with pytest.raises(AssertionError):
        check_parity(build_model(), tmp_path, [ids[0], ids[1]], mistake=mistake)


def test_interleaved_rotary_pairs_do_not_pass(build_model, tmp_path, ids, monkeypatch):
    def rotate_pairs(x):
        even, odd = x[..., ::2], x[..., 1::2]
        return torch.stack((-odd, even), dim=-1).flatten(-2)

    monkeypatch.setattr(modeling, "rotate_half", rotate_pairs)
    with pytest.raises(AssertionError):
        check_parity(build_model(), tmp_path, [ids[0], ids[1]])


def test_attention_across_packed_documents_does_not_pass(build_model, tmp_path, ids):
    def attend_to_everything(model):
        forward = model.model.forward

        def without_boundaries(*args, **kwargs):
            mask = torch.ones_like(kwargs["input_ids"])  # a mask turns the search for document boundaries off
            return forward(*args, **kwargs | {"attention_mask": mask})

        model.model.forward = without_boundaries

    with pytest.raises(AssertionError):
        check_parity(build_model(), tmp_path, [ids[0], ids[1, :5]], "packed", mistake=attend_to_everything)
