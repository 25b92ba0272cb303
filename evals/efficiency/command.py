"""Section 5: `python -m evals efficiency flops|floor|latency|capacity`."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evals.efficiency.counting import CONVENTION, floor_table, flops_table
from evals.efficiency.pictures import write_report
from evals.efficiency.shapes import PRESETS, cost_of, read_config


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
    floor.add_argument("--bandwidth-gb", type=float, default=864.0, help="of the memory, GB/s; default: L20")
    floor.add_argument("--tflops", type=float, default=119.5, help="of 16-bit matrix products; default: L20")
    latency = kinds.add_parser("latency", help="Figure 6: measured seconds over input and output lengths")
    capacity = kinds.add_parser("capacity", help="the most requests at once within a limit on latency")
    for measured in (latency, capacity):
        measured.add_argument("--model", nargs="+", required=True, help="model folders or names on the Hub, compared")
        measured.add_argument("--repeats", type=int, default=5)
        measured.add_argument("--warm-up", "--warm_up", type=int, default=1)
    latency.add_argument(
        "--lengths", nargs="+", default=["128:128", "256:256", "512:512", "1024:1024"], metavar="IN:OUT"
    )
    latency.add_argument("--batch-size", "--batch_size", type=int, default=1)
    capacity.add_argument("--latency-slo-ms", "--latency_slo_ms", type=float, default=500.0, help="paper 5.2: 500")
    capacity.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    capacity.add_argument("--lengths", nargs=1, default=["128:32"], metavar="IN:OUT")
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


def _costs(texts: Sequence[str]) -> dict[str, Any]:
    try:
        return {name: cost_of(config) for name, config in map(read_config, texts)}
    except (ValueError, KeyError) as error:
        raise SystemExit(f"--config: {error}") from None


def _latency(options: argparse.Namespace) -> int:
    from evals.efficiency.latency import measure

    lines = []
    for name in options.model:
        model = _load(name)
        measured = measure(model, _lengths(options.lengths), options.batch_size, options.repeats, options.warm_up)
        lines += [{"model": name, **line} for line in measured]
        del model
    _show(lines, options.output, _machine())
    if options.report:
        write_report(options.report, "latency", lines, f"{_machine()}, batch {options.batch_size}")
    return 0


def _capacity(options: argparse.Namespace) -> int:
    from evals.efficiency.latency import capacity, measure

    lines, best = [], {}
    for name in options.model:
        model = _load(name)
        measured = []
        for batch_size in options.batch_sizes:
            measured += measure(model, _lengths(options.lengths), batch_size, options.repeats, options.warm_up)
            if 1e3 * measured[-1]["median_seconds"] > options.latency_slo_ms:
                break
        lines += [{"model": name, **line} for line in measured]
        best[name] = capacity(measured, options.latency_slo_ms)
        del model
    _show(lines, options.output, {**_machine(), "latency_slo_ms": options.latency_slo_ms, "capacity": best})
    for name, line in best.items():
        text = f"{line['batch_size']} requests at once" if line else "not even one request"
        print(f"{name}: {text} within {options.latency_slo_ms:g} ms")
    if options.report:
        write_report(options.report, "capacity", lines, f"{_machine()}, limit {options.latency_slo_ms:g} ms")
    return 0


def _load(name: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    import modeling_ling  # noqa: F401 - registers the architecture
    from evals.models import check_model

    check_model(name)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    return AutoModelForCausalLM.from_pretrained(name, trust_remote_code=True, dtype=dtype).to(device).eval()


def _lengths(texts: Sequence[str]) -> list[tuple[int, int]]:
    try:
        pairs = [tuple(map(int, text.split(":"))) for text in texts]
        if any(len(pair) != 2 or min(pair) < 1 for pair in pairs):
            raise ValueError(texts)
    except ValueError:
        raise SystemExit(f"--lengths {' '.join(texts)}: give pairs such as 128:128, input and output tokens") from None
    return pairs


def _machine() -> dict[str, Any]:
    import torch
    import transformers

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    return {"device": device, "torch": torch.__version__, "transformers": transformers.__version__}


def _show(lines: Sequence[dict[str, Any]], output: Path | None, more: dict[str, Any]) -> None:
    names = list(lines[0])
    rows = [names, *([_text(line[name]) for name in names] for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if output:
        from evals.running import write_json

        write_json(output, {"lines": list(lines), **more})


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,.2f}" if isinstance(value, float) else str(value)
