"""Which of two answers a model finds likelier, the right one or a wrong one.

A model of a few million parameters answers no question in full, so that pass@1 says nothing of what it learned. The
same questions still tell whether it leans to the right side, beside a coin and beside the weights before training.

Wrong are answers that were seen to be wrong, or, easier, those of other questions: the right answers of two questions
of a kind are exchanged, and, easiest, those of two questions of different kinds, which ask for other forms of answer.
All that can be told of an answer without its question cancels out there, so that a model which does not read the
question is at a coin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.errors import UsageError
from evals.report.statistics import bootstrap_interval, difference_interval, paired_sign_flips, rate_interval
from evals.scoring.held_out_loss import ScoredRow, load_model, load_rows, load_tokenizer, mean, row_losses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHANCE = 0.5
# Functions whose questions may exchange answers; each such group is one observation.
GROUP_FUNCTIONS = 4


@dataclass(frozen=True)
class Choice:
    """A question with both answers as tokens, or two questions that exchange theirs; only the answers count.

    Attributes:
        kind: of question.
        cluster: of questions that are not independent: those about one function, or the wrong answers of one question.
        chosen: each question with its right answer.
        rejected: each with the wrong one.
    """

    kind: str
    cluster: str
    chosen: tuple[ScoredRow, ...]
    rejected: tuple[ScoredRow, ...]


def compare_choices(
    model: str,
    baseline: str,
    data: Path,
    *,
    split: str = "validation",
    kinds: Sequence[str] = (),
    exchange: bool = False,
    limit: int | None = None,
    batch_size: int = 8,
    max_tokens: int = 1024,
) -> dict[str, Any]:
    """Compare how often two sets of weights find the right answer likelier than the wrong one.

    Args:
        model (`str`): a folder, or org/name on the Hub.
        baseline (`str`): what it is compared with; it needs the same tokenizer.
        data: a dataset folder with prompt, chosen and rejected as texts; with messages where answers are exchanged.
        kinds: only questions of these kinds; none are all.
        exchange: weigh right answers against those of other questions of the kind.
        limit: at most this many pairs of answers, chosen by the hashes of their ids.
        max_tokens: pairs with a longer side are left out.

    Returns:
        Per kind of question and over all: accuracies, the paired difference and the p-value of a test by sign flips,
        for the log-probability of the whole answer and for its mean over the answer's tokens. Intervals and test take
        what is asked about one function as one observation. Where answers are exchanged, `other_kinds` has the same
        of exchanges between different kinds.

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
    encode = encode_exchanges if exchange else encode_choices
    choices, left_out = encode(chosen, tokenizer, max_tokens, limit)
    if not choices:
        raise UsageError(f"{data} ({split}): no question can be scored; left out: {dict(left_out)}")
    across = encode_exchanges(chosen, tokenizer, max_tokens, limit, across_kinds=True)[0] if exchange else []
    sides = list(chain.from_iterable((*choice.chosen, *choice.rejected) for choice in (*choices, *across)))
    # The right answer of a question stands in each of its pairs, and is scored once.
    distinct = {tuple(side.input_ids): side for side in sides}
    losses = {}
    for name, path in (("model", model), ("baseline", baseline)):
        scores = row_losses(load_model(path), list(distinct.values()), batch_size)
        losses[name] = dict(zip(distinct, scores, strict=True))
    found = sorted({choice.kind for choice in choices})
    results = {}
    for kind in ["all", *(found if len(found) > 1 else [])]:
        of_kind = [choice for choice in choices if kind in ("all", choice.kind)]
        results[kind] = _measures(of_kind, losses)
    return {
        "model": model,
        "baseline": baseline,
        "chance": CHANCE,
        "wrong_answers": "of other questions" if exchange else "seen to be wrong",
        "kinds": results,
        **({"other_kinds": _measures(across, losses)} if across else {}),
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
    kept: list[Choice] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        if limit is not None and len(kept) == limit:
            break
        missing = [name for name in ("prompt", "chosen", "rejected") if not isinstance(row.get(name), str)]
        if missing:
            raise UsageError(f"rows have no text under {', '.join(missing)}; they have {', '.join(row)}")
        question = [{"role": "user", "content": row["prompt"]}]
        right, wrong = (_encode(tokenizer, question, row[name]) for name in ("chosen", "rejected"))
        if max(len(side.input_ids) for side in (right, wrong)) > max_tokens:
            left_out[f"longer than {max_tokens} tokens"] += 1
        elif right.input_ids == wrong.input_ids:
            left_out["the answers are the same tokens"] += 1
        else:
            kept.append(Choice(kind_of(row), cluster_of(row), (right,), (wrong,)))
    return kept, left_out


def encode_exchanges(
    rows: Sequence[dict[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    max_tokens: int,
    limit: int | None,
    *,
    across_kinds: bool = False,
) -> tuple[list[Choice], Counter[str]]:
    """Find each conversation another of its kind, about another function, and exchange their last answers.

    Only functions of one group exchange answers, so that the groups are independent of each other. `across_kinds`
    finds one of another kind instead.

    Returns:
        (two questions each, reasons why rows were left out, with counts).

    Raises:
        UsageError: a row has no messages that end with an answer.
    """
    kept: list[Choice] = []
    left_out: Counter[str] = Counter()
    numbers: dict[str, int] = {}
    alone: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if limit is not None and len(kept) == limit:
            break
        if not row.get("messages") or row["messages"][-1]["role"] != "assistant":
            raise UsageError(f"rows need messages that end with an answer; they have {', '.join(row)}")
        function = _function_of(row)
        group = f"group {numbers.setdefault(function, len(numbers)) // GROUP_FUNCTIONS}"
        waiting = alone.setdefault(("" if across_kinds else kind_of(row), group), [])
        if len(_encode(tokenizer, row["messages"][:-1], _answer(row)).input_ids) > max_tokens:
            left_out[f"longer than {max_tokens} tokens"] += 1
            continue
        partners = (
            other
            for other in waiting
            if _function_of(other) != function
            and _answer(other) != _answer(row)
            and (kind_of(other) != kind_of(row)) == across_kinds
        )
        partner = next(partners, None)
        if partner is None:
            waiting.append(row)
            continue
        waiting.remove(partner)
        pair = ((row, partner), (partner, row))
        right = tuple(_encode(tokenizer, asked["messages"][:-1], _answer(asked)) for asked, _ in pair)
        wrong = tuple(_encode(tokenizer, asked["messages"][:-1], _answer(other)) for asked, other in pair)
        if max(len(side.input_ids) for side in wrong) > max_tokens:
            left_out[f"longer than {max_tokens} tokens"] += 2
        else:
            kept.append(Choice(kind_of(row), group, right, wrong))
    if num_alone := sum(map(len, alone.values())):
        left_out["no other question of the kind in its group of functions"] = num_alone
    return kept, left_out


def _answer(row: dict[str, Any]) -> str:
    return str(row["messages"][-1]["content"])


def _function_of(row: dict[str, Any]) -> str:
    return str(row.get("cluster") or row["messages"][0]["content"])


def _encode(tokenizer: PreTrainedTokenizerBase, question: Sequence[dict[str, str]], answer: str) -> ScoredRow:
    """Return a conversation as tokens; the last answer counts."""
    from modeling_ling.tokenizer import encode_chat

    chat = encode_chat(tokenizer, [*question, {"role": "assistant", "content": answer}])
    scored = [bool(flag) for flag in chat["assistant_mask"]]
    if any(message["role"] == "assistant" for message in question):  # earlier answers are given, not weighed
        before = encode_chat(tokenizer, list(question))["input_ids"]
        scored = [flag and place >= len(before) for place, flag in enumerate(scored)]
    return ScoredRow(list(chat["input_ids"]), scored)


def _measures(choices: Sequence[Choice], losses: dict[str, dict[tuple[int, ...], float]]) -> dict[str, Any]:
    return {measure: _compare(choices, losses, by_token=measure == "mean") for measure in ("sum", "mean")}


def _compare(
    choices: Sequence[Choice], losses: dict[str, dict[tuple[int, ...], float]], *, by_token: bool
) -> dict[str, Any]:
    """Return accuracies, margins and their differences; `losses` are the means over the tokens of each side.

    A margin is how much likelier the right answers are than the wrong ones. It tells more than who is ahead: half of
    all pairs are ahead by chance, some by nothing. Where answers are exchanged, it is what the questions tell of their
    answers, and 0 for a model that does not read them.
    """

    def score(side: ScoredRow, values: dict[tuple[int, ...], float]) -> float:
        return -values[tuple(side.input_ids)] * (1 if by_token else sum(side.scored[1:]))

    margins = {
        name: [
            sum(score(side, values) for side in choice.chosen) - sum(score(side, values) for side in choice.rejected)
            for choice in choices
        ]
        for name, values in losses.items()
    }
    right = {name: [margin > 0 for margin in found] for name, found in margins.items()}
    differences = [int(after) - int(before) for after, before in zip(right["model"], right["baseline"], strict=True)]
    gains = [after - before for after, before in zip(margins["model"], margins["baseline"], strict=True)]
    clusters = [choice.cluster for choice in choices]
    n = len(choices)
    return {
        "n": n,
        "num_clusters": len(set(clusters)),
        **{
            name: {
                "accuracy": sum(flags) / n,
                "interval": list(rate_interval([float(flag) for flag in flags], clusters)),
                "margin_nats": _mean_with_interval(margins[name], clusters),
            }
            for name, flags in right.items()
        },
        "difference": {"mean": mean(differences), "interval": list(difference_interval(differences, clusters))},
        "p_value": paired_sign_flips(differences, clusters),
        "margin_difference_nats": _mean_with_interval(gains, clusters)
        | {"p_value": paired_sign_flips(gains, clusters)},
    }


def _mean_with_interval(values: Sequence[float], clusters: Sequence[str]) -> dict[str, Any]:
    """Return a mean of log-probabilities and its interval; one observation alone has none."""
    interval = list(bootstrap_interval(values, clusters)) if len(set(clusters)) > 1 else None
    return {"mean": mean(values), "interval": interval}
