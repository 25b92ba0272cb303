"""Judge the answers of an earlier run anew, without the model.

For a mended judge, or another machine. Replaces results.json and samples/ of that run; baselines are not asked again.
A task whose data or tools are not there keeps its score, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
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

    results, unjudged = score_again(options.output, existing_folder(options.data_dir, "--data-dir"))
    print_results(results)
    for name, reason in unjudged.items():
        print(f"{name}: not judged anew, the score is the earlier one: {reason}", file=sys.stderr)
    if unjudged:
        return 1
    return 0 if num_scored(results) else 2
