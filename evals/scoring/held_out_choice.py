"""Which of two answers a model finds likelier, the right one or a verified wrong one.

A model of a few million parameters answers no question in full, so that pass@1 says nothing of what it learned. The
same questions still tell whether it leans to the right side, beside a coin and beside the weights before training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.errors import UsageError
from evals.report.statistics import difference_interval, paired_sign_flips, rate_interval
from evals.scoring.held_out_loss import ScoredRow, load_model, load_rows, load_tokenizer, mean, row_losses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHANCE = 0.5


@dataclass(frozen=True)
class Choice:
    """A question with both answers as tokens; only the answers count.

    Attributes:
        kind: of question.
        cluster: of questions that are not independent: those about one function, or the wrong answers of one question.
        chosen: the right side.
        rejected: the wrong side.
    """

    kind: str
    cluster: str
    chosen: ScoredRow
    rejected: ScoredRow


def compare_choices(
    model: str,
    baseline: str,
    data: Path,
    *,
    split: str = "validation",
    kinds: Sequence[str] = (),
    limit: int | None = None,
    batch_size: int = 8,
    max_tokens: int = 1024,
) -> dict[str, Any]:
    """Compare how often two sets of weights find the right answer likelier than the wrong one.

    Args:
        model (`str`): a folder, or org/name on the Hub.
        baseline (`str`): what it is compared with; it needs the same tokenizer.
        data: a dataset folder with prompt, chosen and rejected as texts.
        kinds: only questions of these kinds; none are all.
        limit: at most this many pairs of answers, chosen by the hashes of their ids.
        max_tokens: pairs with a longer side are left out.

    Returns:
        Per kind of question and over all: accuracies, the paired difference and the p-value of a test by sign flips,
        for the log-probability of the whole answer and for its mean over the answer's tokens. Intervals and test take
        what is asked about one function as one observation.

    Raises:
        UsageError: no such model, no rows, or tokenizers that differ.
    """
    tokenizer = load_tokenizer(model, baseline)
    rows = load_rows(data, split)
    known = sorted({kind_of(row) for row in rows})
    unknown = sorted(set(kinds) - set(known))
    if unknown:
        raise UsageError(f"--kinds: {data} ({split}) has no {', '.join(unknown)}; it has {', '.join(known)}")
    chosen = [row for row in rows if not kinds or kind_of(row) in kinds]
    choices, left_out = encode_choices(chosen, tokenizer, max_tokens, limit)
    if not choices:
        raise UsageError(f"{data} ({split}): no question can be scored; left out: {dict(left_out)}")
    sides = [side for choice in choices for side in (choice.chosen, choice.rejected)]
    # The right answer of a question stands in each of its pairs, and is scored once.
    places: dict[tuple[int, ...], int] = {}
    numbers = [places.setdefault(tuple(side.input_ids), len(places)) for side in sides]
    distinct = [sides[numbers.index(number)] for number in range(len(places))]
    losses = {}
    for name, path in (("model", model), ("baseline", baseline)):
        found_losses = row_losses(load_model(path), distinct, batch_size)
        losses[name] = [found_losses[number] for number in numbers]
    found = sorted({choice.kind for choice in choices})
    results = {}
    for kind in ["all", *(found if len(found) > 1 else [])]:
        indices = [index for index, choice in enumerate(choices) if kind in ("all", choice.kind)]
        results[kind] = {
            measure: _compare([choices[i] for i in indices], losses, indices, by_token=measure == "mean")
            for measure in ("sum", "mean")
        }
    return {
        "model": model,
        "baseline": baseline,
        "chance": CHANCE,
        "kinds": results,
        "left_out": dict(left_out),
        "split": split,
        "data": str(data),
    }


def cluster_of(row: dict[str, Any]) -> str:
    """Return what a row shares with those that are no observations of their own: its function, or its question."""
    return str(row.get("cluster") or row["prompt"])


def kind_of(row: dict[str, Any]) -> str:
    """Return what kind of question a row is; datasets of others may not say."""
    return str(row.get("kind") or "question")


def encode_choices(
    rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_tokens: int, limit: int | None
) -> tuple[list[Choice], Counter[str]]:
    """Turn rows into tokens until `limit` of them can be scored.

    Returns:
        (questions, reasons why others were left out, with counts).

    Raises:
        UsageError: a row lacks prompt, chosen or rejected.
    """
    from modeling_ling.tokenizer import encode_chat

    kept: list[Choice] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        if limit is not None and len(kept) == limit:
            break
        missing = [name for name in ("prompt", "chosen", "rejected") if not isinstance(row.get(name), str)]
        if missing:
            raise UsageError(f"rows have no text under {', '.join(missing)}; they have {', '.join(row)}")
        sides = []
        for name in ("chosen", "rejected"):
            messages = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row[name]}]
            chat = encode_chat(tokenizer, messages)
            sides.append(ScoredRow(list(chat["input_ids"]), [bool(flag) for flag in chat["assistant_mask"]]))
        if max(len(side.input_ids) for side in sides) > max_tokens:
            left_out[f"longer than {max_tokens} tokens"] += 1
        elif sides[0].input_ids == sides[1].input_ids:
            left_out["the answers are the same tokens"] += 1
        else:
            kept.append(Choice(kind_of(row), cluster_of(row), *sides))
    return kept, left_out


def _compare(
    choices: Sequence[Choice], losses: dict[str, list[float]], indices: Sequence[int], *, by_token: bool
) -> dict[str, Any]:
    """Return accuracies and their difference; `losses` are means over tokens, chosen and rejected in turn."""
    right: dict[str, list[bool]] = {}
    margins: dict[str, list[float]] = {}
    for name, values in losses.items():
        margins[name] = []
        for choice, index in zip(choices, indices, strict=True):
            weights = (1, 1) if by_token else (_num_scored(choice.chosen), _num_scored(choice.rejected))
            margins[name].append(values[2 * index + 1] * weights[1] - values[2 * index] * weights[0])
        right[name] = [margin > 0 for margin in margins[name]]
    differences = [int(after) - int(before) for after, before in zip(right["model"], right["baseline"], strict=True)]
    clusters = [choice.cluster for choice in choices]
    n = len(choices)
    return {
        "n": n,
        "num_clusters": len(set(clusters)),
        **{
            name: {
                "accuracy": sum(flags) / n,
                "interval": list(rate_interval([float(flag) for flag in flags], clusters)),
                "mean_margin_nats": mean(margins[name]),
            }
            for name, flags in right.items()
        },
        "difference": {"mean": mean(differences), "interval": list(difference_interval(differences, clusters))},
        "p_value": paired_sign_flips(differences, clusters),
    }


def _num_scored(row: ScoredRow) -> int:
    return sum(row.scored[1:])
