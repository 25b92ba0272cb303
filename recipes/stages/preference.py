"""Section 3.2.4: direct preference optimisation on pairs of a right and a wrong answer.

The trainer and the preference losses are TRL's; log-probabilities of policy and reference go through NormHead, and the
router's balance and z-loss are added as in every stage.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recipes.running.recipe_loading import RecipeError
from recipes.stages.stage import Stage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.chat_data import Removals
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import DPOArguments
    from recipes.running.trainer import LingTrainerMixin

Pair = dict[str, list[int]]


def _pair_tokens(pair: Pair) -> int:
    return 2 * len(pair["prompt_ids"]) + len(pair["chosen_ids"]) + len(pair["rejected_ids"])


def make_dpo_trainer(
    model: BailingMoeForCausalLM,
    settings: DPOArguments,
    rows: list[Pair],
    tokenizer: PreTrainedTokenizerBase,
    reference: BailingMoeForCausalLM | None = None,
    **ours: Any,
) -> LingTrainerMixin:
    """Return TRL's DPOTrainer with Ling's losses.

    Args:
        model: the policy.
        settings: DPOArguments.
        rows: encoded pairs in training order.
        tokenizer: pads.
        reference: another model than a frozen copy of the policy; needed when a run is resumed.
        **ours: keyword arguments of LingTrainerMixin.

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
            router_z_loss = scores.z_loss * (0.0 if settings.freeze_router else self.model.config.router_z_loss_coef)
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

    precomputes = settings.precompute_ref_log_probs
    if reference is None and not precomputes:
        reference = copy.deepcopy(model)
    with norm_head_instead_of_fused_head(dpo_trainer):
        trainer = LingDPOTrainer(
            model=model,
            ref_model=None if precomputes or reference is None else reference.requires_grad_(False).eval(),
            args=settings,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            **ours,
        )
    trainer.aux_loss_enabled = True  # a coefficient of 0 still has its load logged
    return trainer


class DPOStage(Stage["DPOArguments"]):
    """Preference optimisation; a row is a pair.

    Attributes:
        pairs: encoded, in the dataset's order; None until the data have been read.
        rows: pairs of all epochs, in training order.
    """

    kind = "dpo"
    steps_depend_on_data = True
    pairs: list[Pair] | None = None
    removals: Removals
    rows: list[Pair]

    @classmethod
    def arguments_class(cls) -> type[Any]:
        """Return DPOArguments."""
        from recipes.running.arguments import DPOArguments

        return DPOArguments

    def has_data(self) -> bool:
        """Whether the dataset is a folder here, so that its pairs can be counted."""
        return Path(self.settings.dataset).is_dir()

    def read_data(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Encode the pairs and put them into the order of all epochs."""
        from recipes.data.chat_data import encode_preferences, epoch_order, read_rows

        settings = self.settings
        rows = islice(read_rows(settings.dataset, settings.dataset_split), settings.max_samples)
        pairs, self.removals = encode_preferences(rows, tokenizer, settings.sequence_length)
        if not pairs:
            raise RecipeError(
                f"dataset: {settings.dataset} has no pair to train on ({self.removals.describe()}). Raise "
                "sequence_length or give another dataset."
            )
        self.pairs = pairs
        epochs, rows_per_step = int(settings.num_train_epochs), settings.batch_rows_per_step
        self.rows = [pairs[index] for index in epoch_order(len(pairs), epochs, rows_per_step, settings.seed)]
        settings.max_steps = len(self.rows) // rows_per_step

    def plan(self) -> StagePlan:
        """Return the plan; its rows are pairs, so that its tokens are an upper bound of one side."""
        from recipes.reporting.planning import SourcePlan, start_plan
        from recipes.running.checkpoints import geometry_for_plan

        settings = self.settings
        plan = start_plan(settings, self.kind, geometry_for_plan(settings))
        plan.notes.append("a row is a pair: two sequences through the policy and, without gradients, the reference")
        if self.pairs is None:
            plan.notes.append(f"steps depend on the data: {settings.dataset} is not built yet")
            return plan
        epochs = int(settings.num_train_epochs)
        tokens = sum(map(_pair_tokens, self.pairs))
        plan.sources = [SourcePlan("dpo", 1.0, tokens * epochs, tokens)]
        plan.notes.append(
            f"{len(self.pairs):,} pairs, {epochs} epoch(s), beta {settings.beta}, loss {settings.loss_type}"
        )
        plan.notes.append(self.removals.describe())
        return plan

    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the first pairs, decoded."""
        from recipes.data.show_batch import describe_pair

        shown = self.rows[: self.settings.per_device_train_batch_size]
        return "\n\n".join(describe_pair(pair, tokenizer) for pair in shown)

    def data_fingerprint(self) -> str:
        """Return a hash of all pairs in their order and of the pairs of a step."""
        from recipes.data.chat_data import fingerprint

        return fingerprint(self.rows, self.settings.batch_rows_per_step)

    def make_trainer(
        self, model: BailingMoeForCausalLM, tokenizer: PreTrainedTokenizerBase, **ours: Any
    ) -> LingTrainerMixin:
        """Return TRL's DPOTrainer with Ling's losses."""
        return make_dpo_trainer(model, self.settings, self.rows, tokenizer, **ours)

    def consumed_tokens(self, num_steps: int) -> dict[str, int]:
        """Count the tokens of both sides of the pairs of the first steps."""
        return {"dpo": sum(map(_pair_tokens, self.rows[: num_steps * self.settings.batch_rows_per_step]))}

    def facts(self) -> dict[str, Any]:
        """Return the counts of pairs and of what was removed, and the objective."""
        return {
            "pairs": len(self.pairs or ()),
            "removed": self.removals.describe(),
            "beta": self.settings.beta,
            "loss": ", ".join(self.settings.loss_type),
        }
