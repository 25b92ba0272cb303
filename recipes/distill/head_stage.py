"""Sections 2.1 and 2.3: a head on any model, trained to judge texts: labels, numbers, or the better of two answers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from modeling_ling.hub_reading import hub_failure
from recipes.distill.stage import DistillStage
from recipes.running.distill_keys import CLASSIFICATION, REGRESSION, REWARD
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from modeling_ling.configuration_bailing_moe import BailingMoeConfig
    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.distill.examples import Example, Examples
    from recipes.reporting.planning import StagePlan
    from recipes.running.trainer import LingTrainerMixin

# Parts of the names of weights that a model without the head lacks.
HEAD_PARTS = ("classifier", "score", "pooler", "pre_classifier", "classification_head")


class HeadStage(DistillStage):
    """A classifier, a scorer or a reward model.

    Attributes:
        examples: read from the dataset.
        order: of all epochs.
        outputs: of the model for each held-out row, one or two a row, once training is over.
    """

    tasks = (CLASSIFICATION, REGRESSION, REWARD)
    examples: Examples | None = None
    order: list[Example]
    outputs: list[list[list[float]]]
    tokenizer: PreTrainedTokenizerBase

    def read_data(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Encode the rows, hold some out and put the others into the order of all epochs."""
        from recipes.distill.examples import ExampleReader, read_all_rows

        settings = self.settings
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        rows = read_all_rows(settings.dataset_names, settings.dataset_split, settings.max_samples)
        reader = ExampleReader(
            tokenizer,
            settings.task,
            settings.columns,
            settings.sequence_length,
            settings.held_out_share,
            settings.seed,
            settings.group_column,
        )
        self.examples, self.tokenizer = reader.read(rows), tokenizer
        self.order = self.put_in_order(self.examples.train)

    def starting_config(self, tokenizer: PreTrainedTokenizerBase) -> BailingMoeConfig:
        """Return the configuration with the head of the task.

        Raises:
            RecipeError: no such model, or none with such a head.
        """
        return cast("BailingMoeConfig", self._config())

    def _config(self) -> Any:
        from transformers import AutoConfig

        import modeling_ling  # noqa: F401  # registers bailing_moe
        from recipes.running.checkpoints import split_revision

        settings = self.settings
        name, revision = split_revision(settings.init_from)
        try:
            config: Any = AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            reason = hub_failure(error) or str(error).splitlines()[0]
            raise RecipeError(
                f"init_from: no model that transformers knows at {settings.init_from!r}: {reason}"
            ) from error
        labels = self.examples.labels if self.examples else ["0", "1"]
        names = labels if settings.task == CLASSIFICATION else ["score"]
        config.id2label = dict(enumerate(names))
        config.label2id = {label: number for number, label in enumerate(names)}
        config.problem_type = {CLASSIFICATION: "single_label_classification", REGRESSION: "regression"}.get(
            settings.task
        )
        if self.examples is not None:
            # A causal model reads its answer at the last token that is no padding, and must know which one that is.
            config.get_text_config().pad_token_id = config.pad_token_id = self.tokenizer.pad_token_id
        return config

    def load_model(self, tokenizer: PreTrainedTokenizerBase) -> BailingMoeForCausalLM:
        """Return the model with a fresh head where it has none.

        Raises:
            RecipeError: weights other than the head's are missing.
        """
        import torch
        from transformers import AutoModelForSequenceClassification

        from recipes.running.checkpoints import split_revision

        settings = self.settings
        name, revision = split_revision(settings.init_from)
        torch.manual_seed(settings.seed)
        result: Any = AutoModelForSequenceClassification.from_pretrained(
            name,
            revision=revision,
            config=self._config(),
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # a head of another number of labels is made anew
        )
        model, found = result
        missing = [key for key in found["missing_keys"] if not any(part in key for part in HEAD_PARTS)]
        if missing:
            raise RecipeError(f"init_from: the weights of {name} lack {missing[0]} and {len(missing) - 1} more.")
        return cast("BailingMoeForCausalLM", model.train())

    def plan(self) -> StagePlan:
        """Return the plan; steps where the dataset is at hand."""
        from recipes.reporting.planning import SourcePlan, start_plan_of_head

        settings, examples = self.settings, self.examples
        plan = start_plan_of_head(settings, self.kind, self._config())
        if examples is None:
            plan.notes.append(f"steps depend on the data: {', '.join(settings.dataset_names)} is not here yet")
            return plan
        tokens = sum(len(row) for example in examples.train for row in example.rows)
        plan.sources = [SourcePlan(self.kind, 1.0, tokens * int(settings.num_train_epochs), tokens)]
        plan.notes += [f"{name}: {value}" for name, value in self._data_facts().items()]
        return plan

    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the first rows, decoded, with their labels."""
        shown = self.order[: self.settings.per_device_train_batch_size]
        return "\n\n".join(
            f"label {example.label}\n" + "\n--- against\n".join(str(tokenizer.decode(row)) for row in example.rows)
            for example in shown
        )

    def data_fingerprint(self) -> str:
        """Return a hash of all rows in their order and of the rows of a step."""
        from recipes.distill.examples import fingerprint

        return fingerprint(self.order) + f"/{self.settings.batch_rows_per_step}"

    def make_trainer(
        self, model: BailingMoeForCausalLM, tokenizer: PreTrainedTokenizerBase, **ours: Any
    ) -> LingTrainerMixin:
        """Return transformers' Trainer with the loss of the task."""
        from recipes.distill.examples import collate
        from recipes.distill.trainer import make_distill_trainer

        return make_distill_trainer(
            task=self.settings.task,
            model=model,
            args=self.settings,
            train_dataset=self.order,
            data_collator=partial(collate, pad_token_id=cast(int, tokenizer.pad_token_id)),
            processing_class=tokenizer,
            **ours,
        )

    def consumed_tokens(self, num_steps: int) -> dict[str, int]:
        """Count the tokens of the rows of the first steps."""
        read = self.order[: num_steps * self.settings.batch_rows_per_step]
        return {self.kind: sum(len(row) for example in read for row in example.rows)}

    def _data_facts(self) -> dict[str, Any]:
        assert self.examples is not None
        examples = self.examples
        removed = ", ".join(f"{number} {reason}" for reason, number in examples.removed.items())
        sides = f"{len(examples.train):,} to train on, {len(examples.held_out):,} held out{self.by_groups}"
        facts = {
            "task": self.settings.task,
            "rows": f"{sides}, removed: {removed or 'none'}",
            "texts of which a part is read": f"{examples.num_cut:,}",
        }
        return facts | ({"labels": ", ".join(examples.labels)} if examples.labels else {})

    def facts(self) -> dict[str, Any]:
        """Return the counts of rows and the held-out figures."""
        return self._data_facts() | self.held_out_figures()

    def held_out_figures(self) -> dict[str, str]:
        """Return how well the model judges the held-out rows, beside what needs no model."""
        from recipes.distill.figures import classification_figures, regression_figures, reward_figures

        assert self.examples is not None
        held_out, train = self.examples.held_out, self.examples.train
        true = [example.label for example in held_out]
        first = [sides[0] for sides in self.outputs]
        if self.settings.task == CLASSIFICATION:
            predicted = [values.index(max(values)) for values in first]
            known = [int(example.label) for example in train]
            return classification_figures(predicted, [int(label) for label in true], known, len(self.examples.labels))
        if self.settings.task == REGRESSION:
            return regression_figures([values[0] for values in first], true, [example.label for example in train])
        margins = [chosen[0] - rejected[0] for chosen, rejected in self.outputs]
        return reward_figures(margins, [example.lengths[0] > example.lengths[1] for example in held_out])

    def measure(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Run the model over the held-out rows."""
        assert self.examples is not None
        examples = self.examples.held_out
        own = [examples[number] for number in self.own_share(len(examples))]
        sides = [self._logits(model, [example.rows[side] for example in own]) for side in range(len(examples[0].rows))]
        self.outputs = self.put_together([list(outputs) for outputs in zip(*sides, strict=True)], len(examples))

    def _logits(self, model: PreTrainedModel, rows: list[list[int]], batch_size: int = 16) -> list[list[float]]:
        import torch

        from recipes.distill.examples import Example, collate

        model.eval()
        pad = cast(int, self.tokenizer.pad_token_id)
        found: list[list[float]] = []
        with torch.inference_mode():
            for at in range(0, len(rows), batch_size):
                batch = collate([Example((row,), 0.0, ()) for row in rows[at : at + batch_size]], pad)
                del batch["labels"]
                given = {key: value.to(model.device) for key, value in batch.items()}
                found += model(**given).logits.float().tolist()
        return found

    def save_model(
        self,
        model: BailingMoeForCausalLM,
        tokenizer: PreTrainedTokenizerBase,
        folder: Path,
        state_dict: dict[str, torch.Tensor] | None,
    ) -> None:
        """Write the model as transformers does: the builders' scorers load it by its path."""
        model.config.output_router_logits = False
        model.save_pretrained(folder, state_dict=state_dict)
        tokenizer.save_pretrained(folder)

    def render_card(self, run: dict[str, Any]) -> str:
        """Return the card of a model that judges texts."""
        from recipes.distill.card import render_judge_card

        return render_judge_card(run, self.settings.task)
