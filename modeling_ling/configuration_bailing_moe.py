"""Section 3.1: the architecture of Ling-Coder-Lite as a Hugging Face configuration (model_type "bailing_moe").

The keys are those of the released config.json files. The class defaults are the geometry of Ling-Coder-Lite, except
that `norm_head` is off unless a file asks for it, as in the released class.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

_ROUTER_DTYPES = {
    "float32": "fp32",
    "fp32": "fp32",
    "torch.float32": "fp32",
    "bfloat16": "bf16",
    "bf16": "bf16",
    "torch.bfloat16": "bf16",
    None: None,
}


# Which class of which file the Auto classes take: as a saved folder says it.
AUTO_MAP = {
    "AutoConfig": "configuration_bailing_moe.BailingMoeConfig",
    "AutoModel": "modeling_bailing_moe.BailingMoeModel",
    "AutoModelForCausalLM": "modeling_bailing_moe.BailingMoeForCausalLM",
    "AutoModelForQuestionAnswering": "modeling_bailing_moe.BailingMoeForQuestionAnswering",
    "AutoModelForSequenceClassification": "modeling_bailing_moe.BailingMoeForSequenceClassification",
    "AutoModelForTokenClassification": "modeling_bailing_moe.BailingMoeForTokenClassification",
}


@strict
class BailingMoeConfig(PreTrainedConfig):
    """Hold the geometry and the training coefficients of a Ling MoE model.

    Args:
        vocab_size (`int`): rows of the embedding and of the output head.
        hidden_size (`int`): width of the residual stream.
        intermediate_size (`int`): inner width of the dense layers; unused when `first_k_dense_replace` is 0.
        num_hidden_layers (`int`): decoder layers.
        num_attention_heads (`int`): query heads.
        num_key_value_heads (`int`, *optional*): key and value heads; None means as many as query heads.
        head_dim (`int`, *optional*): size of one head; None and 0 mean `hidden_size // num_attention_heads`.
        hidden_act (`str`): activation of every MLP.
        max_position_embeddings (`int`): context length in tokens.
        rope_theta (`float`, *optional*), rope_scaling (`dict`, *optional*): the released spelling of the rotary
            settings; both are folded into `rope_parameters`.
        rope_parameters (`dict`, *optional*): the transformers 5 spelling; wins over the two above unless it says
            "default" and `rope_scaling` does not.
        rms_norm_eps (`float`): epsilon of every RMSNorm (the released base models use 1e-5, the chat models 1e-6).
        moe_intermediate_size (`int`): inner width of one routed expert.
        num_experts (`int`), num_experts_per_tok (`int`): routed experts, and how many each token visits.
        num_shared_experts (`int`): shared experts; they form one MLP of `num_shared_experts * moe_intermediate_size`.
        norm_topk_prob (`bool`): renormalise the weights of the chosen experts to sum to 1.
        first_k_dense_replace (`int`): the first k layers have a dense MLP instead of experts.
        use_bias (`bool`), use_qkv_bias (`bool`): a bias on attention.dense, on attention.query_key_value.
        norm_head (`bool`): divide every column of the output head by its norm (NormHead).
        norm_softmax (`bool`): only False is known; no released model sets it.
        tie_word_embeddings (`bool`): share embedding and head; not together with `norm_head`.
        initializer_range (`float`): standard deviation of the initial weights.
        attention_dropout, embedding_dropout, output_dropout (`float`): only the first is applied, as in the release.
        router_aux_loss_coef (`float`), router_z_loss_coef (`float`): coefficients of the balance loss and the z-loss in
            training. 0 as in the released files, whose loss has neither; presets and recipes say 0.015 and 1e-4.
        output_router_logits (`bool`): return the raw router logits of every MoE layer.
        router_dtype (`str`, *optional*): "float32" (default), "bfloat16", or None for the dtype of the hidden states.
            It is stored in vLLM's spelling, "fp32" or "bf16".
        router_warmup_steps (`int`): length of the stochastic routing warm-up in optimizer steps; 0 leaves it out.
            Training code must then call `model.set_routing_step(step)`; evaluation is never touched.
        pad_token_id, bos_token_id, eos_token_id (`int`, *optional*): special ids; the release has eos = pad.

    Raises:
        ValueError: contradicting or impossible values, each named in the message; also when one is set later.
        huggingface_hub.errors.StrictDataclassFieldValidationError: a value of another type.

    Source: paper 3.1 and the released config.json; `router_dtype`, `router_warmup_steps` and the two coefficients are
    keys of ours (their values in the presets: Ling technical report 3.4.1).
    """

    model_type = "bailing_moe"
    _auto_class = "AutoConfig"
    # What evaluation does not gather: its predictions are the logits alone.
    keys_to_ignore_at_inference: ClassVar[list[str]] = [
        "past_key_values",
        "cache",
        "router_logits",
        "aux_loss",
        "ce_loss",
        "z_loss",
        "expert_assignments",
        "router_entropy_sums",
        "router_layer_losses",
    ]
    # Attention stays whole on every device: its projection holds queries, keys and values of different sizes in one
    # matrix, and a plain split by rows would tear them apart.
    base_model_tp_plan: ClassVar[dict[str, str]] = {
        "layers.*.mlp.gate_proj": "colwise",
        "layers.*.mlp.up_proj": "colwise",
        "layers.*.mlp.down_proj": "rowwise",
        "layers.*.mlp.shared_experts.gate_proj": "colwise",
        "layers.*.mlp.shared_experts.up_proj": "colwise",
        "layers.*.mlp.shared_experts.down_proj": "rowwise",
        "layers.*.mlp.experts.gate_up_proj": "packed_colwise",
        "layers.*.mlp.experts.down_proj": "rowwise",
        "layers.*.mlp.experts": "moe_tp_experts",
    }
    base_model_ep_plan: ClassVar[dict[str, Any]] = {
        "layers.*.mlp.experts.gate_up_proj": "grouped_gemm",
        "layers.*.mlp.experts.down_proj": "grouped_gemm",
        "layers.*.mlp.experts": "ep_dispatch_experts",
    }
    base_model_pp_plan: ClassVar[dict[str, Sequence[list[str]]] | None] = {
        "word_embeddings": (["input_ids"], ["inputs_embeds"]),
        "layers": (["hidden_states", "attention_mask"], ["hidden_states"]),
        "norm": (["hidden_states"], ["hidden_states"]),
    }
    base_model_fsdp_plan: ClassVar[dict[str, str]] = {
        "word_embeddings": "free_full_weight",
        "layers.*": "free_full_weight",
        "norm": "keep_full_weight",
    }

    vocab_size: int = 126464
    hidden_size: int = 2048
    intermediate_size: int = 5632
    num_hidden_layers: int = 28
    num_attention_heads: int = 16
    hidden_act: str = "silu"
    max_position_embeddings: int = 16384
    rms_norm_eps: float = 1e-6
    moe_intermediate_size: int = 1408
    num_experts: int = 64
    num_experts_per_tok: int = 6
    norm_topk_prob: bool = True
    use_bias: bool = False
    use_qkv_bias: bool = False
    norm_head: bool = False
    norm_softmax: bool = False
    tie_word_embeddings: bool = False
    initializer_range: float = 0.006
    attention_dropout: float | int = 0.0
    embedding_dropout: float | int = 0.0
    output_dropout: float | int = 0.0
    router_aux_loss_coef: float | int = 0.0
    router_z_loss_coef: float | int = 0.0
    output_router_logits: bool | None = False
    router_dtype: str | None = "fp32"
    router_warmup_steps: int = 0
    use_cache: bool = True
    pretraining_tp: int = 1
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    # None may be given for these, and is none of them once the configuration is made.
    if TYPE_CHECKING:
        num_key_value_heads: int = 4
        head_dim: int = 128
        num_shared_experts: int = 2
        first_k_dense_replace: int = 0
        rope_parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    else:
        num_key_value_heads: int | None = 4
        head_dim: int | None = None
        num_shared_experts: int | None = 2
        first_k_dense_replace: int | None = 0
        rope_parameters: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.num_key_value_heads = self.num_key_value_heads or self.num_attention_heads
        self.head_dim = self.head_dim or self.hidden_size // self.num_attention_heads
        # vLLM compares this with 0, so None must not survive.
        self.num_shared_experts = self.num_shared_experts or 0
        self.first_k_dense_replace = self.first_k_dense_replace or 0
        self.output_router_logits = bool(self.output_router_logits)
        self.rope_parameters = _merge_rope(
            self.rope_parameters, kwargs.pop("rope_scaling", None), kwargs.pop("rope_theta", None)
        )
        super().__post_init__(**kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set one value, and refuse what it contradicts; `router_dtype` is kept in one spelling."""
        if name == "router_dtype":
            if value not in _ROUTER_DTYPES:
                raise ValueError(f"router_dtype={value!r} is unknown: use 'float32', 'bfloat16' or null")
            value = _ROUTER_DTYPES[value]
        if name in _CHECKED:
            _check_values({**self.__dict__, name: value})
        super().__setattr__(name, value)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Make a configuration as `PreTrainedConfig.from_dict` does, with overrides checked together, not in turn."""
        names = {field.name for field in dataclasses.fields(cls)} | {"rope_scaling", "rope_theta"}
        overrides = {name: kwargs.pop(name) for name in list(kwargs) if name in names and name != "dtype"}
        if {"rope_scaling", "rope_theta"} & overrides.keys():
            # A file of ours has the rotary settings in both spellings: the one that is overridden counts.
            parameters = config_dict.get("rope_parameters") or {}
            config_dict = {key: value for key, value in config_dict.items() if key != "rope_parameters"}
            overrides.setdefault("rope_theta", config_dict.get("rope_theta", parameters.get("rope_theta")))
            overrides.setdefault("rope_scaling", config_dict.get("rope_scaling"))
        return super().from_dict({**config_dict, **overrides}, **kwargs)

    @property
    def rope_theta(self) -> float:
        """The base of the rotary frequencies, where SGLang reads it and where older configurations had it."""
        return self.rope_parameters["rope_theta"]

    @rope_theta.setter
    def rope_theta(self, value: float) -> None:
        self.rope_parameters["rope_theta"] = value

    @property
    def rope_scaling(self) -> dict[str, Any] | None:
        """How positions are stretched, in the released spelling; None for not at all. Setting it keeps the base."""
        rope = {key: value for key, value in self.rope_parameters.items() if key not in ("rope_theta", "rope_type")}
        kind = self.rope_parameters.get("rope_type", "default")
        return None if kind == "default" else {"type": kind, **rope}

    @rope_scaling.setter
    def rope_scaling(self, value: dict[str, Any] | None) -> None:
        self.rope_parameters = _merge_rope(None, value, self.rope_theta)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as a dictionary, with the rotary settings in the released spelling too.

        llama.cpp's converter and mlx read `rope_theta` and `rope_scaling`.
        """
        output = super().to_dict()
        output["rope_theta"] = self.rope_theta
        output["rope_scaling"] = self.rope_scaling
        return output


# The keys that some check reads.
_CHECKED = {
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "num_experts",
    "num_experts_per_tok",
    "router_warmup_steps",
    "norm_head",
    "norm_softmax",
    "tie_word_embeddings",
}


def _check_values(values: dict[str, Any]) -> None:
    """Raise ValueError for values that contradict each other, among those that are set so far."""
    for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_experts"):
        if values.get(name, 1) < 1:
            raise ValueError(f"{name}={values[name]} must be at least 1")
    heads, groups = values.get("num_attention_heads"), values.get("num_key_value_heads")
    if heads and groups and heads % groups:
        raise ValueError(f"num_attention_heads={heads} must be a multiple of num_key_value_heads={groups}")
    if (values.get("head_dim") or 0) % 2:
        raise ValueError(f"head_dim={values['head_dim']} must be even for rotary embeddings")
    experts, chosen = values.get("num_experts"), values.get("num_experts_per_tok")
    if experts and chosen is not None and not 1 <= chosen <= experts:
        raise ValueError(f"num_experts_per_tok={chosen} must lie between 1 and num_experts={experts}")
    if values.get("router_warmup_steps", 0) < 0:
        raise ValueError(f"router_warmup_steps={values['router_warmup_steps']} must be 0 (off) or a number of steps")
    if values.get("norm_head") and values.get("tie_word_embeddings"):
        raise ValueError(
            "norm_head=true with tie_word_embeddings=true is not supported: engines disagree on whether the "
            "embedding is normalised too. Set one of them to false"
        )
    if values.get("norm_softmax"):
        raise ValueError("norm_softmax=true is not supported: no released Ling model defines what it computes")


def _merge_rope(
    rope_parameters: dict[str, Any] | None, rope_scaling: dict[str, Any] | None, rope_theta: float | None
) -> dict[str, Any]:
    merged = _with_rope_type(rope_parameters)
    scaling = _with_rope_type(rope_scaling)
    if merged.get("rope_type", "default") == "default" and scaling.get("rope_type", "default") != "default":
        # An edited rope_scaling must not be ignored because a saved file also carries default rope_parameters.
        merged = {**{key: merged[key] for key in ("rope_theta",) if key in merged}, **scaling}
    elif scaling and any(merged.get(key, value) != value for key, value in scaling.items()):
        raise ValueError(f"rope_parameters={merged} and rope_scaling={scaling} disagree: keep one of them")
    merged.setdefault("rope_type", "default")
    if merged.get("rope_theta") is None:
        merged["rope_theta"] = 600000.0 if rope_theta is None else rope_theta
    if merged["rope_type"] == "yarn":
        # The released yarn code falls back to 4096, not to max_position_embeddings as transformers does.
        merged.setdefault("original_max_position_embeddings", 4096)
    return merged


def _with_rope_type(rope: dict[str, Any] | None) -> dict[str, Any]:
    """Return a copy with the old key "type" renamed to "rope_type"."""
    if not rope:
        return {}
    renamed = dict(rope)
    kind = renamed.pop("type", None)
    renamed.setdefault("rope_type", kind or "default")
    return renamed


__all__ = ["AUTO_MAP", "BailingMoeConfig"]
