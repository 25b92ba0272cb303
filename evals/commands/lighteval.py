"""Section 4.1: lighteval's own command line with the benchmarks of this project, and with what it needs to start.

lighteval imports all of its own tasks before those that it is given, and one of them fetches a file on import: without
a network its command line ends there. Here a module of tasks that cannot be imported is left out, and a line says so.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evals.errors import UsageError

HELP = "run a command of lighteval with these benchmarks in it"
EXAMPLE = 'python -m evals lighteval accelerate "model_name=PATH_OR_ID" "humaneval|0" --max-samples 10'
TASKS_FILE = Path(__file__).parents[1] / "tasks" / "all_tasks.py"
TASKS_FLAG = "--custom-tasks"
# These commands ask models or show tasks, and so take a file of tasks.
WITH_TASKS = ("accelerate", "custom", "endpoint", "nanotron", "sglang", "tasks", "vllm")
WITHOUT_TASKS = ("create",)  # of those in "tasks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "arguments", nargs="*", metavar="ARGUMENT", help=f"what lighteval shall do; {TASKS_FLAG} is added"
    )


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Take everything as it stands: the flags are lighteval's."""
    if not arguments or arguments[0] in ("-h", "--help"):
        return parser.parse_args(arguments)
    return argparse.Namespace(arguments=list(arguments))


def run(options: argparse.Namespace) -> int:
    """Run the command in this process and return its exit code."""
    arguments = list(options.arguments)
    if not arguments:
        arguments = ["--help"]
    takes_tasks = arguments[0] in WITH_TASKS and not {*WITHOUT_TASKS, "--help"} & {*arguments}
    if takes_tasks and not any(word.startswith(TASKS_FLAG) for word in arguments):
        arguments += [TASKS_FLAG, str(TASKS_FILE)]
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from lighteval.__main__ import app

    leave_out_what_cannot_be_imported()
    if arguments[0] == "accelerate":
        import evals.models.accelerate  # noqa: F401 - keeps lighteval's cache out of the model's folder
    sys.argv[0] = "lighteval"
    try:
        app(arguments, standalone_mode=True)
    except ValueError as error:
        if "Cannot find task" not in str(error):
            raise
        raise UsageError(f"{error}; `python -m evals lighteval tasks list` shows what there is") from error
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def leave_out_what_cannot_be_imported() -> None:
    """Let lighteval's registry load each of its own modules of tasks that it can, and list what it has."""
    from lighteval.tasks.lighteval_task import LightevalTaskConfig
    from lighteval.tasks.registry import Registry

    def load(names: Sequence[str]) -> dict[str, LightevalTaskConfig]:
        configs: dict[str, LightevalTaskConfig] = {}
        for name in names:
            try:
                configs |= Registry._extract_configs(importlib.import_module(name))
            except Exception as error:  # whatever a module may do on import: the network, another hub client, a package
                reason = (str(error).strip().splitlines() or [""])[0][:160]
                print(
                    f"lighteval's own tasks of {name.rpartition('tasks.')[2]} are left out, because they cannot be "
                    f"imported here ({type(error).__name__}: {reason}).",
                    file=sys.stderr,
                )
        return configs

    def load_from_files(files: Sequence[Path], module_prefix: str) -> dict[str, LightevalTaskConfig]:
        return load([f"{module_prefix}.{file.stem}" for file in sorted(files)])

    def load_from_subdirs(subdirs: Sequence[Path]) -> dict[str, LightevalTaskConfig]:
        return load([f"lighteval.tasks.tasks.{folder.name}.main" for folder in sorted(subdirs)])

    def print_all_tasks(self: Registry, suites: str | None = None) -> None:
        # lighteval 0.13 shows what begins with the name of a suite, and its tasks have no suite any more.
        print("\n".join(sorted(self._task_registry)))

    for name, function in (("_load_from_files", load_from_files), ("_load_from_subdirs", load_from_subdirs)):
        setattr(Registry, name, staticmethod(function))
    setattr(Registry, "print_all_tasks", print_all_tasks)  # noqa: B010 - mypy knows the original
