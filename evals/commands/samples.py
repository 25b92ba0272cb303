"""Sections 4.3 and 4.4: a run's answers as pages: question, answer, the code that was found, verdict and why."""

from __future__ import annotations

import argparse
from pathlib import Path

from evals.commands.arguments import add_tasks, chosen_tasks

HELP = "write pages of a run's answers, to be searched and filtered by verdict"
EXAMPLE = "python -m evals samples outputs/evaluation --tasks humaneval --verdicts fail,timeout"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", type=Path, metavar="FOLDER", help="the --output folder of that run")
    add_tasks(parser, default="all")
    parser.add_argument(
        "--verdicts",
        nargs="+",
        default=[],
        metavar="NAME",
        help="show answers with these verdicts alone: pass, fail, compile_error, timeout, oom, infra_error",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="write index.html and a page for each task into this folder (default: pages/ in the run's folder)",
    )


def run(options: argparse.Namespace) -> int:
    """Write the pages and print the path of the first."""
    from evals.report.samples import write_sample_pages

    tasks = None if options.tasks == ["all"] else chosen_tasks(options.tasks, with_held_out=True)
    verdicts = [word for word in ",".join(options.verdicts).replace(" ", ",").split(",") if word]
    print(write_sample_pages(options.run, options.output or options.run / "pages", tasks, verdicts))
    return 0
