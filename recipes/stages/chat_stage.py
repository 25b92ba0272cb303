"""Sections 3.2.3 and 3.2.4: what fine-tuning and preference optimisation share: datasets of rows, encoded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from recipes.running.recipe_keys import ChatKeys
from recipes.running.recipe_loading import RecipeError
from recipes.stages.stage import Stage

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from recipes.data.chat_rows import ChatDataset, ChatSettings, ChatStore
    from recipes.data.held_out import HeldOutSource
    from recipes.reporting.planning import SourcePlan, StagePlan

Settings = TypeVar("Settings", bound=ChatKeys)


class ChatStage(Stage[Settings]):
    """A stage over one dataset, or several with shares of the tokens.

    Attributes:
        rows: of all epochs, in training order; None until the data have been read.
    """

    kind: ClassVar[Literal["sft", "dpo"]]
    steps_depend_on_data = True
    rows: ChatDataset | None = None
    # What a recipe's corpus_samples counts, and how many rows they are.
    stated_rows: ClassVar[str]

    @property
    def dataset_names(self) -> list[str]:
        """The datasets, as the recipe names them."""
        return list(self.settings.shares_of_datasets())

    def has_data(self) -> bool:
        """Whether the datasets lie here, so that their rows can be counted."""
        return all(Path(name).exists() for name in self.dataset_names)

    def chat_settings(self) -> ChatSettings:
        """Return how the rows are read.

        Raises:
            RecipeError: names of columns or roles that nothing is known of.
        """
        from datasets_builders.tokenized.conversations import RowFormat
        from recipes.data.chat_rows import ChatSettings

        settings = self.settings
        mapped = [
            settings.mapping_of(key) if getattr(settings, key) is not None else {}
            for key in ("dataset_columns", "dataset_roles")
        ]
        try:
            names = RowFormat(*mapped)
        except ValueError as error:
            raise RecipeError(f"dataset_columns or dataset_roles: {error}") from error
        return ChatSettings(self.kind, settings.sequence_length, names)

    def read_data(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Encode the datasets, or open what was encoded before."""
        from recipes.data.chat_rows import ChatDataset, open_chat_store
        from recipes.data.chat_sources import ChatSource

        settings, stores = self.settings, []
        shares = settings.shares_of_datasets()
        for name in shares:
            source = ChatSource(name, settings.dataset_split, settings.dataset_streaming, settings.max_samples)
            store = open_chat_store(
                source,
                self.chat_settings(),
                tokenizer,
                settings.packed_dir,
                settings.packing_workers,
                announce=settings.process_index == 0,
            )
            _refuse_empty(store, f"dataset: {name} has nothing to train on")
            stores.append(store)
        self.rows = ChatDataset(
            stores,
            None if settings.datasets is None else list(shares.values()),
            int(settings.num_train_epochs),
            settings.batch_rows_per_step,
            settings.seed,
        )
        settings.max_steps = len(self.rows) // settings.batch_rows_per_step

    def held_out_sources(self, tokenizer: PreTrainedTokenizerBase) -> Iterator[HeldOutSource]:
        """Yield rows of what is held out: the datasets' own split of that name, or what eval_data names."""
        from recipes.data.chat_rows import open_chat_store
        from recipes.data.chat_sources import ChatSource
        from recipes.data.held_out import held_out_chat_rows

        settings = self.settings
        shares = {} if settings.eval_data is not None else settings.shares_of_datasets()
        last_parts = {Path(name).name: name for name in shares}
        # Two makers' datasets may be called alike.
        own = last_parts if len(last_parts) == len(shares) else {name: name for name in shares}
        named = settings.held_out_names() or own
        if settings.eval_data is None:
            for name in shares:
                if Path(name).is_file() or settings.eval_split == settings.dataset_split:
                    settings.refuse("eval_every_steps", f"{name} is trained on whole", "Name other rows by eval_data.")
        for name, dataset in named.items():
            store = open_chat_store(
                ChatSource(dataset, settings.eval_split, settings.dataset_streaming),
                self.chat_settings(),
                tokenizer,
                settings.packed_dir,
                settings.packing_workers,
                announce=settings.process_index == 0,
            )
            _refuse_empty(store, f"eval_data: {name} has nothing to measure the loss on")
            yield held_out_chat_rows(name, store, settings.eval_rows, shares.get(dataset))

    def training_documents(self, tokenizer: PreTrainedTokenizerBase) -> Iterator[Iterator[bytes]]:
        """Yield hashes of the conversations, or pairs, of the datasets."""
        from recipes.data.held_out import chat_documents_of, document_hash

        for store in self.read_rows.stores:
            yield (document_hash(ids) for ids in chat_documents_of(store))

    @property
    def read_rows(self) -> ChatDataset:
        """The rows, once `read_data` has been called."""
        assert self.rows is not None
        return self.rows

    def planned_sources(self) -> list[SourcePlan]:
        """Return the tokens of the run and of the data, per dataset."""
        from recipes.reporting.planning import SourcePlan

        rows = self.read_rows
        names = self.dataset_names if len(rows.stores) > 1 else [self.kind]
        plans = []
        for number, (name, store, share) in enumerate(zip(names, rows.stores, rows.shares, strict=True)):
            planned = round(store.num_tokens / len(store) * rows.num_rows_of(number))
            plans.append(SourcePlan(name, share, planned, store.num_tokens))
        return plans

    def start_chat_plan(self) -> StagePlan:
        """Return a plan with the sources; without the data the number of steps stays open."""
        from recipes.reporting.planning import start_plan
        from recipes.running.checkpoints import geometry_for_plan

        settings = self.settings
        plan = start_plan(settings, self.kind, geometry_for_plan(settings))
        if self.rows is None:
            names = ", ".join(self.dataset_names)
            plan.notes.append(f"steps depend on the data: {names} is not built yet or not here")
            if settings.corpus_samples:
                rows = settings.corpus_samples * int(settings.num_train_epochs)
                settings.max_steps = -(-rows // settings.batch_rows_per_step)
                plan.notes.append(f"planned with the {settings.corpus_samples:,} {self.stated_rows}")
            return plan
        plan.sources = self.planned_sources()
        return plan

    def removal_lines(self) -> list[str]:
        """Return what was removed, a line per dataset."""
        rows = self.read_rows
        if len(rows.stores) == 1:
            return [rows.stores[0].removals.describe()]
        return [
            f"{name}: {store.removals.describe()}" for name, store in zip(self.dataset_names, rows.stores, strict=True)
        ]

    def data_fingerprint(self) -> str:
        """Return a hash of all rows, of their order and of the rows of a step."""
        return self.read_rows.fingerprint()

    def consumed_tokens(self, num_steps: int) -> dict[str, int]:
        """Count the tokens of the rows of the first steps, per dataset."""
        rows = self.read_rows
        counts = rows.consumed(num_steps * self.settings.batch_rows_per_step)
        return dict(zip(self.dataset_names if len(counts) > 1 else [self.kind], counts, strict=True))

    def facts(self) -> dict[str, Any]:
        """Return the counts of what was kept, of what was removed, and of rows."""
        rows = self.read_rows
        return {
            "rows of the datasets": sum(int(store.description["num_read"]) for store in rows.stores),
            "conversations" if self.kind == "sft" else "pairs": sum(
                int(store.description["num_kept"]) for store in rows.stores
            ),
            "removed": "; ".join(self.removal_lines()),
        }


def _refuse_empty(store: ChatStore, problem: str) -> None:
    """Refuse a dataset of which no row is left, with the reasons and what helps against those.

    Raises:
        RecipeError: no row is left.
    """
    if len(store):
        return
    reasons = store.removals.describe() if store.removals.counts else "it has no rows"
    advice = ["raise sequence_length"] if "longer than" in reasons else []
    advice += ["map its columns by dataset_columns"] if "dataset_columns" in reasons else []
    raise RecipeError(f"{problem} ({reasons}): {', or '.join([*advice, 'give another dataset'])}.")
