"""Copy a finished dataset to an object store: `python -m datasets_builders copy FOLDER --to s3://bucket/folder`."""

import argparse
import sys
from pathlib import Path

from datasets_builders.building.store_copy import copy_dataset
from modeling_ling.command_line import EXIT_OK

HELP = "copy a finished dataset to an object store, or wherever fsspec writes to; a cut copy goes on"
EXAMPLE = "python -m datasets_builders copy outputs/quickstart/datasets/sft --to s3://bucket/datasets/sft"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, help="what a builder wrote")
    parser.add_argument(
        "--to", required=True, metavar="ADDRESS", help="folder in the store, such as gs://bucket/folder"
    )
    parser.add_argument("--verify", action="store_true", help="read all files again and compare their SHA-256")
    parser.add_argument("--force", action="store_true", help="copy the dataset although a verdict refused it")


def run(options: argparse.Namespace) -> int:
    """Copy it."""
    result = copy_dataset(
        options.folder,
        options.to,
        verify=options.verify,
        force=options.force,
        report=lambda line: print(f"copy: {line}", file=sys.stderr),
    )
    gone = f", {len(result.removed)} of an earlier copy removed" if result.removed else ""
    print(f"{result.address}: {result.num_copied} files copied, {result.num_there} were there{gone}")
    return EXIT_OK
