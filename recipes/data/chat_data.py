"""Sections 3.2.3 and 3.2.4: conversations and preference pairs as token ids, and conversations packed into rows.

Message content is tokenised with special-token parsing off: `<|endoftext|>` inside a question is text, not an end.
A conversation that does not fit is removed whole, with its reason, and counted: one cut in the middle would teach
answers that never end.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recipes.data.packing import best_fit
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED_LABEL = -100


@dataclass
class Removals:
    """Rows that were not trained on, by reason, with an example of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, row_id: str) -> None:
        """Count one row under a reason."""
        self.counts[reason] += 1
        self.examples.setdefault(reason, row_id)

    def describe(self) -> str:
        """Return one line for the console and the card."""
        if not self.counts:
            return "no row removed"
        return ", ".join(f"{count} removed: {reason}" for reason, count in sorted(self.counts.items()))


@dataclass(frozen=True)
class EncodedConversation:
    """One conversation.

    Attributes:
        row_id: the dataset's `mid`.
        input_ids: tokens, ending with the end token of the last assistant turn.
        assistant_mask: 1 where the token is a target: assistant content and its end token.
    """

    row_id: str
    input_ids: list[int]
    assistant_mask: list[int]


def read_rows(folder: str, split: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a dataset folder or Hub dataset, in the order of its files.

    Args:
        folder: a folder with data/SPLIT*.parquet, or org/name[@revision].
        split: train or validation.

    Returns:
        Rows as dicts.

    Raises:
        RecipeError: no such dataset or split.
    """
    from datasets import load_dataset

    from recipes.running.checkpoints import split_revision

    path = Path(folder)
    files = sorted(path.glob(f"data/{split}*.parquet"))
    if path.is_dir() and not files:
        raise RecipeError(
            f"dataset: {folder} has no data/{split}*.parquet. Build it first (python -m datasets_builders)."
        )
    try:
        if files:
            dataset = load_dataset("parquet", data_files={split: [str(file) for file in files]}, split=split)
        else:
            name, revision = split_revision(folder)
            dataset = load_dataset(name, revision=revision, split=split)
    except Exception as error:
        raise RecipeError(f"dataset: {folder!r}, split {split!r}, cannot be loaded: {error}") from error
    yield from dataset


def encode_conversations(
    rows: Iterable[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_tokens: int
) -> tuple[list[EncodedConversation], Removals]:
    """Render and tokenize conversations with the chat template.

    Args:
        rows: with `messages` (role, content) and `mid`.
        tokenizer: with the released chat template.
        max_tokens: length that a conversation may not exceed.

    Returns:
        What fits and has a target, in the given order, and what was removed.

    Source: paper 2.5; the removal of long conversations is ours.
    """
    from modeling_ling.tokenizer import encode_chat

    kept, removals = [], Removals()
    for number, row in enumerate(rows):
        row_id = str(row.get("mid") or number)
        try:
            encoded = encode_chat(tokenizer, row["messages"])
        except (KeyError, TypeError, ValueError) as error:
            removals.add(f"cannot be rendered: {error}", row_id)
            continue
        input_ids, mask = list(encoded["input_ids"]), [int(value) for value in encoded["assistant_mask"]]
        if len(input_ids) > max_tokens:
            removals.add(f"longer than {max_tokens} tokens", row_id)
        elif not any(mask[1:]):
            removals.add("no assistant token to learn", row_id)
        else:
            kept.append(EncodedConversation(row_id, input_ids, mask))
    return kept, removals


def packed_row(conversations: Sequence[EncodedConversation]) -> dict[str, list[int]]:
    """Return one training row: conversations side by side, positions restarting at 0 so that none attends to another.

    Args:
        conversations: what goes into the row.

    Returns:
        input_ids, labels (-100 where nothing is learned, by position and never by token id), position_ids.

    Source: paper 3.2.3 (packing); isolation of the packed conversations is ours.
    """
    row: dict[str, list[int]] = {"input_ids": [], "labels": [], "position_ids": []}
    for conversation in conversations:
        # The first token of a conversation would otherwise be predicted from the one before it.
        mask = [0, *conversation.assistant_mask[1:]]
        row["input_ids"].extend(conversation.input_ids)
        row["labels"].extend(
            token if wanted else IGNORED_LABEL for token, wanted in zip(conversation.input_ids, mask, strict=True)
        )
        row["position_ids"].extend(range(len(conversation.input_ids)))
    return row


def packed_epochs(
    conversations: Sequence[EncodedConversation], row_tokens: int, num_epochs: int, rows_per_step: int, seed: int
) -> list[dict[str, list[int]]]:
    """Return all rows of a run, in the order in which they are trained: packed once, shuffled anew for each epoch.

    Args:
        conversations: the encoded data.
        row_tokens: tokens of a row.
        num_epochs: passes over the data.
        rows_per_step: the last step of the run is filled up from the front, so that every step is whole.
        seed: of the shuffles.

    Returns:
        Rows, a multiple of rows_per_step.

    Source: paper 3.2.3 (epochs, packing); the order is ours.
    """
    packs = best_fit([len(item.input_ids) for item in conversations], row_tokens)
    rows = [packed_row([conversations[index] for index in pack]) for pack in packs]
    order = epoch_order(len(rows), num_epochs, rows_per_step, seed)
    return [rows[index] for index in order]


def epoch_order(num_rows: int, num_epochs: int, rows_per_step: int, seed: int) -> list[int]:
    """Return the row numbers of a whole run, shuffled per epoch by (seed, epoch), filled up to whole steps."""
    order: list[int] = []
    for epoch in range(num_epochs):
        generator = np.random.Generator(np.random.Philox(key=[seed, epoch]))
        order.extend(int(index) for index in generator.permutation(num_rows))
    missing = -len(order) % rows_per_step
    return order + [order[index % len(order)] for index in range(missing)]


def encode_preference(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> dict[str, list[int]]:
    """Return the prompt and two answers as the token ids that TRL's DPO collator pads.

    Args:
        row: prompt, chosen, rejected as flat strings.
        tokenizer: with the released chat template.

    Returns:
        prompt_ids (the rendered conversation up to the assistant's turn), chosen_ids, rejected_ids (answer and end).

    Raises:
        ValueError: the prompt renders differently before the two answers.

    Source: paper 2.6.
    """
    from modeling_ling.tokenizer import encode_chat

    sides = {}
    for name in ("chosen", "rejected"):
        messages = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row[name]}]
        encoded = encode_chat(tokenizer, messages)
        start = list(encoded["assistant_mask"]).index(1)
        sides[name] = (list(encoded["input_ids"][:start]), list(encoded["input_ids"][start:]))
    if sides["chosen"][0] != sides["rejected"][0]:
        raise ValueError("the prompt is tokenised differently before the chosen and before the rejected answer")
    return {"prompt_ids": sides["chosen"][0], "chosen_ids": sides["chosen"][1], "rejected_ids": sides["rejected"][1]}


def encode_preferences(
    rows: Iterable[dict[str, Any]], tokenizer: PreTrainedTokenizerBase, max_tokens: int
) -> tuple[list[dict[str, list[int]]], Removals]:
    """Tokenize preference pairs; a pair of which one side does not fit is removed whole.

    Args:
        rows: with mid, prompt, chosen, rejected.
        tokenizer: with the released chat template.
        max_tokens: of prompt and answer together.

    Returns:
        What fits, in the given order, and what was removed.

    Source: paper 2.6; the removal of long pairs is ours.
    """
    kept, removals = [], Removals()
    for number, row in enumerate(rows):
        row_id = str(row.get("mid") or number)
        try:
            pair = encode_preference(row, tokenizer)
        except (KeyError, TypeError, ValueError) as error:
            removals.add(f"cannot be rendered: {error}", row_id)
            continue
        longest = max(len(pair["chosen_ids"]), len(pair["rejected_ids"]))
        if len(pair["prompt_ids"]) + longest > max_tokens:
            removals.add(f"longer than {max_tokens} tokens", row_id)
        elif pair["chosen_ids"] == pair["rejected_ids"]:
            removals.add("chosen and rejected are equal", row_id)
        else:
            kept.append(pair)
    return kept, removals


def fingerprint(*parts: Any) -> str:
    """Return a short hash of a data plan: equal when the same rows come in the same order."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
