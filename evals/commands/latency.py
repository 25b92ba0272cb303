"""Section 5.2: measured seconds over input and output lengths (Figure 6)."""

from __future__ import annotations

import argparse

from evals.commands.arguments import positive_int
from evals.commands.efficiency_arguments import add_engine, add_output, lengths, measure

HELP = "measure seconds over input and output lengths (Figure 6)"
EXAMPLE = "python -m evals efficiency latency --model MODEL OTHER_MODEL"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_engine(parser)
    parser.add_argument(
        "--lengths",
        type=lengths,
        nargs="+",
        default=[(128, 128), (256, 256), (512, 512), (1024, 1024)],
        metavar="IN:OUT",
        help="measure with these numbers of input and output tokens (default: 128:128 256:256 512:512 1024:1024)",
    )
    parser.add_argument("--batch-size", type=positive_int, default=1, help="ask this many requests at once")
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Measure, print and write."""
    from evals.efficiency.latency import Plan
    from evals.efficiency.pictures import write_report
    from evals.efficiency.tables import show, words

    plan = Plan(options.lengths, [options.batch_size], options.repeats, options.warm_up)
    measured, versions = measure(options, plan)
    lines = [line for of_model in measured.values() for line in of_model]
    show(lines, options.output, versions)
    if options.report:
        write_report(options.report, "latency", lines, f"{words(versions)}, batch {options.batch_size}")
    return 0
