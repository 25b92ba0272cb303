"""Section 2.1, near-deduplication: of files that are almost the same the best one stays.

`SignatureWriter` (1:1) writes signatures beside the documents; `find_clusters` joins those whose estimated Jaccard
similarity is at least 0.7, once, between two stages; `NearDedup` (n:1) merges the members of a cluster into its best:
most stars, then most forks, then the latest, then the smallest path (StarCoder2's order). The result depends neither on
the order of the files nor on the number of workers.

datatrove's stages are not used: they merge tuples in Python, join whatever shares a band without a look at the
signatures, and keep an arbitrary member. Here each band is sorted as an array.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
from datatrove.data import Document
from numpy.typing import NDArray

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.errors import BuildError
from datasets_builders.building.intermediate import number_of
from datasets_builders.building.json_lines import of_line, to_line
from datasets_builders.building.steps import Arity, Merged, Outcome, Step, name_of
from datasets_builders.curation.deduplication.components import components
from datasets_builders.curation.deduplication.exact import best_of, preference
from datasets_builders.curation.deduplication.signature_files import SignatureFiles, SignatureFileWriter
from datasets_builders.curation.deduplication.signatures import (
    bands_for,
    candidate_pairs,
    ngram_hashes_of_each,
    signatures,
)

THRESHOLD = 0.7  # StarCoder, StarCoder2
MIN_BYTES = 50  # of shorter files a line more or less decides
BLOCK_PAIRS = 4_096
RELEASED = "released:"  # before the ids of rows of older datasets, see released.py


def compared_part(text: str, compared_from: str) -> str:
    """Return what of a text is compared: all of it, or what stands behind the last heading."""
    return text.rpartition(compared_from)[2] if compared_from else text


class SignatureWriter(Step):
    """Write the signature of every file; all files pass.

    Args:
        folder (`Path`): where; files per rank.
        batch_size (`int`): documents whose signatures are computed at once.
        threshold (`float`): that of `find_clusters`, which decides by what pairs are found.
        compared_from (`str`): a heading; of a text that has it what stands behind the last one is compared.

    Source: StarCoder2 2.1.
    """

    name = "signatures"
    only_in_builds = True
    libraries = ("rensa",)
    batch_size = 64

    def __init__(
        self, folder: Path, batch_size: int = batch_size, threshold: float = THRESHOLD, compared_from: str = ""
    ) -> None:
        super().__init__()
        self.folder, self.batch_size, self.threshold = str(folder), batch_size, threshold
        self.compared_from = compared_from
        self._writer: SignatureFileWriter | None = None

    def begin(self, rank: int, world_size: int) -> None:
        """Open the files of this rank."""
        self._writer = SignatureFileWriter(Path(self.folder), rank, bands_for(self.threshold))

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Take note of a batch."""
        assert self._writer is not None
        raws = [compared_part(doc.text, self.compared_from).encode("utf-8", "replace") for doc in docs]
        long_enough = [index for index, raw in enumerate(raws) if len(raw) >= MIN_BYTES]
        if long_enough:
            members = [[docs[index].id, *preference(docs[index]), name_of(docs[index])] for index in long_enough]
            self._writer.add(signatures(ngram_hashes_of_each([raws[index] for index in long_enough])), members)
        return [[doc] for doc in docs]

    def finish(self) -> Iterable[Outcome]:
        """Complete the files of this rank."""
        assert self._writer is not None
        self._writer.finish()
        return ()

    def end(self) -> None:
        """Drop files that were not completed."""
        if self._writer:
            self._writer.close()
        self._writer = None


def find_clusters(folder: Path, num_tasks: int, threshold: float = THRESHOLD) -> None:
    """Join near-duplicates into clusters and write, for each rank of `NearDedup`, what becomes of its files.

    Memory: some 60 bytes a file, and the members of one cluster at a time; all else is on disk.

    Args:
        folder: where `SignatureWriter` wrote; `clusters/` is made in it, whole or not at all.
        num_tasks: ranks of `NearDedup`.
        threshold: least estimated Jaccard similarity of two files that are joined.

    Source: StarCoder2 2.1; that candidates are checked by their signatures is ours.
    """
    target = folder / "clusters"
    if target.is_dir():
        return
    files = SignatureFiles(folder, bands_for(threshold)[0])
    labels = _cluster_labels(files, threshold)
    temporary = folder / "clusters.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    _write_clusters(temporary, _clusters(files, labels), num_tasks)
    temporary.rename(target)


def _cluster_labels(files: SignatureFiles, threshold: float) -> NDArray[np.int32]:
    """Return the number of the cluster of each file, by place."""
    order = files.order_of_ids()
    num_files = len(files)
    labels = np.arange(num_files, dtype=np.int32)
    for band in range(files.num_bands):
        pairs = np.concatenate([*_similar_pairs(files, order, band, labels, threshold), np.empty((0, 2), np.int64)])
        if len(pairs):
            labels = components(num_files, labels[pairs])[labels]
    by_place = np.empty_like(labels)
    by_place[order] = labels
    return by_place


def _similar_pairs(
    files: SignatureFiles, order: NDArray[np.int64], band: int, labels: NDArray[np.int32], threshold: float
) -> Iterator[NDArray[np.int64]]:
    """Give the pairs of files, as numbers in the order of ids, that share a band and whose signatures agree.

    Pairs that are in one cluster already are left out.
    """
    pairs = candidate_pairs(files.band(band)[order])
    pairs = pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
    for at in range(0, len(pairs), BLOCK_PAIRS):
        block = pairs[at : at + BLOCK_PAIRS]
        agreement = (files.take(order[block[:, 0]]) == files.take(order[block[:, 1]])).mean(axis=1)
        yield block[agreement >= threshold]


def _clusters(files: SignatureFiles, labels: NDArray[np.int32]) -> Iterator[list[list[Any]]]:
    """Give the members of each cluster of more than one file."""
    is_joined = np.bincount(labels, minlength=1)[labels] > 1
    by_label = DiskSort(lambda value: value[0], files.folder)
    try:
        for member, label, joined in zip(files.members(), labels, is_joined, strict=True):
            if joined:
                by_label.add([int(label), *member])
        for _, cluster in groupby(by_label, lambda value: value[0]):
            yield [member for _, *member in cluster]
    finally:
        by_label.close()


def _write_clusters(folder: Path, clusters: Iterable[list[list[Any]]], num_tasks: int) -> None:
    """Write [id, winner, cluster size, the winner's name] of every member into the file of the rank that meets it.

    They are sorted by id.
    """
    by_rank = DiskSort(lambda value: (value[0], value[1]), folder)
    for members in clusters:
        winner = best_of(member[:5] for member in members)
        name = next(member[5] for member in members if member[0] == winner)
        for identifier in (identifier for identifier, *_ in members if not identifier.startswith(RELEASED)):
            by_rank.add([number_of(identifier, num_tasks), identifier, winner, len(members), name])
    for rank in range(num_tasks):
        (folder / f"{rank:05d}.jsonl").touch()
    for rank, fates in groupby(by_rank, lambda value: value[0]):
        with (folder / f"{rank:05d}.jsonl").open("wb") as file:
            file.writelines(to_line(fate) for _, *fate in fates)
    by_rank.close()


class NearDedup(Step):
    """Merge near-duplicates into the best of their cluster, which learns the cluster's size.

    Documents must come in the order of ids, as they do from `ExactDedup` when its stage and this one have equally many
    ranks and the key `document_id` (the default): so the clusters are read along with them and not held.

    Args:
        folder (`Path`): where `find_clusters` wrote.

    Source: StarCoder2 2.1.
    """

    name = "near_dedup"
    is_filter = True
    measures: ClassVar[Mapping[str, str]] = {
        "cluster": "id of the row that stays of its near-duplicates; its own, if none"
    }
    other_measures: ClassVar[Mapping[str, str]] = {"cluster": "string"}
    only_in_builds = True
    arity: Arity = "n:1"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = str(folder)
        self._lines: IO[bytes] | None = None

    def begin(self, rank: int, world_size: int) -> None:
        """Open what becomes of this rank's files."""
        self._lines = (Path(self.folder) / "clusters" / f"{rank:05d}.jsonl").open("rb")
        self._fate: list[Any] = ["", "", 0, ""]
        self._last = ""

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass a file on, or merge it into the better one.

        Raises:
            BuildError: it comes after a larger id.
        """
        if doc.id < self._last:
            raise BuildError(f"{self.name} was given {doc.id} after {self._last}; its documents must come by id")
        self._last = doc.id
        assert self._lines is not None
        while self._fate[0] < doc.id and (line := self._lines.readline()):
            self._fate = of_line(line)
        winner, size, name = self._fate[1:] if self._fate[0] == doc.id else (doc.id, 1, "")
        doc.metadata["cluster_size"] = size
        self.note(doc, cluster=winner)
        yield doc if winner == doc.id else Merged(doc, winner, "near_duplicate", name)

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Answer without the safety net: a wrong order is a defect of the builder, not of one document."""
        return [self.process(doc) for doc in docs]

    def end(self) -> None:
        """Close the file."""
        if self._lines:
            self._lines.close()
        self._lines = None
