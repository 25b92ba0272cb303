"""Section 5.2: measured latency over the paper's grid of input and output lengths, like Figure 6.

Standard library alone: `vllm_worker.py` measures in an environment that has vLLM and little else.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Generate = Callable[[list[list[int]], int], list[int]]
PeakMemory = Callable[[], float | None]


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        grid: (input, output) lengths in tokens.
        batch_sizes: prompts at once, growing.
        repeats (`int`): timed runs per point, after `warm_up` untimed ones.
        slo_ms (`float`, *optional*): the batch grows no further once a median is beyond this many milliseconds.
    """

    grid: Sequence[Sequence[int]]
    batch_sizes: Sequence[int] = (1,)
    repeats: int = 5
    warm_up: int = 1
    slo_ms: float | None = None


def measure(
    generate: Generate, vocabulary: int, plan: Plan, peak_memory: PeakMemory = lambda: None
) -> list[dict[str, Any]]:
    """Generate greedily with random prompts, without an end token, and time it.

    Args:
        generate: takes prompts as token ids and the number of tokens to generate, and returns how many came for each.
        vocabulary: prompts are drawn below it, new ones for every run, so that no engine finds one in its cache.
        peak_memory: returns the most GiB of the device in use since its last call, or None.

    Returns:
        A line per point: median, fastest and slowest seconds, output tokens per second, peak memory of a GPU in GiB.

    Raises:
        RuntimeError: more or fewer tokens came than were asked for.

    Source: paper 5.2 (batch 1, growing lengths); repeats and spread are ours.
    """
    draw = random.Random(0)
    lines: list[dict[str, Any]] = []
    for batch_size in plan.batch_sizes:
        for input_tokens, output_tokens in plan.grid:
            peak_memory()
            seconds = []
            for number in range(plan.warm_up + plan.repeats):
                prompts = [[draw.randrange(vocabulary) for _ in range(input_tokens)] for _ in range(batch_size)]
                start = time.perf_counter()
                came = generate(prompts, output_tokens)
                taken = time.perf_counter() - start
                if came != [output_tokens] * batch_size:
                    raise RuntimeError(f"{came} tokens came where {batch_size} times {output_tokens} were asked for")
                if number >= plan.warm_up:
                    seconds.append(taken)
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
                    "peak_gib": peak_memory(),
                }
            )
        if plan.slo_ms is not None and 1e3 * lines[-1]["median_seconds"] > plan.slo_ms:
            break
    return lines


def capacity(lines: Sequence[dict[str, Any]], slo_ms: float) -> dict[str, Any] | None:
    """Return the line with the most requests at once whose median stays within the limit; None if none does.

    Source: paper 5.2 gives the limit of 500 ms; that a request is one batch row is ours.
    """
    within = [line for line in lines if 1e3 * line["median_seconds"] <= slo_ms]
    return max(within, key=lambda line: line["batch_size"], default=None)
