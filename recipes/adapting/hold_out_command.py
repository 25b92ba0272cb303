"""Section 2.2.2 for one's own code: keep files out of training, and whatever is too much like them."""

from __future__ import annotations

import argparse
from pathlib import Path

from modeling_ling.command_line import EXIT_OK
from recipes.adapting.holding_out import DEFAULT_MAX_FILES, DEFAULT_SHARE

HELP = "keep files of a source_code dataset out of training, to measure on"
EXAMPLE = "python -m recipes hold-out --dataset outputs/project/datasets/source_code --to outputs/project"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--dataset", type=Path, required=True, metavar="FOLDER", help="what source_code has built")
    parser.add_argument(
        "--to", type=Path, required=True, metavar="FOLDER", help="write held_out.jsonl and the rest here"
    )
    parser.add_argument("--share", type=float, default=DEFAULT_SHARE, help="hold out this share of the files")
    parser.add_argument("--max-files", type=int, default=DEFAULT_MAX_FILES, metavar="N", help="and at most so many")
    parser.add_argument("--seed", type=int, default=0, help="make another choice")


def run(options: argparse.Namespace) -> int:
    """Split the rows and say how many went where."""
    from recipes.adapting.holding_out import hold_out, read_rows, write_held_out

    if not 0 < options.share < 1:
        raise ValueError(f"--share is {options.share}: it must lie between 0 and 1")
    found = hold_out(read_rows(options.dataset), options.share, options.max_files, options.seed)
    write_held_out(options.dataset, found, options.to)
    print(
        f"{len(found.held_out)} files are held out, {len(found.train)} are left to train on, "
        f"{len(found.too_alike)} are too much like a held-out one."
    )
    return EXIT_OK
