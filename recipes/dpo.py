"""Section 3.2.4: direct preference optimisation on pairs of a right and a wrong answer.

    accelerate launch --config_file recipes/accelerate_configs/cpu.yaml recipes/dpo.py \
        --config recipes/configs/tiny/dpo.yaml [--field value]

The trainer and the preference losses are TRL's; log-probabilities of policy and reference go through NormHead, and the
router's balance and z-loss are added as in every stage.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Run as a script, this file's own folder comes first on sys.path, and not the repository's.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recipes.running.recipe_loading import RecipeError, parse_recipe, quiet_environment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.chat_data import Removals
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import DPOArguments
    from recipes.running.trainer import LingTrainerMixin


def encode_dataset(
    arguments: DPOArguments, tokenizer: PreTrainedTokenizerBase
) -> tuple[list[dict[str, list[int]]], Removals]:
    """Return the stage's pairs as tokens, and what had to be removed.

    Args:
        arguments: DPOArguments.
        tokenizer: with the chat template.

    Returns:
        (pairs, Removals).

    Raises:
        RecipeError: no dataset, or nothing of it can be trained on.

    Source: paper 2.6.
    """
    from recipes.data.chat_data import encode_preferences, read_rows

    rows = islice(read_rows(arguments.dataset, arguments.dataset_split), arguments.max_samples)
    pairs, removals = encode_preferences(rows, tokenizer, arguments.sequence_length)
    if not pairs:
        raise RecipeError(
            f"dataset: {arguments.dataset} has no pair to train on ({removals.describe()}). Raise sequence_length or "
            "give another dataset."
        )
    return pairs, removals


def _pair_tokens(pair: dict[str, list[int]]) -> int:
    return 2 * len(pair["prompt_ids"]) + len(pair["chosen_ids"]) + len(pair["rejected_ids"])


def plan_stage(
    arguments: DPOArguments,
    pairs: Sequence[dict[str, list[int]]] | None = None,
    removals: Removals | None = None,
) -> StagePlan:
    """Return what the recipe is going to do.

    Args:
        arguments: DPOArguments.
        pairs: encoded; None leaves the number of steps open.
        removals: of the encoding.

    Returns:
        A StagePlan; its rows are pairs, so that its tokens are an upper bound of one side.

    Source: paper 3.2.4.
    """
    from recipes.reporting.planning import SourcePlan, start_plan
    from recipes.running.checkpoints import geometry_for_plan

    plan = start_plan(arguments, "dpo", geometry_for_plan(arguments))
    epochs = int(arguments.num_train_epochs)
    plan.notes.append("a row is a pair: two sequences through the policy and, without gradients, the reference")
    if pairs is None:
        plan.notes.append(f"steps depend on the data: {arguments.dataset} is not built yet")
        return plan
    arguments.max_steps = -(-len(pairs) * epochs // plan.rows_per_step)
    tokens = sum(_pair_tokens(pair) for pair in pairs)
    plan.sources = [SourcePlan("dpo", 1.0, tokens * epochs, tokens)]
    plan.notes.append(f"{len(pairs):,} pairs, {epochs} epoch(s), beta {arguments.beta}, loss {arguments.loss_type}")
    if removals is not None:
        plan.notes.append(removals.describe())
    return plan


def make_trainer(
    model: BailingMoeForCausalLM,
    arguments: DPOArguments,
    pairs: list[dict[str, list[int]]],
    tokenizer: PreTrainedTokenizerBase,
    reference: BailingMoeForCausalLM | None = None,
    **ours: Any,
) -> LingTrainerMixin:
    """Return TRL's DPOTrainer with Ling's losses.

    Args:
        model: the policy, a BailingMoeForCausalLM.
        arguments: DPOArguments.
        pairs: in training order.
        tokenizer: pads.
        reference: another model than a frozen copy of the policy; needed when a run is resumed.
        **ours: keyword arguments of LingTrainerMixin.

    Returns:
        The trainer.

    Source: paper 3.2.4.
    """
    import copy

    import torch
    from datasets import Dataset
    from trl import DPOTrainer
    from trl.trainer import dpo_trainer

    from recipes.objectives.norm_head import norm_head_instead_of_fused_head
    from recipes.running.trainer import LingTrainerMixin

    class LingDPOTrainer(LingTrainerMixin, DPOTrainer):
        """DPOTrainer whose log-probabilities go through NormHead and whose loss has the router's z-loss too."""

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """Do nothing: the card is made at the end, from the run."""

        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            return dataset  # tokenised already, with special-token parsing off

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            """Compute TRL's preference loss with our balance loss in it, plus the z-loss."""
            result = DPOTrainer.compute_loss(self, model, inputs, return_outputs, num_items_in_batch)
            loss = result[0] if return_outputs else result
            scores = self.accelerator.unwrap_model(self.model).last_scores
            router_z_loss = scores.z_loss * (0.0 if arguments.freeze_router else self.model.config.router_z_loss_coef)
            loss = loss + router_z_loss
            if self.model.training:
                share = torch.tensor(1.0 / self.current_gradient_accumulation_steps)
                preference_loss = loss - self.router_aux_loss_coef * scores.aux_loss - router_z_loss
                self.statistics.add(loss=preference_loss * share / self.accelerator.num_processes)
                self._add_routing(scores, share)
            return (loss, result[1]) if return_outputs else loss

        def _extra_record(self) -> dict[str, Any]:
            wanted = ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies")
            values = {name: self._metrics["train"].get(name) for name in wanted}
            return {name: sum(value) / len(value) for name, value in values.items() if value}

    precomputes = arguments.precompute_ref_log_probs
    if reference is None and not precomputes:
        reference = copy.deepcopy(model)
    with norm_head_instead_of_fused_head(dpo_trainer):
        trainer = LingDPOTrainer(
            model=model,
            ref_model=None if precomputes or reference is None else reference.requires_grad_(False).eval(),
            args=arguments,
            train_dataset=Dataset.from_list(pairs),
            processing_class=tokenizer,
            **ours,
        )
    trainer.aux_loss_enabled = True  # a coefficient of 0 still has its load logged
    return trainer


def main(arguments: Sequence[str] | None = None) -> None:
    """Run direct preference optimization.

    Args:
        arguments: the command line without the program's name; sys.argv's by default.

    Raises:
        RecipeError: the recipe cannot be run as written.

    Source: paper 3.2.4.
    """
    from recipes.running.arguments import DPOArguments

    settings = parse_recipe(DPOArguments, arguments)
    import torch

    from recipes.data.chat_data import epoch_order, fingerprint
    from recipes.data.show_batch import describe_pair
    from recipes.reporting.planning import complete_plan
    from recipes.running.checkpoints import load_model, load_tokenizer, resolve_resume
    from recipes.stages.course import (
        announce,
        is_main_process,
        model_overrides,
        moments_folder,
        prepare_console,
        run_stage,
    )

    if settings.dry_run and not Path(settings.dataset).is_dir():
        announce(settings, plan_stage(settings))
        return
    tokenizer = load_tokenizer(settings.tokenizer)
    pairs, removals = encode_dataset(settings, tokenizer)
    plan = plan_stage(settings, pairs, removals)
    learning_rate_at = complete_plan(plan, settings, settings.max_steps)
    if announce(settings, plan):
        return
    order = epoch_order(len(pairs), int(settings.num_train_epochs), plan.rows_per_step, settings.seed)
    ordered = [pairs[index] for index in order]
    if settings.show_batch:
        if is_main_process(settings):
            shown = ordered[: settings.per_device_train_batch_size]
            print("\n\n".join(describe_pair(pair, tokenizer) for pair in shown))
        return
    data_fingerprint = fingerprint(ordered, plan.rows_per_step)
    resume = resolve_resume(settings.resume_from, Path(settings.output_dir), data_fingerprint)
    moments = moments_folder(settings)
    model = load_model(settings.init_from, tokenizer, torch.float32, settings.seed, model_overrides(settings))
    prepare_console(settings)
    trainer = make_trainer(
        model,
        settings,
        ordered,
        tokenizer,
        learning_rate_at=learning_rate_at,
        flops_per_token=plan.flops_per_token,
        data_fingerprint=data_fingerprint,
        moments_from=moments if resume is None else None,
    )
    facts = {
        "data fingerprint": data_fingerprint,
        "pairs": len(pairs),
        "removed": removals.describe(),
        "beta": settings.beta,
        "loss": ", ".join(settings.loss_type),
    }
    consumed = {"dpo": sum(_pair_tokens(pair) for pair in ordered)}
    run_stage(trainer, settings, tokenizer, plan, resume, consumed, facts)


if __name__ == "__main__":
    quiet_environment()
    try:
        main()
    except RecipeError as problem:
        from recipes.stages.course import exit_with_message

        exit_with_message(problem)
