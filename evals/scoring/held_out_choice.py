"""Which of two answers a model finds likelier, the right one or a wrong one.

A model of a few million parameters answers no question in full, so that pass@1 says nothing of what it learned. The
same questions still tell whether it leans to the right side, beside a coin and beside the weights before training.

Wrong are answers that were seen to be wrong, or, easier, those of other questions: the right answers of two questions
of a kind are exchanged, and, easiest, those of two questions of different kinds, which ask for other forms of answer.
All that can be told of an answer without its question cancels out there, so that a model which does not read the
question is at a coin.

Log-probabilities of whole answers favor short answers, and those that are likely after any question. So they are also
compared by token and by character, and beside what the answer has without its question, as harnesses of benchmarks do.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from evals.errors import UsageError
from evals.report.statistics import bootstrap_interval, difference_interval, paired_sign_flips, rate_interval
from evals.scoring.held_out_loss import ScoredRow, load_model, load_rows, load_tokenizer, mean, row_losses

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHANCE = 0.5
# Functions whose questions may exchange answers; each such group is one observation.
GROUP_FUNCTIONS = 4
# By what log-probabilities of answers are compared. Harnesses call them acc, acc_norm by token, acc_norm and PMI.
MEASURES = {
    "sum": "of the whole answer",
    "mean": "per token",
    "characters": "per character",
    "pmi": "less that without the question",
}
# Where answers are exchanged, each stands on both sides, and what it has without its question cancels out.
EXCHANGE_MEASURES = ("sum", "mean", "characters")


@dataclass(frozen=True)
class WeighedAnswer(ScoredRow):
    """A question with an answer, as tokens, of which the answer's count.

    Attributes:
        num_characters: of the answer.
        unasked: the answer with no question before it; where answers are exchanged, it is not needed.
    """

    num_characters: int
    unasked: ScoredRow | None = None


@dataclass(frozen=True)
class Choice:
    """A question with both answers as tokens, or two questions that exchange theirs; only the answers count.

    Attributes:
        name: tells it from all other choices of a dataset, whatever the model.
        kind: of question.
        cluster: of questions that are not independent: those about one function, or the wrong answers of one question.
        chosen: each question with its right answer.
        rejected: each with the wrong one.
    """

    name: str
    kind: str
    cluster: str
    chosen: tuple[WeighedAnswer, ...]
    rejected: tuple[WeighedAnswer, ...]


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
        for each of `MEASURES`. Intervals and test take what is asked about one function as one observation. Where
        answers are exchanged, `other_kinds` has the same of exchanges between different kinds. `choices` has each
        choice's margins, which `pool_choices` reads.

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
    measures = EXCHANGE_MEASURES if exchange else tuple(MEASURES)
    sides: list[ScoredRow] = list(
        chain.from_iterable((*choice.chosen, *choice.rejected) for choice in (*choices, *across))
    )
    if "pmi" in measures:
        sides += [side.unasked for side in cast("list[WeighedAnswer]", sides) if side.unasked]
    # The right answer of a question stands in each of its pairs, and is scored once.
    distinct = {tuple(side.input_ids): side for side in sides}
    losses = {}
    for name, path in (("model", model), ("baseline", baseline)):
        scores = row_losses(load_model(path), list(distinct.values()), batch_size)
        losses[name] = dict(zip(distinct, scores, strict=True))
    records = [
        {
            "name": choice.name,
            "kind": choice.kind,
            "cluster": choice.cluster,
            "other_kinds": number >= len(choices),
            **{
                name: {measure: _margin(choice, measure, values) for measure in measures}
                for name, values in losses.items()
            },
        }
        for number, choice in enumerate((*choices, *across))
    ]
    return {
        "model": model,
        "baseline": baseline,
        "chance": CHANCE,
        "wrong_answers": "of other questions" if exchange else "seen to be wrong",
        **_results([[record] for record in records]),
        "left_out": dict(left_out),
        "split": split,
        "data": str(data),
        "choices": records,
    }


def pool_choices(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pool what several runs, of other seeds for example, found of the same choices.

    A choice's figures are first averaged over the runs; intervals and tests are over what is asked about, as for one
    run, and hold for these runs: how far further ones would spread is told by each run's own figures alone.

    Args:
        results: of `compare_choices`; what all runs weighed is taken.

    Returns:
        As `compare_choices`, with `runs`: for each run its own figures over all kinds, and `num_left_out`, the choices
        that not every run weighed.

    Raises:
        UsageError: fewer than two results, results of other data, or nothing that all weighed.
    """
    if len(results) < 2:
        raise UsageError("two results or more are pooled")
    for what in ("wrong_answers", "split"):
        if len({str(result.get(what)) for result in results}) > 1:
            raise UsageError(f"these results are not of the same choices: {what} differs")
    found = [{(record["name"], record["other_kinds"]): record for record in result["choices"]} for result in results]
    shared = [key for key in found[0] if all(key in records for records in found)]
    if not any(not other_kinds for _, other_kinds in shared):
        raise UsageError("no choice was weighed by all of these runs: were they given the same data and limits?")
    return {
        **{name: results[0][name] for name in ("chance", "wrong_answers", "split")},
        **_results([[records[key] for records in found] for key in shared]),
        "runs": [
            {
                "model": result["model"],
                "baseline": result["baseline"],
                **_results([[records[key]] for key in shared], kinds=False),
            }
            for result, records in zip(results, found, strict=True)
        ],
        "num_left_out": len(set().union(*found)) - len(shared),
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
        right, wrong = (_encode(tokenizer, question, row[name], unasked=True) for name in ("chosen", "rejected"))
        if max(len(side.input_ids) for side in (right, wrong)) > max_tokens:
            left_out[f"longer than {max_tokens} tokens"] += 1
        elif right.input_ids == wrong.input_ids:
            left_out["the answers are the same tokens"] += 1
        else:
            kept.append(Choice(_name(row), kind_of(row), cluster_of(row), (right,), (wrong,)))
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
            kept.append(Choice(f"{_name(row)} {_name(partner)}", kind_of(row), group, right, wrong))
    if num_alone := sum(map(len, alone.values())):
        left_out["no other question of the kind in its group of functions"] = num_alone
    return kept, left_out


def _answer(row: dict[str, Any]) -> str:
    return str(row["messages"][-1]["content"])


def _function_of(row: dict[str, Any]) -> str:
    return str(row.get("cluster") or row["messages"][0]["content"])


def _name(row: dict[str, Any]) -> str:
    """Return a name of a row that no other row has: many pairs of answers may belong to one question."""
    return hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _encode(
    tokenizer: PreTrainedTokenizerBase, question: Sequence[dict[str, str]], answer: str, *, unasked: bool = False
) -> WeighedAnswer:
    """Return a conversation as tokens, whose last answer counts; on demand also the answer without a question."""
    from modeling_ling.tokenizer import encode_chat

    last = {"role": "assistant", "content": answer}
    chat = encode_chat(tokenizer, [*question, last])
    scored = [bool(flag) for flag in chat["assistant_mask"]]
    if any(message["role"] == "assistant" for message in question):  # earlier answers are given, not weighed
        before = encode_chat(tokenizer, list(question))["input_ids"]
        scored = [flag and place >= len(before) for place, flag in enumerate(scored)]
    alone = None
    if unasked:
        bare = encode_chat(tokenizer, [last])
        alone = ScoredRow(list(bare["input_ids"]), [bool(flag) for flag in bare["assistant_mask"]])
    return WeighedAnswer(list(chat["input_ids"]), scored, max(len(answer), 1), alone)


def _margin(choice: Choice, measure: str, losses: dict[tuple[int, ...], float]) -> float:
    """Return how much likelier the right answers are than the wrong ones; `losses` are means over a side's tokens."""

    def total(side: ScoredRow) -> float:
        return -losses[tuple(side.input_ids)] * sum(side.scored[1:])

    def score(side: WeighedAnswer) -> float:
        if measure == "pmi":
            return total(side) - total(cast("ScoredRow", side.unasked))
        divisor = {"sum": 1, "mean": sum(side.scored[1:]), "characters": side.num_characters}[measure]
        return total(side) / divisor

    return sum(map(score, choice.chosen)) - sum(map(score, choice.rejected))


def _results(choices: Sequence[Sequence[dict[str, Any]]], *, kinds: bool = True) -> dict[str, Any]:
    """Return figures over all, per kind, and of exchanges between kinds; each choice has a record per run."""
    own = [records for records in choices if not records[0]["other_kinds"]]
    across = [records for records in choices if records[0]["other_kinds"]]
    found = sorted({records[0]["kind"] for records in own})
    results = {"all": _measures(own)}
    if kinds and len(found) > 1:
        results |= {kind: _measures([records for records in own if records[0]["kind"] == kind]) for kind in found}
    return {"kinds": results, **({"other_kinds": _measures(across)} if across else {})}


def _measures(choices: Sequence[Sequence[dict[str, Any]]]) -> dict[str, Any]:
    return {measure: _compare(choices, measure) for measure in choices[0][0]["model"]}


def _compare(choices: Sequence[Sequence[dict[str, Any]]], measure: str) -> dict[str, Any]:
    """Return accuracies, margins and their differences by one measure, each choice's averaged over its runs.

    A margin is how much likelier the right answers are than the wrong ones. It tells more than who is ahead: half of
    all pairs are ahead by chance, some by nothing. Where answers are exchanged, it is what the questions tell of their
    answers, and 0 for a model that does not read them.
    """
    names = ("model", "baseline")
    every = {name: [[record[name][measure] for record in records] for records in choices] for name in names}
    margins = {name: [mean(found) for found in every[name]] for name in names}
    right = {name: [mean([float(margin > 0) for margin in found]) for found in every[name]] for name in names}
    differences = [after - before for after, before in zip(right["model"], right["baseline"], strict=True)]
    gains = [after - before for after, before in zip(margins["model"], margins["baseline"], strict=True)]
    clusters = [records[0]["cluster"] for records in choices]
    return {
        "n": len(choices),
        "num_clusters": len(set(clusters)),
        **{
            name: {
                "accuracy": mean(rates),
                "interval": list(rate_interval(rates, clusters)),
                "margin_nats": _mean_with_interval(margins[name], clusters),
            }
            for name, rates in right.items()
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
