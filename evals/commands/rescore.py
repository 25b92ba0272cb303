"""Judge the answers of an earlier run anew, without the model.

For a mended judge, or another machine. Replaces results.json and samples/ of that run; baselines are not asked again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from evals.commands.arguments import add_data_dir, existing_folder

HELP = "judge the answers of an earlier run anew, without the model"
EXAMPLE = "python -m evals rescore outputs/evaluation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("output", type=Path, metavar="FOLDER", help="the --output folder of that run")
    add_data_dir(parser)


def run(options: argparse.Namespace) -> int:
    """Judge, write and print."""
    from evals.scoring.rescore import score_again
    from evals.scoring.results import num_scored, print_results

    results = score_again(options.output, existing_folder(options.data_dir, "--data-dir"))
    print_results(results)
    return 0 if num_scored(results) else 2
