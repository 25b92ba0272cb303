"""Section 4: `python -m evals run|score|report|loss|selfcheck|efficiency|list`.

python -m evals run --model PATH_OR_ID --tasks humaneval,held_out_execution --held-out SFT_FOLDER
python -m evals score outputs/evaluation
python -m evals report outputs/evaluation outputs/other_evaluation
python -m evals loss --model AFTER --baseline BEFORE --data SFT_FOLDER
python -m evals selfcheck --data-dir BENCHMARKS
python -m evals efficiency flops
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from evals.benchmarks.held_out_execution import NAME as HELD_OUT

HELD_OUT_LINE = "what a call returns, of functions that training never asked about; --held-out FOLDER"
GROUPS = ("code", "general", "all")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the process's status."""
    options = make_parser().parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print(
            "Stopped. The same command starts again; tasks whose generations are complete are not repeated.",
            file=sys.stderr,
        )
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    from evals.efficiency import command
    from evals.scoring import held_out_loss

    parser = argparse.ArgumentParser(
        prog="python -m evals", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="score a model through lighteval")
    run.add_argument("--model", required=True, help="a model folder, or org/name on the Hub")
    run.add_argument("--tasks", required=True, help="code, general, all, or names: see `list`")
    run.add_argument("--baseline-model", "--baseline_model", help="other weights, compared by a paired test")
    run.add_argument("--preset", choices=("standard", "paper"), default="standard", help="of the prompts")
    run.add_argument("--base", action="store_true", help="complete the prompt: no chat template, stop strings")
    run.add_argument("--max-new-tokens", "--max_new_tokens", type=int, help="instead of each task's own; paper: 4096")
    run.add_argument("--num-samples", "--num_samples", type=int, default=1, help="answers to each problem, for pass@k")
    run.add_argument("--temperature", type=float, default=0.0, help="0: greedy")
    run.add_argument("--top-p", "--top_p", type=float, default=0.95, help="with a temperature")
    run.add_argument("--seed", type=int, default=0, help="of the first answer to each problem")
    run.add_argument("--backend", choices=("accelerate", "endpoint"), default="accelerate", help="what answers")
    run.add_argument(
        "--base-url", "--base_url", default="", help="endpoint: an OpenAI-compatible server's URL with /v1"
    )
    run.add_argument(
        "--api-key-variable", "--api_key_variable", default="OPENAI_API_KEY", help="endpoint: where its key stands"
    )
    run.add_argument("--concurrency", type=int, default=16, help="endpoint: requests at once")
    run.add_argument("--batch-size", "--batch_size", type=int, default=16, help="prompts at once")
    run.add_argument("--output", type=Path, default=Path("outputs/evaluation"), help="results.json and samples/")
    run.add_argument("--push-to", "--push_to", metavar="ORG/NAME", help="also to a dataset of the Hub, private if new")
    _add_data_arguments(run)
    run.set_defaults(command=_run)
    loss = commands.add_parser("loss", help="held-out loss of two sets of weights, paired")
    held_out_loss.add_arguments(loss)
    loss.set_defaults(command=held_out_loss.main)
    check = commands.add_parser("selfcheck", help="score the gold solutions")
    check.add_argument("--tasks", default="all", help="code, general, all, or names: see `list`")
    _add_data_arguments(check)
    check.set_defaults(command=_selfcheck)
    again = commands.add_parser("score", help="judge the answers of an earlier run anew, without the model")
    again.add_argument("output", type=Path, help="its --output folder")
    again.add_argument(
        "--data-dir", "--data_dir", "--data", type=Path, help="folder with humaneval/HumanEval.jsonl.gz etc."
    )
    again.set_defaults(command=_score)
    report = commands.add_parser("report", help="the paper's tables with runs below, and paired tests between runs")
    report.add_argument("results", nargs="+", type=Path, metavar="RESULT", help="--output folders of `run`")
    report.add_argument("--output", type=Path, default=Path("outputs/evaluation_report"))
    report.set_defaults(command=_report)
    efficiency = commands.add_parser("efficiency", help="FLOPs, floors, latency and capacity (paper, section 5)")
    command.add_arguments(efficiency)
    listing = commands.add_parser("list", help="the tasks, their data and whether this machine can run code")
    listing.set_defaults(command=_list)
    return parser


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--held-out", "--held_out", type=Path, help="folder that the sft builder wrote")
    parser.add_argument(
        "--data-dir", "--data_dir", "--data", type=Path, help="folder with humaneval/HumanEval.jsonl.gz etc."
    )
    parser.add_argument("--limit", type=int, help="only the first rows of each task")


def _run(options: argparse.Namespace) -> int:
    tasks = chosen_tasks(options.tasks, with_held_out=options.held_out is not None)
    if options.limit is not None and options.limit < 1:
        raise SystemExit(f"--limit {options.limit}: at least 1 row is needed")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from evals.execution import IsolationUnavailableError
    from evals.models.openai_server import EndpointError
    from evals.scoring.options import RunOptions
    from evals.scoring.results import print_results
    from evals.scoring.run import run
    from evals.tasks.records import TooManyInfraErrorsError

    values = {name: value for name, value in vars(options).items() if name in RunOptions.__dataclass_fields__}
    try:
        results = run(RunOptions(**{**values, "tasks": tasks}))
    except (FileNotFoundError, ValueError, IsolationUnavailableError, EndpointError, TooManyInfraErrorsError) as error:
        raise SystemExit(str(error)) from None
    print_results(results)
    if options.push_to:
        from evals.scoring.publishing import push_results

        try:
            print(push_results(options.output, options.push_to, results))
        except RuntimeError as error:
            raise SystemExit(str(error)) from None
    return 0 if any(task["value"] is not None for task in results["tasks"].values()) else 2


def _score(options: argparse.Namespace) -> int:
    from evals.execution import IsolationUnavailableError
    from evals.scoring.rescore import score_again
    from evals.scoring.results import print_results

    try:
        results = score_again(options.output, options.data_dir)
    except (FileNotFoundError, ValueError, IsolationUnavailableError) as error:
        raise SystemExit(str(error)) from None
    print_results(results)
    return 0 if any(task["value"] is not None for task in results["tasks"].values()) else 2


def _report(options: argparse.Namespace) -> int:
    from evals.report.paper import write_report
    from evals.report.runs import read_runs

    try:
        runs = read_runs(options.results)
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    for path in write_report(runs, options.output):
        print(path)
    return 0


def chosen_tasks(text: str, with_held_out: bool) -> tuple[str, ...]:
    """Return the tasks that a comma-separated list of names and groups stands for, each once.

    Args:
        with_held_out: whether "code" and "all" mean held-out execution prediction too, which needs a folder.

    Raises:
        SystemExit: an unknown name, or none.
    """
    from evals.tasks.all_tasks import BENCHMARKS

    chosen: dict[str, None] = {}
    for name in filter(None, (word.strip() for word in text.split(","))):
        members = [key for key, value in BENCHMARKS.items() if value.family == name]
        if name in GROUPS:
            chosen |= dict.fromkeys(key for key, value in BENCHMARKS.items() if name in ("all", value.group))
            if with_held_out and name != "general":
                chosen[HELD_OUT] = None
        elif members:
            chosen |= dict.fromkeys(members)
        elif name in BENCHMARKS or name == HELD_OUT:
            chosen[name] = None
        else:
            families = dict.fromkeys(value.family or key for key, value in BENCHMARKS.items())
            known = ", ".join((*GROUPS, *families, *(key for key in BENCHMARKS if key not in families), HELD_OUT))
            raise SystemExit(f"--tasks: unknown {name}; known: {known}")
    if not chosen:
        raise SystemExit("--tasks: nothing is named; `python -m evals list` shows what there is")
    return tuple(chosen)


def _selfcheck(options: argparse.Namespace) -> int:
    from evals.scoring.selfcheck import selfcheck

    tasks = chosen_tasks(options.tasks, with_held_out=True)
    return selfcheck(options.data_dir, options.held_out, options.limit, tasks)


def _list(options: argparse.Namespace) -> int:
    from evals.execution import Executor, IsolationUnavailableError, MissingToolchainError, toolchain
    from evals.execution.languages import LANGUAGES
    from evals.tasks.all_tasks import BENCHMARKS

    print(f"{'task':32s} {'group':8s} {'n':>5s} {'licence':30s} {'data':32s} what it asks")
    for name, benchmark in BENCHMARKS.items():
        source = benchmark.source
        print(
            f"{name:32s} {benchmark.group:8s} {source.num_rows:5d} {source.licence:30s} {source.hub_id:32s} "
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


if __name__ == "__main__":
    sys.exit(main())
