"""Section 2: rows of a finished dataset as one page to look through: `python -m datasets_builders browse FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path

from modeling_ling.command_line import EXIT_OK

HELP = "write rows of a finished dataset as a page to search, filter and read"
EXAMPLE = "python -m datasets_builders browse outputs/project --where language=Python --rows 500"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from datasets_builders.building.rows_page import NUM_ROWS, ROWS_PAGE

    parser.add_argument("folder", type=Path, metavar="FOLDER", help="output_dir of a build, of any builder")
    parser.add_argument("--rows", type=int, default=NUM_ROWS, metavar="N", help="show at most so many rows")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--seed", type=int, default=0, help="draws the rows at random")
    chosen.add_argument("--first", action="store_true", help="take the first rows instead of drawing them")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="rows that have this value alone; may be given several times",
    )
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="COLUMN",
        help="let the reader choose by this column too; may be given several times",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help=f"the page (default: {ROWS_PAGE} in the folder)")


def run(options: argparse.Namespace) -> int:
    """Write the page and print its path."""
    from datasets_builders.building.dataset_folder import DatasetFolder
    from datasets_builders.building.errors import ConfigError
    from datasets_builders.building.rows_page import write_rows_page

    if options.rows < 1:
        raise ConfigError(f"--rows is {options.rows}, but must be at least 1")
    where = {}
    for given in options.where:
        column, sign, value = given.partition("=")
        if not sign or not column:
            raise ConfigError(f"--where {given!r} is not COLUMN=VALUE")
        where[column] = value
    page = write_rows_page(
        DatasetFolder(options.folder),
        options.output,
        num_rows=options.rows,
        seed=None if options.first else options.seed,
        where=where,
        filters=options.filter,
    )
    size = page.path.stat().st_size / 1e6
    full = f"; {page.num_wanted - page.num_shown:,} more did not fit" if page.num_shown < page.num_wanted else ""
    for name, number in page.unfit.items():
        why = f"{number:,} values are too many to choose by" if number > 1 else "its rows here have no two values"
        print(f"--filter {name} is not on the page: {why}")
    print(f"{page.path}: {page.num_shown:,} of {page.num_rows:,} rows, {size:.1f} MB{full}")
    return EXIT_OK
