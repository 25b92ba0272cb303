"""Section 5.2: the most requests at once that are answered within a limit on latency."""

from __future__ import annotations

import argparse

from evals.commands.arguments import positive_int
from evals.commands.efficiency_arguments import add_engine, add_output, add_tflops, lengths, measure, positive_float
from evals.errors import UsageError

HELP = "find the most requests at once within a limit on latency"
EXAMPLE = "python -m evals efficiency capacity --model MODEL --latency-slo-ms 500"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_engine(parser)
    parser.add_argument(
        "--latency-slo-ms",
        type=positive_float,
        default=500.0,
        metavar="MILLISECONDS",
        help="the limit that a request may take; the paper's is 500",
    )
    parser.add_argument(
        "--batch-sizes",
        type=positive_int,
        nargs="+",
        default=[1, 2, 4, 8, 16, 32, 64],
        metavar="ROWS",
        help="try these numbers of requests at once",
    )
    parser.add_argument(
        "--lengths",
        type=lengths,
        default=(128, 32),
        metavar="IN:OUT",
        help="ask with this many input and output tokens (default: 128:32)",
    )
    parser.add_argument(
        "--bandwidth-gb",
        type=positive_float,
        help="the bandwidth of the device's memory in GB/s: draws each model's floor into the picture",
    )
    add_tflops(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, print and write."""
    from evals.efficiency.counting import floor_table
    from evals.efficiency.latency import Plan, capacity
    from evals.efficiency.pictures import write_report
    from evals.efficiency.shapes import costs_of
    from evals.efficiency.tables import show, words

    limit = options.latency_slo_ms
    plan = Plan([options.lengths], options.batch_sizes, options.repeats, options.warm_up, limit)
    floors = []
    if options.bandwidth_gb:  # before anything is measured: it may be refused
        if options.tensor_parallel != [1]:
            raise UsageError("--bandwidth-gb draws the floor of one GPU: leave out --tensor-parallel")
        costs = costs_of(options.model, "--model with --bandwidth-gb")
        halfway = options.lengths[0] + options.lengths[1] // 2  # the context of a request, on average
        floors = floor_table(
            {f"{name}, floor": cost for name, cost in costs.items()},
            plan.batch_sizes,
            halfway,
            options.bandwidth_gb,
            options.tflops,
        )
    measured, versions = measure(options, plan)
    lines = [line for of_model in measured.values() for line in of_model]
    best = {name: capacity(of_model, limit) for name, of_model in measured.items()}
    show(lines, options.output, {**versions, "latency_slo_ms": limit, "capacity": best})
    for name, line in best.items():
        text = f"{line['batch_size']} requests at once" if line else "not even one request"
        print(f"{name}: {text} within {limit:g} ms")
    if options.report:
        write_report(options.report, "capacity", lines, f"{words(versions)}, limit {limit:g} ms", floors)
    return 0
