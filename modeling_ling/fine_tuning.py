"""LoRA for Ling models: the weights it can adapt, by the names PEFT needs.

    from peft import get_peft_model
    from modeling_ling.fine_tuning import lora_config

    model = get_peft_model(model, lora_config(model, rank=8))

PEFT's own "all-linear" leaves out the routed experts, nine tenths of the weights of the released models: they are
three-dimensional parameters, not Linear modules. The router is never adapted: a sparse model's fine-tuning is steadier
when tokens keep the experts they had.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .configuration_bailing_moe import BailingMoeConfig
from .experts import BailingMoeExperts
from .modeling_bailing_moe import BailingMoePreTrainedModel

if TYPE_CHECKING:
    from peft import LoraConfig

# Endings of module names (PEFT's target_modules), and for the experts of parameter names (its target_parameters).
LORA_PARTS: dict[str, tuple[str, ...]] = {
    "attention": ("attention.query_key_value", "attention.dense"),
    "dense_layers": ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
    "shared_experts": ("shared_experts.gate_proj", "shared_experts.up_proj", "shared_experts.down_proj"),
    "experts": ("mlp.experts.gate_up_proj", "mlp.experts.down_proj"),
}


def lora_config(
    model: BailingMoePreTrainedModel,
    parts: Sequence[str] | None = None,
    rank: int = 16,
    alpha: int | None = None,
    **options: Any,
) -> "LoraConfig":
    """Return PEFT's configuration for LoRA on parts of a Ling model, for `get_peft_model` or TRL's `peft_config`.

    Args:
        model: the model to adapt; any of the architecture's classes.
        parts (*optional*): of `LORA_PARTS`; None takes all that the model has. "attention" alone is the small adapter
            that serving engines load as it is; "experts" reaches where most of the weights are, and each expert gets
            matrices of its own: `num_experts * rank * (hidden + width)` numbers for every projection and layer.
        rank (`int`): of every pair of matrices; per expert too.
        alpha (`int`, *optional*): the update is scaled by alpha / rank; None takes 2 * rank.
        **options: other fields of `peft.LoraConfig`.

    Raises:
        ValueError: a part that does not exist or that this model has not; dropout on experts; experts in 4 bits.

    Source: ours; the field's documented targets for 3D experts (peft's target_parameters).
    """
    from peft import LoraConfig, TaskType

    present = present_parts(model.config)
    parts = present if parts is None else tuple(parts)
    for part in parts:
        if part not in LORA_PARTS:
            raise ValueError(f"part {part!r} is unknown: choose among {', '.join(LORA_PARTS)}")
        if part not in present:
            raise ValueError(f"this model has no {part}: choose among {', '.join(present)}")
    if not parts:
        raise ValueError(f"no part to adapt: choose among {', '.join(present)}")
    if "experts" in parts:
        if options.get("lora_dropout"):
            raise ValueError(
                f"lora_dropout={options['lora_dropout']} cannot be applied to experts, whose update is added to the "
                "weights: set it to 0, or leave experts out of parts"
            )
        if any(hasattr(module, "parametrizations") for module in _experts(model)):
            raise ValueError(
                "the experts are quantised to 4 bits, where PEFT cannot adapt them: leave experts out of parts, or do "
                "not quantise them"
            )
    modules = [target for part in parts if part != "experts" for target in LORA_PARTS[part]]
    options.setdefault("task_type", TaskType.CAUSAL_LM)
    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank if alpha is None else alpha,
        target_modules=modules,
        target_parameters=list(LORA_PARTS["experts"]) if "experts" in parts else None,
        **options,
    )


def present_parts(config: BailingMoeConfig) -> tuple[str, ...]:
    """Return the names in `LORA_PARTS` that a configuration has weights for."""
    num_moe_layers = config.num_hidden_layers - min(config.first_k_dense_replace, config.num_hidden_layers)
    present = {
        "attention": True,
        "dense_layers": config.first_k_dense_replace > 0,
        "shared_experts": num_moe_layers > 0 and config.num_shared_experts > 0,
        "experts": num_moe_layers > 0,
    }
    return tuple(part for part in LORA_PARTS if present[part])


def _experts(model: BailingMoePreTrainedModel) -> list[BailingMoeExperts]:
    return [module for module in model.modules() if isinstance(module, BailingMoeExperts)]


__all__ = ["LORA_PARTS", "lora_config", "present_parts"]
