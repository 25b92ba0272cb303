"""How often a model finds the right answer likelier than a wrong one, beside chance and a baseline."""

from __future__ import annotations

import argparse
from typing import Any

from evals.commands import loss
from evals.commands.arguments import existing_folder

HELP = "compare how often two sets of weights prefer the right answer to a wrong one"
EXAMPLE = "python -m evals choice --model AFTER --baseline BEFORE --data DPO_FOLDER --split validation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: those of `loss`, and the kinds of questions."""
    loss.add_arguments(parser)
    parser.add_argument("--kinds", nargs="+", default=[], metavar="KIND", help="ask only these kinds of questions")
    parser.add_argument(
        "--exchange",
        action="store_true",
        help="weigh answers against those of other questions of the kind, of a folder of conversations",
    )


def run(options: argparse.Namespace) -> int:
    """Measure, print and write."""
    from evals.report.runs import write_json
    from evals.scoring.held_out_choice import compare_choices

    existing_folder(options.data, "--data")
    result = compare_choices(
        options.model,
        options.baseline,
        options.data,
        split=options.split,
        kinds=options.kinds,
        exchange=options.exchange,
        limit=options.limit,
        batch_size=options.batch_size,
        max_tokens=options.max_tokens,
    )
    print(f"{options.data} ({options.split}); left out: {result['left_out'] or 'none'}; chance {result['chance']:.0%}")
    print_figures(result)
    if options.output:
        write_json(options.output, result)
    return 0


def print_figures(result: dict[str, Any]) -> None:
    """Print figures over all questions by measure, and those of each kind per token."""
    from evals.scoring.held_out_choice import MEASURES

    others = {"answers of other kinds": result["other_kinds"]} if "other_kinds" in result else {}
    for kind, measures in (result["kinds"] | others).items():
        shown = measures if kind == "all" or kind in others else {"mean": measures["mean"]}
        for measure, figures in shown.items():
            sides = (f"{name} {_percent(figures[name])}" for name in ("model", "baseline"))
            low, high = figures["difference"]["interval"]
            print(
                f"{kind}, log-probability {MEASURES[measure]}, n={figures['n']} about {figures['num_clusters']} "
                f"functions or questions: {', '.join(sides)}; difference "
                f"{figures['difference']['mean']:+.1%} ({low:+.1%} to {high:+.1%}, paired), p={figures['p_value']:.2g}"
            )
            sides = (f"{name} {_nats(figures[name]['margin_nats'])}" for name in ("model", "baseline"))
            difference = figures["margin_difference_nats"]
            print(
                f"  likelier by, in nats: {', '.join(sides)}; difference {_nats(difference)}, "
                f"p={difference['p_value']:.2g}"
            )


def _percent(side: dict) -> str:
    low, high = side["interval"]
    return f"{side['accuracy']:.1%} ({low:.1%} to {high:.1%})"


def _nats(figure: dict) -> str:
    if figure["interval"] is None:
        return f"{figure['mean']:+.3f}"
    low, high = figure["interval"]
    return f"{figure['mean']:+.3f} ({low:+.3f} to {high:+.3f})"
