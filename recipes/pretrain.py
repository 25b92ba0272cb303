"""Section 3.2: pre-training: stage 1, stage 2 and annealing, with next-token and fill-in-the-middle objectives.

    accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/pretrain.py \
        --config recipes/configs/tiny/stage1.yaml [--field value]
    python recipes/pretrain.py --config recipes/configs/tiny/stage1.yaml --dry_run
    python recipes/pretrain.py --config recipes/configs/tiny/stage1.yaml --show_batch

The order of the data is a pure function of the position, so `--resume_from auto` continues a killed run with the very
losses of an unbroken one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

# Run as a script, this file's own folder comes first on sys.path, and not the repository's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recipes.running.recipe_loading import RecipeError, parse_recipe, quiet_environment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from recipes.data.mixture import MixtureDataset
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import PretrainArguments


def build_dataset(arguments: PretrainArguments, tokenizer: PreTrainedTokenizerBase) -> MixtureDataset:
    """Return the stage's windows in their order.

    Args:
        arguments: PretrainArguments.
        tokenizer: the one that wrote the token files.

    Returns:
        A MixtureDataset of max_steps whole steps.

    Raises:
        RecipeError: a token file is missing, or a source is too small.

    Source: paper 3.2, Table 1.
    """
    from recipes.data.mixture import build_mixture
    from recipes.data.mixture_recipe import read_mixture
    from recipes.objectives.fim import FimConfig

    tokenized = Path(arguments.tokenized)
    sources, groups = read_mixture(arguments.shares, tokenized, arguments.fim_sources, arguments.recipe_path)
    fim = FimConfig(rate=arguments.fim_rate, spm_rate=arguments.fim_spm_rate) if arguments.fim_rate > 0 else None
    try:
        return build_mixture(
            sources,
            groups,
            tokenizer,
            seq_length=arguments.sequence_length,
            num_windows=arguments.max_steps * arguments.batch_rows_per_step,
            seed=arguments.data_seed or 0,
            cache_dir=tokenized / "packed",
            fim=fim,
            block_size=arguments.mixture_block_rows,
            max_epochs=arguments.max_epochs,
        )
    except (FileNotFoundError, ValueError) as error:
        raise RecipeError(f"{arguments.recipe_path}: mixture: {error}") from error


def plan_stage(arguments: PretrainArguments) -> StagePlan:
    """Return what the recipe is going to do, without reading tokens.

    Args:
        arguments: PretrainArguments.

    Returns:
        A StagePlan.

    Source: paper 3.2, Table 1.
    """
    from recipes.data.mixture_recipe import plan_sources, read_mixture
    from recipes.reporting.planning import complete_plan, start_plan
    from recipes.running.checkpoints import geometry_for_plan

    plan = start_plan(arguments, "pretrain", geometry_for_plan(arguments))
    sources, groups = read_mixture(
        arguments.shares, Path(arguments.tokenized), arguments.fim_sources, arguments.recipe_path
    )
    plan.sources = plan_sources(sources, groups, arguments.max_steps * arguments.global_batch_tokens)
    complete_plan(plan, arguments, arguments.max_steps)
    left_over = arguments.train_tokens - arguments.max_steps * arguments.global_batch_tokens
    if left_over:
        plan.notes.append(f"train_tokens is rounded down by {left_over:,} tokens to whole steps")
    plan.notes.append(
        f"fill-in-the-middle on {arguments.fim_rate:.0%} of {', '.join(arguments.fim_sources)}"
        if arguments.fim_rate
        else "no fill-in-the-middle"
    )
    return plan


def consumed_tokens(dataset: MixtureDataset) -> dict[str, int]:
    """Count the real tokens per source over the windows that a finished stage has trained on, window by window."""
    counts = {packed.source.name: 0 for packed in dataset.sources}
    names = list(counts)
    for place in range(len(dataset)):
        source, ordinal = dataset.locate(place)
        windows, number = dataset.window_of(source, ordinal)
        counts[names[source]] += int(windows.boundaries(number)[-1])
    return counts


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one pre-training stage.

    Args:
        arguments: the command line without the program's name; sys.argv's by default.

    Raises:
        RecipeError: the recipe cannot be run as written.

    Source: paper 3.2.
    """
    from recipes.running.arguments import PretrainArguments

    settings = parse_recipe(PretrainArguments, arguments)
    from recipes.stages.course import announce, is_main_process, model_overrides, moments_folder, prepare_console

    plan = plan_stage(settings)
    if announce(settings, plan):
        return
    from recipes.data.collator import collate_windows
    from recipes.data.show_batch import describe_batch
    from recipes.reporting.planning import complete_plan
    from recipes.running.checkpoints import load_model, load_tokenizer, resolve_resume

    tokenizer = load_tokenizer(settings.tokenizer)
    with settings.main_process_first(desc="packing the mixture"):
        dataset = build_dataset(settings, tokenizer)
    if settings.show_batch:
        if is_main_process(settings):
            rows = [dataset[place] for place in range(settings.per_device_train_batch_size)]
            print(describe_batch(rows, tokenizer, [packed.source.name for packed in dataset.sources]))
        return
    fingerprint = dataset.fingerprint()
    resume = resolve_resume(settings.resume_from, Path(settings.output_dir), fingerprint)
    moments = moments_folder(settings)
    import torch

    model = load_model(settings.init_from, tokenizer, torch.float32, settings.seed, model_overrides(settings))
    from transformers import Trainer

    from recipes.running.trainer import LingTrainerMixin
    from recipes.stages.course import run_stage

    class PretrainTrainer(LingTrainerMixin, Trainer):
        """Trainer with Ling's losses over the mixture."""

    prepare_console(settings)
    trainer = PretrainTrainer(
        model=model,
        args=settings,
        train_dataset=dataset,
        data_collator=collate_windows,
        processing_class=tokenizer,
        learning_rate_at=complete_plan(plan, settings, settings.max_steps),
        flops_per_token=plan.flops_per_token,
        data_fingerprint=fingerprint,
        moments_from=moments if resume is None else None,
    )
    facts = {
        "data fingerprint": fingerprint,
        "data seed": settings.data_seed,
        "fill-in-the-middle": f"rate {settings.fim_rate}, SPM {settings.fim_spm_rate}, on {settings.fim_sources}",
        "padding": f"{1 - sum(r.tokens_wanted for r in dataset.plan()) / (len(dataset) * dataset.seq_length):.2%}",
    }
    run_stage(trainer, settings, tokenizer, plan, resume, consumed_tokens(dataset), facts)


if __name__ == "__main__":
    quiet_environment()
    try:
        main()
    except RecipeError as problem:
        from recipes.stages.course import exit_with_message

        exit_with_message(problem)
