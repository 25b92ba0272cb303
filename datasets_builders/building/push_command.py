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
    parser.add_argument("others", nargs="*", metavar="", help=argparse.SUPPRESS)
    add_push_options(parser)
    parser.add_argument("--force", action="store_true", help="publish although a verdict refused the dataset")


def run(options: argparse.Namespace) -> int:
    """Push it."""
    if options.others:
        raise ConfigError(_one_folder([str(options.folder), *options.others]))
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


def _one_folder(given: list[str]) -> str:
    """Say how a push is written, by what was given: `hf upload` has the repository as its first argument."""
    folders = [name for name in given if Path(name).is_dir()]
    names = [name for name in given if name not in folders]
    if len(folders) == len(names) == 1:
        return f"a repository is given by --push-to: `push {folders[0]} --push-to {names[0]}`"
    return f"one folder at a time is pushed, not {' '.join(given)}"
