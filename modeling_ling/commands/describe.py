"""Section 3.1: what a geometry costs: parameters, arithmetic, memory. Nothing is loaded and no tensor is made."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from modeling_ling.accounting import (
    count_checkpoint_tensors,
    count_parameters,
    decode_bytes_per_token,
    flops_per_token,
    inference_bytes,
    kv_cache_bytes_per_token,
    linear_macs_per_token,
    training_flops_per_token,
    training_state_bytes,
    weight_bytes,
)
from modeling_ling.geometry import Geometry
from modeling_ling.presets import PRESETS

if TYPE_CHECKING:
    from modeling_ling.configuration_bailing_moe import BailingMoeConfig

HELP = "parameters, FLOPs and memory of a preset or a model"
EXAMPLE = "python -m modeling_ling describe --preset lite --context-tokens 4096"
PAPER_CONTEXT_TOKENS = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--preset", choices=PRESETS, help="a geometry that comes with this package")
    which.add_argument("--model", help="a folder with config.json, or a name on the Hub")
    parser.add_argument("--context-tokens", type=int, default=PAPER_CONTEXT_TOKENS, help="tokens of a sequence")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the figures."""
    if options.context_tokens < 1:
        raise ValueError(f"--context-tokens={options.context_tokens} must be at least 1")
    figures = describe(_sizes(options.preset, options.model), options.context_tokens)
    print(json.dumps(figures, indent=2) if options.json else render(options.preset or options.model, figures))
    return 0


def _sizes(preset: str | None, model: str) -> Geometry | BailingMoeConfig:
    if preset:
        return Geometry.of_preset(preset)
    from modeling_ling.configuration_bailing_moe import BailingMoeConfig

    return BailingMoeConfig.from_pretrained(model)


def describe(config: Geometry | BailingMoeConfig, context_tokens: int) -> dict[str, Any]:
    """Return every figure of `accounting` for a configuration, by name, at a context length in tokens."""
    count = count_parameters(config)
    return {
        "components": {
            name: {"total": total, "active": active} for name, (total, active) in count.by_component().items()
        },
        "parameters": {
            "total": count.total,
            "active": count.active,
            "active_without_embedding": count.active_without_embedding,
            "active_without_embedding_and_head": count.active_without_embedding - count.head,
        },
        "checkpoint_tensors": count_checkpoint_tensors(config),
        "context_tokens": context_tokens,
        "forward_flops_per_token": flops_per_token(config, context_tokens),
        "training_flops_per_token": training_flops_per_token(config, context_tokens),
        "paper_figure_1c_tera": linear_macs_per_token(config) * PAPER_CONTEXT_TOKENS / 1e12,
        "kv_cache_bytes_per_token": kv_cache_bytes_per_token(config),
        "decode_bytes_per_token": decode_bytes_per_token(config, context_tokens),
        "weight_bytes": weight_bytes(config),
        "serving_bytes": inference_bytes(config, context_tokens),
        "training_bytes": training_state_bytes(config),
    }


def render(name: str, figures: dict[str, Any]) -> str:
    """Return the figures as text for a terminal."""
    parameters, context = figures["parameters"], figures["context_tokens"]
    lines = [f"{name}: {parameters['total']:,} parameters, {parameters['active']:,} active per token", ""]
    lines.append(f"{'component':<16} {'parameters':>16} {'active per token':>18}")
    for component, values in figures["components"].items():
        lines.append(f"{component:<16} {values['total']:>16,} {values['active']:>18,}")
    lines += [
        "",
        f"active {parameters['active']:,}: with input embedding and output head (the paper's count: 2.75B for lite)",
        f"       {parameters['active_without_embedding']:,}: without the input embedding, which is looked up",
        f"       {parameters['active_without_embedding_and_head']:,}: without the output head either",
        f"checkpoint: {figures['checkpoint_tensors']:,} tensors, {_gigabytes(figures['weight_bytes'])} in bfloat16",
        "",
        f"forward:  {figures['forward_flops_per_token'] / 1e9:.2f} GFLOP per token at {context:,} tokens "
        "(2 per multiply-accumulate, causal attention)",
        f"training: {figures['training_flops_per_token'] / 1e9:.2f} GFLOP per token (3 forwards, no recomputation)",
        f"paper's Figure 1c: {figures['paper_figure_1c_tera']:.2f} (its TFLOPs are multiply-accumulates of all linear "
        f"layers x {PAPER_CONTEXT_TOKENS:,} tokens)",
        "",
        f"KV cache: {figures['kv_cache_bytes_per_token']:,} bytes per token in bfloat16",
        f"decoding: {_gigabytes(figures['decode_bytes_per_token'])} read per token at batch 1 and {context:,} tokens",
        f"to serve: {_gigabytes(figures['serving_bytes'])}: weights and one cache of {context:,} tokens, in bfloat16",
        f"to train: {_gigabytes(figures['training_bytes']['total'])} without activations, over all devices: bfloat16 "
        "weights and gradients, float32 master weights and AdamW moments",
    ]
    return "\n".join(lines)


def _gigabytes(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e8 else f"{num_bytes / 1e6:.2f} MB"


__all__ = ["describe", "render"]
