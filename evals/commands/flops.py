"""Section 5.1: the cost of one inference, in the paper's convention (Figure 1c) and in true FLOPs."""

from __future__ import annotations

import argparse

from evals.commands.efficiency_arguments import add_configs, add_output

HELP = "count the cost of one inference (Figure 1c)"
EXAMPLE = "python -m evals efficiency flops --config Ling-Coder-Lite path/to/model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_configs(parser)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Count, print and write."""
    from evals.efficiency.counting import CONVENTION, flops_table
    from evals.efficiency.pictures import write_report
    from evals.efficiency.shapes import costs_of
    from evals.efficiency.tables import show

    lines = flops_table(costs_of(options.config))
    show(lines, options.output, {"convention": CONVENTION})
    print(CONVENTION)
    if options.report:
        write_report(options.report, "flops", lines, CONVENTION)
    return 0
