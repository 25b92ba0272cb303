"""Section 3.2, Table 1: stage 1, stage 2 and annealing, with next-token and fill-in-the-middle objectives.

The order of the data is a pure function of the position: a killed run goes on with the very losses of an unbroken one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from recipes.running.recipe_loading import RecipeError
from recipes.stages.stage import Stage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.held_out import HeldOutSource
    from recipes.data.mixture import MixtureDataset
    from recipes.reporting.planning import StagePlan
    from recipes.running.arguments import PretrainArguments
    from recipes.running.trainer import LingTrainerMixin


class PretrainStage(Stage["PretrainArguments"]):
    """Next-token prediction over a token-exact mixture.

    Attributes:
        dataset: the stage's windows in their order, once they have been opened.
    """

    kind = "pretrain"
    settings: PretrainArguments
    dataset: MixtureDataset

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
        plan.notes.append(
            f"fill-in-the-middle on {settings.fim_rate:.0%} of {', '.join(settings.fim_sources)}"
            if settings.fim_rate
            else "no fill-in-the-middle"
        )
        return plan

    def read_data(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Pack what is not packed yet, and open the mixture."""
        self.dataset = self._open_mixture(tokenizer)

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

    def held_out_sources(self, tokenizer: PreTrainedTokenizerBase) -> Iterator[HeldOutSource]:
        """Yield windows of each source: of a token file, or of encoded texts."""
        from recipes.data.held_out import held_out_windows, open_held_out_tokens

        settings = self.settings
        shares = dict(zip((packed.source.name for packed in self.dataset.sources), self.dataset.ratios, strict=True))
        trained_on = {path.resolve() for packed in self.dataset.sources for path in packed.source.paths}
        places = self._held_out_places()
        for name, place in places.items():
            try:
                if Path(place).resolve() in trained_on:
                    raise RecipeError(f"{place} is trained on: a loss over it says nothing about other text.")
                store = open_held_out_tokens(
                    name,
                    place,
                    settings.eval_split,
                    tokenizer,
                    settings.packed_dir,
                    # Rows are spread over what is encoded.
                    max_tokens=4 * settings.sequence_length * (settings.eval_rows or 1 << 40),
                )
                yield held_out_windows(
                    name,
                    store,
                    tokenizer,
                    settings.sequence_length,
                    settings.packed_dir,
                    settings.eval_rows,
                    settings.packing_workers,
                    share=shares.get(name) if places.keys() <= shares.keys() else None,
                )
            except (FileNotFoundError, ValueError) as error:
                raise RecipeError(f"{settings.recipe_path}: eval_data: {name}: {error}") from error

    def _held_out_places(self) -> dict[str, str]:
        """Return files and datasets by name; a folder of token files stands for those of the mixture's names."""
        settings = self.settings
        places = {}
        for name, place in settings.held_out_names().items():
            beside = Path(settings.tokenized) / "data" / place
            if any(Path(place).glob("data/*.ds")):
                for packed in self.dataset.sources:
                    file = packed.source.name.replace(".", "_") + ".ds"
                    places[packed.source.name] = str(Path(place) / "data" / file)
            else:
                places[name] = str(beside) if beside.is_file() else place
        return places

    def training_documents(self, tokenizer: PreTrainedTokenizerBase) -> Iterator[Iterator[bytes]]:
        """Yield hashes of the documents of the mixture's token files."""
        from recipes.data.held_out import document_hash, documents_of
        from recipes.data.token_store import TokenStore

        end = tokenizer.eos_token_id
        for packed in self.dataset.sources:
            for path in packed.source.paths:
                yield (document_hash(ids, end) for ids in documents_of(TokenStore(path)))

    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the first windows, decoded, each with the source that it is from."""
        from recipes.data.show_batch import describe_batch

        rows = [self.dataset[place] for place in range(self.settings.per_device_train_batch_size)]
        return describe_batch(rows, tokenizer, [packed.source.name for packed in self.dataset.sources])

    def data_fingerprint(self) -> str:
        """Return the mixture's own."""
        return self.dataset.fingerprint()

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
        from recipes.running.trainer import LingTrainerMixin

        class PretrainTrainer(LingTrainerMixin, Trainer):
            """Trainer with Ling's losses over the mixture."""

        return PretrainTrainer(
            model=model,
            args=self.settings,
            train_dataset=self.dataset,
            data_collator=collate_windows,
            processing_class=tokenizer,
            **ours,
        )

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
