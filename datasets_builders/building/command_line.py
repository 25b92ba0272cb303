"""The command `python -m datasets_builders`."""

import argparse
import errno
import gc
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from datasets_builders.building.errors import BuildError, ConfigError

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
INTERRUPTED = "interrupted. What is done is kept: run the same command again to continue"
DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Show a description as it stands, and behind the help of each option its default."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        # By identity: 0 is a default like any other.
        has_default = action.option_strings and not any(
            action.default is one for one in (None, False, argparse.SUPPRESS)
        )
        return f"{action.help or ''} (default: %(default)s)".lstrip() if has_default else action.help


def run_command(
    arguments: Sequence[str],
    builders: dict[str, tuple[str, str]],
    commands: dict[str, str] | None = None,
) -> int:
    """Run the command line.

    Args:
        arguments (sequence of `str`): without the program's name.
        builders (dict): name to ("module:Class", one line on what it builds).
        commands (dict): what else there is: name to the module of the command.

    Returns:
        `int`: exit code: 0 done, 1 the build failed, 2 the command or config cannot be used, 130 interrupted.
    """
    try:
        code = _run(arguments, builders, commands or {})
        sys.stdout.flush()
        gc.freeze()  # else the interpreter looks for garbage in all that it will throw away: half a second
        return code
    except KeyboardInterrupt:
        print(f"\n{INTERRUPTED}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of what is printed, such as head, has seen enough; what is not yet printed goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _run(arguments: Sequence[str], builders: dict[str, tuple[str, str]], commands: dict[str, str]) -> int:
    # Only flags: in field=value a hyphen may belong to the value.
    cleaned = [_with_hyphens(argument) for argument in arguments]
    for num_words in (2, 1):  # `repositories inspect` is a command, `repositories` alone a builder
        command = " ".join(cleaned[:num_words]).replace("_", "-")
        if len(cleaned) >= num_words and command in commands:
            return _run_command(command, commands[command], cleaned[num_words:])
    name = next((argument for argument in cleaned if argument in builders), None)
    if name is None:
        return _without_builder(cleaned, builders, commands)
    parser = _parser(name, builders[name][1])
    if "-h" in cleaned or "--help" in cleaned:
        parser.print_help()
        print(_fields_help(_load(builders[name][0]).config_class))
        return EXIT_OK
    cleaned.remove(name)
    options, rest = parser.parse_known_args(cleaned)
    unknown = [argument for argument in rest if argument.startswith("-")]
    if unknown:
        print(f"error: unknown option {unknown[0]}; fields are given as field=value", file=sys.stderr)
        return EXIT_USAGE
    try:
        return _build(name, builders[name][0], options, options.overrides + rest)
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE


def _run_command(name: str, module: str, arguments: Sequence[str]) -> int:
    from modeling_ling.command_line import guarded, load_command, make_parser

    command, program = load_command(module), f"python -m datasets_builders {name}"
    return guarded(
        lambda: command.run(make_parser(program, command).parse_args(arguments)),
        program,
        user_errors=(ConfigError,),
        failures=(BuildError,),
        interrupted=INTERRUPTED,
    )


def _build(name: str, target: str, options: argparse.Namespace, overrides: list[str]) -> int:
    from datasets_builders.building.config import load_config
    from datasets_builders.building.state import BuildState, free_bytes

    if options.workers is not None:
        overrides = [*(one for one in overrides if not one.startswith("workers=")), f"workers={options.workers}"]
    if options.push_to:
        _check_push_target(options.push_to)
    builder_class = _load(target)
    builder = builder_class(load_config(builder_class.config_class, options.config, overrides))
    if options.dry_run:
        builder.check()
        BuildState(builder.output_folder).check_folder(builder.name)
        print("\n".join(builder.plan()))
        return EXIT_OK
    started = time.monotonic()
    builder.report = lambda line: print(f"{name}: {line}", file=sys.stderr)
    try:
        result = builder.run()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:
            print(f"error: {error}; run the same command again to continue once it is mended", file=sys.stderr)
            return EXIT_FAILED
        free = free_bytes(builder.output_folder) / 1e6
        print(
            f"error: no space left on the disk of {builder.output_folder} ({free:.1f} MB free now). Files that were "
            "half written are removed; make room and run the same command again to continue",
            file=sys.stderr,
        )
        return EXIT_FAILED
    rows = ", ".join(f"{split}: {count:,} rows" for split, count in result.num_rows.items())
    print(f"{result.output_dir}: {rows} ({time.monotonic() - started:.1f} s)")
    return _publish(result.output_dir, options.push_to, options.force) if options.push_to else EXIT_OK


def _publish(folder: Path, repo_id: str, force: bool) -> int:
    from datasets_builders.building.verdicts import publish_dataset
    from modeling_ling.publishing import PublishError

    try:
        print(publish_dataset(folder, repo_id, force=force).url)
    except (PublishError, ValueError) as error:
        print(f"error: {error}. The dataset is complete in {folder}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


def _check_push_target(target: str) -> None:
    """Refuse a malformed target before the build, not after it."""
    from modeling_ling.publishing import check_repo_id

    try:
        check_repo_id(target)
    except ValueError as error:
        raise ConfigError(f"--push-to: {error}") from None


def _help_of(module: str) -> str:
    return importlib.import_module(module).HELP


def _load(target: str) -> type:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _with_hyphens(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    flag, separator, value = argument.partition("=")
    return flag.replace("_", "-") + separator + value


def _parser(name: str, summary: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m datasets_builders {name}", description=summary, add_help=False, allow_abbrev=False
    )
    parser.add_argument("--config", type=Path, metavar="X.yaml", help="fields of the builder; without it, the defaults")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and write nothing")
    parser.add_argument("--push-to", metavar="ORG/NAME", help="publish on the Hub afterwards, private by default")
    parser.add_argument("--force", action="store_true", help="publish although quality inspection refused the dataset")
    parser.add_argument("--workers", type=int, help="processes; the output is the same for any number")
    parser.add_argument("overrides", nargs="*", metavar="field=value", help="win over the YAML file")
    return parser


def _fields_help(config_class: type) -> str:
    from datasets_builders.building.config import describe_fields

    lines = ["", "fields (YAML keys, or field=value):"]
    for name, kind, default, text in describe_fields(config_class):
        lines.append(f"  {name}: {kind} = {default}")
        if text:
            lines.append(f"      {text}")
    return "\n".join(lines)


def _without_builder(arguments: list[str], builders: dict[str, tuple[str, str]], commands: dict[str, str]) -> int:
    width = max(map(len, [*builders, *commands]))
    lines = ["usage: python -m datasets_builders BUILDER [--config X.yaml] [field=value ...]"]
    lines += ["           [--dry-run] [--workers N] [--push-to ORG/NAME]", "", "builders:"]
    lines += [f"  {name:<{width}}  {summary}" for name, (_, summary) in builders.items()]
    if commands:
        lines += ["", "commands:", *(f"  {name:<{width}}  {_help_of(module)}" for name, module in commands.items())]
    lines += ["", "python -m datasets_builders BUILDER --help lists the fields of a builder."]
    if "-h" in arguments or "--help" in arguments:
        print("\n".join(lines))
        return EXIT_OK
    wrong = next((argument for argument in arguments if not argument.startswith("-") and "=" not in argument), None)
    if wrong is not None:
        import difflib

        near = difflib.get_close_matches(wrong, [*builders, *commands], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        print(f"error: no builder is called {wrong!r}{hint}", file=sys.stderr)
    print("\n".join(lines), file=sys.stderr)
    return EXIT_USAGE
