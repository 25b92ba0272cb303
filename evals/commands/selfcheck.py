"""Score the gold solutions: a task whose gold fails says something about us, not about a model.

Exit code 0: all gold solutions pass; 1: one fails; 2: no task could be checked.
"""

from __future__ import annotations

import argparse

from evals.commands.arguments import add_data, add_tasks, chosen_tasks, existing_folder

HELP = "score the gold solutions, which must all pass"
EXAMPLE = "python -m evals selfcheck --tasks code --data-dir BENCHMARKS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_tasks(parser, default="all")
    add_data(parser)


def run(options: argparse.Namespace) -> int:
    """Check each task and print a line for it."""
    from evals.scoring.selfcheck import selfcheck

    tasks = chosen_tasks(options.tasks, with_held_out=True)
    data_dir = existing_folder(options.data_dir, "--data-dir")
    return selfcheck(data_dir, existing_folder(options.held_out, "--held-out"), options.limit, tasks)
