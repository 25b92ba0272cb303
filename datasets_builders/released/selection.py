"""Section 3.2.3: which rows go into supervised fine-tuning, and how many of each source, language, tag and category."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from datatrove.data import Document
from numpy.typing import NDArray

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.intermediate import DEFAULT_SPLIT, document_of, values_of
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.released.chat_normalization import CONVERSATION
from datasets_builders.released.length_bias import hashed_order


class SelectRows(Step):
    """Keep the wanted kinds of questions, and conversations, that are neither too long nor malformed.

    Args:
        kinds (`Sequence[str]`): the kinds of questions to keep.
        max_chars (`int`): longest question and answer together, in characters.
    """

    name = "select_rows"

    def __init__(self, kinds: Sequence[str], max_chars: int) -> None:
        super().__init__()
        self.kinds, self.max_chars = (*kinds, CONVERSATION), max_chars

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Pass on a row that is wanted."""
        messages = doc.metadata["messages"]
        num_chars = sum(len(message["content"]) for message in messages)
        if doc.metadata["kind"] not in self.kinds:
            yield Removed(doc, "kind_not_wanted", doc.metadata["kind"])
        elif messages[-1]["role"] != "assistant" or not messages[-1]["content"].strip():
            yield Removed(doc, "not_a_question_with_an_answer")
        elif num_chars > self.max_chars:
            yield Removed(doc, "too_long", f"{num_chars} characters")
        else:
            yield doc


@dataclass(frozen=True)
class Quotas:
    """How many training rows there may be of a value, of each dimension of a row.

    Args:
        sources, kinds, languages, tags: value to the most rows; a value not named has no limit.
        max_language_fraction, max_tag_fraction: largest part that one value may have.
        max_answers_per_prompt: most rows that ask the same; 0 for no limit.
        ratio: of categories, such as {code: 3, general: 1, math: 1}; none keeps all.
    """

    sources: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    max_language_fraction: float = 1.0
    max_tag_fraction: float = 1.0
    max_answers_per_prompt: int = 0
    ratio: Mapping[str, float] = field(default_factory=dict)


DIMENSIONS = ("source", "kind", "language", "tag", "category")


class Balance(Step):
    """Keep as many training rows of each source, kind, language, tag and category as the quotas say. One task.

    Which ones is decided by an order by hash, so that it hangs on ids and seed alone. The limits apply one after
    another, each to what the one before left. A row counts as of its first language and its first tag. The validation
    rows all stay: they are what is measured on.

    Args:
        quotas (`Quotas`): the limits.
        seed (`int`): chooses the order.

    Source: paper 3.2.3 for the ratio.
    """

    name = "balance"
    arity = "n:1"

    def __init__(self, quotas: Quotas, seed: int) -> None:
        super().__init__()
        self.quotas, self.seed = quotas, seed

    def begin(self, rank: int, world_size: int) -> None:
        """Start without rows."""
        self._documents = DiskSort(self._order, self.runs_folder)
        self._orders: list[int] = []
        self._codes: list[list[int]] = [[] for _ in (*DIMENSIONS, "prompt")]
        self._values: list[dict[str, int]] = [{} for _ in DIMENSIONS]

    def _order(self, values: list[object]) -> int:
        return hashed_order(self.seed, str(values[0]))

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the row until all are known."""
        self._documents.add(values_of(doc))
        row = doc.metadata
        if row["split"] == DEFAULT_SPLIT:
            self._orders.append(hashed_order(self.seed, doc.id))
            values = [row["source"], row["kind"], _first(row["languages"]), _first(row["tags"]), row["category"]]
            for codes, known, value in zip(self._codes, self._values, values, strict=False):
                codes.append(known.setdefault(value, len(known)))
            prompts = [message["content"] for message in row["messages"][:-1]]
            self._codes[-1].append(hashed_order(0, "\0".join(prompts)))
        return iter(())

    def finish(self) -> Iterator[Outcome]:
        """Give the rows that stay, and remove the others."""
        reasons = iter(self._reasons())
        for doc in map(document_of, self._documents):
            reason, dimension = next(reasons) if doc.metadata["split"] == DEFAULT_SPLIT else ("", "")
            yield Removed(doc, reason, dimension) if reason else doc

    def _reasons(self) -> Iterator[tuple[str, str]]:
        """Give for each training row, in the order by hash, why it goes and of what there is enough; ("", "") stays."""
        order = np.argsort(np.array(self._orders, np.int64), kind="stable")
        *codes, prompts = (np.array(column, np.int64)[order] for column in self._codes)
        names = [list(values) for values in self._values]
        limit = _Limits(len(order))
        quotas = self.quotas
        if quotas.max_answers_per_prompt:
            _, same = np.unique(prompts, return_inverse=True)
            limit.apply("enough_of_this_prompt", same, np.full(same.max(initial=0) + 1, quotas.max_answers_per_prompt))
        for place, given in enumerate((quotas.sources, quotas.kinds, quotas.languages, quotas.tags)):
            caps = np.array([given.get(name, len(order)) for name in names[place]] or [0])
            limit.apply(f"enough_of_this_{DIMENSIONS[place]}", codes[place], caps)
        for place, fraction in ((2, quotas.max_language_fraction), (3, quotas.max_tag_fraction)):
            counts = np.bincount(codes[place][limit.stays], minlength=len(names[place]))
            caps = np.full(len(counts), largest_cap(counts.tolist(), fraction))
            limit.apply(f"enough_of_this_{DIMENSIONS[place]}", codes[place], caps)
        counts = np.bincount(codes[4][limit.stays], minlength=len(names[4]))
        wanted = in_ratio(dict(zip(names[4], counts.tolist(), strict=True)), quotas.ratio)
        limit.apply("enough_of_this_category", codes[4], np.array([wanted[name] for name in names[4]] or [0]))
        dimension_of = {f"enough_of_this_{name}": place for place, name in enumerate(DIMENSIONS)}
        for row, number in enumerate(limit.reason):
            reason = limit.reasons[number]
            place_of = dimension_of.get(reason)
            yield reason, "" if place_of is None else names[place_of][codes[place_of][row]]

    def end(self) -> None:
        """Let go of the rows."""
        self._documents.close()


class _Limits:
    """Which of some rows in order stay, and why the others go."""

    def __init__(self, num_rows: int) -> None:
        self.reasons = [""]
        self.reason: NDArray[np.int64] = np.zeros(num_rows, np.int64)

    @property
    def stays(self) -> NDArray[np.bool_]:
        return self.reason == 0

    def apply(self, reason: str, codes: NDArray[np.int64], caps: NDArray[np.int64]) -> None:
        """Keep the first so many of those rows of each value that are still there."""
        left = np.flatnonzero(self.stays)
        sorted_by_code = left[np.argsort(codes[left], kind="stable")]
        groups = codes[sorted_by_code]
        starts = np.searchsorted(groups, groups, side="left")
        place_in_group = np.arange(len(groups)) - starts
        self.reasons.append(reason)
        self.reason[sorted_by_code[place_in_group >= caps[groups]]] = len(self.reasons) - 1


def largest_cap(counts: Sequence[int], fraction: float) -> int:
    """Return the most rows that each value may have so that none is more than a fraction of what is left then.

    With fewer values than the fraction needs (three values at a quarter each) the least common one decides.
    """
    largest = max(counts, default=0)
    if fraction >= 1 or not counts:
        return largest
    low, high = 0, largest
    while low < high:
        middle = (low + high + 1) // 2
        if middle <= fraction * sum(min(count, middle) for count in counts):
            low = middle
        else:
            high = middle - 1
    return low or min((count for count in counts if count), default=0)


def in_ratio(counts: Mapping[str, int], ratio: Mapping[str, float]) -> dict[str, int]:
    """Return how many rows of each category stay, so that they are in a ratio; categories that it lacks stay whole.

    Categories of the ratio without any row are left out of it: what there is of the others is in their ratio.
    """
    told = {name: weight for name, weight in ratio.items() if weight > 0 and counts.get(name)}
    scale = min((counts[name] / weight for name, weight in told.items()), default=0.0)
    dropped = {name: 0 for name, weight in ratio.items() if weight == 0}
    # A hair above, so that 3 * (x / 3) is x.
    return {**counts} | {name: int(scale * weight + 1e-6) for name, weight in told.items()} | dropped


def _first(values: Sequence[str]) -> str:
    return values[0] if values else ""
