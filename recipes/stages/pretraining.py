"""Section 3.2, Table 1: stage 1, stage 2 and annealing, with next-token and fill-in-the-middle objectives.

The order of the data is a pure function of the position: a killed run goes on with the very losses of an unbroken one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from recipes.running.recipe_loading import RecipeError
from recipes.stages.stage import Stage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.held_out import HeldOutRows
    from recipes.data.mixture import MixtureDataset
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import PretrainArguments
    from recipes.running.trainer import LingTrainerMixin


class PretrainStage(Stage["PretrainArguments"]):
    """Next-token prediction over a token-exact mixture.

    Attributes:
        dataset: the stage's windows in their order, once they have been opened.
        held_out: rows whose loss is measured on the way, or None.
    """

    kind = "pretrain"
    settings: PretrainArguments
    dataset: MixtureDataset
    held_out: HeldOutRows | None = None

    @classmethod
    def arguments_class(cls) -> type[Any]:
        """Return PretrainArguments."""
        from recipes.running.arguments import PretrainArguments

        return PretrainArguments

    def plan(self) -> StagePlan:
        """Return the plan: Table 1's shares against the tokens at hand, without reading a token."""
        from recipes.data.mixture_recipe import plan_sources, read_mixture
        from recipes.reporting.planning import start_plan
        from recipes.running.checkpoints import geometry_for_plan

        settings = self.settings
        plan = start_plan(settings, self.kind, geometry_for_plan(settings))
        sources, groups = read_mixture(
            settings.shares, Path(settings.tokenized), settings.fim_sources, settings.recipe_path
        )
        plan.sources = plan_sources(
            sources,
            groups,
            num_windows=settings.max_steps * settings.batch_rows_per_step,
            sequence_length=settings.sequence_length,
            block_rows=settings.mixture_block_rows or settings.batch_rows_per_step,
            seed=settings.data_seed or 0,
            corpus_tokens=settings.corpus_tokens or {},
        )
        rowless = [source.name for source in plan.sources if source.share and not source.planned_tokens]
        if settings.lora_rank:
            plan.notes.append(f"adapters of rank {settings.lora_rank} are trained, and merged at the end")
        if rowless:
            plan.notes.append(f"no row of {', '.join(rowless)}: a share of less than a row of the whole stage")
        added = settings.max_steps * settings.global_batch_tokens - settings.train_tokens
        if added:
            plan.notes.append(f"train_tokens is rounded up by {added:,} tokens to whole steps")
        if settings.validation_tokenized:
            plan.notes.append(
                f"held-out loss over some {settings.validation_rows} rows of {settings.validation_tokenized} every "
                f"{settings.validation_every_steps} steps"
            )
        plan.notes.append(
            f"fill-in-the-middle on {settings.fim_rate:.0%} of {', '.join(settings.fim_sources)}"
            if settings.fim_rate
            else "no fill-in-the-middle"
        )
        return plan

    def read_data(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Pack what is not packed yet, and open the mixture."""
        self.dataset = self._open_mixture(tokenizer)
        self.held_out = self._open_held_out(tokenizer) if self.settings.validation_tokenized else None

    def refine_plan(self, plan: StagePlan) -> None:
        """Count real tokens: what packing left empty is known now."""
        from recipes.reporting.planning import SourcePlan

        rows = self.dataset.plan()
        plan.sources = [
            SourcePlan(row.source, row.ratio, row.tokens_wanted, row.tokens_available, row.tokens_planned)
            for row in rows
        ]
        padding = 1 - sum(row.tokens_planned for row in rows) / (len(self.dataset) * self.dataset.seq_length)
        plan.notes.append(f"packed: {padding:.2%} of all places are padding; the table counts real tokens")

    def _open_mixture(self, tokenizer: PreTrainedTokenizerBase) -> MixtureDataset:
        from recipes.data.mixture import build_mixture
        from recipes.data.mixture_recipe import read_mixture
        from recipes.objectives.fim import FimConfig

        settings = self.settings
        tokenized = Path(settings.tokenized)
        sources, groups = read_mixture(settings.shares, tokenized, settings.fim_sources, settings.recipe_path)
        fim = FimConfig(settings.fim_rate, dict(settings.mapping_of("fim_layouts"))) if settings.fim_rate > 0 else None
        try:
            return build_mixture(
                sources,
                groups,
                tokenizer,
                seq_length=settings.sequence_length,
                num_windows=settings.max_steps * settings.batch_rows_per_step,
                seed=settings.data_seed or 0,
                cache_dir=settings.packed_dir,
                fim=fim,
                block_size=settings.mixture_block_rows or settings.batch_rows_per_step,
                max_epochs=settings.max_epochs,
                num_workers=settings.packing_workers,
            )
        except (FileNotFoundError, ValueError) as error:
            raise RecipeError(f"{settings.recipe_path}: mixture: {error}") from error

    def _open_held_out(self, tokenizer: PreTrainedTokenizerBase) -> HeldOutRows:
        from recipes.data.held_out import open_held_out
        from recipes.data.mixture_recipe import read_mixture

        settings = self.settings
        folders = [Path(folder) for folder in (settings.validation_tokenized or "", settings.tokenized)]
        (sources, groups), (training_sources, _) = (
            read_mixture(settings.shares, folder, settings.fim_sources, settings.recipe_path) for folder in folders
        )
        try:
            return open_held_out(
                sources,
                training_sources,
                groups,
                tokenizer,
                seq_length=settings.sequence_length,
                num_rows=settings.validation_rows,
                cache_dir=settings.packed_dir,
                num_workers=settings.packing_workers,
            )
        except (FileNotFoundError, ValueError) as error:
            raise RecipeError(f"{settings.recipe_path}: validation_tokenized: {error}") from error

    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the first windows, decoded, each with the source that it is from."""
        from recipes.data.show_batch import describe_batch

        rows = [self.dataset[place] for place in range(self.settings.per_device_train_batch_size)]
        return describe_batch(rows, tokenizer, [packed.source.name for packed in self.dataset.sources])

    def data_fingerprint(self) -> str:
        """Return the mixture's own, and that of the held-out rows where the learning rate depends on them."""
        if self.held_out is None or self.settings.drop_on != "validation_loss":
            return self.dataset.fingerprint()
        return f"{self.dataset.fingerprint()}-{self.held_out.fingerprint()}"

    def load_model(self, tokenizer: PreTrainedTokenizerBase) -> BailingMoeForCausalLM:
        """Return the model, with adapters where the recipe asks for them: what then stays may be in bfloat16."""
        import torch

        from recipes.running.causal_models import add_lora
        from recipes.running.checkpoints import load_model

        settings = self.settings
        if not settings.lora_rank:
            return super().load_model(tokenizer)
        dtype = torch.bfloat16 if settings.bf16 else torch.float32
        model = load_model(settings.init_from, tokenizer, dtype, settings.seed, self.model_overrides())
        return cast("BailingMoeForCausalLM", add_lora(model, settings.lora_rank, settings.seed))

    def make_trainer(
        self, model: BailingMoeForCausalLM, tokenizer: PreTrainedTokenizerBase, **ours: Any
    ) -> LingTrainerMixin:
        """Return transformers' Trainer with Ling's losses over the mixture."""
        from transformers import Trainer

        from recipes.data.collator import collate_windows
        from recipes.running.held_out_loss import HeldOutLoss
        from recipes.running.trainer import LingTrainerMixin

        class PretrainTrainer(LingTrainerMixin, Trainer):
            """Trainer with Ling's losses over the mixture."""

            held_out_loss: HeldOutLoss | None = None

            def _extra_record(self) -> dict[str, Any]:
                measured: dict[str, Any] = {}
                if self.held_out_loss is not None:
                    measured, self.held_out_loss.latest = self.held_out_loss.latest, {}
                return {**super()._extra_record(), **measured}

        trainer = PretrainTrainer(
            model=model,
            args=self.settings,
            train_dataset=self.dataset,
            data_collator=collate_windows,
            processing_class=tokenizer,
            **ours,
        )
        if self.held_out is not None:
            every, schedule = self.settings.validation_every_steps, trainer.learning_rate_at
            trainer.held_out_loss = HeldOutLoss(trainer, self.held_out, every, schedule)
            trainer.add_callback(trainer.held_out_loss)
        return trainer

    def consumed_tokens(self, num_steps: int) -> dict[str, int]:
        """Count the real tokens per source of the first steps."""
        counts = self.dataset.tokens_before(num_steps * self.settings.batch_rows_per_step)
        return {packed.source.name: count for packed, count in zip(self.dataset.sources, counts, strict=True)}

    def facts(self) -> dict[str, Any]:
        """Return the seed, the objective and how much of the windows is padding."""
        settings, dataset = self.settings, self.dataset
        planned = sum(row.tokens_planned for row in dataset.plan())
        return {
            "data seed": settings.data_seed,
            "fill-in-the-middle": f"rate {settings.fim_rate}, {settings.fim_layouts}, on {settings.fim_sources}",
            "padding": f"{1 - planned / (len(dataset) * dataset.seq_length):.2%}",
        }
