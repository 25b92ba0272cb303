"""The loss of two sets of weights on the same held-out rows, paired, with an interval of the difference."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
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

    Rows are padded on the right and scored in batches of similar length; the result is in the order of `rows`.
    """
    from tqdm import tqdm

    order = sorted(range(len(rows)), key=lambda index: len(rows[index].input_ids))
    losses = [0.0] * len(rows)
    for start in tqdm(range(0, len(order), batch_size), desc="scoring", disable=not sys.stderr.isatty()):
        batch = order[start : start + batch_size]
        for index, loss in zip(batch, _batch_losses(model, [rows[index] for index in batch]), strict=True):
            losses[index] = loss
    return losses


def _batch_losses(model: PreTrainedModel, rows: Sequence[ScoredRow]) -> list[float]:
    import torch

    longest = max(len(row.input_ids) for row in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    attention = torch.zeros(len(rows), longest, dtype=torch.long)
    scored = torch.zeros(len(rows), longest, dtype=torch.bool)
    for number, row in enumerate(rows):
        length = len(row.input_ids)
        ids[number, :length] = torch.tensor(row.input_ids)
        attention[number, :length] = 1
        scored[number, :length] = torch.tensor(row.scored)
    ids, attention, scored = (tensor.to(model.device) for tensor in (ids, attention, scored))
    with torch.inference_mode():
        logits = model(input_ids=ids, attention_mask=attention, use_cache=False).logits[:, :-1].float()
    # Shapes: logits (rows, tokens - 1, vocab), losses (rows, tokens - 1).
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    counts = scored[:, 1:]
    return ((losses * counts).sum(1) / counts.sum(1)).tolist()
