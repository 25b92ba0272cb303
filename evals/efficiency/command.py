"""Section 5: `python -m evals efficiency flops|floor|latency|capacity`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.efficiency.counting import CONVENTION, floor_table, flops_table
from evals.efficiency.engines import PYTHON_VARIABLE, EngineError, measure_transformers, measure_vllm
from evals.efficiency.latency import Plan, capacity
from evals.efficiency.pictures import write_report
from evals.efficiency.shapes import PRESETS, cost_of, read_config

L20_BANDWIDTH_GB, L20_TFLOPS = 864.0, 119.5  # the paper's GPU


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands and their flags."""
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    flops = kinds.add_parser("flops", help="Figure 1c: the cost of one inference, convention named")
    floor = kinds.add_parser("floor", help="the least time of a decoding step against the batch size")
    for counted in (flops, floor):
        counted.add_argument(
            "--config",
            nargs="+",
            default=list(PRESETS),
            help="presets, or folders with a config.json",
            metavar="CONFIG",
        )
    floor.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 2, 4, 5, 8, 16, 32, 64, 128, 256, 512])
    floor.add_argument("--context-tokens", type=int, default=0)
    floor.add_argument("--bandwidth-gb", type=float, default=L20_BANDWIDTH_GB, help="of the memory; default: L20's")
    floor.add_argument("--tflops", type=float, default=L20_TFLOPS, help="of 16-bit matrix products; default: L20's")
    latency = kinds.add_parser("latency", help="Figure 6: measured seconds over input and output lengths")
    capacity = kinds.add_parser("capacity", help="the most requests at once within a limit on latency")
    for measured in (latency, capacity):
        measured.add_argument("--model", nargs="+", required=True, help="model folders or names on the Hub, compared")
        measured.add_argument("--backend", choices=("transformers", "vllm"), default="transformers")
        measured.add_argument(
            "--tensor-parallel",
            "--tensor_parallel",
            type=int,
            nargs="+",
            default=[1],
            metavar="GPUS",
            help="with vllm: GPUs that a model is cut over; several are compared (paper 5.2: 1 2)",
        )
        measured.add_argument(
            "--vllm-python",
            "--vllm_python",
            default=os.environ.get(PYTHON_VARIABLE, sys.executable),
            metavar="PYTHON",
            help=f"interpreter of an environment with vLLM; default: {PYTHON_VARIABLE}, else this one",
        )
        measured.add_argument(
            "--vllm-arguments",
            "--vllm_arguments",
            type=_mapping,
            default={},
            metavar="JSON",
            help='more of vllm.LLM, such as {"dtype": "float16"} (paper 5.2)',
        )
        measured.add_argument("--repeats", type=int, default=5)
        measured.add_argument("--warm-up", "--warm_up", type=int, default=1)
    latency.add_argument(
        "--lengths", nargs="+", default=["128:128", "256:256", "512:512", "1024:1024"], metavar="IN:OUT"
    )
    latency.add_argument("--batch-size", "--batch_size", type=int, default=1)
    capacity.add_argument("--latency-slo-ms", "--latency_slo_ms", type=float, default=500.0, help="paper 5.2: 500")
    capacity.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    capacity.add_argument("--lengths", nargs=1, default=["128:32"], metavar="IN:OUT")
    capacity.add_argument("--bandwidth-gb", type=float, help="of the memory: draws each model's floor into the picture")
    capacity.add_argument("--tflops", type=float, default=L20_TFLOPS, help="for the floor; default: L20's")
    for kind, function in ((flops, _flops), (floor, _floor), (latency, _latency), (capacity, _capacity)):
        kind.add_argument("--output", type=Path, help="also write the table as JSON")
        kind.add_argument("--report", type=Path, metavar="FILE.html", help="also write a page with the picture")
        kind.set_defaults(command=function)


def _flops(options: argparse.Namespace) -> int:
    lines = flops_table(_costs(options.config))
    _show(lines, options.output, {"convention": CONVENTION})
    print(CONVENTION)
    if options.report:
        write_report(options.report, "flops", lines, CONVENTION)
    return 0


def _floor(options: argparse.Namespace) -> int:
    costs = _costs(options.config)
    lines = floor_table(costs, options.batch_sizes, options.context_tokens, options.bandwidth_gb, options.tflops)
    _show(lines, options.output, {"bandwidth_gb": options.bandwidth_gb, "tflops": options.tflops})
    if options.report:
        note = (
            f"Least times on a device with {options.bandwidth_gb:g} GB/s and {options.tflops:g} TFLOP/s; not measured."
        )
        write_report(options.report, "floor", lines, note)
    return 0


def _costs(texts: Sequence[str], flag: str = "--config") -> dict[str, Any]:
    try:
        return {name: cost_of(config) for name, config in map(read_config, texts)}
    except (ValueError, KeyError) as error:
        raise SystemExit(f"{flag}: {error}") from None


def _latency(options: argparse.Namespace) -> int:
    plan = Plan(_lengths(options.lengths), [options.batch_size], options.repeats, options.warm_up)
    measured, versions = _measure(options, plan)
    lines = [line for lines in measured.values() for line in lines]
    _show(lines, options.output, versions)
    if options.report:
        write_report(options.report, "latency", lines, f"{_words(versions)}, batch {options.batch_size}")
    return 0


def _capacity(options: argparse.Namespace) -> int:
    limit = options.latency_slo_ms
    plan = Plan(_lengths(options.lengths), options.batch_sizes, options.repeats, options.warm_up, limit)
    floors = _floors(options, plan) if options.bandwidth_gb else []  # before anything is measured: it may be refused
    measured, versions = _measure(options, plan)
    lines = [line for lines in measured.values() for line in lines]
    best = {name: capacity(lines, limit) for name, lines in measured.items()}
    _show(lines, options.output, {**versions, "latency_slo_ms": limit, "capacity": best})
    for name, line in best.items():
        text = f"{line['batch_size']} requests at once" if line else "not even one request"
        print(f"{name}: {text} within {limit:g} ms")
    if options.report:
        write_report(options.report, "capacity", lines, f"{_words(versions)}, limit {limit:g} ms", floors)
    return 0


def _floors(options: argparse.Namespace, plan: Plan) -> list[dict[str, Any]]:
    """Return what decoding on one GPU can reach at most, with the context that a request has halfway."""
    if options.tensor_parallel != [1]:
        raise SystemExit("--bandwidth-gb draws the floor of one GPU: leave out --tensor-parallel")
    input_tokens, output_tokens = plan.grid[0]
    costs = {f"{name}, floor": cost for name, cost in _costs(options.model, "--model with --bandwidth-gb").items()}
    context = input_tokens + output_tokens // 2
    return floor_table(costs, plan.batch_sizes, context, options.bandwidth_gb, options.tflops)


def _measure(options: argparse.Namespace, plan: Plan) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Return the lines of each model (and of each number of GPUs, if there are several), and the versions."""
    measured, versions = {}, {}
    if options.backend == "transformers" and options.tensor_parallel != [1]:
        raise SystemExit("--tensor-parallel is vLLM's: add --backend vllm")
    for name in options.model:
        for num_gpus in options.tensor_parallel:
            label = f"{name}, {num_gpus} GPUs" if len(options.tensor_parallel) > 1 else name
            try:
                if options.backend == "vllm":
                    lines, versions = measure_vllm(name, plan, options.vllm_python, num_gpus, options.vllm_arguments)
                else:
                    lines, versions = measure_transformers(name, plan)
            except EngineError as error:
                raise SystemExit(str(error)) from None
            measured[label] = [{"model": label, **line} for line in lines]
    return measured, versions


def _mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{text} is no mapping such as {{"dtype": "float16"}}')
    if "tensor_parallel_size" in value:
        raise argparse.ArgumentTypeError("give --tensor-parallel instead of tensor_parallel_size")
    return value


def _words(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in versions.items())


def _lengths(texts: Sequence[str]) -> list[tuple[int, int]]:
    try:
        pairs = [tuple(map(int, text.split(":"))) for text in texts]
        if any(len(pair) != 2 or min(pair) < 1 for pair in pairs):
            raise ValueError(texts)
    except ValueError:
        raise SystemExit(f"--lengths {' '.join(texts)}: give pairs such as 128:128, input and output tokens") from None
    return pairs


def _show(lines: Sequence[dict[str, Any]], output: Path | None, more: dict[str, Any]) -> None:
    names = list(lines[0])
    rows = [names, *([_text(line[name]) for name in names] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if output:
        from evals.scoring.results import write_json

        write_json(output, {"lines": list(lines), **more})


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
