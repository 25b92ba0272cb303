"""Section 5.1: the least time of a decoding step against the batch size, on a device of given bandwidth and FLOP/s."""

from __future__ import annotations

import argparse

from evals.commands.arguments import positive_int
from evals.commands.efficiency_arguments import L20_BANDWIDTH_GB, add_configs, add_output, add_tflops, positive_float

HELP = "compute the least time of a decoding step against the batch size"
EXAMPLE = "python -m evals efficiency floor --config Ling-Coder-Lite Qwen2.5-Coder-7B"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configs(parser)
    parser.add_argument(
        "--batch-sizes",
        type=positive_int,
        nargs="+",
        default=[1, 2, 4, 5, 8, 16, 32, 64, 128, 256, 512],
        metavar="ROWS",
        help="compute it for these batch sizes",
    )
    parser.add_argument(
        "--context-tokens", type=int, default=0, help="read the keys and values of a context of this length"
    )
    parser.add_argument(
        "--bandwidth-gb",
        type=positive_float,
        default=L20_BANDWIDTH_GB,
        help="the bandwidth of the device's memory in GB/s; the L20's if not given",
    )
    add_tflops(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Compute, print and write."""
    from evals.efficiency.counting import floor_table
    from evals.efficiency.pictures import write_report
    from evals.efficiency.shapes import costs_of
    from evals.efficiency.tables import show

    costs = costs_of(options.config)
    lines = floor_table(costs, options.batch_sizes, options.context_tokens, options.bandwidth_gb, options.tflops)
    show(lines, options.output, {"bandwidth_gb": options.bandwidth_gb, "tflops": options.tflops})
    if options.report:
        device = f"{options.bandwidth_gb:g} GB/s and {options.tflops:g} TFLOP/s"
        write_report(options.report, "floor", lines, f"Least times on a device with {device}; not measured.")
    return 0
