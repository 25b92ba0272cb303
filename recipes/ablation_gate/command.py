"""Section 2.1: the ablation study: does a model get better by the data?

A control group goes on with a recipe's own mixture, an experimental group with half of it and half of the candidate:
from the same checkpoint, for the same tokens, in pairs of the same seed. Held-out loss and benchmarks, tested in pairs,
say approve, reject or not enough evidence, in `report.html` and in `ablation_verdict.json`, which publishing reads. A
run that is there is not repeated. Keys of the recipe given behind the options hold for both groups.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from modeling_ling.command_line import EXIT_FAILED, EXIT_OK

HELP = "say whether a model gets better by a dataset: two groups of runs, paired tests, a verdict"
EXAMPLE = (
    "python -m recipes ablation --config recipes/configs/tiny/stage2.yaml --candidate notebooks.ds "
    "--held-out code=outputs/held_out --output outputs/ablation"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from recipes.reporting.costs import Assumptions

    add, assumed = parser.add_argument, Assumptions()
    add("--config", type=Path, required=True, metavar="RECIPE", help="pre-training recipe that both groups go on with")
    add(
        "--candidate",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE.ds",
        help="token files of the data studied",
    )
    add("--output", type=Path, required=True, metavar="FOLDER", help="write runs, report and verdict into this folder")
    add(
        "--held-out",
        nargs="+",
        default=[],
        metavar="NAME=PATH",
        help="token file or dataset folder to score",
    )
    add("--held-out-split", default="validation", help="split of those folders")
    add("--max-held-out", type=int, default=1000, metavar="N", help="score at most so many documents of each")
    add("--tokens", type=int, metavar="N", help="train every run on so many tokens, not on the recipe's train_tokens")
    add("--seeds", type=int, default=4, metavar="N", help="pairs of runs; with one pair nothing can be told")
    add("--tasks", metavar="TASK,TASK", help="also score these benchmarks by `evals run`")
    add("--evals-options", default="--base", metavar="TEXT", help="further arguments of `evals run`, as one text")
    add("--candidate-fim", action="store_true", help="give the candidate the fill-in-the-middle objective too")
    add("--dataset", type=Path, metavar="FOLDER", help="dataset of the candidate: gets the verdict")
    add("--launch-config", type=Path, metavar="FILE", help="train by `accelerate launch` with this configuration")
    add("--dry-run", action="store_true", help="print plan and cost and stop")
    add("--num-devices", type=int, default=1, metavar="N", help="with --dry-run: devices that train together")
    add("--mfu", type=float, default=assumed.utilization, metavar="SHARE", help="with --dry-run: of the peak")
    add("--device", default=assumed.device, metavar="NAME", help="with --dry-run: what the hours are hours of")
    add(
        "--price",
        type=float,
        default=assumed.price_per_hour,
        metavar="DOLLARS",
        help="with --dry-run: of an hour",
    )


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Take this command's options and leave the rest as keys of the recipe."""
    options, options_keys = parser.parse_known_args(arguments)
    options.keys, options.command = options_keys, shlex.join(["python", "-m", "recipes", "ablation", *arguments])
    return options


def run(options: argparse.Namespace) -> int:
    """Print the plan, or run what is missing and print the verdict; 1 for anything but an approval."""
    from recipes.ablation_gate.request import Request, named_paths
    from recipes.ablation_gate.study import describe_plan, run_study
    from recipes.reporting.costs import Assumptions

    request = Request(
        recipe=options.config,
        candidate=tuple(options.candidate),
        output=options.output,
        held_out=named_paths(options.held_out),
        held_out_split=options.held_out_split,
        max_held_out=options.max_held_out,
        tokens=options.tokens,
        num_seeds=options.seeds,
        tasks=options.tasks,
        evals_options=tuple(shlex.split(options.evals_options)),
        candidate_fim=options.candidate_fim,
        dataset=options.dataset,
        launch_config=options.launch_config,
        keys=tuple(options.keys),
    )
    if options.dry_run:
        print(describe_plan(request, options.num_devices, Assumptions(options.device, options.mfu, options.price)))
        return EXIT_OK
    return EXIT_OK if run_study(request, options.command).is_approval else EXIT_FAILED
