"""Section 3.1: the Ling mixture-of-experts language model, as it stands on the Hub (remote code).

Shapes in this file: B batch, T positions, N = B * T tokens, H hidden size, E routed experts, K experts per token,
I width of one expert, V vocabulary, D head size.

The computed function is that of the released checkpoints in float32. Differences, all deliberate: no weight is ever
modified by a forward pass (the released file overwrites the output head in eval mode); the router runs in float32
unless `config.router_dtype` says otherwise; the balance loss and the z-loss are part of the training loss; the
embedding has no `padding_idx`, because the end token is also the padding token and has to learn. Nothing is ever
filled with random weights unasked: a checkpoint that does not fit is an error.
"""

import functools
import math
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts
from transformers import initialization as init
from transformers.activations import ACT2FN
from transformers.cache_utils import Cache, DynamicCache
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import Concatenate, MergeModulelist, WeightConverter
from transformers.generation import GenerationMixin
from transformers.integrations import use_kernel_forward_from_hub, use_kernelized_func
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import (
    GenericForQuestionAnswering,
    GenericForSequenceClassification,
    GenericForTokenClassification,
    GradientCheckpointingLayer,
)
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS, dynamic_rope_update
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.utils import can_return_tuple, logging
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from .configuration_bailing_moe import AUTO_MAP, BailingMoeConfig
from .experts import AUTO_EXPERTS, BailingMoeExperts, at_least_float32
from .losses import summarise_routing
from .norm_head import BailingMoeNormHead
from .quantization import describe_quantisation
from .strict_loading import refuse_mismatched, refuse_missing, refuse_non_finite, refuse_quantised_head

logger = logging.get_logger(__name__)

# transformers 5.24 calls the keys and values of the past `cache`, everywhere; before, they were `past_key_values`.
CACHE_NAME = "cache" if "cache" in MoeModelOutputWithPast.__dataclass_fields__ else "past_key_values"

# The released checkpoints hold one matrix per expert; the runtime holds one tensor per layer. Saving reverses this.
register_checkpoint_conversion_mapping(
    "bailing_moe",
    [
        WeightConverter(
            source_patterns=["mlp.experts.*.gate_proj.weight", "mlp.experts.*.up_proj.weight"],
            target_patterns="mlp.experts.gate_up_proj",
            operations=[MergeModulelist(dim=0), Concatenate(dim=1)],
        ),
        WeightConverter(
            source_patterns="mlp.experts.*.down_proj.weight",
            target_patterns="mlp.experts.down_proj",
            operations=[MergeModulelist(dim=0)],
        ),
    ],
    overwrite=True,  # as remote code this file is imported under more than one module name
)


@use_kernel_forward_from_hub("RMSNorm")
class BailingMoeRMSNorm(nn.Module):
    """Root-mean-square norm: computed in float32, cast back, then scaled by the weight."""

    def __init__(self, hidden_size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(hidden_size))
        self.variance_epsilon = eps

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        # torch computes it in float32 inside, and rounds before the weight, as the released file does.
        return self.weight * F.rms_norm(hidden_states, self.weight.shape, eps=self.variance_epsilon)

    def extra_repr(self) -> str:
        return f"{tuple(self.weight.shape)}, eps={self.variance_epsilon}"


class BailingMoeRotaryEmbedding(nn.Module):
    """Rotary angles over the whole head, in two halves (rotate-half), with the scalings of transformers.

    The class name must contain "RotaryEmbedding": transformers refills the buffers of such classes after loading.
    """

    inv_freq: torch.Tensor

    def __init__(self, config: BailingMoeConfig) -> None:
        super().__init__()
        self.max_seq_len_cached = config.max_position_embeddings
        self.original_max_seq_len = config.max_position_embeddings
        self.config = config
        self.rope_type = config.rope_parameters["rope_type"]
        rope_function: Callable = self.compute_default_rope_parameters
        if self.rope_type != "default":
            rope_function = ROPE_INIT_FUNCTIONS[self.rope_type]
        inv_freq, self.attention_scaling = rope_function(config)
        if self.rope_type == "yarn" and config.rope_parameters.get("attention_factor") is None:
            self.attention_scaling = self._released_yarn_magnitude(config.rope_parameters)
        self.register_buffer("inv_freq", inv_freq, persistent=False)
        self.register_buffer("original_inv_freq", inv_freq.clone(), persistent=False)

    @staticmethod
    def compute_default_rope_parameters(
        config: BailingMoeConfig, device: torch.device | None = None, seq_len: int | None = None
    ) -> tuple[torch.Tensor, float]:
        steps = torch.arange(0, config.head_dim, 2, dtype=torch.float32, device=device) / config.head_dim
        return 1.0 / (config.rope_parameters["rope_theta"] ** steps), 1.0

    @staticmethod
    def _released_yarn_magnitude(rope: dict[str, Any]) -> float:
        """Return the factor on cosine and sine: transformers ignores `mscale` unless `mscale_all_dim` is there too.

        Source: the released yarn class (defaults 1 and 0).
        """
        growth = 0.1 * math.log(max(rope["factor"], 1.0))
        return (growth * rope.get("mscale", 1.0) + 1.0) / (growth * rope.get("mscale_all_dim", 0.0) + 1.0)

    @torch.no_grad()
    @dynamic_rope_update
    def forward(self, x: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return cos and sin, each `(B, T, D)` in the dtype of `x`."""
        angles = position_ids[..., None].float() * self.inv_freq.to(device=x.device, dtype=torch.float32)
        angles = torch.cat((angles, angles), dim=-1)
        return (
            (angles.cos() * self.attention_scaling).to(x.dtype),
            (angles.sin() * self.attention_scaling).to(x.dtype),
        )


def rotate_half(x: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


@use_kernel_forward_from_hub("rotary_pos_emb")
def apply_rotary_pos_emb(
    query: torch.Tensor, key: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, unsqueeze_dim: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turn queries and keys `(B, heads, T, D)` by the angles whose cos and sin `(B, T, D)` are given."""
    cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
    return query * cos + rotate_half(query) * sin, key * cos + rotate_half(key) * sin


def eager_attention_forward(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attend without a fused kernel; `module` is the attention, whose groups of heads share a key and a value."""
    num_groups: Any = module.num_key_value_groups
    key, value = key.repeat_interleave(num_groups, dim=1), value.repeat_interleave(num_groups, dim=1)
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = F.softmax(at_least_float32(scores), dim=-1).to(query.dtype)
    weights = F.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


@use_kernelized_func(apply_rotary_pos_emb)
class BailingMoeAttention(nn.Module):
    """Grouped-query attention with one fused projection: rows are all queries, then all keys, then all values."""

    def __init__(self, config: BailingMoeConfig, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.num_heads = config.num_attention_heads
        self.num_key_value_heads = config.num_key_value_heads
        self.num_key_value_groups = self.num_heads // self.num_key_value_heads
        self.scaling = self.head_dim**-0.5
        self.attention_dropout = config.attention_dropout
        self.is_causal = True
        self.query_key_value = nn.Linear(
            config.hidden_size,
            (self.num_heads + 2 * self.num_key_value_heads) * self.head_dim,
            bias=config.use_qkv_bias,
        )
        self.dense = nn.Linear(self.num_heads * self.head_dim, config.hidden_size, bias=config.use_bias)

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        batch_shape = hidden_states.shape[:-1]
        fused = self.query_key_value(hidden_states).view(*batch_shape, -1, self.head_dim).transpose(1, 2)
        query, key, value = fused.split((self.num_heads, self.num_key_value_heads, self.num_key_value_heads), dim=1)
        query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        if cache is not None:
            key, value = cache.update(key, value, self.layer_idx)

        attention_interface: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        output, weights = attention_interface(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            **kwargs,
        )
        return self.dense(output.reshape(*batch_shape, -1)), weights


class BailingMoeMLP(nn.Module):
    """Gated MLP: the dense layers, and the shared experts of a MoE layer as one MLP."""

    def __init__(self, config: BailingMoeConfig, intermediate_size: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, config.hidden_size, bias=False)
        self.act_fn = ACT2FN[config.hidden_act]

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.down_proj(self.act_fn(self.gate_proj(hidden_states)) * self.up_proj(hidden_states))


class BailingMoeTopKRouter(nn.Module):
    """Softmax router over all experts; the weights of the chosen ones are renormalised when the config says so."""

    def __init__(self, config: BailingMoeConfig) -> None:
        super().__init__()
        self.top_k = config.num_experts_per_tok
        self.norm_topk_prob = config.norm_topk_prob
        self.router_dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, None: None}[config.router_dtype]
        self.warmup_steps = config.router_warmup_steps
        # Share of the learned logits in the routing of a training step; None until `set_routing_step` is called.
        self.learned_share: float | None = None
        self.weight = nn.Parameter(torch.empty(config.num_experts, config.hidden_size))

    def forward(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Map `(N, H)` to raw logits `(N, E)`, routing weights `(N, K)` in float32 and expert indices `(N, K)`.

        Raises:
            RuntimeError: the configuration asks for a routing warm-up, and nobody said which step this is.
        """
        dtype = self.router_dtype or hidden_states.dtype
        if hidden_states.dtype == torch.float64:
            dtype = torch.float64
        # Autocast would silently lower the one matrix product whose rounding decides which experts run.
        with _autocast_disabled(hidden_states.device):
            logits = F.linear(hidden_states.to(dtype), self.weight.to(dtype))
            if self.training and self.warmup_steps:
                logits = self._mix_with_noise(logits)
            probabilities = torch.softmax(at_least_float32(logits), dim=-1)
        weights, indices = torch.topk(probabilities, self.top_k, dim=-1, sorted=False)
        if self.norm_topk_prob and self.top_k > 1:
            weights = weights / weights.sum(dim=-1, keepdim=True)
        return logits, weights, indices

    def _mix_with_noise(self, logits: torch.Tensor) -> torch.Tensor:
        """Stochastic routing warm-up: a * s + (1 - a) * (mean + deviation * noise), with a = min(step / W, 1).

        Mean and deviation are of this batch's logits over tokens and experts, not running ones: over thousands of
        tokens they are the same to a fraction of a percent, and a recomputation or a resumed run needs no state.

        Source: Ling technical report 3.2.2, equation 3; W is not given there, batch statistics are ours.
        """
        share = self.learned_share
        if share is None:
            raise RuntimeError(
                f"router_warmup_steps={self.warmup_steps}, but the router does not know the training step: call "
                "model.set_routing_step(step) before every optimizer step, or set router_warmup_steps=0"
            )
        if share >= 1.0:
            return logits
        fixed = logits.detach()
        noise = fixed.mean() + fixed.std() * torch.randn_like(fixed)
        return share * logits + (1.0 - share) * noise


class BailingMoeSparseMoeBlock(nn.Module):
    """Router, routed experts, and the ungated shared experts added on top."""

    def __init__(self, config: BailingMoeConfig) -> None:
        super().__init__()
        self.gate = BailingMoeTopKRouter(config)
        self.experts = BailingMoeExperts(config)
        self.shared_experts = None
        if config.num_shared_experts > 0:
            self.shared_experts = BailingMoeMLP(config, config.moe_intermediate_size * config.num_shared_experts)

    def forward(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the block's output `(B, T, H)` and the raw router logits `(N, E)`."""
        flat = hidden_states.reshape(-1, hidden_states.shape[-1])
        router_logits, routing_weights, indices = self.gate(flat)
        output = self.experts(flat, indices, routing_weights)
        if self.shared_experts is not None:
            output = output + self.shared_experts(flat)
        return output.view_as(hidden_states), router_logits


class BailingMoeDecoderLayer(GradientCheckpointingLayer):
    """Pre-norm attention and pre-norm MLP or experts; returns the hidden states and the router logits (or None)."""

    def __init__(self, config: BailingMoeConfig, layer_idx: int) -> None:
        super().__init__()
        self.attention = BailingMoeAttention(config, layer_idx)
        self.is_moe = layer_idx >= config.first_k_dense_replace
        self.mlp = BailingMoeSparseMoeBlock(config) if self.is_moe else BailingMoeMLP(config, config.intermediate_size)
        self.input_layernorm = BailingMoeRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = BailingMoeRMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        attended, _ = self.attention(
            self.input_layernorm(hidden_states),
            position_embeddings=position_embeddings,
            attention_mask=attention_mask,
            cache=cache,
            **kwargs,
        )
        hidden_states = hidden_states + attended
        normed = self.post_attention_layernorm(hidden_states)
        # The logits leave by the return value, not by a hook: a recomputation can then neither count them twice nor
        # cut them from the graph.
        output, router_logits = self.mlp(normed) if self.is_moe else (self.mlp(normed), None)
        return hidden_states + output, router_logits


class BailingMoePreTrainedModel(PreTrainedModel):
    """Weight initialisation, strict loading, and the declarations transformers reads."""

    config_class = BailingMoeConfig
    config: BailingMoeConfig
    base_model_prefix = "model"
    _auto_class = "AutoModel"
    _input_embed_layer = "word_embeddings"
    supports_gradient_checkpointing = True
    _no_split_modules = ["BailingMoeDecoderLayer"]
    _skip_keys_device_placement = ["past_key_values", "cache"]
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_compile_fullgraph = True
    _can_record_outputs = {
        "hidden_states": BailingMoeDecoderLayer,
        "attentions": BailingMoeAttention,
    }
    # Parameters that a language-model checkpoint need not have (a new head), by name.
    _may_be_missing: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: Any,
        *args: Any,
        allow_missing_weights: bool = False,
        check_finite: bool = False,
        output_loading_info: bool = False,
        ignore_mismatched_sizes: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Load a checkpoint as `PreTrainedModel.from_pretrained` does, but refuse one that does not fit.

        Args:
            allow_missing_weights (`bool`): fill parameters that the checkpoint lacks with fresh random weights and
                ignore tensors the model has no place for, with a warning each, instead of raising.
            ignore_mismatched_sizes (`bool`): the same for tensors of another shape.
            check_finite (`bool`): refuse NaN and infinite values too, which takes one more reading of all weights.

        Raises:
            ValueError: a tensor is missing, unknown, of another shape, or on request not finite; named.
        """
        kwargs |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
        load: Callable[..., Any] = super().from_pretrained  # which gives a pair where the report is asked for
        try:
            model, info = load(pretrained_model_name_or_path, *args, **kwargs)
        except RuntimeError as error:
            if "conversion of the weights" not in str(error):
                raise
            raise ValueError(
                f"{pretrained_model_name_or_path}: the experts' matrices cannot be put together (the report above "
                "names the layers): gate_proj, up_proj and down_proj of every expert must be there, in one shape each"
            ) from error
        if not ignore_mismatched_sizes:
            refuse_mismatched(info["mismatched_keys"], pretrained_model_name_or_path, model.config)
        if not allow_missing_weights:
            missing = set(info["missing_keys"]) - set(cls._may_be_missing)
            refuse_missing(missing, set(info["unexpected_keys"]), pretrained_model_name_or_path)
        if check_finite:
            refuse_non_finite(model.named_parameters(), pretrained_model_name_or_path)
        if getattr(model, "hf_quantizer", None) is not None:
            refuse_quantised_head(model, pretrained_model_name_or_path)
            logger.warning(describe_quantisation(model))
        result: Any = (model, info) if output_loading_info else model
        return result

    def save_pretrained(self, save_directory: str | os.PathLike, *args: Any, **kwargs: Any) -> None:
        """Save as `PreTrainedModel.save_pretrained` does, with the code that another machine needs to load it."""
        self.config.auto_map = dict(AUTO_MAP)
        super().save_pretrained(save_directory, *args, **kwargs)

    @classmethod
    def _can_set_experts_implementation(cls) -> bool:
        return True  # transformers searches this file's text for its decorator, which experts.py carries

    def get_correct_experts_implementation(self, requested_experts: str | None) -> str:
        """Default to the choice by device and dtype instead of transformers' fixed "grouped_mm"."""
        return super().get_correct_experts_implementation(requested_experts or AUTO_EXPERTS)

    def set_routing_step(self, step: int) -> None:
        """Tell the routers the optimizer step; needed before each one when `config.router_warmup_steps` is not 0.

        Args:
            step (`int`): steps taken so far; from `router_warmup_steps` on, routing is the learned one alone.

        Source: Ling technical report 3.2.2 (stochastic routing warm-up).
        """
        share = min(step / self.config.router_warmup_steps, 1.0) if self.config.router_warmup_steps else 1.0
        for router in self._routers():
            router.learned_share = share

    def freeze_router(self, frozen: bool = True) -> None:
        """Stop (or resume) training the routers. While all are frozen, the router losses are reported, not added.

        Source: ours; fine-tuning recipes for sparse models commonly leave the router alone.
        """
        for router in self._routers():
            router.weight.requires_grad_(not frozen)

    def router_is_trained(self) -> bool:
        """Return whether any router weight is trainable."""
        return any(router.weight.requires_grad for router in self._routers())

    def _routers(self) -> Iterable[BailingMoeTopKRouter]:
        # By way of the layers, not modules(): this runs in every forward with labels.
        layers = cast(Iterable[BailingMoeDecoderLayer], self.base_model.layers)
        return (layer.mlp.gate for layer in layers if isinstance(layer.mlp, BailingMoeSparseMoeBlock))

    def _set_gradient_checkpointing(
        self, enable: bool = True, gradient_checkpointing_func: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        """Keep the chosen experts out of what is recomputed.

        A recomputation that rounds differently (another kernel, compilation, parallel reduction) could send a token
        to other experts than the forward pass did; the gradient would then belong to another function.
        """
        if gradient_checkpointing_func is None:
            super()._set_gradient_checkpointing(enable, *args, **kwargs)
            return
        if getattr(gradient_checkpointing_func, "keywords", {}).get("use_reentrant"):
            logger.warning_once(
                "gradient checkpointing with use_reentrant=True cannot keep the routing of the forward pass: "
                "use_reentrant=False is used instead"
            )
        keep_routing = functools.partial(
            gradient_checkpointing_func,
            use_reentrant=False,
            context_fn=functools.partial(create_selective_checkpoint_contexts, _keep_top_k),
        )
        super()._set_gradient_checkpointing(enable, keep_routing, *args, **kwargs)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, BailingMoeExperts):
            init.normal_(module.gate_up_proj, mean=0.0, std=self.config.initializer_range)
            init.normal_(module.down_proj, mean=0.0, std=self.config.initializer_range)
        elif isinstance(module, BailingMoeTopKRouter):
            bound = module.weight.shape[1] ** -0.5  # the released kaiming_uniform(a=sqrt(5))
            init.uniform_(module.weight, -bound, bound)


def _keep_top_k(context: Any, operator: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    is_top_k = operator is torch.ops.aten.topk.default
    return CheckpointPolicy.MUST_SAVE if is_top_k else CheckpointPolicy.PREFER_RECOMPUTE


class BailingMoeModel(BailingMoePreTrainedModel):
    """The decoder: `last_hidden_state` is after the final norm and before NormHead."""

    _keys_to_ignore_on_load_unexpected = [r"^lm_head\.", r"^score\.", r"^qa_outputs\."]

    def __init__(self, config: BailingMoeConfig) -> None:
        super().__init__(config)
        # No padding_idx: the released file has it, which stops every gradient to the end token's embedding (eos = pad).
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            [BailingMoeDecoderLayer(config, layer_idx) for layer_idx in range(config.num_hidden_layers)]
        )
        self.norm = BailingMoeRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = BailingMoeRotaryEmbedding(config)
        self.gradient_checkpointing = False
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        output_router_logits: bool | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> MoeModelOutputWithPast:
        """Run the decoder.

        Args:
            input_ids (`(B, T)`) or inputs_embeds (`(B, T, H)`): exactly one of them.
            attention_mask (`(B, T_total)`, *optional*): 1 for real tokens, 0 for padding on either side.
            position_ids (`(B, T)`, *optional*): positions that restart at 0 mark packed documents; they are kept
                apart when there is no attention_mask and no cache (`use_cache=False`).
            past_key_values or cache, use_cache: the usual cache; both of its names are taken.
            output_router_logits (`bool`, *optional*): return raw logits `(N, E)` per MoE layer.

        Raises:
            ValueError: both or neither of input_ids and inputs_embeds, or a position beyond the context length.
            TypeError: two caches, something else in place of a cache, or a cache under a name unknown here.
        """
        cache = _only_cache(cache, past_key_values, kwargs)
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Give exactly one of input_ids and inputs_embeds")
        if inputs_embeds is None:
            inputs_embeds = self.word_embeddings(input_ids)
        if cache is not None and self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            raise ValueError(
                "gradient checkpointing runs every layer twice, which would fill the cache twice: pass none"
            )
        if use_cache and cache is None:
            cache = DynamicCache(config=self.config)
        positions: torch.Tensor | None = position_ids
        if positions is None:
            past_seen_tokens = cache.get_seq_length() if cache is not None else 0
            positions = torch.arange(inputs_embeds.shape[1], device=inputs_embeds.device) + past_seen_tokens
            positions = positions.unsqueeze(0)
        self._refuse_positions_beyond_context(positions, cache)
        cache_argument: dict[str, Any] = {CACHE_NAME: cache}
        if isinstance(attention_mask, dict):  # made by generate()
            causal_mask = attention_mask["full_attention"]
        else:
            causal_mask = create_causal_mask(
                config=self.config,
                inputs_embeds=inputs_embeds,
                attention_mask=attention_mask,
                position_ids=positions,
                **cache_argument,
            )

        hidden_states = inputs_embeds
        position_embeddings = self.rotary_emb(hidden_states, positions)
        router_logits = []
        for layer in self.layers:
            hidden_states, layer_logits = layer(
                hidden_states,
                position_embeddings=position_embeddings,
                attention_mask=causal_mask,
                position_ids=positions,
                cache=cache,
                use_cache=use_cache,
                **kwargs,
            )
            if output_router_logits and layer_logits is not None:
                router_logits.append(layer_logits)
        return MoeModelOutputWithPast(
            last_hidden_state=self.norm(hidden_states),
            router_logits=tuple(router_logits) if output_router_logits else None,
            **(cache_argument if use_cache else {}),
        )

    def _refuse_positions_beyond_context(self, position_ids: torch.Tensor, cache: Cache | None) -> None:
        """Raise for a position that the model was not made for; without waiting for the device unless one may exist."""
        limit = self.config.max_position_embeddings
        if self.rotary_emb.rope_type != "default" or torch.compiler.is_compiling():
            return
        if position_ids.device.type != "cpu":
            # Positions in order end below this; only where that does not settle it is the device asked.
            past = cache.get_seq_length() if cache is not None else 0
            if isinstance(past, torch.Tensor):
                past = cache.get_max_length()
            if past + position_ids.shape[-1] <= limit:
                return
        last = int(position_ids.max()) if position_ids.numel() else 0
        if last >= limit:
            raise ValueError(
                f"position {last} is beyond max_position_embeddings={limit}, and no rope scaling is configured: "
                "shorten the input or max_new_tokens, or set rope_scaling in the configuration (for example "
                '{"type": "yarn", "factor": 4.0, "original_max_position_embeddings": '
                f"{limit}}} with max_position_embeddings={4 * limit})"
            )


@dataclass
class BailingMoeCausalLMOutput(MoeCausalLMOutputWithPast):
    """Output of the language model; `loss` is `ce_loss`, in training `+ coefficient * aux_loss + coefficient * z_loss`.

    expert_assignments `(L, E)`, router_entropy_sums `(L,)` and router_layer_losses `(2, L)` are the statistics of
    `losses.RoutingSummary`; like the two router losses they are there whenever the router logits are.
    """

    ce_loss: torch.Tensor | None = None
    z_loss: torch.Tensor | None = None
    expert_assignments: torch.Tensor | None = None
    router_entropy_sums: torch.Tensor | None = None
    router_layer_losses: torch.Tensor | None = None


class BailingMoeForCausalLM(BailingMoePreTrainedModel, GenerationMixin):
    """The language model: the decoder, its head (NormHead where the configuration says so), and the losses."""

    _auto_class = "AutoModelForCausalLM"
    _tied_weights_keys = {"lm_head.weight": "model.word_embeddings.weight"}
    _tp_plan = {"lm_head": "colwise_gather_output"}
    _pp_plan: Any = {"lm_head": (["hidden_states"], ["logits"])}

    def __init__(self, config: BailingMoeConfig) -> None:
        super().__init__(config)
        self.model = BailingMoeModel(config)
        self.vocab_size = config.vocab_size
        if config.norm_head:
            self.lm_head = BailingMoeNormHead(config.hidden_size, config.vocab_size)
        else:
            self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "lm_head" and self.config.norm_head:
            value = _with_norm_head(value)
        elif name == "forward" and isinstance(self.lm_head, BailingMoeNormHead) and _is_from_trl(value):
            value = _with_scaled_head(self, value)
        super().__setattr__(name, value)

    def scale_for_head(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Return what a loss that multiplies with `lm_head.weight` itself has to multiply, `(..., H)`.

        Such a loss (a fused head) passes NormHead by; without NormHead nothing changes.
        """
        head = getattr(self.lm_head, "base_layer", self.lm_head)
        return head.scale_hidden_states(hidden_states) if isinstance(head, BailingMoeNormHead) else hidden_states

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """Generate as `GenerationMixin.generate` does, with NormHead taken anew from the weights as they are now."""
        head = getattr(self.lm_head, "base_layer", self.lm_head)
        if isinstance(head, BailingMoeNormHead):
            head.forget()
        return GenerationMixin.generate(cast(Any, self), *args, **kwargs)

    def _prepare_generation_config(self, *args: Any, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        config: Any
        config, model_kwargs = GenerationMixin._prepare_generation_config(cast(Any, self), *args, **kwargs)
        mask = model_kwargs.get("attention_mask")
        padding = 0
        if isinstance(mask, torch.Tensor) and mask.dim() == 2:
            padding = mask.shape[1] - int(mask.sum(dim=1).max())  # of the longest row: positions do not count it
        config._ling_context = self.config.max_position_embeddings + padding
        return config, model_kwargs

    def _prepare_generated_length(self, generation_config: Any, *args: Any, **kwargs: Any) -> Any:
        """Let a generation end where the context ends: what was computed until then is returned."""
        prepare = cast(Any, GenerationMixin._prepare_generated_length)
        config = prepare(self, generation_config, *args, **kwargs)
        limit = getattr(config, "_ling_context", self.config.max_position_embeddings)
        if self.model.rotary_emb.rope_type == "default" and config.max_length > limit:
            logger.warning_once(f"generation ends at the context of {self.config.max_position_embeddings} tokens")
            config.max_length = limit
            config.min_length = min(config.min_length or 0, limit)
        return config

    @can_return_tuple
    @merge_with_config_defaults
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        output_router_logits: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        num_items_in_batch: torch.Tensor | int | None = None,
        num_tokens_in_batch: torch.Tensor | int | None = None,
        token_mask: torch.Tensor | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> BailingMoeCausalLMOutput:
        """Compute logits and, with labels, the loss: cross-entropy, and in training the router losses.

        Args:
            labels (`(B, T)`, *optional*): token ids, shifted inside; -100 is ignored.
            logits_to_keep (`int` or `Tensor`): only the last n positions (0 keeps all); or these positions, of all rows
                (1-D) or row by row (2-D); or those where a 2-D boolean mask is true, as `(N, V)`.
            num_items_in_batch (*optional*): predicted tokens of the whole optimizer step. Cross-entropy is then a sum
                divided by it, and the router losses are weighted by this call's share of it, so that they do not
                grow with gradient accumulation.
            num_tokens_in_batch (*optional*): real tokens of the whole optimizer step, beside num_items_in_batch. The
                z-loss is then a sum over tokens divided by it, and that of the step however it is cut. The balance
                loss is no sum over tokens: it stays that of each call.
            token_mask (`(B, T)`, *optional*): 0 for padding, which the router losses and statistics then leave out:
                for packed rows, whose documents `position_ids` tell apart. By default what attention_mask says.

        Returns:
            `BailingMoeCausalLMOutput`: loss, ce_loss, aux_loss (balance), z_loss, logits, router_logits and the rest.

        Source: paper 3.1 and the Ling technical report 3.2.2 (losses); the weighting under accumulation is ours.
        """
        config = self.config
        cache = _only_cache(cache, past_key_values, kwargs)
        with_router_losses = bool(
            labels is not None and self.training and (config.router_aux_loss_coef or config.router_z_loss_coef)
        )
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=cache,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            output_router_logits=output_router_logits or with_router_losses,
            **kwargs,
        )
        logits = self.lm_head(_keep_positions(outputs.last_hidden_state, logits_to_keep))

        loss = ce_loss = routing = None
        if labels is not None:
            loss = ce_loss = self.loss_function(
                logits=logits,
                labels=labels,
                vocab_size=config.vocab_size,
                num_items_in_batch=num_items_in_batch,
                **kwargs,
            )
        if outputs.router_logits:
            if token_mask is None:
                token_mask = _current_tokens(attention_mask, outputs.last_hidden_state.shape[1])
            routing = summarise_routing(outputs.router_logits, config.num_experts_per_tok, token_mask)
            if with_router_losses and loss is not None and labels is not None and self.router_is_trained():
                share = 1.0 if num_items_in_batch is None else (labels[:, 1:] != -100).sum() / num_items_in_batch
                z_share = share
                if num_items_in_batch is not None and num_tokens_in_batch is not None:
                    z_share = routing.num_tokens / num_tokens_in_batch
                router_loss = config.router_aux_loss_coef * routing.balance_loss * share
                router_loss = router_loss + config.router_z_loss_coef * routing.z_loss * z_share
                loss = loss + router_loss.to(loss.device)
        output = BailingMoeCausalLMOutput(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            router_logits=outputs.router_logits,
            ce_loss=ce_loss,
            **{CACHE_NAME: getattr(outputs, CACHE_NAME)},
        )
        if routing is not None:
            output.aux_loss, output.z_loss = routing.balance_loss, routing.z_loss
            output.expert_assignments, output.router_entropy_sums = routing.assignments, routing.entropy_sums
            output.router_layer_losses = routing.layer_losses
        return output


if TYPE_CHECKING:
    _MixinBase = BailingMoePreTrainedModel
else:
    _MixinBase = object


class _OnOurDecoder(_MixinBase):
    """The decoder under a head of a task, which may be read from a language model: its own head is left out.

    Put before a generic head of transformers, which gives the forward. What that builds it builds through AutoModel,
    which would ask to trust remote code again, and it knows the embedding by another name.
    """

    _keys_to_ignore_on_load_unexpected = [r"^lm_head\."]

    def _build(self, config: BailingMoeConfig, head_name: str, bias: bool, num_outputs: int | None = None) -> None:
        PreTrainedModel.__init__(self, config)
        self.num_labels = config.num_labels or 0
        self.model = BailingMoeModel(config)
        setattr(self, head_name, nn.Linear(config.hidden_size, num_outputs or self.num_labels, bias=bias))
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.model.word_embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.word_embeddings = value


class BailingMoeForSequenceClassification(_OnOurDecoder, GenericForSequenceClassification, BailingMoePreTrainedModel):
    """A reward or quality head on the last real token.

    Padding is found by `pad_token_id`, which in the released tokenizer is the end token too: end every text with it
    and the score is read at the token before.
    """

    _auto_class = "AutoModelForSequenceClassification"
    _may_be_missing: ClassVar[tuple[str, ...]] = ("score.weight",)

    def __init__(self, config: BailingMoeConfig) -> None:
        self._build(config, "score", bias=False)


class BailingMoeForTokenClassification(_OnOurDecoder, GenericForTokenClassification, BailingMoePreTrainedModel):
    """A label for every token."""

    _auto_class = "AutoModelForTokenClassification"
    _may_be_missing: ClassVar[tuple[str, ...]] = ("score.weight", "score.bias")

    def __init__(self, config: BailingMoeConfig) -> None:
        self._build(config, "score", bias=True)
        dropout = getattr(config, "classifier_dropout", None)
        self.dropout = nn.Dropout(0.1 if dropout is None else dropout)


class BailingMoeForQuestionAnswering(_OnOurDecoder, GenericForQuestionAnswering, BailingMoePreTrainedModel):
    """The first and the last token of an answer within a text."""

    _auto_class = "AutoModelForQuestionAnswering"
    _may_be_missing: ClassVar[tuple[str, ...]] = ("qa_outputs.weight", "qa_outputs.bias")

    def __init__(self, config: BailingMoeConfig) -> None:
        self._build(config, "qa_outputs", bias=True, num_outputs=2)


def _only_cache(cache: Cache | None, past_key_values: Cache | None, others: dict[str, Any]) -> Cache | None:
    """Return the cache that a forward was given under either of its names.

    A cache that is not understood must not be dropped: every step of a generation would then see one token alone.

    Raises:
        TypeError: both names, something that is no cache, or one more argument that looks like a cache.
    """
    if cache is not None and past_key_values is not None:
        raise TypeError("cache and past_key_values are two names of one argument: give one of them")
    cache = past_key_values if cache is None else cache
    if cache is not None and not hasattr(cache, "get_seq_length"):
        raise TypeError(f"the cache must be one of transformers' Cache classes, not {type(cache).__name__}")
    for name, value in others.items():
        is_named_so = name != "cache_position" and any(part in name for part in ("cache", "past_", "_past", "mems"))
        if value is not None and (isinstance(value, Cache) or is_named_so):
            raise TypeError(f"{name} looks like a cache, and this model takes one as past_key_values or cache only")
    return cache


def _keep_positions(hidden_states: torch.Tensor, logits_to_keep: int | torch.Tensor) -> torch.Tensor:
    """Return the hidden states whose logits are asked for; transformers has this as a function from 5.21 on."""
    if isinstance(logits_to_keep, int):
        return hidden_states[:, -logits_to_keep:] if logits_to_keep else hidden_states
    if logits_to_keep.dim() < 2:
        return hidden_states[:, logits_to_keep]
    if logits_to_keep.dtype == torch.bool:
        return hidden_states[logits_to_keep]
    return torch.take_along_dim(hidden_states, logits_to_keep[..., None], dim=1)


def _with_norm_head(value: nn.Module) -> nn.Module:
    """Return what takes the place of the output head, such that NormHead stays in it.

    PEFT puts an adapter around the head, and takes it off again; resizing the vocabulary makes a plain head.

    Raises:
        ValueError: a quantised head.
    """
    head = getattr(value, "base_layer", value)
    if type(head) is nn.Linear:
        value = head = BailingMoeNormHead.from_linear(head)
    if isinstance(head, BailingMoeNormHead):
        head.attach(None if head is value else value)
    elif isinstance(head, nn.Linear):
        raise ValueError(
            f"{type(head).__name__} in place of lm_head leaves NormHead out, which needs the head in floating point: "
            'name "lm_head" among the modules that the quantisation skips'
        )
    return value


class _ScaledHead:
    """What a fused head reads of an output head: the normalised weight."""

    def __init__(self, head: BailingMoeNormHead) -> None:
        self.weight = head.scaled_weight()
        self.bias = None


def _is_from_trl(patch: Any) -> bool:
    function = getattr(patch, "__func__", patch)
    return getattr(function, "__globals__", {}).get("__name__", "").startswith("trl.")


def _with_scaled_head(model: BailingMoeForCausalLM, patch: Callable) -> Callable:
    """Return TRL's replacement of `forward`, which multiplies with the head's weight itself, with NormHead in it.

    While its fused head runs, `get_output_embeddings().weight` is the normalised weight.
    """

    @functools.wraps(patch)
    def forward(*args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if not fused_lm_head or not isinstance(model.lm_head, BailingMoeNormHead):
            return patch(*args, fused_lm_head=fused_lm_head, **kwargs)
        model.__dict__["get_output_embeddings"] = lambda: _ScaledHead(model.lm_head)
        try:
            return patch(*args, fused_lm_head=True, **kwargs)
        finally:
            del model.__dict__["get_output_embeddings"]

    return forward


def _current_tokens(attention_mask: Any, num_positions: int) -> torch.Tensor | None:
    """Return the padding mask of this call's positions (with a cache the mask covers the past too)."""
    if not isinstance(attention_mask, torch.Tensor) or attention_mask.dim() != 2:
        return None
    return attention_mask[:, -num_positions:]


def _autocast_disabled(device: torch.device) -> AbstractContextManager:
    if device.type == "meta":
        return nullcontext()
    return torch.autocast(device_type=device.type, enabled=False)


__all__ = [
    "BailingMoeForCausalLM",
    "BailingMoeForQuestionAnswering",
    "BailingMoeForSequenceClassification",
    "BailingMoeForTokenClassification",
    "BailingMoeModel",
    "BailingMoePreTrainedModel",
]
