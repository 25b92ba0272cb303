"""Section 5.2: measured latency over the paper's grid of input and output lengths, like Figure 6."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

GRID = ((128, 128), (256, 256), (512, 512), (1024, 1024), (2048, 2048))  # input, output tokens


def measure(
    model: Any, grid: Sequence[tuple[int, int]], batch_size: int, repeats: int, warm_up: int
) -> list[dict[str, Any]]:
    """Generate greedily with random prompts, without an end token, and time it.

    Args:
        model: a causal LM of transformers, on its device.
        grid: (input, output) lengths in tokens.
        repeats: timed runs per point, after `warm_up` untimed ones.

    Returns:
        A line per point: median, fastest and slowest seconds, output tokens per second, peak memory of a GPU in GiB.

    Source: paper 5.2 (batch 1, growing lengths); repeats and spread are ours.
    """
    import torch

    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    lines = []
    for input_tokens, output_tokens in grid:
        prompt = torch.randint(0, model.config.vocab_size, (batch_size, input_tokens), generator=generator).to(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        seconds = []
        for number in range(warm_up + repeats):
            start = time.perf_counter()
            out = model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                min_new_tokens=output_tokens,
                max_new_tokens=output_tokens,
                do_sample=False,
                pad_token_id=0,
            )
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if out.shape[1] != input_tokens + output_tokens:
                raise RuntimeError(
                    f"{out.shape[1] - input_tokens} tokens came out where {output_tokens} were asked for"
                )
            if number >= warm_up:
                seconds.append(time.perf_counter() - start)
        median = statistics.median(seconds)
        lines.append(
            {
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "batch_size": batch_size,
                "median_seconds": median,
                "fastest_seconds": min(seconds),
                "slowest_seconds": max(seconds),
                "tokens_per_second": batch_size * output_tokens / median,
                "peak_gib": torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
            }
        )
    return lines


def capacity(lines: Sequence[dict[str, Any]], slo_ms: float) -> dict[str, Any] | None:
    """Return the line with the most requests at once whose median stays within the limit; None if none does.

    Source: paper 5.2 gives the limit of 500 ms; that a request is one batch row is ours.
    """
    within = [line for line in lines if 1e3 * line["median_seconds"] <= slo_ms]
    return max(within, key=lambda line: line["batch_size"], default=None)
