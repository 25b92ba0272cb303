"""Measure forward, training step and decoding of the Ling model beside three peers, in one run.

    python tests/benchmarks/bench_model.py                                      # CPU, reduced width, about 10 minutes
    python tests/benchmarks/bench_model.py --only decode --compile
    python tests/benchmarks/bench_model.py --shape full --only decode --compile # 16.8B in bfloat16: a GPU with 80 GB
    python tests/benchmarks/bench_model.py --shape full-layers --layers 4 --only training --batch 4 --length 4096

The peers (peer_models.py): (a) the same model and weights with its experts in a Python loop, as the released file
computes them; (b) transformers' qwen2_moe of the same shape; (c) for decoding, a dense Qwen2.5-7B scaled like ours.
Random weights and tokens; (a) and (b) have the weights of ours and compute the same. Times are the processor's on a
CPU, of all threads together. "x ours" is the peer's median time over ours. Nothing here asserts a timing; that
they compute the same is checked before it is measured.
"""

import argparse
import copy
import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import torch
import transformers
from transformers import PreTrainedModel, StaticCache

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from modeling_ling import BailingMoeConfig, load_preset
from modeling_ling.accounting import decode_bytes_per_token, flops_per_token, training_flops_per_token
from recipes.reporting.devices import current_device_name, model_flops_utilization
from tests.benchmarks.peer_models import (
    MODEL_CLASSES,
    dense_bytes_per_token,
    dense_config,
    qwen2_moe_config,
    qwen2_moe_like,
    with_loop_experts,
)

OURS, LOOP, QWEN, DENSE = "ours", "(a) python loop", "(b) qwen2_moe", "(c) dense"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
H200_BYTES_PER_SECOND = 4.8e12


@dataclass
class Measurement:
    """One row of a table: a model, what was done with it, and the seconds of every repetition."""

    work: str
    model: str
    dtype: str
    seconds: list[float]
    num_tokens: int
    flops_per_token: float | None
    peak_bytes: int | None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def reduced_config(layers: int) -> BailingMoeConfig:
    """Return a quarter of the width of Ling-Coder-Lite: the same 64 experts, top 6, 2 shared."""
    return BailingMoeConfig(
        vocab_size=4096,
        hidden_size=512,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        moe_intermediate_size=352,
        norm_head=True,
        router_aux_loss_coef=0.015,
        max_position_embeddings=8192,
    )


def config_of(options: argparse.Namespace) -> BailingMoeConfig:
    if options.shape == "cpu":
        return reduced_config(options.layers or 4)
    config = load_preset("lite")
    if options.shape == "full-layers":
        config.num_hidden_layers = options.layers or 4
    return config


def build(config: object, options: argparse.Namespace, dtype: torch.dtype) -> PreTrainedModel:
    torch.manual_seed(0)
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(options.device):
            return MODEL_CLASSES[type(config)](config)
    finally:
        torch.set_default_dtype(default)


def models(options: argparse.Namespace, dtype: torch.dtype, decoding: bool) -> Iterator[tuple[str, PreTrainedModel]]:
    """Yield our model and the peers, one at a time on the device."""
    config = config_of(options)
    model = build(config, options, dtype)
    if options.shape == "full":  # the copies of the weights would not fit beside them
        yield OURS, model
        del model
        free(options)
        peer = build(qwen2_moe_config(config), options, dtype)
    else:
        peer = same_function(qwen2_moe_like(model), logits_of(model, options), options)
        yield OURS, model
        expected = logits_of(model, options)  # after training others than before
        yield LOOP, same_function(with_loop_experts(model), expected, options)
        del model
    free(options)
    yield QWEN, peer
    del peer
    free(options)
    if decoding:
        yield DENSE, build(dense_config(config), options, dtype)
        free(options)


@torch.no_grad()
def logits_of(model: PreTrainedModel, options: argparse.Namespace) -> torch.Tensor:
    return model.eval()(tokens(model, options, 1, 16)).logits.float()


def same_function(model: PreTrainedModel, expected: torch.Tensor, options: argparse.Namespace) -> PreTrainedModel:
    difference = (logits_of(model, options) - expected).norm() / expected.norm()
    if difference > (1e-5 if model.dtype == torch.float32 else 5e-2):
        raise SystemExit(f"{type(model).__name__} computes something else: relative difference {difference:.1e}")
    return model


def free(options: argparse.Namespace) -> None:
    gc.collect()
    torch._dynamo.reset()
    if options.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def tokens(model: PreTrainedModel, options: argparse.Namespace, batch: int, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, model.config.vocab_size, (batch, length), generator=generator).to(options.device)


def seconds_of(functions: dict[str, Callable[[], object]], options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of every repetition of every function; they take turns, so a slow minute hits all alike."""

    def wait() -> None:
        if options.device == "cuda":
            torch.cuda.synchronize()

    # On a CPU the processor's own time: what else runs on the machine does not count.
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    for _ in range(options.warmup):
        for function in functions.values():
            function()
    measured: dict[str, list[float]] = {name: [] for name in functions}
    for repetition in range(options.repeats):
        names = list(functions) if repetition % 2 else list(reversed(functions))
        for name in names:
            wait()
            start = clock()
            functions[name]()
            wait()
            measured[name].append(clock() - start)
    return measured


def peak_bytes(options: argparse.Namespace) -> int | None:
    return torch.cuda.max_memory_allocated() if options.device == "cuda" else None


def forward_of(name: str, model: PreTrainedModel, options: argparse.Namespace) -> Callable[[], object]:
    ids = tokens(model, options, options.batch, options.length)

    @torch.inference_mode()
    def forward() -> None:
        model(ids, use_cache=False, logits_to_keep=1)

    model.eval()
    return forward


def training_of(name: str, model: PreTrainedModel, options: argparse.Namespace) -> Callable[[], object]:
    ids = tokens(model, options, options.batch, options.length)
    model.train()
    if options.checkpointing:
        model.gradient_checkpointing_enable()
    if options.compile and name != LOOP:
        for layer in model.model.layers:
            layer.compile()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

    def step() -> None:
        # Both pay for a balance loss: ours always, qwen2_moe when asked for its router logits.
        model(ids, labels=ids, use_cache=False, output_router_logits=True).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def generation_of(name: str, model: PreTrainedModel, options: argparse.Namespace) -> Callable[[], object]:
    ids = tokens(model, options, 1, options.contexts[0])
    length = {"max_new_tokens": options.new_tokens, "min_new_tokens": options.new_tokens}
    model.eval()
    return lambda: model.generate(ids, **length, do_sample=False, pad_token_id=0)


WORKS = {"forward": forward_of, "training": training_of, "generation": generation_of}


def measurement_of(
    work: str, name: str, dtype: str, seconds: list[float], config: object, options: argparse.Namespace
) -> Measurement:
    flops = None
    if is_ours(name) and work == "forward":
        flops = flops_per_token(config, options.length)
    if is_ours(name) and work == "training":
        flops = training_flops_per_token(config, options.length)
    num_tokens = options.new_tokens if work == "generation" else options.batch * options.length
    return Measurement(work, name, dtype, seconds, num_tokens, flops, peak_bytes(options))


def measure_decoding(
    name: str, model: PreTrainedModel, dtype: str, context: int, compiled: bool, options: argparse.Namespace
) -> Measurement:
    model.eval()
    if is_ours(name):
        model.lm_head.forget()
    with torch.no_grad():
        cache = StaticCache(config=model.config, max_cache_len=context + 64)
        model(tokens(model, options, 1, context), past_key_values=cache, use_cache=True, logits_to_keep=1)
        token = tokens(model, options, 1, 1)
        position_ids = torch.full((1, 1), context, device=options.device)
        mode = "reduce-overhead" if options.device == "cuda" else None
        forward = torch.compile(model.forward, fullgraph=True, mode=mode) if compiled else model.forward

        def step() -> None:
            cache.layers[0].cumulative_length.fill_(context)
            for layer in cache.layers:
                layer.cumulative_length.fill_(context)
            forward(input_ids=token, past_key_values=cache, position_ids=position_ids, use_cache=True)

        seconds = seconds_of({name: step}, options)[name]
    work = f"decode, context {context}, {'compiled' if compiled else 'eager'}"
    return Measurement(work, name, dtype, seconds, 1, None, peak_bytes(options))


def is_ours(name: str) -> bool:
    return name in (OURS, LOOP)


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Yield the repetitions of every model, pooled over the rounds."""
    for dtype in options.dtypes:
        for work in options.only:
            pooled: dict[tuple[str, str], Measurement] = {}
            for _ in range(options.rounds):
                together = options.shape == "cpu" and work in WORKS
                for measurement in (measure_in_turns if together else measure_one_by_one)(work, dtype, options):
                    earlier = pooled.setdefault((measurement.work, measurement.model), measurement)
                    if earlier is not measurement:
                        earlier.seconds += measurement.seconds
            yield from pooled.values()


def measure_in_turns(work: str, dtype: str, options: argparse.Namespace) -> Iterator[Measurement]:
    """Measure with all models in memory: where they are small, the fairest comparison."""
    model = build(config_of(options), options, DTYPES[dtype])
    expected = logits_of(model, options)
    rivals = {
        OURS: model,
        LOOP: same_function(with_loop_experts(copy.deepcopy(model)), expected, options),
        QWEN: same_function(qwen2_moe_like(model), expected, options),
    }
    functions = {name: WORKS[work](name, rival, options) for name, rival in rivals.items()}
    for name, seconds in seconds_of(functions, options).items():
        yield measurement_of(work, name, dtype, seconds, model.config, options)
    free(options)


def measure_one_by_one(work: str, dtype: str, options: argparse.Namespace) -> Iterator[Measurement]:
    for name, model in models(options, DTYPES[dtype], decoding=work == "decode"):
        if work in WORKS:
            seconds = seconds_of({name: WORKS[work](name, model, options)}, options)[name]
            yield measurement_of(work, name, dtype, seconds, model.config, options)
        else:
            for context in options.contexts:
                for compiled in (False, True) if options.compile and name != LOOP else (False,):
                    torch._dynamo.reset()
                    yield measure_decoding(name, model, dtype, context, compiled, options)
        model = None  # the generator drops its own reference next: two models would not fit
        free(options)


def row(measurement: Measurement, ours: Measurement | None) -> str:
    rate = measurement.num_tokens / measurement.median
    utilization = "-"
    if measurement.flops_per_token:
        value = model_flops_utilization(rate, measurement.flops_per_token, current_device_name())
        utilization = value if isinstance(value, str) else f"{100 * value:.1f} %"
    peak = "-" if measurement.peak_bytes is None else f"{measurement.peak_bytes / 2**30:.1f} GiB"
    ratio = "-" if ours is None else f"{measurement.median / ours.median:.2f}"
    cells = (
        measurement.work,
        measurement.dtype,
        measurement.model,
        f"{1000 * measurement.median:.2f}",
        f"{1000 * min(measurement.seconds):.2f}",
        f"{rate:.1f}",
        utilization,
        peak,
        ratio,
    )
    return "| " + " | ".join(cells) + " |"


def header(options: argparse.Namespace) -> str:
    config = config_of(options)
    value_bytes = DTYPES[options.dtypes[-1]].itemsize
    ours, dense = (
        decode_bytes_per_token(config, bytes_per_value=value_bytes),
        dense_bytes_per_token(dense_config(config), value_bytes),
    )
    lines = [
        f"`python {' '.join(sys.argv)}`",
        "",
        f"{date.today()}, {platform.machine()}, {current_device_name()}, torch {torch.__version__}, transformers "
        f"{transformers.__version__}, {torch.get_num_threads()} threads. {options.shape}: hidden {config.hidden_size}, "
        f"{config.num_hidden_layers} layers, {config.num_experts} experts of {config.moe_intermediate_size}, top "
        f"{config.num_experts_per_tok}; {options.batch} x {options.length} tokens. Weights read per decoded token in "
        f"{options.dtypes[-1]}: ours {ours / 1e6:.0f} MB, dense {dense / 1e6:.0f} MB, {dense / ours:.2f} times.",
    ]
    if "H200" in current_device_name():
        lines.append(f"Bandwidth floor of ours at 4.8 TB/s: {1000 * ours / H200_BYTES_PER_SECOND:.2f} ms per token.")
    columns = (
        "work",
        "dtype",
        "model",
        "median CPU ms" if options.device == "cpu" else "median ms",
        "best ms",
        "tokens/s",
        "MFU",
        "peak memory",
        "x ours",
    )
    return "\n".join([*lines, "", "| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=("cpu", "full", "full-layers"), default="cpu")
    parser.add_argument("--layers", type=int, help="depth of the cpu and full-layers shapes (default 4)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, help="default: both on a CPU, bfloat16 on a GPU")
    parser.add_argument("--only", nargs="+", choices=("forward", "training", "generation", "decode"))
    parser.add_argument("--batch", type=int, default=4, help="rows of forward and training")
    parser.add_argument("--length", type=int, default=512, help="tokens of a row")
    parser.add_argument("--contexts", type=int, nargs="+", default=[128], help="tokens in the cache before decoding")
    parser.add_argument("--new-tokens", type=int, default=32, help="generated by generate()")
    parser.add_argument("--rounds", type=int, help="turns of every model (default 5 on the cpu shape, else 1)")
    parser.add_argument("--repeats", type=int, help="of a turn (default 3 on the cpu shape, else 10)")
    parser.add_argument("--warmup", type=int, default=1, help="unmeasured repetitions of a turn")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--compile", action="store_true", help="compile layers in training; also measure compiled decoding"
    )
    parser.add_argument("--checkpointing", action="store_true", help="recompute activations in training")
    parser.add_argument("--output", type=Path, help="append the table to this file as well")
    options = parser.parse_args()
    options.dtypes = options.dtypes or (["bfloat16"] if options.device == "cuda" else ["float32", "bfloat16"])
    is_small = options.shape == "cpu"
    options.rounds = options.rounds or (5 if is_small else 1)
    options.repeats = options.repeats or (3 if is_small else 10)
    options.only = options.only or ["forward", "training", "generation", "decode"]
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    lines = [header(options)]
    print(lines[0], flush=True)
    ours: dict[tuple[str, str], Measurement] = {}
    for measurement in measure(options):
        key = (measurement.work, measurement.dtype)
        if measurement.model == OURS:
            ours[key] = measurement
        lines.append(row(measurement, ours.get(key)))
        print(lines[-1], flush=True)
    if options.output:
        with options.output.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main()
