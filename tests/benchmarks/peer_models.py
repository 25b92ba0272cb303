"""What `bench_model.py` compares with: experts in a Python loop, transformers' qwen2_moe, and a dense Qwen2.5."""

import torch
from torch import nn
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen2MoeConfig, Qwen2MoeForCausalLM

from modeling_ling import BailingMoeConfig, BailingMoeForCausalLM
from modeling_ling.experts import BailingMoeExperts
from modeling_ling.modeling_bailing_moe import BailingMoeMLP


class LoopExperts(nn.Module):
    """Experts as separate modules, run one after the other as the released modeling file does.

    In training every expert picks its rows by a mask over all token-expert pairs; in evaluation the pairs are sorted,
    the counts go to the host, and only experts with tokens run.
    """

    def __init__(self, config: BailingMoeConfig, fused: BailingMoeExperts) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            BailingMoeMLP(config, config.moe_intermediate_size) for _ in range(fused.num_experts)
        )
        with torch.no_grad():
            for expert, gate_up, down in zip(self.experts, fused.gate_up_proj, fused.down_proj, strict=True):
                gate, up = gate_up.chunk(2)
                expert.gate_proj.weight.copy_(gate)
                expert.up_proj.weight.copy_(up)
                expert.down_proj.weight.copy_(down)

    def forward(self, hidden_states: torch.Tensor, indices: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        top_k = indices.shape[-1]
        pairs = indices.reshape(-1)
        outputs = (
            self._by_mask(hidden_states, pairs, top_k) if self.training else self._sorted(hidden_states, pairs, top_k)
        )
        weighted = outputs.view(*indices.shape, -1) * weights[..., None]
        return weighted.sum(dim=1).to(hidden_states.dtype)

    def _by_mask(self, hidden_states: torch.Tensor, pairs: torch.Tensor, top_k: int) -> torch.Tensor:
        repeated = hidden_states.repeat_interleave(top_k, dim=0)
        outputs = torch.empty_like(repeated)
        for number, expert in enumerate(self.experts):
            outputs[pairs == number] = expert(repeated[pairs == number])
        return outputs

    def _sorted(self, hidden_states: torch.Tensor, pairs: torch.Tensor, top_k: int) -> torch.Tensor:
        order = pairs.argsort()
        ends = torch.bincount(pairs, minlength=len(self.experts)).cumsum(0).cpu().numpy()
        sorted_outputs, start = [], 0
        for expert, end in zip(self.experts, ends, strict=True):
            if end > start:
                sorted_outputs.append(expert(hidden_states[order[start:end] // top_k]))
            start = end
        stacked = torch.cat(sorted_outputs)
        outputs = torch.empty_like(stacked)
        outputs[order] = stacked
        return outputs.float()


def with_loop_experts(model: BailingMoeForCausalLM) -> BailingMoeForCausalLM:
    """Replace the experts of a model by a Python loop over the same weights, layer by layer."""
    for layer in model.model.layers:
        if layer.is_moe:
            like = layer.mlp.experts.down_proj
            layer.mlp.experts = LoopExperts(model.config, layer.mlp.experts).to(like.device, like.dtype)
    return model


def qwen2_moe_config(config: BailingMoeConfig) -> Qwen2MoeConfig:
    """Return the qwen2_moe of the same shape; it has a gate on the shared expert and biases on q, k, v beside."""
    return Qwen2MoeConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        moe_intermediate_size=config.moe_intermediate_size,
        shared_expert_intermediate_size=config.num_shared_experts * config.moe_intermediate_size,
        num_experts=config.num_experts,
        num_experts_per_tok=config.num_experts_per_tok,
        norm_topk_prob=config.norm_topk_prob,
        decoder_sparse_step=1,
        max_position_embeddings=config.max_position_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": 600000.0},
        rms_norm_eps=config.rms_norm_eps,
        router_aux_loss_coef=config.router_aux_loss_coef,
    )


@torch.no_grad()
def qwen2_moe_like(model: BailingMoeForCausalLM) -> Qwen2MoeForCausalLM:
    """Return a qwen2_moe that computes what our model computes, so that both send the same tokens to the same experts.

    Random weights of its own would route otherwise, and at few tokens the number of experts that run is the time. Its
    gate on the shared expert is held at one half, and the shared expert's output doubled.
    """
    config = model.config
    head = config.head_dim
    queries, keys = config.num_attention_heads * head, config.num_key_value_heads * head
    weight = model.lm_head.weight
    with torch.device(weight.device):
        default = torch.get_default_dtype()
        torch.set_default_dtype(weight.dtype)
        peer = Qwen2MoeForCausalLM(qwen2_moe_config(config))
        torch.set_default_dtype(default)
    peer.model.embed_tokens.weight.copy_(model.model.word_embeddings.weight)
    peer.model.norm.weight.copy_(model.model.norm.weight)
    peer.lm_head.weight.copy_(model.lm_head.scaled_weight() if config.norm_head else weight)
    for layer, ours in zip(peer.model.layers, model.model.layers, strict=True):
        parts = ours.attention.query_key_value.weight.split((queries, keys, keys))
        for name, part in zip(("q_proj", "k_proj", "v_proj"), parts, strict=True):
            projection = getattr(layer.self_attn, name)
            projection.weight.copy_(part)
            projection.bias.zero_()
        layer.self_attn.o_proj.weight.copy_(ours.attention.dense.weight)
        layer.input_layernorm.weight.copy_(ours.input_layernorm.weight)
        layer.post_attention_layernorm.weight.copy_(ours.post_attention_layernorm.weight)
        layer.mlp.gate.weight.copy_(ours.mlp.gate.weight)
        layer.mlp.experts.gate_up_proj.copy_(ours.mlp.experts.gate_up_proj)
        layer.mlp.experts.down_proj.copy_(ours.mlp.experts.down_proj)
        shared = layer.mlp.shared_expert
        for name in ("gate_proj", "up_proj", "down_proj"):
            getattr(shared, name).weight.copy_(getattr(ours.mlp.shared_experts, name).weight)
        shared.down_proj.weight.mul_(2.0)
        layer.mlp.shared_expert_gate.weight.zero_()
    return peer


def dense_config(config: BailingMoeConfig) -> Qwen2Config:
    """Return Qwen2.5-7B, with widths, layers and vocabulary in the proportion that `config` has to Ling-Coder-Lite."""
    width, head = config.hidden_size / 2048, config.head_dim
    hidden = int(3584 * width)
    return Qwen2Config(
        vocab_size=int(152064 * config.vocab_size / 126464),
        hidden_size=hidden,
        intermediate_size=int(18944 * width),
        num_hidden_layers=config.num_hidden_layers,  # both have 28 at full size
        num_attention_heads=hidden // head,
        num_key_value_heads=max(1, round(4 * width * 128 / head)),
        max_position_embeddings=config.max_position_embeddings,
        tie_word_embeddings=False,
    )


def dense_bytes_per_token(config: Qwen2Config, bytes_per_value: int) -> int:
    """Return the bytes of weights that one decoded token reads: everything but the input embedding."""
    head_dim = config.hidden_size // config.num_attention_heads
    attention = config.hidden_size * head_dim * 2 * (config.num_attention_heads + config.num_key_value_heads)
    layer = attention + 3 * config.hidden_size * config.intermediate_size
    return bytes_per_value * (config.num_hidden_layers * layer + config.vocab_size * config.hidden_size)


MODEL_CLASSES: dict[type, type[PreTrainedModel]] = {
    BailingMoeConfig: BailingMoeForCausalLM,
    Qwen2MoeConfig: Qwen2MoeForCausalLM,
    Qwen2Config: Qwen2ForCausalLM,
}
