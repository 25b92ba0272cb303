"""Sections 2.2.2 and 3.2 for one's own code: adapt a code model to it, measure what it brought and cost.

Files are curated, some are held out, the rest is put into the order of its imports, tokenized and trained on: next
token and fill-in-the-middle, as the model's family does it. Gaps in the held-out files are filled before and after,
and a general benchmark says what was forgotten. Every step is a command of its own; Ctrl-C and the same command again
go on.

Keys of the recipe given behind `--` reach the training: `-- --learning_rate 2e-5`.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from modeling_ling.command_line import EXIT_INTERRUPTED, EXIT_OK, CommandFailedError

HELP = "adapt a code model to your own code, and measure it before and after"
EXAMPLE = "python -m recipes adapt --code ~/project --model Qwen/Qwen2.5-Coder-1.5B --to outputs/adapted --dry-run"
NO_BENCHMARK = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--code",
        nargs="+",
        required=True,
        metavar="SOURCE",
        help="learn from this: folders (one of checkouts counts as many), archives, or git:PATH[@REVISION]",
    )
    parser.add_argument("--model", required=True, help="adapt this model: a folder, or org/name[@revision] on the Hub")
    parser.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="write everything into this folder")
    parser.add_argument(
        "--weights", choices=("lora", "full"), default="lora", help="train adapters, merged at the end, or all weights"
    )
    parser.add_argument("--epochs", type=float, default=3.0, help="read the code so many times")
    parser.add_argument("--fim-rate", type=float, default=0.5, metavar="SHARE", help="rearrange this share of the code")
    parser.add_argument(
        "--sequence-length", type=int, default=2048, metavar="TOKENS", help="train on rows of this length"
    )
    parser.add_argument("--batch-tokens", type=int, default=65_536, metavar="TOKENS", help="take so many tokens a step")
    parser.add_argument(
        "--held-out-share", type=float, default=0.05, metavar="SHARE", help="hold out this share of files"
    )
    parser.add_argument("--gaps-per-file", type=int, default=2, metavar="N", help="ask for so many gaps of each kind")
    parser.add_argument("--max-new-tokens", type=int, default=256, metavar="TOKENS", help="let no filling be longer")
    parser.add_argument(
        "--benchmark",
        default="humaneval",
        metavar="NAME",
        help="measure what was forgotten by this task of evals, and keep its texts out of training; or none",
    )
    parser.add_argument("--benchmark-limit", type=int, metavar="N", help="take only this many of its problems")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="build the data in so many processes")
    parser.add_argument("--seed", type=int, default=0, help="hold out, ask for and draw others")
    parser.add_argument("--dry-run", action="store_true", help="print plan and commands, and stop")
    parser.add_argument("--device", default="H100", help="with --dry-run: count hours of this device")
    parser.add_argument("training_keys", nargs="*", metavar="-- --KEY VALUE", help="set these keys of the recipe")


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Take what stands behind `--` as keys of the recipe."""
    given = list(arguments)
    place = given.index("--") if "--" in given else len(given)
    options = parser.parse_args(given[:place])
    options.training_keys = given[place + 1 :]
    return options


def run(options: argparse.Namespace) -> int:
    """Plan, or run all steps and write the report."""
    from recipes.adapting.story import (
        AdaptOptions,
        code_fingerprint,
        data_steps,
        expanded_sources,
        prepare_tokenizer,
        read_token_counts,
        training_steps,
    )
    from recipes.quickstart.step_runner import StepFailedError, StepRunner, fingerprint

    chosen = AdaptOptions(
        code=tuple(expanded_sources(options.code)),
        model=options.model,
        to=options.to,
        weights=options.weights,
        epochs=options.epochs,
        fim_rate=options.fim_rate,
        sequence_length=options.sequence_length,
        batch_tokens=options.batch_tokens,
        held_out_share=options.held_out_share,
        gaps_per_file=options.gaps_per_file,
        max_new_tokens=options.max_new_tokens,
        benchmark="" if options.benchmark == NO_BENCHMARK else options.benchmark,
        benchmark_limit=options.benchmark_limit,
        workers=options.workers,
        seed=options.seed,
        training_keys=tuple(options.training_keys),
    )
    family = prepare_tokenizer(chosen, write=not options.dry_run)
    if options.dry_run:
        print_plan(chosen, family.name, options.device)
        return EXIT_OK
    options.to.mkdir(parents=True, exist_ok=True)
    runner = StepRunner(options.to, {"TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"})
    try:
        chain = code_fingerprint(chosen)
        first = data_steps(chosen)
        records = runner.run(first, chain)
        for step in first:
            chain = fingerprint(step, chain)
        records += runner.run(training_steps(chosen, read_token_counts(chosen), dict(family.layouts)), chain)
        from recipes.adapting.report import write_report

        print(f"\n{write_report(chosen, family.name, records)}")
    except StepFailedError as failure:
        raise CommandFailedError(str(failure)) from failure
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to continue; finished steps are kept.", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_OK


def print_plan(chosen: object, family: str, device: str) -> None:
    """Print the training's plan for the code's estimated tokens, and the commands."""
    from recipes.adapting.story import (
        AdaptOptions,
        data_steps,
        estimate_tokens,
        recipe_flags,
        recipe_path,
        training_steps,
    )
    from recipes.reporting.costs import Assumptions
    from recipes.reporting.plan_command import whole_plan
    from recipes.reporting.planning import render_plan

    assert isinstance(chosen, AdaptOptions)
    num_tokens = estimate_tokens(chosen)
    print(f"{chosen.model}: asked as {family} is. About {num_tokens:,} tokens of code, before curation.\n")
    counts = {"code": num_tokens}
    layouts = {"psm": 1.0}
    plan, learning_rate_at = whole_plan(str(recipe_path(chosen)), recipe_flags(chosen, counts, layouts))
    print(render_plan(plan, Assumptions(device), learning_rate_at), end="\n\n")
    for step in [*data_steps(chosen), *training_steps(chosen, counts, layouts)]:
        print(f"# {step.title}\n{shlex.join(step.command)}")


__all__ = ["add_arguments", "parse_arguments", "run"]
