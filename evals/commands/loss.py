"""The held-out loss of two sets of weights, paired by rows, with an interval of the difference."""

from __future__ import annotations

import argparse
from pathlib import Path

from evals.commands.arguments import existing_folder, positive_int

HELP = "compare the held-out loss of two sets of weights"
EXAMPLE = "python -m evals loss --model AFTER --baseline BEFORE --data SFT_FOLDER --split validation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", required=True, help="the model: a folder, or org/name on the Hub")
    parser.add_argument(
        "--baseline", required=True, metavar="MODEL", help="what it is compared with; it needs the same tokenizer"
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="a dataset folder with messages, text or content"
    )
    parser.add_argument("--split", default="validation", help="score this split of the dataset")
    parser.add_argument(
        "--limit",
        type=positive_int,
        metavar="ROWS",
        help="score only this many rows, chosen by the hashes of their ids",
    )
    parser.add_argument("--batch-size", type=positive_int, default=8, help="score this many rows at once")
    parser.add_argument(
        "--max-tokens", type=positive_int, default=1024, metavar="TOKENS", help="leave out rows longer than this"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="also write the result to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print and write."""
    from evals.report.runs import write_json
    from evals.scoring.held_out_loss import compare_losses

    existing_folder(options.data, "--data")
    result = compare_losses(
        options.model,
        options.baseline,
        options.data,
        split=options.split,
        limit=options.limit,
        batch_size=options.batch_size,
        max_tokens=options.max_tokens,
    )
    low, high = result["difference"]["interval"]
    print(f"{result['n']} rows of {options.data} ({options.split}); left out: {result['left_out'] or 'none'}")
    print(f"model     {result['model']['mean']:.4f} nats per token")
    print(f"baseline  {result['baseline']['mean']:.4f}")
    print(f"difference {result['difference']['mean']:.4f}, 95 % interval {low:.4f} to {high:.4f} (paired bootstrap)")
    if options.output:
        write_json(options.output, result)
    return 0
