"""Section 4.1: whether verdicts stay the same, idle and under load.

Exit code 0: no program's verdict changed; 1: one did; 2: a mistake in the call.
"""

from __future__ import annotations

import argparse
import os
import shlex
from pathlib import Path

from evals.commands.arguments import add_data_dir, add_tasks, chosen_tasks, existing_folder, positive_int
from evals.errors import UsageError

HELP = "judge gold and wrong programs again and again, and count verdicts that change"
EXAMPLE = "python -m evals stability --tasks humaneval,mbpp --wrong 500 --repeats 3"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_tasks(parser, default="humaneval,mbpp,humanevalfix,multipl_e_humaneval")
    add_data_dir(parser)
    parser.add_argument(
        "--wrong", type=positive_int, default=5000, metavar="PROGRAMS", help="make this many wrong programs in all"
    )
    parser.add_argument(
        "--repeats", type=positive_int, default=10, metavar="TIMES", help="judge each so often idle, and so under load"
    )
    parser.add_argument(
        "--load",
        type=positive_int,
        default=2 * (os.cpu_count() or 1),
        metavar="PROCESSES",
        help="keep this many processes busy beside, under load",
    )
    parser.add_argument("--limit", type=positive_int, metavar="ROWS", help="take only the first rows of each task")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the record to this JSON file, after each task; each repeat goes into FILE.repeats, "
        "and the same command goes on from there",
    )


def run(options: argparse.Namespace) -> int:
    """Print what changed."""
    from evals.scoring.stability import Stability, measure
    from evals.tasks.benchmark import ExecutedBenchmark
    from evals.tasks.catalog import BENCHMARKS

    tasks = chosen_tasks(options.tasks, with_held_out=False)
    others = [name for name in tasks if not isinstance(BENCHMARKS.get(name), ExecutedBenchmark)]
    if others:
        raise UsageError(f"--tasks: {', '.join(others)} runs no programs")
    command = f"python -m evals stability --tasks {shlex.quote(','.join(options.tasks))} --wrong {options.wrong}"
    command += f" --repeats {options.repeats} --load {options.load}"
    command += f" --limit {options.limit}" if options.limit else ""

    def write_record(found: Stability) -> None:
        if options.output:
            found.write(options.output, command)

    found = measure(
        tasks,
        existing_folder(options.data_dir, "--data-dir"),
        num_wrong=options.wrong,
        repeats=options.repeats,
        load=options.load,
        limit=options.limit,
        repeats_folder=options.output and options.output.with_name(options.output.name + ".repeats"),
        after_task=write_record,
    )
    num_programs = sum(sum(counts.values()) for counts in found.programs.values())
    for flip in found.flips[:20]:
        print(f"{flip.task} {flip.row}: {flip.verdicts}")
    print(
        f"{len(found.flips)} of {num_programs} programs changed their verdict in {2 * found.repeats} runs, half "
        f"of them beside {found.load} busy processes"
    )
    print(f"verdicts: {found.verdicts}; {found.isolation}, {found.machine}, {found.seconds:.0f} s")
    return int(bool(found.flips))
