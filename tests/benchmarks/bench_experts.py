"""Measure the experts' implementations on this machine: the figures behind the default of `modeling_ling`.

    python tests/benchmarks/bench_experts.py [--preset tiny] [--tokens 2048 8192] [--threads 2]

Prints one table for a single MoE layer (milliseconds, best run) and one for training and decoding of the whole preset
(tokens per second). It measures and asserts nothing.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from modeling_ling import PRESETS, BailingMoeConfig, BailingMoeForCausalLM, load_preset
from modeling_ling.modeling_bailing_moe import BailingMoeSparseMoeBlock

IMPLEMENTATIONS = ("eager", "grouped_mm", "batched_mm")
DTYPES = (torch.float32, torch.bfloat16)
# batched_mm copies the chosen experts' weights for every pair: above this it only measures the memory's end.
MAX_BATCHED_TOKENS = 2048


def best_ms(function: Callable[[], object], repeats: int) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times) * 1000  # the least disturbed run: other processes only ever add time


def layer_times(
    config: BailingMoeConfig, implementation: str, dtype: torch.dtype, num_tokens: int
) -> tuple[float, float]:
    config._experts_implementation = implementation
    torch.manual_seed(0)
    block = BailingMoeSparseMoeBlock(config)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_(std=0.02)
    block.to(dtype)
    inputs = torch.randn(1, num_tokens, config.hidden_size, dtype=dtype, requires_grad=True)

    def forward() -> None:
        with torch.no_grad():
            block(inputs)

    def step() -> None:
        output, _ = block(inputs)
        torch.autograd.backward(output, torch.ones_like(output))

    return best_ms(forward, 5), best_ms(step, 5)


def training_tokens_per_second(model: BailingMoeForCausalLM, batch: int = 8, length: int = 256) -> float:
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    ids = torch.randint(0, model.config.vocab_size, (batch, length))

    def step() -> None:
        model(ids, labels=ids, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return batch * length / best_ms(step, 4) * 1000


def decoding_tokens_per_second(model: BailingMoeForCausalLM, batch: int = 16, new_tokens: int = 32) -> float:
    model.eval()
    ids = torch.randint(0, model.config.vocab_size, (batch, 16))
    kwargs = {"do_sample": False, "min_new_tokens": new_tokens, "max_new_tokens": new_tokens}
    return batch * new_tokens / best_ms(lambda: model.generate(ids, **kwargs), 3) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, default="tiny")
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 2048, 8192])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, {arguments.threads} threads"
    print(f"{date.today()}, {platform.machine()}, {versions}, preset {arguments.preset}\n")
    print("| one MoE layer | tokens | experts | forward ms | forward + backward ms |\n|---|---|---|---|---|")
    for dtype in DTYPES:
        for num_tokens in arguments.tokens:
            for implementation in IMPLEMENTATIONS:
                if implementation == "batched_mm" and num_tokens > MAX_BATCHED_TOKENS:
                    continue
                forward, both = layer_times(load_preset(arguments.preset), implementation, dtype, num_tokens)
                print(
                    f"| {str(dtype)[6:]} | {num_tokens} | {implementation} | {forward:.2f} | {both:.2f} |", flush=True
                )
    print("\n| whole model | experts | training tokens/s | decoding tokens/s, batch 16 |\n|---|---|---|---|")
    for dtype in DTYPES:
        for implementation in IMPLEMENTATIONS:
            model = BailingMoeForCausalLM(load_preset(arguments.preset)).to(dtype)
            model.set_experts_implementation(implementation)
            training = "-" if implementation == "batched_mm" else f"{training_tokens_per_second(model):.0f}"
            decoding = decoding_tokens_per_second(model)
            print(f"| {str(dtype)[6:]} | {implementation} | {training} | {decoding:.0f} |", flush=True)


if __name__ == "__main__":
    main()
