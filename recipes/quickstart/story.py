"""The steps of the quickstart in their order, and how much of everything each scale takes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recipes.quickstart.step_runner import Step

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "recipes" / "configs" / "tiny"
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
        num_choices (`int`): held-out pairs of a right and a wrong answer that are weighed.
        num_exchanges (`int`): pairs of held-out questions whose answers are exchanged and weighed.
        builder_fields (`tuple` of `str`): added to the source code and documentation builders.
        stage_flags (`dict`): added to a stage's command; the recipe's own values otherwise.
    """

    num_math_documents: int
    vocab_size: int
    num_held_out_questions: int
    num_loss_rows: int
    num_choices: int
    num_exchanges: int
    builder_fields: tuple[str, ...] = ()
    stage_flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_SMOKE_PRETRAIN = ("--train_tokens", "16384", "--global_batch_tokens", "2048", "--milestones_tokens", "8192")
_SMOKE_FLAGS = ("--sequence_length", "256", "--warmup_steps", "1", "--logging_steps", "1", "--max_epochs", "1000")
SCALES = {
    "full": Scale(4000, 2048, num_held_out_questions=160, num_loss_rows=200, num_choices=120, num_exchanges=240),
    "smoke": Scale(
        300,
        1024,
        num_held_out_questions=16,
        num_loss_rows=40,
        num_choices=40,
        num_exchanges=40,
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


def story(output: Path, scale: Scale, code: Path | None, workers: int, seed: int = 0) -> list[Step]:
    """Return the steps in order, each with a name of its own; everything they write lies below `output`.

    Args:
        seed: of the initial weights and of the order of training; the data are the same with any.
    """
    return [
        *dataset_steps(output / "datasets", scale, code, workers),
        *tokenizer_steps(output, scale, seed),
        *stage_steps(output, scale, seed),
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
    apart = f'disjoint_from=["{datasets / "sft"}"]'
    # The other languages need compilers, which a first try should not.
    python = "program_languages=[Python]"
    code_input, questions = f"input={datasets / 'source_code'}", f"input={datasets / 'synthetic_qa'}"
    # Intervals go by functions: twice as many held out tell more than the questions that training loses.
    held_out = "validation_fraction=0.2"
    # Asked in nearly the same words, rationales of 500 characters are what so small a model then writes for every
    # value, and never ends; without them it answers at once. They stay in pre-training.
    at_once = "max_rows={execution_rationale: 0}"
    return [
        *steps,
        builder("documentation", documentation, "2.3", *scale.builder_fields),
        builder("arithmetic", math, "3.2", f"num_documents={scale.num_math_documents}"),
        builder(
            "synthetic_qa",
            "build SyntheticQA, answers computed",
            "2.4",
            *(code_input, python, offline, held_out, *more_inputs),
        ),
        builder("sft", "build the SFT set", "3.2.3", questions, at_once),
        builder("dpo", "build the DPO set, verified by execution", "3.2.4", questions, apart),
    ]


def tokenizer_steps(output: Path, scale: Scale, seed: int) -> list[Step]:
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
        # Each process imports transformers anew: two took 24 s of processor time, one takes 7.
        "workers=1",
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
        *("--final-norm-gain", str(FINAL_NORM_GAIN), "--seed", str(seed), "--to", str(output / "initial_model")),
    )
    return [
        Step("tokenizer", "train the tokenizer", train, "3.1"),
        Step("tokenized", "tokenize the five sources of Table 1", tokenize, "3.2"),
        Step("initial_model", "write the initial weights", initialize, "3.1", warm=True),
    ]


def stage_steps(output: Path, scale: Scale, seed: int) -> list[Step]:
    """Return the five stages of training, each by `accelerate launch` from the recipe of the tiny model."""
    steps = []
    for stage in STAGES:
        first = ("--init_from", str(output / "initial_model")) if stage == "stage1" else ()
        command = (
            *(sys.executable, "-m", "accelerate.commands.launch"),
            *("--config_file", str(ROOT / "recipes" / "accelerate_configs" / "cpu.yaml")),
            str(ROOT / "recipes" / f"{SCRIPTS[stage]}.py"),
            *("--config", str(RECIPES / f"{stage}.yaml"), "--data_root", str(output)),
            # Goes on where it was cut short; where something before it changed, the old run is moved away.
            *("--resume_from", "auto", "--overwrite_output_dir", "true", "--seed", str(seed)),
            *first,
            *scale.stage_flags.get(stage, ()),
        )
        paper = {"annealing": "3.2.2", "sft": "3.2.3", "dpo": "3.2.4"}.get(stage, "3.2.1")
        steps.append(Step(f"train_{stage}", f"train: {stage}", command, paper, warm=True))
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
    choice = (
        *("--model", str(final), "--baseline", str(initial), "--data", str(output / "datasets" / "dpo")),
        *("--limit", str(scale.num_choices), "--output", str(output / "evaluation" / "held_out_choice.json")),
    )
    exchange = (
        *("--exchange", "--model", str(final), "--baseline", str(initial), "--data", str(sft), "--max-tokens", "384"),
        *("--limit", str(scale.num_exchanges), "--output", str(output / "evaluation" / "held_out_exchange.json")),
    )
    return [
        Step(
            "held_out_exchange",
            "weigh answers against those of other questions",
            (*evals, "choice", *exchange),
            "4",
            warm=True,
        ),
        Step("held_out_choice", "weigh right against wrong answers", (*evals, "choice", *choice), "4", warm=True),
        Step("held_out_loss", "measure the held-out loss, before and after", (*evals, "loss", *loss), "4", warm=True),
        Step(
            "held_out_execution", "score held-out execution prediction", (*evals, "run", *held_out), "4.4.2", warm=True
        ),
    ]
