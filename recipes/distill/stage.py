"""Sections 2.1 and 2.3: models that judge texts, trained by the course of the other stages.

Two kinds of them: a head on any model gives a label, a number or a reward; a causal model writes a chain of reasoning
and then its verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from recipes.running.recipe_loading import RecipeError
from recipes.stages.stage import Stage

if TYPE_CHECKING:
    from recipes.running.arguments import DistillArguments

Row = TypeVar("Row")
Answer = TypeVar("Answer")


class DistillStage(Stage["DistillArguments"]):
    """A model that judges texts; which of the two kinds it is, the recipe's `task` says.

    Attributes:
        tasks: that a class is for.
        order: the rows of all epochs.
    """

    kind = "distill"
    settings: DistillArguments
    steps_depend_on_data = True
    measures = True
    tasks: ClassVar[tuple[str, ...]] = ()
    order: Sequence[Any]

    def __new__(cls, settings: DistillArguments) -> DistillStage:
        """Return a stage of the class that has the recipe's `task`; `recipes.stages.kinds` imports them all."""
        return super().__new__(next(stage for stage in DistillStage.__subclasses__() if settings.task in stage.tasks))

    @classmethod
    def arguments_class(cls) -> type[Any]:
        """Return DistillArguments."""
        from recipes.running.arguments import DistillArguments

        return DistillArguments

    def has_data(self) -> bool:
        """Whether the datasets are here, so that their rows can be counted."""
        return all(Path(name).expanduser().exists() for name in self.settings.dataset_names)

    @property
    def by_groups(self) -> str:
        """Say what rows were held out by, where it is not their text."""
        column = self.settings.group_column
        return f" (whole groups of {column})" if column else ""

    def put_in_order(self, train: Sequence[Row]) -> list[Row]:
        """Return the rows of all epochs, each epoch shuffled, cut to whole steps; `max_steps` is set.

        Raises:
            RecipeError: they make no step.
        """
        import numpy as np

        settings = self.settings
        generator = np.random.default_rng(settings.seed)
        epochs = [generator.permutation(len(train)) for _ in range(int(settings.num_train_epochs))]
        order = [train[number] for epoch in epochs for number in epoch]
        settings.max_steps = len(order) // settings.batch_rows_per_step
        if settings.max_steps < 1:
            raise RecipeError(
                f"global_batch_rows: {settings.global_batch_rows} rows a step, but {len(order)} rows in all epochs. "
                "Make the step smaller."
            )
        return order[: settings.max_steps * settings.batch_rows_per_step]

    def own_share(self, number: int) -> range:
        """Return which of so many held-out rows this process asks the model about."""
        return range(self.settings.process_index, number, self.settings.world_size)

    def put_together(self, said: Sequence[Answer], number: int) -> list[Answer]:
        """Return what every process found about its share, in the order of the rows; all of them call this."""
        from accelerate.utils import gather_object

        found = dict(gather_object(list(zip(self.own_share(number), said, strict=True))))
        return [found[row] for row in range(number)]
