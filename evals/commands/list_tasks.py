"""Section 4.2: the tasks, where their data come from, and which languages this machine can run."""

from __future__ import annotations

import argparse

from evals.benchmarks.held_out_execution import NAME as HELD_OUT
from evals.tasks.catalog import BENCHMARKS

HELP = "show the tasks, their data and whether this machine can run code"
EXAMPLE = "python -m evals list"
HELD_OUT_LINE = "what a call returns, of functions that training never asked about; --held-out FOLDER"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: there are none."""


def run(options: argparse.Namespace) -> int:
    """Print a line per task, per language, and the isolation."""
    from evals.execution import Executor, IsolationUnavailableError, MissingToolchainError, toolchain
    from evals.execution.languages import LANGUAGES

    print(f"{'task':32s} {'group':8s} {'n':>5s} {'licence':30s} {'data':32s} what it asks")
    for name, benchmark in BENCHMARKS.items():
        source = benchmark.source
        print(
            f"{name:32s} {benchmark.group:8s} {source.num_rows:5d} {source.license:30s} {source.hub_id:32s} "
            f"{benchmark.title}"
        )
    print(f"{HELD_OUT:32s} {'code':8s} {'':5s} {'':30s} {'--held-out FOLDER':32s} {HELD_OUT_LINE}")
    for language in LANGUAGES:
        try:
            print(f"{language}: {toolchain(language).version}")
        except MissingToolchainError as error:
            print(f"{language}: its tasks are unscorable. {error}")
    try:
        with Executor() as executor:
            print(f"isolation: {executor.isolation}")
    except IsolationUnavailableError as error:
        print(f"isolation: none. {error}")
    return 0
