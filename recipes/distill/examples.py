"""Sections 2.1 and 2.3: labelled texts and pairs as token ids, some of them held out by a hash of text or group.

Equal texts fall on the same side, so that no copy of a held-out text is trained on; so do rows of one group (a site, a
repository), where the dataset names it. Texts are data: no special token is parsed in them, as the builders' scorers
read them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from modeling_ling.hub_reading import read_failure
from recipes.distill.sides import Sides, group_of
from recipes.running.distill_keys import CLASSIFICATION, REGRESSION, REWARD
from recipes.running.recipe_loading import RecipeError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

MAX_LABELS = 100


@dataclass(frozen=True)
class Example:
    """What is trained on or measured with.

    Attributes:
        rows: ids of the text; for a pair, of the chosen and the rejected one.
        label: number of the label, or the value; 0 for a pair.
        lengths: of the texts, in characters.
    """

    rows: tuple[list[int], ...]
    label: float
    lengths: tuple[int, ...]


@dataclass
class Examples:
    """All that a dataset gives.

    Attributes:
        train: to train on.
        held_out: to measure with.
        labels: names, in the order of their numbers; empty where there are values or pairs.
        removed: reasons with their numbers.
        num_cut: texts of which only a part fits.
    """

    train: list[Example] = field(default_factory=list)
    held_out: list[Example] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    removed: Counter[str] = field(default_factory=Counter)
    num_cut: int = 0


def read_dataset_rows(dataset: str, split: str) -> Iterable[dict[str, Any]]:
    """Give the rows of a file (.jsonl, .json, .parquet), a folder, or a dataset on the Hub (org/name[@revision]).

    Raises:
        RecipeError: it cannot be read.
    """
    from pathlib import Path

    from datasets import load_dataset

    path = Path(dataset).expanduser()
    try:
        if path.is_file():
            kind = "parquet" if path.suffix == ".parquet" else "json"
            return load_dataset(kind, data_files=str(path), split="train")
        name, _, revision = (str(path), "", "") if path.is_dir() else dataset.partition("@")
        return load_dataset(name, split=split, revision=revision or None)
    except Exception as error:  # datasets, pyarrow and the Hub's client: each has errors of its own
        raise RecipeError(f"dataset: {dataset} cannot be read: {read_failure(error)}") from None


def read_all_rows(datasets: Sequence[str], split: str, max_rows: int | None) -> Iterator[dict[str, Any]]:
    """Give the rows of several datasets, one behind the other, of each the first `max_rows`.

    Raises:
        RecipeError: one cannot be read.
    """
    for dataset in datasets:
        yield from islice(read_dataset_rows(dataset, split), max_rows)


class ExampleReader:
    """Turns rows into examples.

    Args:
        tokenizer: pads, or has an end token.
        task: of `distill_keys.TASKS`.
        columns: names of text and label, or of prompt, chosen and rejected.
        max_tokens: of a text.
        held_out_share: of the rows, or of the groups, 0 to 1.
        seed: of the choice of held-out rows.
        group_column: rows of one group are all trained on, or all held out; "" goes by texts.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        task: str,
        columns: Sequence[str],
        max_tokens: int,
        held_out_share: float,
        seed: int,
        group_column: str = "",
    ) -> None:
        self._group_column = group_column
        self._tokenizer, self._task, self._columns = tokenizer, task, tuple(columns)
        self._max_tokens, self._share, self._seed = max_tokens, held_out_share, seed

    def read(self, rows: Iterable[dict[str, Any]]) -> Examples:
        """Return the examples; rows without a text or with another kind of label are removed and counted.

        Raises:
            RecipeError: a column is missing, labels are too many or one alone, or nothing is left of a side.
        """
        found, kept, sides = Examples(), [], Sides()
        for row in rows:
            for column in self._columns:
                if column not in row:
                    raise RecipeError(
                        f"The dataset has no column {column!r}; it has {', '.join(row)}. Name it in the recipe."
                    )
            values = [row[column] for column in self._columns]
            reason = self._reason_against(values)
            if reason:
                found.removed[reason] += 1
            else:
                kept.append(values)
                if self._group_column:
                    sides.join(self._key(values), group_of(row, self._group_column))
        numbers: dict[Any, int] = {}
        if self._task == CLASSIFICATION:
            found.labels = sorted({label_name(values[1]) for values in kept}, key=_natural)
            if not 2 <= len(found.labels) <= MAX_LABELS:
                raise RecipeError(
                    f"{self._columns[1]}: {len(found.labels)} labels; from 2 to {MAX_LABELS} can be told apart. For "
                    "numbers on a scale write task: regression."
                )
            numbers = {name: number for number, name in enumerate(found.labels)}
        seen: set[bytes] = set()
        for values in kept:
            example, cut = self._example(values, numbers)
            digest = self._digest(self._key(values))
            if digest in seen:
                found.removed["equal"] += 1
                continue
            seen.add(digest)
            if self._group_column:
                digest = self._digest(sides.of(self._key(values)))
            is_held_out = int.from_bytes(digest[:8], "big") < self._share * 2**64
            (found.held_out if is_held_out else found.train).append(example)
            found.num_cut += cut
        if not found.train or not found.held_out:
            raise RecipeError(
                f"The dataset gives {len(found.train)} rows to train on and {len(found.held_out)} to measure with "
                f"({dict(found.removed)} removed): both are needed."
            )
        return found

    def _digest(self, key: str) -> bytes:
        return hashlib.blake2b(f"{self._seed}|{key}".encode("utf-8", "replace")).digest()

    def _key(self, values: Sequence[Any]) -> str:
        # Of pairs the prompt: two answers to one question must not stand on both sides.
        return str(values[0])

    def _reason_against(self, values: Sequence[Any]) -> str:
        if self._task == REWARD:
            if not all(isinstance(value, str) for value in values) or not (values[1].strip() and values[2].strip()):
                return "no text"
            return "chosen and rejected are equal" if values[1] == values[2] else ""
        text, label = values
        if not isinstance(text, str) or not text.strip():
            return "no text"
        if self._task == REGRESSION:
            is_number = isinstance(label, int | float) and math.isfinite(label)
            return "" if is_number else "label is no number"
        return "" if isinstance(label, str | int) and label_name(label) else "no label"

    def _example(self, values: Sequence[Any], numbers: dict[Any, int]) -> tuple[Example, bool]:
        if self._task == REWARD:
            prompt, *answers = values
            # What is judged stands at the end: a long prompt loses its beginning.
            encoded = [self._encode(f"{prompt}\n{answer}", keep_end=True) for answer in answers]
            rows = tuple(ids for ids, _ in encoded)
            return Example(rows, 0.0, tuple(map(len, answers))), any(cut for _, cut in encoded)
        ids, cut = self._encode(values[0])
        label = float(values[1]) if self._task == REGRESSION else float(numbers[label_name(values[1])])
        return Example((ids,), label, (len(values[0]),)), cut

    def _encode(self, text: str, *, keep_end: bool = False) -> tuple[list[int], bool]:
        clean = text.encode("utf-8", "replace").decode()
        self._tokenizer.truncation_side = "left" if keep_end else "right"
        ids = self._tokenizer(clean, truncation=True, max_length=self._max_tokens, split_special_tokens=True)[
            "input_ids"
        ]
        self._tokenizer.truncation_side = "right"
        return ids, len(ids) >= self._max_tokens


def label_name(label: Any) -> str:
    """Return a label as the model's configuration names it."""
    return label.strip() if isinstance(label, str) else str(label)


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers in their order, then names; the last of two is the one whose probability a scorer gives."""
    words = {"false": 0.0, "true": 1.0, "no": 0.0, "yes": 1.0, "low": 0.0, "high": 1.0}
    if name.lower() in words:
        return 0, words[name.lower()], name
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def collate(examples: Sequence[Example], pad_token_id: int) -> dict[str, torch.Tensor]:
    """Return a batch, padded behind; of pairs all chosen rows, then all rejected ones."""
    import torch

    rows = [example.rows[side] for side in range(len(examples[0].rows)) for example in examples]
    longest = max(map(len, rows))
    return {
        "input_ids": torch.tensor([row + [pad_token_id] * (longest - len(row)) for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
        "labels": torch.tensor([example.label for example in examples]),
    }


def fingerprint(examples: Sequence[Example]) -> str:
    """Return a hash of examples in their order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps([example.rows, example.label]).encode())
    return digest.hexdigest()
