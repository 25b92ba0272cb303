"""Section 4.1: score a model on benchmarks through lighteval.

Writes results.json and every answer below --output. Started again, it asks for no answer that it has.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from evals.commands.arguments import (
    add_data,
    add_tasks,
    chosen_tasks,
    existing_folder,
    json_object,
    number_within,
    positive_int,
    with_line_breaks,
)
from evals.errors import UsageError

HELP = "score a model on benchmarks"
EXAMPLE = "python -m evals run --model PATH_OR_ID --tasks humaneval,held_out_execution --held-out SFT_FOLDER"
# Flags that would be ignored elsewhere. They have no default here but in RunOptions, so that one that is given shows.
OF_BACKEND = {
    "endpoint": ("base_url", "api_key_variable", "concurrency", "reasoning_effort", "extra_body"),
    "accelerate": ("batch_size", "baseline_model"),
}
OF_SAMPLING = ("top_p", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", required=True, help="the model: a folder, or org/name on the Hub")
    add_tasks(parser)
    parser.add_argument(
        "--baseline-model", metavar="MODEL", help="with accelerate: compare with these other weights by a paired test"
    )
    parser.add_argument(
        "--preset", choices=("standard", "paper"), default="standard", help="ask with the prompts of this preset"
    )
    parser.add_argument(
        "--base", action="store_true", help="let a base model complete the prompt, without a chat template"
    )
    parser.add_argument(
        "--max-new-tokens",
        type=positive_int,
        metavar="TOKENS",
        help="limit every answer to this length instead of each task's own (the paper's: 4096)",
    )
    parser.add_argument(
        "--num-samples", type=positive_int, default=1, help="take this many answers to each problem, for pass@k"
    )
    parser.add_argument(
        "--temperature", type=number_within(0, 10), default=0.0, help="sample with this temperature; 0 is greedy"
    )
    parser.add_argument(
        "--top-p",
        type=number_within(0, 1),
        help="sample from the likeliest tokens with this probability together (default: 0.95)",
    )
    parser.add_argument("--seed", type=int, help="draw the first answer to each problem with this seed (default: 0)")
    parser.add_argument(
        "--backend",
        choices=("accelerate", "endpoint"),
        default="accelerate",
        help="load the model here with transformers, or ask an OpenAI-compatible server",
    )
    parser.add_argument("--base-url", metavar="URL", help="with endpoint: the server's address, with /v1")
    parser.add_argument(
        "--api-key-variable",
        metavar="NAME",
        help="with endpoint: the environment variable that holds the server's key (default: OPENAI_API_KEY)",
    )
    parser.add_argument(
        "--concurrency", type=positive_int, help="with endpoint: keep this many requests going at once (default: 16)"
    )
    parser.add_argument(
        "--reasoning-effort", metavar="EFFORT", help="with endpoint: ask for this much thinking, such as low or high"
    )
    parser.add_argument(
        "--extra-body",
        type=json_object,
        metavar="JSON",
        help="with endpoint: put these parameters into each request; null takes one out: '{\"temperature\": null}'",
    )
    parser.add_argument("--system-prompt", metavar="TEXT", help="let this stand before each question")
    parser.add_argument(
        "--prefill",
        type=with_line_breaks,
        metavar="TEXT",
        help="let each answer begin with this text, which the model continues: '```{language}\\n' opens a block of the "
        "task's language; \\n is a line break",
    )
    parser.add_argument(
        "--batch-size", type=positive_int, help="with accelerate: answer this many prompts at once (default: 16)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/evaluation"),
        metavar="FOLDER",
        help="write results.json and samples/ into this folder",
    )
    parser.add_argument(
        "--push-to", metavar="ORG/NAME", help="also push the results to this dataset of the Hub, private if it is new"
    )
    add_data(parser)


def run(options: argparse.Namespace) -> int:
    """Score, print and, if asked for, push."""
    from evals.scoring.options import RunOptions

    refuse_flags_without_effect(options)
    if options.push_to:
        check_target(options.push_to)
    existing_folder(options.held_out, "--held-out")
    existing_folder(options.data_dir, "--data-dir")
    given = {name: value for name, value in vars(options).items() if name in RunOptions.__dataclass_fields__}
    given["tasks"] = chosen_tasks(options.tasks, with_held_out=options.held_out is not None)
    run_options = RunOptions(**{name: value for name, value in given.items() if value is not None})
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from evals.scoring import run as scoring
    from evals.scoring.results import num_scored, print_results

    results = scoring.run(run_options)
    print_results(results)
    if options.push_to:
        from evals.scoring.publishing import push_results

        print(push_results(options.output, options.push_to, results))
    return 0 if num_scored(results) else 2


def check_target(repo_id: str) -> None:
    """Ask whether the results may be pushed there, before hours of answers and not after them.

    Raises:
        UsageError: the name is none that the Hub takes.
        PublishError: the token may not write there, or the Hub cannot be reached.
    """
    from modeling_ling.publishing import check_repo_id
    from modeling_ling.push_options import check_right_to_write

    try:
        check_repo_id(repo_id)
    except ValueError as error:
        raise UsageError(f"--push-to: {error}") from None
    check_right_to_write(repo_id)


def refuse_flags_without_effect(options: argparse.Namespace) -> None:
    """Refuse what the chosen backend and temperature would ignore.

    Raises:
        UsageError: such a flag is given.
    """
    needed = {f"--backend {backend}": names for backend, names in OF_BACKEND.items() if backend != options.backend}
    if not options.temperature:
        needed["--temperature"] = OF_SAMPLING
    for flag, names in needed.items():
        for name in names:
            if getattr(options, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')} has no effect without {flag}")
