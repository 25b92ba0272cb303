"""Section 2.2.1: the scores of a model as a step of a pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from datatrove.data import Document

from datasets_builders.building.steps import Outcome, Step
from datasets_builders.curation.quality.agreement import SCORE_PREFIX
from datasets_builders.curation.quality.scorers import Scorer

if TYPE_CHECKING:
    from datasets_builders.curation.quality.scorer_models import LoadedScorer

WINDOW_BATCHES = 8  # within which files of like length are put together


class ModelScores(Step):
    """Write a model's scores of each file into columns; null where a file is too short to be scored.

    Args:
        scorer (`Scorer`): of the config.

    Source: paper 2.2.1 (BERT classifiers, perplexity, askLLM).
    """

    def __init__(self, scorer: Scorer) -> None:
        super().__init__()
        self.scorer = scorer
        self.name = f"scores_{scorer.fields.columns[0].removeprefix(SCORE_PREFIX)}"
        self.batch_size = WINDOW_BATCHES * scorer.batch_size

    def begin(self, rank: int, world_size: int) -> None:
        """Load the model; of several GPUs, ranks take turns."""
        from datasets_builders.curation.quality.scorer_models import load_scorer

        self._model: LoadedScorer | None = load_scorer(self.scorer, rank)

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Score a window of files."""
        assert self._model is not None
        columns = self.scorer.fields.columns
        for doc, scores in zip(docs, self._model.scores([doc.text for doc in docs]), strict=True):
            doc.metadata |= dict(zip(columns, scores, strict=True))
        return [[doc] for doc in docs]

    def end(self) -> None:
        """Drop the model, which does not pickle."""
        if self._model:
            self._model.close()
        self._model = None
