"""Section 3.2.4: a judge's preference between two models' answers to open questions, each pair shown in both orders.

FIRST and SECOND are output folders of `evals run`, files of answers (.jsonl, .json, .parquet with prompt and answer),
or models, which then answer --prompts here. Started again, it asks for no answer that it has.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from evals.commands.arguments import add_tasks, chosen_tasks, json_object, number_within, positive_int
from evals.errors import UsageError

HELP = "ask a judge which of two models answers better, each pair in both orders"
EXAMPLE = (
    "python -m evals judge outputs/sft outputs/dpo --prompts questions.jsonl --judge JUDGE_NAME "
    "--base-url http://127.0.0.1:8000/v1"
)
MAX_UNANSWERED_SHARE = 0.02  # of pairs without an answer of the judge's server; above it the figures rest on too few


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("first", metavar="FIRST", help="what is compared with: a run's folder, a file, or a model")
    parser.add_argument("second", metavar="SECOND", help="the other side; where its answer is preferred, it has won")
    parser.add_argument("--judge", required=True, metavar="NAME", help="the judge's name on its server")
    parser.add_argument(
        "--base-url", required=True, metavar="URL", help="the address of the judge's OpenAI-compatible server, with /v1"
    )
    parser.add_argument(
        "--prompts",
        metavar="DATA",
        help="let sides that are models answer these: a file, a builder's folder or org/name on the Hub, with prompt, "
        "question, instruction or messages (of which the first turn is asked)",
    )
    parser.add_argument("--split", default="validation", help="take the questions from this split of a dataset")
    parser.add_argument("--limit", type=positive_int, metavar="ROWS", help="take only this many questions")
    add_tasks(parser, default="all")
    parser.add_argument(
        "--max-answer-tokens",
        type=positive_int,
        default=1024,
        metavar="TOKENS",
        help="limit each answer of a side that is a model",
    )
    parser.add_argument("--batch-size", type=positive_int, default=16, help="let a model answer this many at once")
    parser.add_argument(
        "--max-new-tokens",
        type=positive_int,
        default=2048,
        metavar="TOKENS",
        help="limit each answer of the judge, its thinking included",
    )
    parser.add_argument(
        "--attempts", type=positive_int, default=3, help="ask at most this often until an answer has a clear verdict"
    )
    parser.add_argument(
        "--temperature", type=number_within(0, 10), default=0.0, help="let the judge sample with this; 0 is greedy"
    )
    parser.add_argument("--concurrency", type=positive_int, default=16, help="keep this many requests going at once")
    parser.add_argument(
        "--api-key-variable",
        default="OPENAI_API_KEY",
        metavar="NAME",
        help="take the server's key from this environment variable",
    )
    parser.add_argument(
        "--extra-body",
        type=json_object,
        metavar="JSON",
        help="put these parameters into each request; null takes one out: '{\"temperature\": null}'",
    )
    parser.add_argument(
        "--template", type=Path, metavar="FILE", help="ask with this prompt (default: the one in evals/judging/prompts)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("outputs/judge"),
        metavar="FOLDER",
        help="write index.html, judge.json and judgments.jsonl into this folder",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the first rendered prompt and how many there are; ask nobody"
    )


def run(options: argparse.Namespace) -> int:
    """Compare, write the pages and print the figures."""
    from evals.judging.figures import summary_lines
    from evals.judging.judge import WHICH_IS_BETTER, JudgeOptions, judge_pairs, read_template, render_prompt
    from evals.judging.sides import Asking, pairs_of, read_prompts, read_side, short_names
    from evals.judging.verdicts import NO_VERDICT
    from evals.models.endpoint_client import Server
    from evals.report.judgments import write_judgments

    if options.first == options.second:
        raise UsageError(f"FIRST and SECOND are both {options.first}: give two sides")
    judge = JudgeOptions(
        server=Server(
            base_url=options.base_url,
            model=options.judge,
            api_key_variable=options.api_key_variable,
            concurrency=options.concurrency,
        ),
        output=options.output,
        attempts=options.attempts,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        extra_body=options.extra_body,
        template=options.template or WHICH_IS_BETTER,
    )
    template = read_template(judge.template)
    tasks = None if options.tasks == ["all"] else chosen_tasks(options.tasks, with_held_out=True)
    asking = None
    if options.prompts is not None:
        asking = Asking(
            prompts=read_prompts(options.prompts, options.split, options.limit),
            output=options.output,
            max_new_tokens=options.max_answer_tokens,
            batch_size=options.batch_size,
            pretend=options.dry_run,
        )
    pairs, left_out = pairs_of(*(read_side(name, tasks, asking) for name in (options.first, options.second)))
    pairs = pairs[: options.limit]
    if options.dry_run:
        print(render_prompt(template, pairs[0].question, pairs[0].first, pairs[0].second))
        print(f"{len(pairs):,} pairs, each in both orders: at least {2 * len(pairs):,} requests; left out: {left_out}")
        return 0
    judgments = judge_pairs(pairs, judge)
    figures = write_judgments(
        judgments,
        options.output,
        first=options.first,
        second=options.second,
        prompt=template.template,
        settings={
            "judge": options.judge,
            "server": options.base_url,
            "temperature": options.temperature,
            "limit of tokens": options.max_new_tokens,
            "attempts": options.attempts,
            "extra body": options.extra_body or {},
        },
        left_out=left_out,
    )
    for line in summary_lines(figures, *short_names(options.first, options.second), options.judge):
        print(line)
    for reason, number in left_out.items():
        print(f"not judged: {reason}: {number:,}")
    print(options.output / "index.html")
    unanswered = [judgment for judgment in judgments if judgment.outcome == NO_VERDICT]
    if unanswered:
        fault = unanswered[0].in_order.fault or unanswered[0].swapped.fault
        print(f"{len(unanswered):,} pairs got no answer ({fault}); the same command asks for them alone")
    too_many = len(unanswered) > MAX_UNANSWERED_SHARE * len(pairs)
    return 1 if too_many or not figures["n"] else 0
