"""Sections 4.3 and 4.4: the paper's tables with runs below, and paired tests between every two of them."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write the paper's tables with runs below, and paired tests between runs"
EXAMPLE = "python -m evals report outputs/evaluation outputs/other_evaluation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("results", nargs="+", type=Path, metavar="FOLDER", help="the --output folders of runs")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/evaluation_report"),
        metavar="FOLDER",
        help="write report.html, .md, .tex and .json into this folder",
    )


def run(options: argparse.Namespace) -> int:
    """Read the runs, write the report and print its paths."""
    from evals.report.paper import write_report
    from evals.report.runs import read_runs

    for path in write_report(read_runs(options.results), options.output):
        print(path)
    return 0
