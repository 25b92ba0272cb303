"""The whole paper once, small and real, on a CPU: datasets, tokenizer, five stages, scores before and after, a report.

    make quickstart                                  # or, in an environment that is ready:
    python -m recipes.quickstart --output outputs/quickstart
    python -m recipes.quickstart --code ~/my/project --output outputs/my_project
    python -m recipes.quickstart --output outputs/quickstart --seed 1    # other weights and order, the same data
    python -m recipes.quickstart --dry-run           # print the commands, touch nothing

Every step is a command that can be typed by hand. Ctrl-C and the same command again continues.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from modeling_ling.command_line import explain_missing

with explain_missing("all", "python -m recipes.quickstart"):
    from recipes.quickstart.step_runner import Step, StepFailedError, StepRecord, StepRunner
    from recipes.quickstart.story import SCALES, STAGES, story


def main(arguments: list[str] | None = None) -> int:
    """Run the story; return the process's status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", type=Path, default=Path("outputs/quickstart"), help="everything is written below it"
    )
    parser.add_argument("--code", type=Path, help="your own code; default: this interpreter's standard library")
    parser.add_argument("--scale", choices=sorted(SCALES), default="full", help="smoke: seconds a step, for tests")
    parser.add_argument("--workers", type=int, default=2, help="processes of the dataset builders")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the initial weights and the order of training; the data stay the same"
    )
    parser.add_argument("--dry-run", "--dry_run", action="store_true", help="print the steps and stop")
    options = parser.parse_args(arguments)
    if options.code and not options.code.is_dir():
        parser.error(f"--code {options.code}: no such folder")
    steps = story(options.output, SCALES[options.scale], options.code, options.workers, options.seed)
    if options.dry_run:
        for step in steps:
            print(f"# {step.title} (paper {step.paper})\n{shlex.join(step.command)}")
        return 0
    return run(steps, options.output)


def run(steps: Sequence[Step], output: Path) -> int:
    """Run the steps, copy the last stage to `model`, write the report, and say what to type next."""
    output.mkdir(parents=True, exist_ok=True)
    print(introduction(output, steps), flush=True)
    # Nothing of this needs a network; a machine that has one should not wait for it.
    runner = StepRunner(output, {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"})
    try:
        records = runner.run(steps)
        copy_model(output / STAGES[-1], output / "model")
        from recipes.quickstart.report import write_report

        report, _ = write_report(output, records)
    except StepFailedError as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to continue; finished steps are kept.", file=sys.stderr)
        return 130
    print(closing(output, records, report), flush=True)
    return 0


def introduction(output: Path, steps: Sequence[Step]) -> str:
    """Say what is about to happen, and what it takes."""
    free_gib = shutil.disk_usage(output).free / 2**30
    return (
        f"{len(steps)} steps into {output}: about 0.9 GiB (free there: {free_gib:.0f} GiB), nothing is downloaded.\n"
        f"The log of each step is in {output / 'logs'}. Ctrl-C and the same command again continues."
    )


def copy_model(stage: Path, model: Path) -> None:
    """Copy a stage's Hub-ready files, its checkpoints left out, whole or not at all."""
    temporary = model.with_name(model.name + ".partial")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(stage, temporary, ignore=shutil.ignore_patterns("checkpoint-*", "metrics.jsonl", "*.partial"))
    shutil.rmtree(model, ignore_errors=True)
    temporary.rename(model)


def activation() -> str:
    """Return the line that enters this program's environment, nothing where the shell is in it."""
    prefix = Path(sys.prefix)
    if sys.prefix == sys.base_prefix or os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return ""
    place = prefix.relative_to(Path.cwd()) if prefix.is_relative_to(Path.cwd()) else prefix
    return f"  source {shlex.quote(str(place))}/bin/activate\n"


def closing(output: Path, records: Sequence[StepRecord], report: Path) -> str:
    """Say what was made and what to type next."""
    seconds = sum(record.seconds for record in records)
    memory_gib = max(record.peak_memory_bytes for record in records) / 2**30
    return (
        f"\nDone: {seconds / 60:.1f} minutes of work, peak memory {memory_gib:.1f} GiB. The report: {report}\n"
        f"Next:\n{activation()}"
        f"  ling-coder chat {shlex.quote(str(output / 'model'))}\n"
        f"  ling-coder data browse {shlex.quote(str(output / 'datasets' / 'sft'))}   # its rows, as a page\n"
        f"  ling-coder evals samples {shlex.quote(str(output / 'evaluation'))}   # answers and verdicts, as pages\n"
        f"  ling-coder --help\n"
    )


if __name__ == "__main__":
    sys.exit(main())
