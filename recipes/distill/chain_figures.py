"""Section 2.3.2: precision, recall and F1 of a model that reasons, on pairs it has not seen, beside the paper's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from recipes.distill.figures import bootstrap

if TYPE_CHECKING:
    from recipes.distill.chain_judge import Judgement

DEFAULT_THRESHOLD = 0.5
# Footnote 10: of Qwen2-0.5B on 3.2K pairs of the paper's own, which it did not publish.
PAPER = {"precision": 0.9021, "recall": 0.9198, "F1": 0.9109}


def precision(said: Sequence[bool], true: Sequence[bool]) -> float:
    """Return which share of the pairs called consistent is; 0 where none is called so."""
    return _share([wanted for verdict, wanted in zip(said, true, strict=True) if verdict])


def recall(said: Sequence[bool], true: Sequence[bool]) -> float:
    """Return which share of the consistent pairs is called so; 0 where there is none."""
    return _share([verdict for verdict, wanted in zip(said, true, strict=True) if wanted])


def f1(said: Sequence[bool], true: Sequence[bool]) -> float:
    """Return the harmonic mean of precision and recall; 0 where both are 0."""
    hits = sum(verdict and wanted for verdict, wanted in zip(said, true, strict=True))
    return 2 * hits / (sum(said) + sum(true)) if any(said) or any(true) else 0.0


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0


def best_threshold(probabilities: Sequence[float], true: Sequence[bool]) -> float:
    """Return the threshold with the highest F1, of equal ones the nearest to a half; a half without rows.

    Thresholds lie in the middle between two probabilities that occur.
    """
    if not any(true):
        return DEFAULT_THRESHOLD
    values = sorted({*probabilities})
    candidates = [(low + high) / 2 for low, high in pairwise(values)]
    candidates.append(DEFAULT_THRESHOLD)

    def worth(threshold: float) -> tuple[float, float]:
        return f1([value >= threshold for value in probabilities], true), -abs(threshold - DEFAULT_THRESHOLD)

    return max(candidates, key=worth)


def chain_figures(
    judgements: Sequence[Judgement], true: Sequence[bool], train: Sequence[bool], threshold: float
) -> dict[str, str]:
    """Return what a card says of the held-out pairs.

    Args:
        judgements: of the held-out pairs.
        true: the teacher's verdicts on them.
        train: its verdicts on the pairs that were trained on.
        threshold: a probability from here on is true.
    """
    from evals.report.statistics import wilson_interval

    said = [judgement.probability >= threshold for judgement in judgements]
    measures: dict[str, Callable[[Sequence[bool], Sequence[bool]], float]] = {
        "precision": precision,
        "recall": recall,
        "F1": f1,
    }
    always = [True] * len(true)
    figures = {}
    for name, measure in measures.items():
        low, high = bootstrap(measure, said, true)
        figures[f"held-out {name}"] = (
            f"{measure(said, true):.4f} (95 % {low:.4f} to {high:.4f}); always true: {measure(always, true):.4f}; "
            f"the paper's, on pairs of its own: {PAPER[name]:.4f}"
        )
    majority = sum(train) * 2 >= len(train)
    num_right = sum(verdict == wanted for verdict, wanted in zip(said, true, strict=True))
    low, high = wilson_interval(num_right, len(true))
    unfinished = sum(not judgement.is_finished for judgement in judgements)
    figures["held-out accuracy"] = (
        f"{num_right / len(true):.1%} (95 % {low:.1%} to {high:.1%}); the commonest verdict always: "
        f"{sum(wanted == majority for wanted in true) / len(true):.1%}"
    )
    figures["held-out threshold"] = f"{threshold:.4g}, chosen on the validation rows"
    figures["held-out chains without a verdict of their own"] = f"{unfinished:,} of {len(judgements):,}"
    return figures
