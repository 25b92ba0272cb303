"""Sections 4.3 and 4.4: two runs problem by problem: what was won, what was lost, both answers, and the paired test."""

from __future__ import annotations

import argparse
from pathlib import Path

from evals.commands.arguments import add_tasks, chosen_tasks

HELP = "compare two runs problem by problem: what was won, what was lost, both answers side by side"
EXAMPLE = "python -m evals compare outputs/before outputs/after --output outputs/comparison"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("first", type=Path, metavar="FIRST", help="the --output folder of the run to compare with")
    parser.add_argument("second", type=Path, metavar="SECOND", help="that of the other run; what it does better is won")
    add_tasks(parser, default="all")
    parser.add_argument(
        "--all", action="store_true", help="show the answers to problems that neither run is better at, too"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/comparison"),
        metavar="FOLDER",
        help="write index.html, a page for each task and comparison.json into this folder",
    )


def run(options: argparse.Namespace) -> int:
    """Print a line for each task, write the pages and print their paths."""
    from evals.report.comparison import compare, summary_of, write_comparison

    tasks = None if options.tasks == ["all"] else chosen_tasks(options.tasks, with_held_out=True)
    runs, compared = compare(options.first, options.second, tasks)
    for comparison in compared:
        print(summary_of(comparison))
    for path in write_comparison(runs, compared, options.output, with_unchanged=options.all):
        print(path)
    return 0
