"""The form of every command line of the project: a table of commands, one set of exit codes, errors of one line.

A command is a module, or an object, with `HELP`, `EXAMPLE`, `add_arguments(parser)` and `run(options) -> int`. One
that takes flags which argparse cannot know has `parse_arguments(parser, arguments) -> options` too. A program's
`__main__` is a table of them and a call:

    >>> COMMANDS = {"describe": "modeling_ling.commands.describe"}
    >>> def main(arguments=None):
    ...     return run_program("modeling_ling", "The model's command line.", {"commands": COMMANDS}, arguments)

Only the command that was asked for is imported, and for the list of commands all of them: a command's module imports
what is heavy inside `run`.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import difflib
import gc
import importlib
import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

from modeling_ling.damaged_files import damaged_file
from modeling_ling.on_import import after_import

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOTHING_LEFT, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


class Command(Protocol):
    """What a command has; a module that defines the four names is one."""

    HELP: str  # one line for the list of commands
    EXAMPLE: str  # a command line that works

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options; flags are written with hyphens."""

    def run(self, options: argparse.Namespace) -> int:
        """Do it and return the exit code."""


# What the list of commands shows under a heading: name to a module's path, or to a command object.
Sections = Mapping[str, Mapping[str, "str | Command"]]


class CommandFailedError(Exception):
    """What was asked for was understood and did not succeed: one line for stderr, exit code 1."""


# What other programs call it (TRL, transformers, lighteval, axolotl, datatrove): flag to those of ours, in order.
FLAGS_OF_OTHERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("--push-to-hub", "--hub-model-id", "--hub-dataset-id", "--repo-id", "--repo"), ("--push-to",)),
    **dict.fromkeys(
        ("--model-args", "--model-name-or-path", "--model-name", "--pretrained", "--model-id"), ("--model",)
    ),
    **dict.fromkeys(("--output-dir", "--output-path", "--save-path", "--out"), ("--output", "--to")),
    **dict.fromkeys(("--num-proc", "--num-workers", "--nproc", "--jobs"), ("--workers",)),
    **dict.fromkeys(("--config-file", "--config-path", "--yaml"), ("--config",)),
    **dict.fromkeys(("--task", "--benchmark", "--eval-tasks"), ("--tasks",)),
    **dict.fromkeys(("--max-samples", "--num-samples", "--max-examples"), ("--limit",)),
    **dict.fromkeys(("--hub-revision", "--branch"), ("--revision",)),
    **dict.fromkeys(("--dataset-dir", "--dataset-path", "--cache-dir"), ("--data-dir",)),
}


class Parser(argparse.ArgumentParser):
    """A parser whose errors say what a flag is called here that other programs have.

    Args:
        given (sequence of `str`): what it will parse.
    """

    def __init__(self, *, given: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self.given = given

    def error(self, message: str) -> NoReturn:
        """End with the message, and with what was meant where that is known."""
        known = self._option_string_actions
        flags = [argument.partition("=")[0] for argument in self.given]
        meant = {flag: next((name for name in FLAGS_OF_OTHERS.get(flag, ()) if name in known), "") for flag in flags}
        hint = ", ".join(f"{flag} is {name} here" for flag, name in meant.items() if name and flag not in known)
        super().error(f"{message}; {hint}" if hint else message)


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Show a description as it stands, and behind the help of each option its default."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        # By identity: 0 is a default like any other.
        absent = any(action.default is value for value in (None, False, argparse.SUPPRESS)) or action.default == []
        if not action.option_strings or absent or "%(default)" in (action.help or ""):
            return action.help
        words = (
            " ".join(map(str, action.default)).replace("%", "%%") if isinstance(action.default, list) else "%(default)s"
        )
        return f"{action.help or ''} (default: {words})".lstrip()


def run_program(
    package: str,
    description: str,
    sections: Sections,
    arguments: Sequence[str] | None = None,
    *,
    program: str = "",
    extra: str = "",
    user_errors: tuple[type[Exception], ...] = (ValueError, OSError),
    failures: tuple[type[Exception], ...] = (),
    interrupted: str = "interrupted",
) -> int:
    """Run the command that the arguments name.

    Args:
        package (`str`): the program is `python -m PACKAGE`.
        program (`str`, *optional*): what was typed, where it is not that.
        extra (`str`, *optional*): the extra of setup.py that brings what the commands need.
        description (`str`): stands above the list of commands.
        sections: commands under headings. A name may have several words ("repositories inspect").
        arguments (sequence of `str`, *optional*): without the program's name; by default `sys.argv[1:]`.
        user_errors: raised for what the user has to mend: one line on stderr, exit code 2.
        failures: raised when it was understood and did not succeed: one line on stderr, exit code 1. An error of both
            kinds is the user's.
        interrupted (`str`): what to say on Ctrl-C.

    Returns:
        `int`: exit code: 0 done, 1 the check says no or the work failed, 2 the user's mistake, 130 interrupted.
    """
    program = program or f"python -m {package}"
    given = with_hyphens(sys.argv[1:] if arguments is None else arguments)
    commands = {name: command for section in sections.values() for name, command in section.items()}
    found = _find(given, commands)
    label = program if found is None else f"{program} {found[0]}"

    def run() -> int:
        if found is None:
            return _without_command(program, description, sections, given)
        name, rest = found
        command = load_command(commands[name])
        parser = make_parser(f"{program} {name}", command, rest)
        parse: Callable[..., argparse.Namespace] | None = getattr(command, "parse_arguments", None)
        return command.run(parser.parse_intermixed_args(rest) if parse is None else parse(parser, rest))

    with explain_missing(extra, label):
        return guarded(run, label, user_errors=user_errors, failures=failures, interrupted=interrupted)


def guarded(
    run: Callable[[], int],
    program: str,
    *,
    user_errors: tuple[type[Exception], ...] = (ValueError, OSError),
    failures: tuple[type[Exception], ...] = (),
    interrupted: str = "interrupted",
) -> int:
    """Return the exit code of `run()`; an expected error is one line on stderr, any other keeps its traceback.

    A reader of what is printed that has seen enough, such as `head`, ends it quietly.
    """
    prepare_process()
    failed: tuple[type[Exception], ...] = (CommandFailedError, *failures)
    try:
        code = run()
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return _exit_code(stop)
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is not yet printed goes nowhere
        return EXIT_FAILED
    except user_errors as error:
        print(f"{program}: error: {words_of(error)}", file=sys.stderr)
        return EXIT_USAGE
    except failed as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", EXIT_FAILED)
    except Exception as error:
        if said := damaged_file(error):
            print(f"{program}: error: {said}", file=sys.stderr)
            return EXIT_USAGE
        raise


def words_of(error: Exception) -> str:
    """Return what an error says; what a library could not read from the Hub is said in a sentence of ours."""
    from modeling_ling.hub_reading import hub_failure

    of_hub = hub_failure(error) if isinstance(error, OSError | json.JSONDecodeError) else None
    return of_hub or damaged_file(error) or str(error)


# What is wanted on top of an extra, by what is imported.
EXTRAS_OF_MODULES = {"peft": "lora", "bitsandbytes": "lora", "magika": "magika", "ray": "ray"}
OWN_PACKAGES = ("modeling_ling", "evals", "datasets_builders", "recipes")
DISTRIBUTION = "ling-coder-recipes"
ROOT = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def explain_missing(extra: str, program: str) -> Iterator[None]:
    """End the program with one sentence where an import finds a package missing: what brings it, or what to activate.

    Args:
        extra (`str`): the extra of setup.py that the program needs; empty where the core is enough.
        program (`str`): named in the message.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if not module or module in OWN_PACKAGES:
            raise
        print(f"{program}: error: {missing_sentence(module, EXTRAS_OF_MODULES.get(module, extra))}", file=sys.stderr)
        raise SystemExit(EXIT_USAGE) from None


def missing_sentence(module: str, extra: str) -> str:
    """Say that a package is not there, and what to type."""
    return f"the package {module!r} is not installed for {sys.executable}. {how_to_install(extra)}"


def how_to_install(extra: str) -> str:
    """Say what to type for the packages of an extra, in words that hold where this is: no index has the project.

    Args:
        extra (`str`): of setup.py; empty for the core.
    """
    environment = ROOT / ".venv"
    if (environment / "bin" / "python").exists() and Path(sys.prefix).resolve() != environment.resolve():
        return f"`make` has installed what is needed into an environment: `source {environment}/bin/activate`"
    if (ROOT / "setup.py").is_file():
        wanted = f"'.[{extra}]'" if extra else "."
        return f"In {ROOT}: `python -m pip install -e {wanted} -c constraints.txt`, or `make install` for all"
    named = f"{DISTRIBUTION}[{extra}]" if extra else DISTRIBUTION
    if source := _installed_from():
        return f"`python -m pip install '{named} @ {source}'` brings it"
    return f"Install the wheel again as pip takes an extra: `python -m pip install '{named} @ file:///PATH/OF/THE.whl'`"


def _installed_from() -> str | None:
    """Return the address that pip installed this from, as it takes it again, where pip has noted one (PEP 610)."""
    try:
        noted = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    if noted is None:
        return None
    source = json.loads(noted)
    if control := source.get("vcs_info"):
        return f"{control['vcs']}+{source['url']}@{control['commit_id']}"
    return str(source["url"])


def prepare_process() -> None:
    """Set what a command's process is faster with; called before anything imports torch, which reads it once."""
    collect_seldom()
    let_threads_sleep()
    after_import("huggingface_hub.utils._http", end_early_without_connection)


def end_early_without_connection() -> None:
    """Let what asks the Hub say soon that it cannot be reached."""
    from modeling_ling.hub_client import use_client

    use_client()


# Turns of GNU OpenMP's waiting loop before a thread sleeps; recipes/BENCHMARKS.md has what others give.
OPENMP_SPINS = 1000


def let_threads_sleep() -> None:
    """Let a thread that has done its part of an operation spin for a moment only, unless the user has said otherwise.

    GNU OpenMP's threads spin for milliseconds, which is faster where all cores are theirs. Where another program has
    one of them, each operation waits for the thread that has none, and the others burn what it needs: training is ten
    times slower.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(OPENMP_SPINS))


def collect_seldom() -> None:
    """Let the interpreter look through all its objects for garbage a hundred times more seldom, and not at its end.

    Importing torch and transformers makes two million objects that stay; to look through them again and again while
    they become more takes a quarter of a command's start, and half a second of its end.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 1000)
    atexit.register(gc.freeze)


def _exit_code(stop: SystemExit) -> int:
    """Return the code of argparse's `exit`, having printed what is still held back (its help text, say)."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if stop.code is None or isinstance(stop.code, int):
        return stop.code or EXIT_OK
    print(stop.code, file=sys.stderr)
    return EXIT_FAILED


def make_parser(program: str, command: Command, given: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of one command, for these arguments."""
    parser = Parser(
        given=given,
        prog=program,
        description=command.__doc__ or command.HELP,
        epilog=f"example:\n  {command.EXAMPLE}",
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    return parser


def load_command(command: str | Command) -> Command:
    """Return a command of a table: a module's path is imported now."""
    return importlib.import_module(command) if isinstance(command, str) else command


def with_hyphens(arguments: Iterable[str]) -> list[str]:
    """Return arguments with every flag written with hyphens: flags are accepted with underscores too.

    Only the name of a flag changes: what follows "=", other arguments (a text with flags of another program, say), and
    all behind a bare "--" stay as they are.
    """
    result = []
    rest_is_literal = False
    for argument in arguments:
        rest_is_literal |= argument == "--"
        flag, separator, value = argument.partition("=")
        if flag.startswith("--") and not rest_is_literal and not re.search(r"\s", flag):
            argument = flag.replace("_", "-") + separator + value
        result.append(argument)
    return result


def _find(arguments: Sequence[str], commands: Mapping[str, object]) -> tuple[str, list[str]] | None:
    """Return the command that the first words name, the longest such name, and the arguments behind it."""
    names = {_canonical(name): name for name in commands}
    for num_words in range(max((len(name.split()) for name in commands), default=0), 0, -1):
        words = " ".join(arguments[:num_words])
        if len(arguments) >= num_words and _canonical(words) in names:
            return names[_canonical(words)], list(arguments[num_words:])
    return None


def _canonical(name: str) -> str:
    return name.replace("_", "-")


def _without_command(program: str, description: str, sections: Sections, arguments: Sequence[str]) -> int:
    text = overview(program, description, sections)
    if "-h" in arguments or "--help" in arguments or list(arguments) in (["list"], ["help"]):
        print(text)
        return EXIT_OK
    if arguments:
        names = [name for section in sections.values() for name in section]
        near = difflib.get_close_matches(arguments[0], names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        print(f"{program}: error: there is no command {arguments[0]!r}{hint}\n", file=sys.stderr)
    print(text, file=sys.stderr)
    return EXIT_USAGE


def overview(program: str, description: str, sections: Sections) -> str:
    """Return the list of commands, each with its line of help."""
    width = max(len(name) for section in sections.values() for name in section)
    lines = [f"usage: {program} COMMAND [--option value ...]", "", description.strip()]
    for heading, section in sections.items():
        lines += ["", f"{heading}:"]
        lines += [f"  {name:<{width}}  {load_command(command).HELP}" for name, command in section.items()]
    lines += ["", f"{program} COMMAND --help says what a command takes."]
    return "\n".join(lines)


__all__ = [
    "EXIT_FAILED",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "EXIT_USAGE",
    "Command",
    "CommandFailedError",
    "HelpFormatter",
    "collect_seldom",
    "explain_missing",
    "guarded",
    "load_command",
    "make_parser",
    "overview",
    "prepare_process",
    "run_program",
    "with_hyphens",
]
