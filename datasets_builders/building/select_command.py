"""Section 2.1: filter a tagged dataset, by limits of today: `python -m datasets_builders select FOLDER field=value`."""

import argparse
from pathlib import Path

from datasets_builders.building.command_line import (
    BuilderCommand,
    add_build_options,
    build,
    checked_target,
    overrides_of,
)
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.tagging import FILTER, read_tagged_file

HELP = "filter a dataset that was built with mode=tag, by the same limits or others, without its sources"
EXAMPLE = (
    "python -m datasets_builders select outputs/tagged output_dir=outputs/selected rule_limits='{max_line_length: 500}'"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, help="the tagged dataset")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="X.yaml",
        help="YAML file with fields of its builder; what is not set is as it was when the dataset was tagged",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan and write nothing")
    add_build_options(parser)


def run(options: argparse.Namespace) -> int:
    """Build what is left of it."""
    from datasets_builders.__main__ import BUILDERS

    name, fields = read_tagged_file(options.folder)
    if name not in BUILDERS:
        raise ConfigError(f"{options.folder} was tagged by {name}, which is no builder here")
    return build(
        BuilderCommand(name, *BUILDERS[name]).builder_class(),
        config_file=options.config,
        overrides=overrides_of(options),
        dry_run=options.dry_run,
        target=checked_target(options),
        force=options.force,
        base=fields | {"mode": FILTER, "tagged": str(options.folder)},
    )
