"""The whole paper once, small and real, on a CPU: datasets, tokenizer, five stages, scores before and after, a report.

    make quickstart                                  # or, in an environment that is ready:
    python -m recipes.quickstart --output outputs/quickstart
    python -m recipes.quickstart --code ~/my/project --output outputs/my_project
    python -m recipes.quickstart --dry-run           # print the commands, touch nothing

Every step is a command that can be typed by hand. Ctrl-C and the same command again continues.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recipes.step_runner import Step, StepFailedError, StepRecord, StepRunner

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "recipes" / "ling_coder_tiny"
TOKENIZED_CONFIG = ROOT / "datasets_builders" / "tokenized" / "configs" / "quickstart.yaml"
STAGES = ("stage1", "stage2", "annealing", "sft", "dpo")
SCRIPTS = {"stage1": "pretrain", "stage2": "pretrain", "annealing": "pretrain", "sft": "sft", "dpo": "dpo"}


# NormHead holds each column of the head at norm 1, so that the logits can only grow with the gain of the norm before
# it, and a run of some hundred steps spends most of them on that: 64 steps of the tiny stage 1 ended at 6.24 nats with
# a gain of 1 and at 5.90 with 8. 4 begins less far from the uniform distribution. Ours; a long run learns the gain.
FINAL_NORM_GAIN = 4.0


@dataclass(frozen=True)
class Scale:
    """How much of everything: `full` is what a person runs, `smoke` is the same path in seconds, for tests.

    Args:
        num_math_documents (`int`): computed word problems.
        vocab_size (`int`): tokens of the tokenizer.
        num_held_out_questions (`int`): execution predictions that are scored.
        num_loss_rows (`int`): held-out answers whose loss is measured.
        builder_fields (`tuple` of `str`): added to the source code and documentation builders.
        stage_flags (`dict`): added to a stage's command; the recipe's own values otherwise.
    """

    num_math_documents: int
    vocab_size: int
    num_held_out_questions: int
    num_loss_rows: int
    builder_fields: tuple[str, ...] = ()
    stage_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_SMOKE_PRETRAIN = ("--train_tokens", "16384", "--global_batch_tokens", "2048", "--milestones_tokens", "8192")
_SMOKE_FLAGS = ("--sequence_length", "256", "--warmup_steps", "1", "--logging_steps", "1", "--max_epochs", "1000")
SCALES = {
    "full": Scale(4000, 4096, num_held_out_questions=200, num_loss_rows=400),
    "smoke": Scale(
        300,
        1024,
        num_held_out_questions=16,
        num_loss_rows=40,
        builder_fields=('exclude=["[!cst]*"]',),  # files and folders that begin with c, s or t
        stage_flags={
            "stage1": _SMOKE_PRETRAIN + _SMOKE_FLAGS,
            "stage2": _SMOKE_PRETRAIN[:4] + _SMOKE_FLAGS,
            "annealing": _SMOKE_PRETRAIN[:4] + _SMOKE_FLAGS,
            "sft": ("--max_samples", "64", "--num_train_epochs", "1", "--warmup_steps", "1", "--logging_steps", "1"),
            "dpo": ("--max_samples", "32", "--num_train_epochs", "1", "--warmup_steps", "1", "--logging_steps", "1"),
        },
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the story; return the process's status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", type=Path, default=Path("outputs/quickstart"), help="everything is written below it"
    )
    parser.add_argument("--code", type=Path, help="your own code; default: this interpreter's standard library")
    parser.add_argument("--scale", choices=sorted(SCALES), default="full", help="smoke: seconds a step, for tests")
    parser.add_argument("--workers", type=int, default=2, help="processes of the dataset builders")
    parser.add_argument("--dry-run", "--dry_run", action="store_true", help="print the steps and stop")
    options = parser.parse_args(arguments)
    if options.code and not options.code.is_dir():
        parser.error(f"--code {options.code}: no such folder")
    steps = story(options.output, SCALES[options.scale], options.code, options.workers)
    if options.dry_run:
        for step in steps:
            print(f"# {step.title} (paper {step.paper})\n{shlex.join(step.command)}")
        return 0
    return run(steps, options.output)


def story(output: Path, scale: Scale, code: Path | None, workers: int) -> list[Step]:
    """Return the steps in order, each with a name of its own; everything they write lies below `output`."""
    return [
        *dataset_steps(output / "datasets", scale, code, workers),
        *tokenizer_steps(output, scale, workers),
        *stage_steps(output, scale),
        *evaluation_steps(output, scale),
    ]


def dataset_steps(datasets: Path, scale: Scale, code: Path | None, workers: int) -> list[Step]:
    """Return the builders of raw and synthetic data: sections 2.2.1, 2.3, 2.4 and 3.2.

    With code of your own, the raw code is yours; documentation and questions take the standard library along, since a
    small project has too few documented, self-contained functions.
    """

    def builder(name: str, title: str, paper: str, *fields: str, folder: str = "") -> Step:
        folder = folder or name
        command = ("-m", "datasets_builders", name, f"output_dir={datasets / folder}", f"workers={workers}", *fields)
        return Step(folder, title, (sys.executable, *command), paper)

    steps = []
    more_inputs: tuple[str, ...] = ()
    offline = "decontaminate=[]"  # benchmarks' texts are not at hand everywhere; the dataset card says so
    if code:
        own = "license_types=[permissive,non_permissive,no_license]"  # whoever names a folder may train on it
        title = "build file-level source code, yours"
        steps.append(builder("source_code", title, "2.2.1", f"input_dir={code}", offline, own))
        folder = "standard_library"
        title = "build file-level source code, the standard library"
        steps.append(builder("source_code", title, "2.2.1", *scale.builder_fields, offline, folder=folder))
        more_inputs = (f'more_inputs=["{datasets / folder}"]',)
    else:
        steps.append(builder("source_code", "build file-level source code", "2.2.1", *scale.builder_fields, offline))
    documentation = "build documentation, standing in for natural language"
    math = "build word problems, standing in for math"
    code_input, questions = f"input={datasets / 'source_code'}", f"input={datasets / 'synthetic_qa'}"
    return [
        *steps,
        builder("documentation", documentation, "2.3", *scale.builder_fields),
        builder("arithmetic", math, "3.2", f"num_documents={scale.num_math_documents}"),
        builder("synthetic_qa", "build SyntheticQA, answers computed", "2.4", code_input, offline, *more_inputs),
        builder("sft", "build the SFT set", "3.2.3", questions),
        builder("dpo", "build the DPO set, verified by execution", "3.2.4", questions),
    ]


def tokenizer_steps(output: Path, scale: Scale, workers: int) -> list[Step]:
    """Return the steps from datasets to token shards and initial weights."""
    datasets, tokenizer = output / "datasets", output / "tokenizer"
    texts = ("source_code:content:language", "documentation:text", "arithmetic:text", "synthetic_qa:messages")
    train = (
        *(sys.executable, "-m", "modeling_ling", "train-tokenizer"),
        *(str(datasets / text) for text in texts),
        *("--vocab-size", str(scale.vocab_size), "--to", str(tokenizer)),
    )
    tokenize = (
        sys.executable,
        *("-m", "datasets_builders", "tokenized", "--config", str(TOKENIZED_CONFIG)),
        *(f"data_root={datasets}", f"tokenizer={tokenizer}", f"output_dir={datasets / 'tokenized'}"),
        f"workers={workers}",
    )
    initialize = (
        *(
            sys.executable,
            "-m",
            "modeling_ling",
            "init",
            "--overwrite",
            "--preset",
            "tiny",
            "--tokenizer",
            str(tokenizer),
        ),
        *("--final-norm-gain", str(FINAL_NORM_GAIN), "--to", str(output / "initial_model")),
    )
    return [
        Step("tokenizer", "train the tokenizer", train, "3.1"),
        Step("tokenized", "tokenize the five sources of Table 1", tokenize, "3.2"),
        Step("initial_model", "write the initial weights", initialize, "3.1"),
    ]


def stage_steps(output: Path, scale: Scale) -> list[Step]:
    """Return the five stages of training, each by `accelerate launch` from the recipe of the tiny model."""
    steps = []
    for stage in STAGES:
        first = ("--init_from", str(output / "initial_model")) if stage == "stage1" else ()
        command = (
            *(sys.executable, "-m", "accelerate.commands.launch"),
            *("--config_file", str(ROOT / "recipes" / "accelerate_configs" / "cpu.yaml")),
            str(ROOT / "recipes" / f"{SCRIPTS[stage]}.py"),
            *("--config", str(RECIPES / f"{stage}.yaml"), "--data_root", str(output), "--resume_from", "auto"),
            *first,
            *scale.stage_flags.get(stage, ()),
        )
        paper = {"annealing": "3.2.2", "sft": "3.2.3", "dpo": "3.2.4"}.get(stage, "3.2.1")
        steps.append(Step(f"train_{stage}", f"train: {stage}", command, paper))
    return steps


def evaluation_steps(output: Path, scale: Scale) -> list[Step]:
    """Return the scoring of the initial and the final weights on held-out questions."""
    sft, initial, final = output / "datasets" / "sft", output / "initial_model", output / STAGES[-1]
    evals = (sys.executable, "-m", "evals")
    held_out = (
        *("--tasks", "held_out_execution", "--held-out", str(sft), "--limit", str(scale.num_held_out_questions)),
        *("--model", str(final), "--baseline-model", str(initial), "--output", str(output / "evaluation")),
    )
    loss = (
        *("--model", str(final), "--baseline", str(initial), "--data", str(sft), "--split", "validation"),
        *("--limit", str(scale.num_loss_rows), "--output", str(output / "evaluation" / "held_out_loss.json")),
    )
    return [
        Step("held_out_loss", "measure the held-out loss, before and after", (*evals, "loss", *loss), "4"),
        Step("held_out_execution", "score held-out execution prediction", (*evals, "run", *held_out), "4.4.2"),
    ]


def run(steps: Sequence[Step], output: Path) -> int:
    """Run the steps, copy the last stage to `model`, write the report, and say what to type next."""
    output.mkdir(parents=True, exist_ok=True)
    print(introduction(output, steps), flush=True)
    # Nothing of this needs a network; a machine that has one should not wait for it.
    runner = StepRunner(output, {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"})
    try:
        records = runner.run(steps)
        copy_model(output / STAGES[-1], output / "model")
        from recipes.quickstart_report import write_report

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


def closing(output: Path, records: Sequence[StepRecord], report: Path) -> str:
    """Say what was made and what to type next."""
    seconds = sum(record.seconds for record in records)
    memory_gib = max(record.peak_memory_bytes for record in records) / 2**30
    return (
        f"\nDone: {seconds / 60:.1f} minutes of work, peak memory {memory_gib:.1f} GiB. The report: {report}\n"
        f"Next:\n"
        f"  python -m datasets_builders --help                 # the builders, one by one\n"
        f"  python -m recipes plan recipes/ling_coder_tiny/*.yaml\n"
        f"  python -m evals run --model {output / 'model'} --tasks humaneval\n"
    )


if __name__ == "__main__":
    sys.exit(main())
