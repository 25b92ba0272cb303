"""Section 5.1: Figure 1c in numbers, in the paper's convention and in true FLOPs; and the floors of decoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evals.efficiency.shapes import PAPER_TOKENS, Cost

# Read off the vector data of Figure 1c.
PAPER_FIGURE = {
    "Ling-Coder-Lite": 10.60,
    "DeepSeek-Coder-V2-Lite": 10.03,
    "Qwen2.5-Coder-7B": 28.96,
    "OpenCoder-8B": 30.21,
}
CONVENTION = (
    f"'paper' is what Figure 1c plots: multiply-accumulates of the linear layers times {PAPER_TOKENS:,} tokens, with "
    "the output head, without input embedding and attention scores; the paper labels it TFLOPs, it is TMACs. 'true' is "
    "FLOPs, 2 per multiply-accumulate, with causal attention."
)


def flops_table(costs: dict[str, Cost]) -> list[dict[str, Any]]:
    """Return a line per model: TMACs in the paper's convention, the figure's point, true TFLOPs."""
    return [
        {
            "model": name,
            "paper_tmacs": cost.linear_macs * PAPER_TOKENS / 1e12,
            "figure_1c": PAPER_FIGURE.get(name),
            "true_tflops": cost.flops / 1e12,
            "parameters_billion": cost.weights / 1e9,
        }
        for name, cost in costs.items()
    ]


def floor_table(
    costs: dict[str, Cost], batch_sizes: Sequence[int], context_tokens: int, bandwidth_gb: float, tflops: float
) -> list[dict[str, Any]]:
    """Return a line per model and batch size: the least time of a decoding step and the most tokens per second.

    Args:
        bandwidth_gb (`float`): of the device's memory, GB/s.
        tflops (`float`): of its matrix products.

    A step takes at least the time to read what it needs, and at least the time to compute.
    """
    lines = []
    for name, cost in costs.items():
        for batch in batch_sizes:
            bytes_read = cost.decode_bytes(batch, context_tokens)
            reading = bytes_read / (bandwidth_gb * 1e9)
            computing = 2 * cost.linear_macs * batch / (tflops * 1e12)
            step = max(reading, computing)
            lines.append(
                {
                    "model": name,
                    "batch_size": batch,
                    "gb_per_step": bytes_read / 1e9,
                    "floor_ms": 1e3 * step,
                    "tokens_per_second": batch / step,
                    "bound": "memory" if reading >= computing else "compute",
                }
            )
    return lines
