"""Sections 3.2.3 and 3.2.4: which questions are for fine-tuning and which for preferences: never the same.

A model that was fine-tuned on the right answer to a question has nothing to learn from a pair about it. Whole clusters
of alike functions go to one of the two, by a hash, so that `sft` and `dpo` agree without knowing of each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from datatrove.data import Document
from numpy.typing import NDArray

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.intermediate import DEFAULT_SPLIT, number_of
from datasets_builders.building.steps import Outcome, Removed, Step

PREFERENCE_FRACTION = 0.3  # ours
_PARTS = 10_000

Purpose = Literal["sft", "dpo"]


def is_for_preferences(key: str, fraction: float, seed: int) -> bool:
    """Return whether the questions about a cluster of functions are left to preferences."""
    return number_of(f"{seed} {key}", _PARTS) < fraction * _PARTS


class ShareOfQuestions(Step):
    """Keep the training questions that are for one purpose, fine-tuning or preferences; validation rows all stay.

    Args:
        purpose (`str`): "sft" or "dpo".
        fraction (`float`): part of the clusters that is left to preferences.
        seed (`int`): chooses the clusters.
    """

    name = "share_of_questions"

    def __init__(self, purpose: Purpose, fraction: float, seed: int) -> None:
        super().__init__()
        self.purpose, self.fraction, self.seed = purpose, fraction, seed

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a question of this purpose."""
        row = doc.metadata
        key = row.get("cluster") or doc.id
        left = is_for_preferences(key, self.fraction, self.seed)
        if not row.get("cluster") or row["split"] != DEFAULT_SPLIT or left == (self.purpose == "dpo"):
            yield doc
        else:
            yield Removed(doc, "left_to_preferences" if left else "left_to_fine_tuning")


def prompt_hash(prompt: str) -> int:
    """Return a hash of a prompt, in which neither case nor white space counts."""
    content = " ".join(prompt.casefold().split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def prompt_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what a conversation asks first: the content of its first message of the user."""
    return next((message["content"] for message in messages if message["role"] == "user"), "")


class TrainedPrompts:
    """The prompts and clusters that other datasets train on, as sorted hashes.

    Args:
        prompts, clusters: hashes, sorted.
    """

    def __init__(self, prompts: NDArray[np.uint64], clusters: NDArray[np.uint64]) -> None:
        self.prompts, self.clusters = prompts, clusters

    @classmethod
    def of(cls, folders: Sequence[str]) -> TrainedPrompts:
        """Read the training rows of datasets with `messages`, and `cluster` where there is one."""
        prompts: list[int] = []
        clusters: list[int] = []
        for shard in (shard for folder in folders for shard in DatasetFolder(folder).shards_of(DEFAULT_SPLIT)):
            columns = [name for name in ("messages", "cluster") if name in shard.columns or name == "messages"]
            for row in shard.rows(columns):
                prompts.append(prompt_hash(prompt_of(row["messages"])))
                if row.get("cluster"):
                    clusters.append(prompt_hash(row["cluster"]))
        return cls(np.unique(np.array(prompts, np.uint64)), np.unique(np.array(clusters, np.uint64)))

    def save(self, path: Path) -> None:
        """Write a file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, prompts=self.prompts, clusters=self.clusters)

    @classmethod
    def load(cls, path: Path) -> TrainedPrompts:
        """Read what `save` wrote."""
        with np.load(path) as file:
            return cls(file["prompts"], file["clusters"])

    def has_prompt(self, prompt: str) -> bool:
        """Return whether a prompt is trained on."""
        return _has(self.prompts, prompt_hash(prompt))

    def has_cluster(self, cluster: str) -> bool:
        """Return whether a question about a function of the cluster is trained on."""
        return bool(cluster) and _has(self.clusters, prompt_hash(cluster))


def _has(hashes: NDArray[np.uint64], wanted: int) -> bool:
    place = int(np.searchsorted(hashes, np.uint64(wanted)))
    return place < len(hashes) and int(hashes[place]) == wanted


class KeepApart(Step):
    """Remove pairs whose prompt, or a question about whose functions, another dataset trains on.

    Args:
        path (`Path`): of saved `TrainedPrompts`.
    """

    name = "keep_apart"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)
        self._trained: TrainedPrompts | None = None

    def begin(self, rank: int, world_size: int) -> None:
        """Read the hashes."""
        self._trained = TrainedPrompts.load(Path(self.path))

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a pair about something new."""
        assert self._trained is not None
        if self._trained.has_prompt(doc.metadata["prompt"]):
            yield Removed(doc, "prompt_trained_on")
        elif self._trained.has_cluster(doc.metadata["cluster"]):
            yield Removed(doc, "function_trained_on")
        else:
            yield doc

    def end(self) -> None:
        """Drop the hashes."""
        self._trained = None
