"""Publish a finished dataset that lies in a folder: `python -m datasets_builders push FOLDER --push-to ORG/NAME`."""

import argparse
from pathlib import Path

from datasets_builders.building.command_line import checked_target, publish
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.errors import ConfigError
from modeling_ling.command_line import EXIT_OK
from modeling_ling.push_options import add_push_options

HELP = "publish a finished dataset on the Hub, without building it"
EXAMPLE = "python -m datasets_builders push outputs/quickstart/datasets/sft --push-to ORG/NAME --tag v1.0"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, help="what a builder wrote")
    add_push_options(parser)
    parser.add_argument("--force", action="store_true", help="publish although a verdict refused the dataset")


def run(options: argparse.Namespace) -> int:
    """Push it."""
    if not options.folder.is_dir():
        swapped = options.push_to and Path(options.push_to).is_dir()
        hint = f"; {options.push_to} is one: `push {options.push_to} --push-to {options.folder}`" if swapped else ""
        raise ConfigError(f"there is no folder {options.folder}{hint}")
    DatasetFolder(options.folder).check()
    target = checked_target(options)
    if target is None:
        raise ConfigError("--push-to ORG/NAME says where to")
    publish(options.folder, target, force=options.force)
    return EXIT_OK
