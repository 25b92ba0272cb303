"""Section 3.2.4: whether the chosen answer is the longer one, measured, and held within limits where that is asked for.

Preferences of people and of reward models lean to longer answers, and DPO learns the length before anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from datatrove.data import Document

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.intermediate import DEFAULT_SPLIT, document_of, number_of, values_of
from datasets_builders.building.steps import Outcome, Removed, Step

NO_LIMITS = (0.0, 1.0)
_ORDERS = 1 << 62


def hashed_order(seed: int, identifier: str) -> int:
    """Return a place in an order that hangs on the seed and the id alone."""
    return number_of(f"{seed} {identifier}", _ORDERS)


class BalanceLengths(Step):
    """Leave out training pairs until the part whose chosen answer is the longer one lies within limits. One task.

    Args:
        limits: least and most part of the training pairs, of those whose answers are not equally long.
        seed (`int`): chooses which pairs go.
    """

    name = "balance_lengths"
    arity = "n:1"

    def __init__(self, limits: Sequence[float], seed: int) -> None:
        super().__init__()
        self.least, self.most = limits
        self.seed = seed

    def begin(self, rank: int, world_size: int) -> None:
        """Start without pairs."""
        self._documents = DiskSort(self._order, self.runs_folder)
        self._longer = self._shorter = 0

    def _order(self, values: list[object]) -> tuple[int, str]:
        identifier = str(values[0])
        return hashed_order(self.seed, identifier), identifier

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the pair until all are known."""
        difference = _difference(doc)
        self._longer += difference > 0
        self._shorter += difference < 0
        self._documents.add(values_of(doc))
        return iter(())

    def finish(self) -> Iterator[Outcome]:
        """Give the pairs that stay, and remove the others."""
        surplus = {1: 0, -1: 0}
        if self._longer > self.most * (self._longer + self._shorter):
            # The most that may stay beside all the others: longer <= most / (1 - most) * shorter.
            surplus[1] = self._longer - int(self.most * self._shorter / (1 - self.most) + 1e-9)
        if self._longer < self.least * (self._longer + self._shorter):
            surplus[-1] = self._shorter - int((1 - self.least) * self._longer / self.least + 1e-9)
        for doc in map(document_of, self._documents):
            side = _difference(doc)
            if surplus.get(side, 0) > 0:
                surplus[side] -= 1
                yield Removed(doc, "chosen_longer_too_often" if side > 0 else "chosen_shorter_too_often")
            else:
                yield doc

    def end(self) -> None:
        """Let go of the pairs."""
        self._documents.close()


def _difference(doc: Document) -> int:
    """Return 1 where the chosen answer of a training pair is longer, -1 where it is shorter, else 0."""
    row = doc.metadata
    if row["split"] != DEFAULT_SPLIT:
        return 0
    return (row["chosen_chars"] > row["rejected_chars"]) - (row["chosen_chars"] < row["rejected_chars"])


def length_figures(folder: Path) -> str:
    """Return a Markdown table of the answers' lengths and likeness, by kind and split.

    Args:
        folder (`Path`): the dataset folder, its shards complete.
    """
    import numpy as np

    groups: dict[tuple[str, str], list[tuple[int, int, float]]] = {}
    for shard in DatasetFolder(folder).shards:
        for row in shard.rows(["kind", "chosen_chars", "rejected_chars", "similarity"]):
            values = (row["chosen_chars"], row["rejected_chars"], row["similarity"])
            groups.setdefault((row["kind"], shard.split), []).append(values)
            groups.setdefault(("all", "all"), []).append(values)
    lines = [
        "| kind | split | pairs | chosen is longer | chosen is shorter | chosen, characters | rejected, characters "
        "| edit similarity |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (kind, split), found in sorted(groups.items(), key=lambda item: (item[0][0] == "all", item[0])):
        chosen, rejected, similarity = np.array(found).T
        middles = [f"{np.median(chosen):.0f}", f"{np.median(rejected):.0f}", f"{np.median(similarity):.2f}"]
        lines.append(
            f"| {kind} | {split} | {len(found):,} | {(chosen > rejected).mean():.1%} | "
            f"{(chosen < rejected).mean():.1%} | {' | '.join(middles)} |"
        )
    return "\n".join(lines) + "\n\nLengths and similarity are medians."
