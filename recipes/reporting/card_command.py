"""Section 3.2: write a run's model card again, with its name on the Hub and the scores of `evals run`.

The card is made from `run.json`: a stage is trained before it is scored, and often before it has a name.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from modeling_ling.command_line import EXIT_OK

HELP = "write a run's model card again, with the scores of `evals run` and its name on the Hub"
EXAMPLE = "python -m recipes card outputs/sft --repository my-org/my-model --results outputs/evaluation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="the output_dir of a finished stage")
    parser.add_argument("--repository", metavar="ORG/NAME", help="show how this repository is loaded")
    parser.add_argument(
        "--results", type=Path, nargs="+", default=[], metavar="FOLDER", help="the --output folders of `evals run`"
    )


def run(options: argparse.Namespace) -> int:
    """Write the card and say where it is."""
    from evals.report.runs import read_run
    from modeling_ling.publishing import check_repo_id
    from recipes.reporting.provenance import run_of
    from recipes.reporting.run_card import write_card
    from recipes.running.recipe_keys import KEY_CLASSES
    from recipes.running.run_folder import RUN_FILE, write_json

    facts = run_of(options.folder)
    if not facts.get("finished"):
        raise ValueError(f"{options.folder} holds no finished run: its {RUN_FILE} is made when training ends")
    if facts["kind"] not in KEY_CLASSES:
        raise ValueError(f"{options.folder} is a model of `{facts['kind']}`, whose card has its own figures")
    if options.repository:
        check_repo_id(options.repository)
        facts["repository"] = options.repository
    if options.results:
        facts["scores"] = [row for folder in options.results for row in score_rows(read_run(folder).results)]
    write_json(options.folder / RUN_FILE, facts)
    print(f"The card is {write_card(options.folder, facts)}.")
    return EXIT_OK


def score_rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a card says of the scores of one `evals run`."""
    from evals.scoring.hub_scores import notes_of

    return [
        {"task": name, "value": task["value"], "n": task["n"], "notes": notes_of(results, task)}
        for name, task in results["tasks"].items()
        if task["value"] is not None
    ]
