"""Section 3.2.4: direct preference optimisation on pairs of a right and a wrong answer.

The trainer and the preference losses are TRL's; log-probabilities of policy and reference go through NormHead, and the
router's balance and z-loss are added as in every stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from recipes.stages.chat_stage import ChatStage

if TYPE_CHECKING:
    from accelerate import Accelerator
    from datasets import Dataset as TableDataset
    from torch.utils.data import Dataset
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import DPOArguments
    from recipes.running.trainer import LingTrainerMixin

Pair = dict[str, list[int]]
REFERENCE_COLUMNS = ("ref_chosen_logps", "ref_rejected_logps")


def _as_table(rows: Dataset[Pair], folder: Path) -> TableDataset:
    """Return the pairs of all epochs as a table on disk, mapped: TRL adds the reference's figures as columns."""
    from datasets import Dataset as TableDataset

    return TableDataset.from_generator(_each, gen_kwargs={"rows": rows}, cache_dir=str(folder))


def _each(rows: Dataset[Pair]) -> Iterator[Pair]:
    for place in range(len(cast(Sized, rows))):
        yield rows[place]


@contextmanager
def _alone(accelerator: Accelerator) -> Iterator[None]:
    """Let TRL's figures be those of this process: held-out batches are added up once, in their order."""
    names = ("gather", "gather_for_metrics")
    for name in names:
        accelerator.__dict__[name] = lambda tensor: tensor
    try:
        yield
    finally:
        for name in names:
            del accelerator.__dict__[name]


def make_dpo_trainer(
    model: BailingMoeForCausalLM,
    settings: DPOArguments,
    rows: Dataset[Pair],
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

    import numpy as np
    import torch
    from accelerate.utils import broadcast_object_list
    from datasets import Dataset as TableDataset
    from datasets import concatenate_datasets
    from torch.utils.data import DataLoader
    from tqdm import tqdm
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
            share = self._equal_share().to(loss.device)
            if self.model.training:  # Trainer takes the mean over micro-batches, and the z-loss is of all their tokens
                router_z_loss = router_z_loss * self._share_of_tokens(scores, share) / share
            loss = loss + router_z_loss
            if self.model.training:
                preference_loss = loss - self.router_aux_loss_coef * scores.aux_loss - router_z_loss
                self.add_step_loss(preference_loss * share)
                self._add_routing(scores, share)
            return (loss, result[1]) if return_outputs else loss

        def held_out_sums(self, inputs: dict[str, Any]) -> dict[str, Any]:
            """Return sums over held-out pairs: the preference loss alone, pairs that are preferred rightly, margins."""
            has_router_loss, self.aux_loss_enabled = self.aux_loss_enabled, False
            try:
                with _alone(self.accelerator):
                    loss = DPOTrainer.compute_loss(self, self.model, inputs)
            finally:
                self.aux_loss_enabled = has_router_loss
            metrics = self._metrics["eval"]
            count = loss.new_tensor(len(inputs["input_ids"]) // 2)
            accuracy, margin = (count * metrics[name][-1] for name in ("rewards/accuracies", "rewards/margins"))
            metrics.clear()
            return {"loss": loss * count, "accuracy": accuracy, "margin": margin, "count": count}

        def _precompute_ref_logps(self, dataset: TableDataset, name: str, batch_size: int) -> TableDataset:
            """Add the reference's log-probabilities of the answers; a run that goes on reads those that were kept.

            Every process gets all of them, so that none waits in a barrier while another writes a table of TRL's.
            """
            known = sha256(f"{dataset._fingerprint}|{self._precompute_model_hash}".encode()).hexdigest()[:24]
            path = Path(settings.packed_dir) / "tables" / f"reference_{known}.npz"
            # As the first process sees it: the others could look while it is being written.
            found: list[Any] = [(str(path), path.is_file())]
            broadcast_object_list(found, from_process=0)
            path, is_kept = Path(found[0][0]), found[0][1]
            if is_kept:
                with np.load(path) as kept:
                    columns = {key: kept[key] for key in REFERENCE_COLUMNS}
            else:
                columns = self._reference_columns(dataset, batch_size)
                if self.is_world_process_zero():
                    temporary = path.with_suffix(".tmp.npz")
                    np.savez(temporary, **columns)
                    temporary.replace(path)
            return concatenate_datasets([dataset, TableDataset.from_dict(columns)], axis=1)

        def _reference_columns(self, dataset: TableDataset, batch_size: int) -> dict[str, Any]:
            loader = DataLoader(cast(Any, dataset), batch_size=batch_size, collate_fn=self.data_collator)
            model, parts = self.ref_model or self.model, []
            for batch in tqdm(self.accelerator.prepare(loader), desc="reference", disable=self.args.disable_tqdm):
                parts.append(self.accelerator.gather_for_metrics(self.compute_ref_log_probs(model, batch)))
            sides = (torch.cat([part[side].cpu() for part in parts]).numpy() for side in range(2))
            return dict(zip(REFERENCE_COLUMNS, sides, strict=True))

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
            # TRL looks at the columns of a table; the pairs themselves are read from memory maps.
            train_dataset=_as_table(rows, Path(settings.packed_dir) / "tables")
            if precomputes
            else TableDataset.from_list([rows[0]]),
            processing_class=tokenizer,
            **ours,
        )
    if not precomputes:
        trainer.train_dataset = rows
    trainer.aux_loss_enabled = True  # a coefficient of 0 still has its load logged
    return trainer


class DPOStage(ChatStage["DPOArguments"]):
    """Preference optimisation; a row is a pair, in another order each epoch."""

    kind = "dpo"
    stated_rows = "pairs that the recipe states, as long as a row can be"

    @classmethod
    def arguments_class(cls) -> type[Any]:
        """Return DPOArguments."""
        from recipes.running.arguments import DPOArguments

        return DPOArguments

    def plan(self) -> StagePlan:
        """Return the plan; its rows are pairs, so that its tokens are those of a prompt and two answers."""
        settings, plan = self.settings, self.start_chat_plan()
        plan.notes.append("a row is a pair: two sequences through the policy and, without gradients, the reference")
        if self.rows is None:
            return plan
        epochs, num_pairs = int(settings.num_train_epochs), sum(map(len, self.rows.stores))
        plan.notes.append(f"{num_pairs:,} pairs, {epochs} epoch(s), beta {settings.beta}, loss {settings.loss_type}")
        plan.notes += self.removal_lines()
        return plan

    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the first pairs, decoded."""
        from recipes.data.show_batch import describe_pair

        places = range(min(self.settings.per_device_train_batch_size, len(self.read_rows)))
        return "\n\n".join(describe_pair(self.read_rows[place], tokenizer) for place in places)

    def make_trainer(
        self, model: BailingMoeForCausalLM, tokenizer: PreTrainedTokenizerBase, **ours: Any
    ) -> LingTrainerMixin:
        """Return TRL's DPOTrainer with Ling's losses."""
        return make_dpo_trainer(model, self.settings, self.read_rows, tokenizer, **ours)

    def facts(self) -> dict[str, Any]:
        """Return the counts of pairs and of what was removed, and the objective."""
        return {**super().facts(), "beta": self.settings.beta, "loss": ", ".join(self.settings.loss_type)}
