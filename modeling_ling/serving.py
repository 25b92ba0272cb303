"""What serving engines make of a configuration. Each brings its own implementation of the architecture.

The released geometry is served by all four. Configurations that nobody has released are where they differ, often
without a word: `export` prints these warnings, and `make check-engines` checks them against MLX and vLLM themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .configuration_bailing_moe import BailingMoeConfig

ENGINES = ("vLLM", "SGLang", "llama.cpp", "mlx")


def engine_warnings(config: BailingMoeConfig) -> dict[str, list[str]]:
    """Return, by engine, what it would refuse or compute otherwise; engines that serve the model right are left out.

    Args:
        config: of the model to be served.

    Source: runs of vLLM 0.32.0 and mlx-lm 0.32.2 on a CPU (`make check-engines`); reading of SGLang's and llama.cpp's
    public sources, which were not run.
    """
    warnings: dict[str, list[str]] = {engine: [] for engine in ENGINES}

    def warn(engines: tuple[str, ...], text: str) -> None:
        for engine in engines:
            warnings[engine].append(text)

    if config.use_bias:
        warn(("vLLM", "SGLang", "mlx"), "use_bias=true: the engine expects biases in the experts too, which have none")
    if config.use_bias or config.use_qkv_bias:
        warn(("llama.cpp",), "biases in attention cannot be converted")
    if config.head_dim * config.num_attention_heads != config.hidden_size:
        warn(("mlx",), f"head_dim={config.head_dim} is ignored: hidden_size / num_attention_heads is used")
    if config.num_experts_per_tok == 1 and config.norm_topk_prob:
        warn(("vLLM", "SGLang"), "num_experts_per_tok=1 with norm_topk_prob=true: its only weight becomes 1")
    if config.num_experts_per_tok == 1:
        warn(("mlx",), "num_experts_per_tok=1 makes its CPU backend crash; not tried on Apple's GPUs")
    if config.first_k_dense_replace:
        warn(("llama.cpp",), f"first_k_dense_replace={config.first_k_dense_replace}: dense layers cannot be converted")
    if not config.num_shared_experts:
        warn(("llama.cpp",), "num_shared_experts=0: shared experts are required")
    kind = config.rope_parameters["rope_type"]
    if kind not in ("default", "yarn"):
        warn(("llama.cpp",), f"rope_scaling of type {kind} is dropped without a word")
    return {engine: texts for engine, texts in warnings.items() if texts}


__all__ = ["ENGINES", "engine_warnings"]
