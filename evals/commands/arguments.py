"""Arguments that several commands take: numbers within bounds, the names of tasks, where the data lie."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from evals.benchmarks.held_out_execution import NAME as HELD_OUT
from evals.errors import UsageError
from evals.tasks.catalog import BENCHMARKS

GROUPS = ("code", "general", "all")


def positive_int(text: str) -> int:
    """Return a whole number from 1.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value}: at least 1 is needed")
    return value


def number_within(low: float, high: float) -> Callable[[str], float]:
    """Return a type for argparse that takes numbers from `low` to `high`."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text}: it must lie between {low:g} and {high:g}")
        return value

    return number


def json_object(text: str) -> dict[str, Any]:
    """Return the object that a JSON text holds.

    Raises:
        ArgumentTypeError: it is no JSON, or no object.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is no JSON object, such as {{"top_k": 20}}')
    return value


def with_line_breaks(text: str) -> str:
    """Return a text in which a backslash and an n stand for a line break, which few type on a command line."""
    return text.replace("\\n", "\n")


def add_tasks(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add --tasks; names are parted by commas, spaces, or both."""
    parser.add_argument(
        "--tasks",
        nargs="+",
        required=default is None,
        default=default and [default],
        metavar="NAME",
        help="names of tasks, or code, general, all; `python -m evals list` shows them",
    )


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir."""
    parser.add_argument(
        "--data-dir",
        "--data",
        type=Path,
        metavar="FOLDER",
        help="read benchmarks from this folder, which has humaneval/HumanEval.jsonl.gz and so on, and not from the Hub",
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add what says which rows are asked: --data-dir, --held-out and --limit."""
    add_data_dir(parser)
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="FOLDER",
        help="read the questions of held_out_execution from this folder, which the sft builder wrote",
    )
    parser.add_argument(
        "--limit", type=positive_int, metavar="ROWS", help="take only this many rows of each task, the first ones"
    )


def existing_folder(folder: Path | None, flag: str) -> Path | None:
    """Return a folder that was given, if it is there.

    Raises:
        UsageError: it is no folder.
    """
    if folder is not None and not folder.is_dir():
        raise UsageError(f"{flag} {folder}: {'a file, not a folder' if folder.exists() else 'no such folder'}")
    return folder


def chosen_tasks(words: Iterable[str], with_held_out: bool) -> tuple[str, ...]:
    """Return the tasks that names and groups stand for, each once.

    Args:
        words: names, several in a word if commas part them; hyphens are as good as underscores.
        with_held_out: whether "code" and "all" mean held-out execution prediction too, which needs a folder.

    Raises:
        UsageError: an unknown name, or none.
    """
    chosen: dict[str, None] = {}
    for word in filter(None, (word.strip() for word in ",".join(words).split(","))):
        name = word.lower().replace("-", "_")
        members = [key for key, benchmark in BENCHMARKS.items() if benchmark.family == name]
        if name in GROUPS:
            chosen |= {key: None for key, value in BENCHMARKS.items() if name in ("all", value.group)}
            if with_held_out and name != "general":
                chosen[HELD_OUT] = None
        elif members:
            chosen |= dict.fromkeys(members)
        elif name in BENCHMARKS or name == HELD_OUT:
            chosen[name] = None
        else:
            raise UsageError(f"--tasks: unknown {word}; {_known_like(name)}")
    if not chosen:
        raise UsageError("--tasks: nothing is named; `python -m evals list` shows what there is")
    return tuple(chosen)


def _known_like(name: str) -> str:
    """Return which names are like this one, or all that there are."""
    families = dict.fromkeys(value.family or key for key, value in BENCHMARKS.items())
    names = [*families, *(key for key in BENCHMARKS if key not in families), HELD_OUT]
    # lighteval's own command line writes "lighteval|humaneval|0".
    near = [match for part in name.split("|") for match in difflib.get_close_matches(part, names, n=3, cutoff=0.75)]
    if near:
        return f"did you mean {' or '.join(near)}? `python -m evals list` shows what there is"
    return f"known: {', '.join((*GROUPS, *names))}"
