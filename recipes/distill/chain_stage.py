"""Section 2.3.2: a small causal model that learns a teacher's chain of judgement and the verdict behind it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from recipes.distill.stage import DistillStage
from recipes.running.distill_keys import CHAIN

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from modeling_ling.modeling_bailing_moe import BailingMoeForCausalLM
    from recipes.distill.chain_judge import ChainJudge, Judgement
    from recipes.distill.chain_rows import ChainExample, ChainExamples
    from recipes.reporting.planning import StagePlan
    from recipes.running.trainer import LingTrainerMixin

PARTS = ("validation", "held out")
ASKED_AT_ONCE = 32  # no gradients, and logits of the last tokens alone: more than fit into a step of training


class ChainStage(DistillStage):
    """A judge that reasons: next-token training on chain and verdict, measured by what it concludes of unseen rows.

    Attributes:
        examples: read from the dataset.
        judgements: of the validation rows and of those held out, of every process, once training is over.
    """

    tasks = (CHAIN,)
    examples: ChainExamples | None = None
    order: list[ChainExample]
    judgements: dict[str, list[Judgement]]

    def read_data(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Encode the teacher's rows, set two parts aside and put the others into the order of all epochs."""
        from recipes.distill.chain_rows import ChainReader, read_prompt_file
        from recipes.distill.examples import read_all_rows

        settings = self.settings
        reader = ChainReader(
            tokenizer,
            read_prompt_file(settings.prompt_file, settings.prompt_columns),
            settings.prompt_columns,
            chain_column=settings.chain_column,
            verdict_column=settings.verdict_column,
            max_tokens=settings.sequence_length,
            max_new_tokens=settings.max_new_tokens,
            shares=(settings.validation_share, settings.held_out_share),
            seed=settings.seed,
            group_column=settings.group_column,
        )
        rows = read_all_rows(settings.dataset_names, settings.dataset_split, settings.max_samples)
        self.examples, self.judgements = reader.read(rows), {}
        self.order = self.put_in_order(self.examples.train)

    def plan(self) -> StagePlan:
        """Return the plan; steps where the dataset is at hand."""
        from recipes.reporting.planning import SourcePlan, start_plan
        from recipes.running.checkpoints import geometry_for_plan

        settings, examples = self.settings, self.examples
        plan = start_plan(settings, self.kind, geometry_for_plan(settings))
        if examples is None:
            plan.notes.append(f"steps depend on the data: {', '.join(settings.dataset_names)} is not here yet")
            return plan
        tokens = sum(_num_tokens(example) for example in examples.train)
        plan.sources = [SourcePlan(self.kind, 1.0, tokens * int(settings.num_train_epochs), tokens)]
        plan.notes += [f"{name}: {value}" for name, value in self._data_facts().items()]
        return plan

    def describe_first_batch(self, tokenizer: PreTrainedTokenizerBase) -> str:
        """Return the first rows, decoded; what carries no loss stands in brackets."""
        from recipes.data.show_batch import describe_batch

        shown = self.order[: self.settings.per_device_train_batch_size]
        return describe_batch([example.as_row() for example in shown], tokenizer)

    def data_fingerprint(self) -> str:
        """Return a hash of all rows in their order and of the rows of a step."""
        from recipes.distill.chain_rows import fingerprint

        return fingerprint(self.order) + f"/{self.settings.batch_rows_per_step}"

    def make_trainer(
        self, model: BailingMoeForCausalLM, tokenizer: PreTrainedTokenizerBase, **ours: Any
    ) -> LingTrainerMixin:
        """Return transformers' Trainer with the loss on the answers."""
        from recipes.distill.trainer import ChainTrainer
        from recipes.stages.fine_tuning import collate_rows

        return ChainTrainer(
            model=model,
            args=self.settings,
            train_dataset=_Rows(self.order),
            data_collator=partial(collate_rows, pad_token_id=cast(int, tokenizer.eos_token_id)),
            processing_class=tokenizer,
            **ours,
        )

    def measure(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Have the rows of both parts judged."""
        assert self.examples is not None
        judge = self._judge(model, tokenizer)
        parts = dict(zip(PARTS, (self.examples.validation, self.examples.held_out), strict=True))
        for name, examples in parts.items():
            prompts = [examples[number].prompt.tolist() for number in self.own_share(len(examples))]
            self.judgements[name] = self.put_together(judge.judge(prompts, ASKED_AT_ONCE), len(examples))

    def _judge(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ChainJudge:
        from recipes.distill.chain_judge import ChainJudge

        return ChainJudge(model.eval(), tokenizer, self.settings.max_new_tokens, self.settings.sequence_length)

    def consumed_tokens(self, num_steps: int) -> dict[str, int]:
        """Count the tokens of the rows of the first steps."""
        read = self.order[: num_steps * self.settings.batch_rows_per_step]
        return {self.kind: sum(_num_tokens(example) for example in read)}

    def _data_facts(self) -> dict[str, Any]:
        assert self.examples is not None
        examples = self.examples
        removed = ", ".join(f"{number} {reason}" for reason, number in examples.removed.items())
        true = sum(example.verdict for example in examples.train) / len(examples.train)
        return {
            "task": self.settings.task,
            "rows": f"{len(examples.train):,} to train on, {len(examples.validation):,} to choose the threshold by, "
            f"{len(examples.held_out):,} held out{self.by_groups}, removed: {removed or 'none'}",
            "verdicts to train on": f"{true:.1%} true",
        }

    @property
    def threshold(self) -> float:
        """The probability from which on a verdict is true: the validation rows' best."""
        from recipes.distill.chain_figures import best_threshold

        assert self.examples is not None
        said = self.judgements["validation"]
        true = [example.verdict for example in self.examples.validation]
        return best_threshold([judgement.probability for judgement in said], true)

    def facts(self) -> dict[str, Any]:
        """Return the counts of rows and the held-out figures, beside the paper's."""
        from recipes.distill.chain_figures import chain_figures

        assert self.examples is not None
        said = self.judgements["held out"]
        train = [example.verdict for example in self.examples.train]
        true = [example.verdict for example in self.examples.held_out]
        return self._data_facts() | chain_figures(said, true, train, self.threshold)

    def save_model(
        self,
        model: BailingMoeForCausalLM,
        tokenizer: PreTrainedTokenizerBase,
        folder: Path,
        state_dict: dict[str, torch.Tensor] | None,
    ) -> None:
        """Write the model, and beside it what it is asked with."""
        from recipes.distill.chain_judge import JudgeSettings
        from recipes.distill.chain_rows import read_prompt_file

        super().save_model(model, tokenizer, folder, state_dict)
        settings = self.settings
        JudgeSettings(
            prompt=read_prompt_file(settings.prompt_file, settings.prompt_columns).template,
            prompt_columns=settings.prompt_columns,
            max_new_tokens=settings.max_new_tokens,
            threshold=self.threshold,
            max_context=settings.sequence_length,
        ).save(folder)

    def render_card(self, run: dict[str, Any]) -> str:
        """Return the card of a model that reasons and judges."""
        from recipes.distill.card import render_chain_card

        return render_chain_card(run)


class _Rows(Sequence[dict[str, Any]]):
    """Examples as rows, made when they are read: labels and positions need not be kept."""

    def __init__(self, examples: Sequence[ChainExample]) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, place: Any) -> Any:
        return self._examples[place].as_row()


def _num_tokens(example: ChainExample) -> int:
    return len(example.prompt) + len(example.answer)
