"""Section 3.2 trains Ling models; any other causal model that transformers knows is trained by the same course.

What is Ling's own stays with Ling models: the router's losses, the released names of the weights. Another model is
trained with plain cross-entropy, and its architecture's code is transformers', never that of a repository.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM

LING_TYPE = "bailing_moe"
# Two documents in a row and alone give the same logits but for rounding, where a model keeps them apart.
PACKING_TOLERANCE = 1e-3
# Parts of names of the weights that a token passes through only where it is routed to them.
EXPERT_PARTS = (".experts.",)


def is_ling(config: Any) -> bool:
    """Return whether a configuration is of this project's architecture."""
    return getattr(config, "model_type", None) == LING_TYPE


def load_any_config(name: str, revision: str | None) -> PretrainedConfig:
    """Return the configuration of a causal model.

    Raises:
        RecipeError: an architecture that transformers does not know, or that does not continue texts.
        OSError: nothing to be found under that name.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    import modeling_ling  # noqa: F401  # registers bailing_moe

    try:
        config = cast("PretrainedConfig", AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False))
    except (ValueError, KeyError) as error:
        raise RecipeError(f"init_from: transformers does not know the architecture of {name}: {error}") from error
    if not is_ling(config) and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise RecipeError(f"init_from: {name} is a {config.model_type}, which is no causal language model.")
    return config


def load_other_model(name: str, revision: str | None, config: PretrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    """Load a causal model of another architecture, and check that it keeps packed documents apart.

    Raises:
        RecipeError: weights are missing, or it reads across documents.
    """
    from transformers import AutoModelForCausalLM

    result: Any = AutoModelForCausalLM.from_pretrained(
        name, revision=revision, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True
    )
    model, found = cast("PreTrainedModel", result[0]), result[1]
    if missing := sorted(found["missing_keys"]):
        raise RecipeError(f"init_from: the weights of {name} lack {missing[0]} and {len(missing) - 1} more.")
    check_packing(model, name)
    return model


def check_packing(model: PreTrainedModel, name: str) -> None:
    """Refuse a model whose documents in one row see each other.

    Raises:
        RecipeError: it does.
    """
    import torch

    ids = torch.arange(16, device=model.device).view(1, -1) % model.config.get_text_config().vocab_size
    positions = torch.arange(8, device=model.device).repeat(2).view(1, -1)
    model.eval()
    with torch.no_grad():
        packed = model(input_ids=ids, position_ids=positions, use_cache=False).logits[0, 8:].float()
        alone = model(input_ids=ids[:, 8:], position_ids=positions[:, 8:], use_cache=False).logits[0].float()
    tolerance = PACKING_TOLERANCE if model.dtype == torch.float32 else 0.1
    if float((packed - alone).abs().max()) > tolerance * max(1.0, float(alone.abs().max())):
        raise RecipeError(
            f"init_from: {name} ({model.config.model_type}) does not keep documents of one row apart by their "
            "positions, as packing needs."
        )


def activation_bytes(config: PretrainedConfig, num_tokens: int, *, bf16: bool) -> int:
    """Return about how many bytes of activations a micro-batch holds, its logits included.

    Args:
        config: of a dense model.
        num_tokens: of the micro-batch.
        bf16: whether it is computed in half precision.

    Source: 34 bytes per value of the hidden state and layer in half precision, for attention that keeps no scores
    (Korthikanti et al., 2205.05198); logits in float32 with their gradient, and once in the model's precision.
    """
    text = config.get_text_config()
    width = 2 if bf16 else 4
    return num_tokens * (17 * width * text.hidden_size * text.num_hidden_layers + (8 + width) * text.vocab_size)


@dataclass(frozen=True)
class ModelSize:
    """What a plan counts with.

    Attributes:
        total: parameters.
        active: those that one token passes through, the embedding included.
        flops_per_token: forward and backward, with the whole square of attention scores.
        causal_flops_per_token: with the half of it.
    """

    total: int
    active: int
    flops_per_token: float
    causal_flops_per_token: float


def measure_model(config: PretrainedConfig, sequence_length: int, auto_class: Any) -> ModelSize:
    """Return the size of a model, built without memory for its weights.

    Args:
        config: of any model.
        sequence_length: tokens in a row.
        auto_class: of transformers, that makes the model.

    Source: six FLOPs per weight in a product and token, as everywhere; the scores are counted by layers and heads.
    """
    import torch

    text = config.get_text_config()
    with torch.device("meta"):
        model = auto_class.from_config(config)
    parameters = dict(model.named_parameters())
    total = sum(value.numel() for value in parameters.values())
    experts = sum(value.numel() for key, value in parameters.items() if any(part in f"{key}." for part in EXPERT_PARTS))
    num_experts = _first(text, "num_local_experts", "num_experts", "n_routed_experts") or 1
    active = total - experts + experts * (_first(text, "num_experts_per_tok") or 1) // num_experts
    embedding = cast("torch.nn.Module", model.get_input_embeddings())
    looked_up = sum(value.numel() for value in embedding.parameters())
    # Tied: the one matrix is looked up and multiplied with.
    multiplied = active - (0 if text.tie_word_embeddings else looked_up)
    heads = text.num_attention_heads
    width = heads * (_first(text, "head_dim") or text.hidden_size // heads)
    scores = 12.0 * text.num_hidden_layers * width * sequence_length
    return ModelSize(total, active, 6.0 * multiplied + scores, 6.0 * multiplied + scores / 2)


def _first(config: Any, *names: str) -> int | None:
    return next((value for name in names if (value := getattr(config, name, None)) is not None), None)


def add_lora(model: PreTrainedModel, rank: int, seed: int) -> PreTrainedModel:
    """Return a model whose weights stay, with pairs of small matrices beside its linear layers that are trained.

    Args:
        model: Ling or another causal model.
        rank: of the matrices; updates are scaled by two.
        seed: of the fresh matrices.

    Raises:
        RecipeError: the launch file shards the model, where an adapter could not be merged.

    Source: LoRA; Ling's parts are modeling_ling.fine_tuning's.
    """
    import torch
    from peft import LoraConfig, TaskType, get_peft_model

    from modeling_ling.fine_tuning import lora_config

    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() in ("1", "true"):
        raise RecipeError("lora_rank: the launch file shards the model (FSDP): adapters are trained unsharded here.")
    if is_ling(model.config):
        config = lora_config(cast(Any, model), rank=rank)
    else:
        config = LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type=TaskType.CAUSAL_LM, lora_dropout=0.0
        )
    torch.manual_seed(seed)
    return cast("PreTrainedModel", get_peft_model(model, config))


def without_lora(model: PreTrainedModel) -> PreTrainedModel:
    """Return a model with its adapters added into its weights; one without any as it is."""
    merge = getattr(model, "merge_and_unload", None)
    return model if merge is None else cast("PreTrainedModel", merge())


def save_model(
    model: BailingMoeForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    output_dir: Path,
    state_dict: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write weights, configuration and tokenizer: a Ling model in the released form, another as transformers does.

    Args:
        model: unwrapped; adapters are merged.
        tokenizer: goes into the folder.
        output_dir: the run's folder.
        state_dict: gathered weights, or None.
    """
    from modeling_ling.export import export_model

    merged = without_lora(model)
    if not is_ling(merged.config):
        merged.save_pretrained(output_dir, state_dict=state_dict)
        tokenizer.save_pretrained(output_dir)
        return
    merged.config.output_router_logits = False
    merged.config.router_warmup_steps = 0  # it belongs to this run: whoever trains on would have to count steps
    export_model(cast("BailingMoeForCausalLM", merged), tokenizer, output_dir, state_dict=state_dict)


__all__ = [
    "LING_TYPE",
    "ModelSize",
    "add_lora",
    "check_packing",
    "is_ling",
    "load_any_config",
    "load_other_model",
    "measure_model",
    "save_model",
    "without_lora",
]
