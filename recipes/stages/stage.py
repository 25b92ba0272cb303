"""Section 3.2: what a kind of training has to say for itself; all else is the course that the kinds share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from recipes.running.recipe_loading import RecipeError
from recipes.running.stage_keys import StageArguments

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from modeling_ling.configuration_bailing_moe import BailingMoeConfig
    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.data.held_out import HeldOutSource, Overlap
    from recipes.reporting.planning import StagePlan
    from recipes.running.trainer import LingTrainerMixin

Settings = TypeVar("Settings", bound=StageArguments)


class Stage(ABC, Generic[Settings]):
    """One stage of one kind of training: its data, its plan and its trainer.

    Args:
        settings: the recipe's keys, steps and accumulation derived; a plan does with the keys alone.

    Attributes:
        kind: pretrain, sft or dpo: the script that runs it.
        steps_depend_on_data: whether the data must be read before a plan can say how many steps there are.
        measures: whether the finished model is asked something for the card; see `measure`.
        held_out: what the loss is measured on in the course of the run, once `read_held_out` has been called.
        overlaps: what of it is in the training data; on the main process.
        command_line: that the settings were read from, for the record.
    """

    kind: ClassVar[str]
    steps_depend_on_data: ClassVar[bool] = False
    measures: ClassVar[bool] = False
    command_line: Sequence[str] = ()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.held_out: list[HeldOutSource] = []
        self.overlaps: list[Overlap] = []

    @classmethod
    @abstractmethod
    def arguments_class(cls) -> type[Any]:
        """Return the dataclass that the recipe fills: our keys over the library's."""

    def has_data(self) -> bool:
        """Whether what the plan counts is there; a dry run goes without."""
        return True

    @abstractmethod
    def read_data(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Read, or open, what the stage trains on.

        Raises:
            RecipeError: there is none, or nothing of it can be trained on.
        """

    def read_held_out(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Open what the loss is measured on, and say what of it is trained on.

        Raises:
            RecipeError: a source cannot be read, or has no row.
        """
        from recipes.data.held_out import overlap_of

        settings = self.settings
        if not settings.eval_every_steps:
            return
        for source in self.held_out_sources(tokenizer):
            if not source.num_rows:
                raise RecipeError(f"eval_data: {source.name} has no row that could be measured.")
            self.held_out.append(source)
        if settings.process_index == 0:
            self.overlaps = overlap_of(self.held_out, self.training_documents(tokenizer))
            for overlap in self.overlaps:
                if overlap.num_in_training:
                    print(f"warning: eval_data: {overlap}", flush=True)

    def held_out_sources(self, tokenizer: PreTrainedTokenizerBase) -> Iterator[HeldOutSource]:
        """Yield what the loss is measured on.

        Raises:
            RecipeError: the kind of training measures none in its course.
        """
        self.settings.refuse("eval_every_steps", f"{self.kind} measures no loss in its course", "Remove it.")

    def training_documents(self, tokenizer: PreTrainedTokenizerBase) -> Iterator[Iterator[bytes]]:
        """Yield the hashes of the documents of each part of the training data, to be looked up in."""
        return iter(())

    @abstractmethod
    def plan(self) -> StagePlan:
        """Return what the stage is going to do, without the learning rates; `settings.max_steps` is set where known."""

    def whole_plan(self) -> tuple[StagePlan, Callable[[int], float] | None]:
        """Return the plan and the learning rate by step, None while the number of steps is not known."""
        from recipes.reporting.planning import complete_plan

        plan = self.plan()
        if self.settings.max_steps <= 0:
            return plan, None
        return plan, complete_plan(plan, self.settings, self.settings.max_steps)

    def refine_plan(self, plan: StagePlan) -> None:
        """Enter into a plan made before the data were read what only the data can tell."""

    @abstractmethod
    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return what the model sees first, as text."""

    @abstractmethod
    def data_fingerprint(self) -> str:
        """Return a hash of the rows and their order: a run is continued over the same data only."""

    def model_overrides(self) -> dict[str, Any]:
        """Return the configuration keys that the recipe sets on the model."""
        keys = ("router_aux_loss_coef", "router_z_loss_coef", "router_warmup_steps")
        values = {key: getattr(self.settings, key) for key in keys}
        return {key: value for key, value in values.items() if value is not None}

    def starting_config(self, tokenizer: PreTrainedTokenizerBase) -> BailingMoeConfig:
        """Return the configuration of what `load_model` gives; see `checkpoints.starting_config`."""
        from recipes.running.checkpoints import starting_config

        return starting_config(self.settings.init_from, tokenizer, self.model_overrides())

    def load_model(self, tokenizer: PreTrainedTokenizerBase) -> BailingMoeForCausalLM:
        """Return the model that is trained; see `checkpoints.load_model`."""
        import torch

        from recipes.running.checkpoints import load_model

        settings = self.settings
        return load_model(settings.init_from, tokenizer, torch.float32, settings.seed, self.model_overrides())

    @abstractmethod
    def make_trainer(
        self, model: BailingMoeForCausalLM, tokenizer: PreTrainedTokenizerBase, **ours: Any
    ) -> LingTrainerMixin:
        """Return the trainer over the stage's data.

        Args:
            model: in training mode.
            tokenizer: pads.
            **ours: keyword arguments of LingTrainerMixin.
        """

    def measure(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Ask the finished model what the card says of it; called where `measures` is true, in every process.

        Args:
            model: whole, however it was trained: processes need not run it together.
            tokenizer: of the model.
        """

    @abstractmethod
    def consumed_tokens(self, num_steps: int) -> dict[str, int]:
        """Count the real tokens per source of the rows of the first steps."""

    def save_model(
        self,
        model: BailingMoeForCausalLM,
        tokenizer: PreTrainedTokenizerBase,
        folder: Path,
        state_dict: dict[str, torch.Tensor] | None,
    ) -> None:
        """Write what was trained into a folder; see `causal_models.save_model`."""
        from recipes.running.causal_models import save_model

        save_model(model, tokenizer, folder, state_dict)

    def render_card(self, run: dict[str, Any]) -> str:
        """Return the text of the card; see `run_card.render_card`."""
        from recipes.reporting.run_card import render_card

        return render_card(run)

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Return what the card says of the data and the objective."""
