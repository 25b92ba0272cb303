"""Section 5.1: what any of these models computes and reads per token, from its config.json.

BailingMoe is counted by `modeling_ling.accounting`; here are the models that the paper compares it with: dense ones
with grouped-query attention, and DeepSeek-V2 with latent attention.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.errors import UsageError
from modeling_ling.accounting import count_parameters, flops_per_token, linear_macs_per_token
from modeling_ling.geometry import Geometry
from modeling_ling.hub_reading import hub_failure

PAPER_TOKENS = 4096  # of the one inference that Figure 1c is about
# The settings that count, as the models' own config.json have them.
PRESETS: dict[str, dict[str, Any]] = {
    "Ling-Coder-Lite": {
        "model_type": "bailing_moe",
        "hidden_size": 2048,
        "intermediate_size": 5632,
        "moe_intermediate_size": 1408,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "num_experts": 64,
        "num_experts_per_tok": 6,
        "num_shared_experts": 2,
        "vocab_size": 126464,
    },
    "DeepSeek-Coder-V2-Lite": {
        "model_type": "deepseek_v2",
        "hidden_size": 2048,
        "intermediate_size": 10944,
        "moe_intermediate_size": 1408,
        "num_hidden_layers": 27,
        "first_k_dense_replace": 1,
        "num_attention_heads": 16,
        "kv_lora_rank": 512,
        "q_lora_rank": None,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "n_routed_experts": 64,
        "num_experts_per_tok": 6,
        "n_shared_experts": 2,
        "vocab_size": 102400,
    },
    "Qwen2.5-Coder-7B": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
    },
    "OpenCoder-8B": {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 96640,
    },
}
DENSE = ("llama", "qwen2", "qwen3", "mistral", "phi3", "gemma", "starcoder2")


@dataclass(frozen=True)
class Cost:
    """What a model does for a token; sizes in multiply-accumulates (MACs), FLOPs and bytes.

    Args:
        linear_macs (`int`): of all products with weights, output head in, input embedding out, per token.
        flops (`float`): of one inference over `PAPER_TOKENS` tokens, causal attention in, 2 per MAC.
        weights (`int`): all parameters.
        cache_values (`int`): keys and values (or latents) that a token of context leaves, over all layers.
        experts (`tuple`): (parameters of all routed experts, experts, experts per token); (0, 1, 1) for dense models.
    """

    linear_macs: int
    flops: float
    weights: int
    cache_values: int
    experts: tuple[int, int, int]

    def decode_bytes(self, batch_size: int, context_tokens: int, bytes_per_value: int = 2) -> float:
        """Return the bytes read from memory to decode one token for each sequence of a batch.

        An expert is read once however many tokens chose it; choices are taken as uniform and independent.
        """
        routed, num_experts, top_k = self.experts
        share = 1 - (1 - top_k / num_experts) ** batch_size
        read_always = self.linear_macs - routed * top_k / num_experts
        return bytes_per_value * (read_always + routed * share + batch_size * context_tokens * self.cache_values)


def costs_of(names: Sequence[str] | None = None, flag: str = "--config") -> dict[str, Cost]:
    """Return the costs of models by name.

    Args:
        names: as for `read_config`; by default all presets.
        flag: the flag by which they were named.

    Raises:
        UsageError: one of them cannot be read, or is of a kind that is not counted.
    """
    try:
        return {name: cost_of(config) for name, config in map(read_config, names or PRESETS)}
    except KeyError as error:
        raise UsageError(f"{flag}: config.json lacks {error}") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{flag}: {error}") from error


def read_config(text: str) -> tuple[str, dict[str, Any]]:
    """Return (name, settings) of a preset, of a folder or file with a config.json, or of a model on the Hub.

    Raises:
        ValueError: neither a preset nor a readable configuration.
    """
    if text in PRESETS:
        return text, PRESETS[text]
    path = Path(text)
    try:
        if not path.exists() and text.count("/") == 1:
            from huggingface_hub import hf_hub_download

            return text, json.loads(Path(hf_hub_download(text, "config.json")).read_text(encoding="utf-8"))
        path = path / "config.json" if path.is_dir() else path
        settings = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError("there are no settings of a model in it")
        return path.parent.name or path.name, settings
    except (OSError, ValueError) as error:  # the Hub's errors are among them
        reason = hub_failure(error) or error
        raise ValueError(f"{text}: neither one of {', '.join(PRESETS)} nor a config.json ({reason})") from error


def cost_of(config: Mapping[str, Any]) -> Cost:
    """Return the cost of a model.

    Raises:
        ValueError: a kind of model that is not counted here.

    Source: paper Fig. 1c for the convention of `linear_macs`; formulas as in the models' own papers.
    """
    kind = config.get("model_type")
    if kind == "bailing_moe":
        return _bailing(Geometry.from_values(config))
    if kind == "deepseek_v2":
        return _deepseek(config)
    if kind in DENSE:
        return _dense(config)
    raise ValueError(f"model_type {kind!r} is not counted; known: bailing_moe, deepseek_v2, {', '.join(DENSE)}")


def _bailing(config: Geometry) -> Cost:
    count = count_parameters(config)
    cache = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    experts = (count.routed_experts, config.num_experts, config.num_experts_per_tok)
    flops = PAPER_TOKENS * flops_per_token(config, PAPER_TOKENS)
    return Cost(linear_macs_per_token(config), flops, count.total, cache, experts)


def _total_flops(linear_macs: int, layers: int, heads: int, score_width: int) -> float:
    """Return the FLOPs of one inference; causal attention computes half of the square of scores."""
    attention = layers * heads * PAPER_TOKENS**2 * score_width / 2
    return 2 * (PAPER_TOKENS * linear_macs + attention)


def _dense(config: Mapping[str, Any]) -> Cost:
    hidden, layers, heads = config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"]
    width = config.get("head_dim") or hidden // heads
    kv_heads = config.get("num_key_value_heads") or heads
    attention = 2 * hidden * heads * width + 2 * hidden * kv_heads * width
    head = config["vocab_size"] * hidden
    macs = layers * (attention + 3 * hidden * config["intermediate_size"]) + head
    weights = macs + (0 if config.get("tie_word_embeddings") else head)
    return Cost(macs, _total_flops(macs, layers, heads, 2 * width), weights, 2 * layers * kv_heads * width, (0, 1, 1))


def _deepseek(config: Mapping[str, Any]) -> Cost:
    hidden, layers, heads = config["hidden_size"], config["num_hidden_layers"], config["num_attention_heads"]
    nope, rope, value = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
    latent, queries = config["kv_lora_rank"], heads * (nope + rope)
    rank = config.get("q_lora_rank")
    attention = hidden * queries if rank is None else rank * (hidden + queries)
    attention += hidden * (latent + rope) + latent * heads * (nope + value) + heads * value * hidden
    dense_layers = config["first_k_dense_replace"]
    expert = 3 * hidden * config["moe_intermediate_size"]
    num_experts, top_k = config["n_routed_experts"], config["num_experts_per_tok"]
    sparse = layers - dense_layers
    always = layers * attention + dense_layers * 3 * hidden * config["intermediate_size"]
    always += sparse * (hidden * num_experts + config["n_shared_experts"] * expert)
    head = config["vocab_size"] * hidden
    routed = sparse * num_experts * expert
    macs = always + sparse * top_k * expert + head
    cost = _total_flops(macs, layers, heads, nope + rope + value)
    return Cost(macs, cost, always + routed + 2 * head, layers * (latent + rope), (routed, num_experts, top_k))
