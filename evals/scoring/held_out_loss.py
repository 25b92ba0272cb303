"""The loss of two sets of weights on the same held-out rows, paired, with an interval of the difference."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.benchmarks.rows import read_rows
from evals.errors import UsageError
from evals.models.model_folder import check_model, loading
from evals.report.statistics import paired_bootstrap

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class ScoredRow:
    """A row as tokens; `scored` says for each token whether its loss counts."""

    input_ids: list[int]
    scored: list[bool]


def compare_losses(
    model: str,
    baseline: str,
    data: Path,
    *,
    split: str = "validation",
    limit: int | None = None,
    batch_size: int = 8,
    max_tokens: int = 1024,
) -> dict[str, Any]:
    """Compare the losses of two sets of weights on the same rows.

    Args:
        model (`str`): a folder, or org/name on the Hub.
        baseline (`str`): what it is compared with.
        data: a dataset folder with messages, text or content.
        limit: at most this many rows, chosen by the hashes of their ids.
        max_tokens: longer rows are left out.

    Returns:
        Means, the paired difference with its interval, and what was left out.

    Raises:
        UsageError: no such model, no rows, or tokenizers that differ.
    """
    tokenizer = load_tokenizer(model, baseline)
    rows, left_out = tokenize_rows(load_rows(data, split), tokenizer, max_tokens, limit)
    if not rows:
        raise UsageError(f"{data} ({split}): no row can be scored; left out: {dict(left_out)}")
    losses = {
        name: row_losses(load_model(path), rows, batch_size)
        for name, path in (("model", model), ("baseline", baseline))
    }
    differences = [ours - theirs for ours, theirs in zip(losses["model"], losses["baseline"], strict=True)]
    return {
        "model": {"name": model, "mean": mean(losses["model"])},
        "baseline": {"name": baseline, "mean": mean(losses["baseline"])},
        "difference": {"mean": mean(differences), "interval": list(paired_bootstrap(differences))},
        "n": len(rows),
        "left_out": dict(left_out),
        "unit": "nats per token, mean over rows of the mean over a row's scored tokens",
        "split": split,
        "data": str(data),
    }


def load_tokenizer(model: str, baseline: str) -> PreTrainedTokenizerBase:
    """Return the tokenizer that two models share.

    Raises:
        UsageError: no such model, or tokenizers that differ.
    """
    from transformers import AutoTokenizer

    for path in (model, baseline):
        check_model(path)
    tokenizers = []
    for path in (model, baseline):
        with loading(path):
            tokenizers.append(AutoTokenizer.from_pretrained(path, trust_remote_code=True))
    tokenizer, other = tokenizers
    if other.get_vocab() != tokenizer.get_vocab():
        raise UsageError("model and baseline have different tokenizers: their losses per token cannot be compared")
    return tokenizer


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def load_rows(folder: Path, split: str) -> list[dict[str, Any]]:
    """Read a split in the order of the hashes of its ids, so that its first rows are a fair sample.

    Raises:
        UsageError: no shards of that split.
        BenchmarkDataError: a shard cannot be read.
    """
    shards = sorted((folder / "data").rglob(f"{split}_*.parquet"))
    if not shards:
        raise UsageError(f"{folder} has no data/{split}_*.parquet; give the output folder of a builder, and its split")
    rows = [row for shard in shards for row in read_rows(shard)]
    return sorted(rows, key=lambda row: hashlib.sha256(str(row.get("mid") or row.get("id")).encode()).digest())


def tokenize_rows(
    rows: Sequence[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_tokens: int, limit: int | None
) -> tuple[list[ScoredRow], Counter[str]]:
    """Turn rows into tokens until `limit` of them can be scored.

    Returns:
        (rows, reasons why others were left out, with counts).

    Raises:
        UsageError: a row has none of messages, text and content.
    """
    kept: list[ScoredRow] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        if limit is not None and len(kept) == limit:
            break
        scored_row = tokenize_row(row, tokenizer)
        if len(scored_row.input_ids) > max_tokens:
            left_out[f"longer than {max_tokens} tokens"] += 1
        elif not any(scored_row.scored[1:]):
            left_out["nothing to score"] += 1
        else:
            kept.append(scored_row)
    return kept, left_out


def tokenize_row(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> ScoredRow:
    """Return a row's tokens; of conversations the assistant's words count, of texts everything."""
    from modeling_ling.tokenizer import encode_chat, encode_text

    if row.get("messages"):
        chat = encode_chat(tokenizer, row["messages"])
        return ScoredRow(list(chat["input_ids"]), [bool(flag) for flag in chat["assistant_mask"]])
    text = row.get("text", row.get("content"))
    if text is None:
        raise UsageError(f"rows have none of messages, text and content; they have {', '.join(row)}")
    ids = encode_text(tokenizer, text)
    return ScoredRow(ids, [True] * len(ids))


def load_model(path: str) -> PreTrainedModel:
    """Load weights in full precision, ready to score."""
    import torch
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    with loading(path):
        model = AutoModelForCausalLM.from_pretrained(path, trust_remote_code=True, dtype=torch.float32)
    return model.eval().to(device)


def row_losses(model: PreTrainedModel, rows: Sequence[ScoredRow], batch_size: int) -> list[float]:
    """Return each row's mean loss over its scored tokens, in nats; the first token of a row is never scored.

    Rows are padded on the right and scored in batches of similar length; the result is in the order of `rows`. A
    question with several answers is read once where the model can be told which answer a token belongs to.
    """
    from tqdm import tqdm

    groups = _with_one_question(rows, batch_size) if _takes_branches(model) else [[index] for index in range(len(rows))]
    groups.sort(key=lambda group: _num_tokens([rows[index] for index in group]))
    losses = [0.0] * len(rows)
    for batch in tqdm(_batches(groups, batch_size), desc="scoring", disable=not sys.stderr.isatty()):
        scores = _batch_losses(model, [[rows[index] for index in group] for group in batch])
        for index, loss in zip(chain.from_iterable(batch), scores, strict=True):
            losses[index] = loss
    return losses


def _takes_branches(model: PreTrainedModel) -> bool:
    """Return whether a model's attention is what a mask of (rows, 1, tokens, tokens) says, and positions are given."""
    return model.config.model_type == "bailing_moe" and model.config._attn_implementation == "sdpa"


def _question_length(row: ScoredRow) -> int:
    return row.scored.index(True) if True in row.scored else len(row.input_ids)


def _num_tokens(group: Sequence[ScoredRow]) -> int:
    start = _question_length(group[0])
    return start + sum(len(row.input_ids) - start for row in group)


def _with_one_question(rows: Sequence[ScoredRow], max_rows: int) -> list[list[int]]:
    """Return the indices of rows that begin with the same question, `max_rows` at most; texts have none and are alone.

    Answers whose tokens are more than three times the longest row are not put behind one question: attention would
    take more than reading the question again.
    """
    groups: list[list[int]] = []
    last_of: dict[tuple[int, ...], int] = {}
    for index, row in enumerate(rows):
        question = tuple(row.input_ids[: _question_length(row)])
        place = last_of.get(question) if question else None
        if place is not None:
            together = [*(rows[other] for other in groups[place]), row]
            if len(together) > max_rows or _num_tokens(together) > 3 * max(len(own.input_ids) for own in together):
                place = None
        if place is None:
            last_of[question] = len(groups)
            groups.append([index])
        else:
            groups[place].append(index)
    return groups


def _batches(groups: Sequence[list[int]], batch_size: int) -> list[list[list[int]]]:
    """Return groups in batches of at most `batch_size` rows."""
    batches: list[list[list[int]]] = []
    for group in groups:
        if not batches or sum(map(len, batches[-1])) + len(group) > batch_size:
            batches.append([])
        batches[-1].append(group)
    return batches


def _batch_losses(model: PreTrainedModel, groups: Sequence[Sequence[ScoredRow]]) -> list[float]:
    """Return the mean loss of each row, group by group; rows of a group begin with the same question."""
    import torch

    shape = (len(groups), max(map(_num_tokens, groups)))
    ids, positions = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    branches = torch.full(shape, -1)  # 0: of the question; then 1 for each answer; -1: padding
    wanted = torch.zeros(shape, dtype=torch.bool)  # what follows is scored
    places: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    counts: list[int] = []
    for number, group in enumerate(groups):
        start = _question_length(group[0])
        ids[number, :start] = torch.tensor(group[0].input_ids[:start])
        positions[number, :start] = torch.arange(start)
        branches[number, :start] = 0
        place = start
        for branch, row in enumerate(group, start=1):
            length = len(row.input_ids)
            span = slice(place, place + length - start)
            ids[number, span] = torch.tensor(row.input_ids[start:])
            positions[number, span] = torch.arange(start, length)
            branches[number, span] = branch
            scored = [index for index in range(max(start, 1), length) if row.scored[index]]
            before = [start - 1 if index == start else place + index - start - 1 for index in scored]
            wanted[number, before] = True
            places += [number * shape[1] + index for index in before]
            targets += [row.input_ids[index] for index in scored]
            owners += [len(counts)] * len(scored)
            counts.append(len(scored))
            place = span.stop
    inputs = {"input_ids": ids, "attention_mask": (branches >= 0).long()}
    if any(len(group) > 1 for group in groups):
        same = (branches[:, None, :] == 0) | (branches[:, None, :] == branches[:, :, None])
        causal = torch.ones(shape[1], shape[1], dtype=torch.bool).tril()
        inputs |= {"attention_mask": (same & causal)[:, None], "position_ids": positions}
    inputs = {name: tensor.to(model.device) for name, tensor in inputs.items()}
    only_wanted = {"logits_to_keep": wanted.to(model.device)} if model.config.model_type == "bailing_moe" else {}
    with torch.inference_mode():
        logits = model(**inputs, **only_wanted, use_cache=False).logits
    # Shapes: logits (wanted places, vocab), losses (scored tokens); answers to one question share its last place.
    logits = logits if only_wanted else logits[wanted.to(logits.device)]
    rows_of_logits = (wanted.flatten().cumsum(0) - 1)[torch.tensor(places, dtype=torch.long)].to(logits.device)
    losses = torch.nn.functional.cross_entropy(
        logits[rows_of_logits].float(), torch.tensor(targets, dtype=torch.long, device=logits.device), reduction="none"
    )
    sums = losses.new_zeros(len(counts)).index_add_(0, torch.tensor(owners, dtype=torch.long).to(logits.device), losses)
    return (sums.cpu() / torch.tensor(counts)).tolist()
