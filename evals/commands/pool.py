"""Section 4, asked of several runs at once: what seeds of one recipe found of the same choices, as one figure."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

HELP = "pool what several runs of `choice` found, seeds of one recipe for example, into one interval"
EXAMPLE = "python -m evals pool SEED0/held_out_exchange.json SEED1/held_out_exchange.json SEED2/held_out_exchange.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "results", nargs="+", type=Path, metavar="FILE.json", help="what `choice --output` wrote, one file per run"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the result to this file")


def run(options: argparse.Namespace) -> int:
    """Pool, print and write."""
    from evals.commands.choice import print_figures
    from evals.report.runs import write_json
    from evals.scoring.held_out_choice import pool_choices

    result = pool_choices([_read(path) for path in options.results])
    print(f"{len(options.results)} runs, wrong answers {result['wrong_answers']}; chance {result['chance']:.0%}")
    if result["num_left_out"]:
        print(f"left out, since not every run weighed them: {result['num_left_out']}")
    for path, own in zip(options.results, result["runs"], strict=True):
        for name, measures in [("all", own["kinds"]["all"]), ("answers of other kinds", own.get("other_kinds", {}))]:
            rates = (f"{measure} {side['model']['accuracy']:.1%}" for measure, side in measures.items())
            if measures:
                print(f"{path}, {name}: {', '.join(rates)}")
    print("All runs; intervals are over what is asked about, for these runs:")
    print_figures(result)
    if options.output:
        write_json(options.output, result)
    return 0


def _read(path: Path) -> dict[str, Any]:
    from evals.errors import UsageError

    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise UsageError(f"{path} is no JSON: {fault}") from None
    if not isinstance(result, dict) or not isinstance(result.get("choices"), list):
        raise UsageError(f"{path} has no choices; give what `python -m evals choice --output {path.name}` wrote")
    return result
