"""Section 2: a builder as a command: `python -m datasets_builders BUILDER --config X.yaml [field=value ...]`."""

import argparse
import errno
import importlib
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from datasets_builders.building.errors import ConfigError
from modeling_ling.command_line import EXIT_OK, CommandFailedError
from modeling_ling.push_options import PushTarget, add_push_options, push_target

if TYPE_CHECKING:
    from datasets_builders.building.builder import Builder
    from datasets_builders.building.config import BuilderConfig

PREVIEW_ROWS = 10
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)


class BuilderCommand:
    """The command that runs one builder, whose module is imported when the command is used.

    Args:
        name (`str`): of the builder.
        target (`str`): its module and class, `module:Class`.
        summary (`str`): a line on what it builds.
    """

    def __init__(self, name: str, target: str, summary: str) -> None:
        self.name, self.target = name, target
        self.HELP = self.__doc__ = summary
        self.EXAMPLE = f"python -m datasets_builders {name} output_dir=outputs/{name} --dry-run"

    def builder_class(self) -> "type[Builder[Any]]":
        """Import the builder."""
        module, _, name = self.target.partition(":")
        found: type[Builder[Any]] = getattr(importlib.import_module(module), name)
        return found

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options; the builder's fields stand below them."""
        parser.add_argument(
            "--config",
            type=Path,
            metavar="X.yaml",
            help="YAML file with fields of the builder; without it, the defaults",
        )
        parser.add_argument("--dry-run", action="store_true", help="print the plan and write nothing")
        if hasattr(self.builder_class(), "preview"):
            parser.add_argument(
                "--validate", action="store_true", help="check inputs, teachers, prompts and columns; ask nothing"
            )
            parser.add_argument(
                "--preview",
                type=int,
                nargs="?",
                const=PREVIEW_ROWS,
                metavar="N",
                help=f"finish the first N rows ({PREVIEW_ROWS}) and write them as a page to read",
            )
        add_build_options(parser)
        parser.epilog = f"{parser.epilog}\n\n{_fields_help(self.builder_class().config_class)}"

    def parse_arguments(self, parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the options; a field that is written as a flag is shown as it is meant."""
        options, unknown = parser.parse_known_intermixed_args(arguments)
        if unknown:
            name = unknown[0].partition("=")[0].lstrip("-").replace("-", "_")
            is_field = any(name == field[0] for field in _fields_of(self.builder_class().config_class))
            hint = f"; fields have no hyphens: {name}=VALUE" if is_field else ""
            parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return options

    def run(self, options: argparse.Namespace) -> int:
        """Build the dataset, or print the plan."""
        overrides = overrides_of(options)
        preview, validate = getattr(options, "preview", None), getattr(options, "validate", False)
        if validate or preview is not None:
            return look_ahead(self.builder_class(), options.config, overrides, preview)
        return build(
            self.builder_class(),
            config_file=options.config,
            overrides=overrides,
            dry_run=options.dry_run,
            target=checked_target(options),
            force=options.force,
        )


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """Declare where a built dataset is pushed to, and the fields that win over the YAML file's."""
    add_push_options(parser)
    parser.add_argument(
        "--force",
        action="store_true",
        help="publish although a verdict (inspection, ablation study) refused the dataset",
    )
    parser.add_argument("--workers", type=int, help="number of parts that run at once; the output is the same for any")
    parser.add_argument(
        "overrides", nargs="*", metavar="field=value", help="fields that win over those of the YAML file"
    )


def overrides_of(options: argparse.Namespace) -> list[str]:
    """Return the fields that the command line sets, as `field=value`."""
    overrides = list(options.overrides)
    if options.workers is not None:
        overrides = [override for override in overrides if not override.startswith("workers=")]
        overrides.append(f"workers={options.workers}")
    return overrides


def build(
    builder_class: "type[Builder[Any]]",
    *,
    config_file: Path | None = None,
    overrides: Sequence[str] = (),
    dry_run: bool = False,
    target: PushTarget | None = None,
    force: bool = False,
    base: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Build a dataset, telling the user of it.

    Args:
        builder_class (type): the builder.
        config_file (`Path`, *optional*): YAML file with its fields.
        overrides (sequence of `str`): `field=value`, which win over the file.
        dry_run (`bool`): print the plan and write nothing.
        target (`PushTarget`, *optional*): where on the Hub to publish it.
        force (`bool`): publish although a verdict (inspection, ablation study) refused the dataset.
        base (mapping): fields and values in place of the builder's defaults.

    Returns:
        `int`: the exit code.

    Raises:
        ConfigError: the config or the inputs cannot be used; nothing was written.
        BuildError: the build cannot go on.
        CommandFailedError: the machine failed, or the Hub.
    """
    from datasets_builders.building.config import load_config
    from datasets_builders.building.state import BuildState

    builder = builder_class(load_config(builder_class.config_class, config_file, overrides, base))
    if dry_run:
        builder.check_inputs()
        BuildState(builder.output_folder).check_folder(builder.name)
        print("\n".join(builder.plan()))
        return EXIT_OK
    started = time.monotonic()
    builder.report = lambda line: print(f"{builder.name}: {line}", file=sys.stderr)
    try:
        result = builder.run()
    except OSError as error:
        raise CommandFailedError(_told(error, builder.output_folder)) from error
    rows = ", ".join(f"{split}: {count:,} rows" for split, count in result.num_rows.items())
    print(f"{result.output_dir}: {rows} ({time.monotonic() - started:.1f} s)")
    if target:
        publish(result.output_dir, target, force=force)
    return EXIT_OK


def look_ahead(
    builder_class: "type[Builder[Any]]", config_file: Path | None, overrides: Sequence[str], num_rows: int | None
) -> int:
    """Validate what a builder that asks teachers would do, or finish its first rows.

    Args:
        builder_class (type): the builder.
        config_file (`Path`, *optional*): YAML file with its fields.
        overrides (sequence of `str`): `field=value`, which win over the file.
        num_rows (`int`, *optional*): rows to finish; None validates.

    Returns:
        `int`: the exit code.
    """
    from datasets_builders.asking.builder import AskingBuilder
    from datasets_builders.building.config import load_config

    builder = builder_class(load_config(builder_class.config_class, config_file, overrides))
    if not isinstance(builder, AskingBuilder):
        raise ConfigError(f"{builder.name} asks nobody")
    if num_rows is None:
        print("\n".join(builder.validate()))
    elif num_rows < 1:
        raise ConfigError(f"--preview is {num_rows}, but must be at least 1")
    else:
        print(f"to read: {builder.preview(num_rows)}")
    return EXIT_OK


def _told(error: OSError, folder: Path) -> str:
    """Return what a user is told of an error of the machine."""
    from datasets_builders.building.state import free_bytes

    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{error}: `ulimit -n 4096`, or fewer workers, then run the same command again to continue"
    if error.errno not in DISK_FULL_ERRNOS:
        return f"{error}; run the same command again to continue once it is mended"
    return (
        f"no space left on the disk of {folder} ({free_bytes(folder) / 1e6:.1f} MB free now). Files that were half "
        "written are removed; make room and run the same command again to continue"
    )


def publish(folder: Path, target: PushTarget, *, force: bool) -> None:
    """Push a finished dataset and print its address.

    Raises:
        CommandFailedError: a verdict refuses it, or the Hub.
    """
    from datasets_builders.building.verdicts import publish_dataset
    from modeling_ling.hub_calls import PublishError

    try:
        result = publish_dataset(
            folder,
            target.repo_id,
            private=target.private,
            revision=target.revision,
            tag=target.tag,
            force=force,
        )
    except (PublishError, ValueError) as error:
        raise CommandFailedError(f"{str(error).removesuffix('.')}. The dataset lies in {folder}") from error
    print(result.url)


def checked_target(options: argparse.Namespace) -> PushTarget | None:
    """Return where the options push to, asked of the Hub before the build and not after it.

    Raises:
        ConfigError: it cannot be pushed there.
        CommandFailedError: the Hub cannot be asked.
    """
    from modeling_ling.hub_calls import PublishError

    try:
        return push_target(options)
    except ValueError as error:
        raise ConfigError(f"{error}") from None
    except PublishError as error:
        raise CommandFailedError(f"{error}") from error


def _fields_help(config_class: "type[BuilderConfig]") -> str:
    lines = ["fields (YAML keys, or field=value):"]
    for name, kind, default, text in _fields_of(config_class):
        lines.append(f"  {name}: {kind} = {default}")
        if text:
            lines.append(f"      {text}")
    return "\n".join(lines).replace("%", "%%")


def _fields_of(config_class: "type[BuilderConfig]") -> list[tuple[str, str, str, str]]:
    from datasets_builders.building.config import describe_fields

    return list(describe_fields(config_class))
