"""Section 2.1, near-deduplication: of files that are almost the same the best one stays.

`SignatureWriter` (1:1) writes signatures beside the documents; `find_clusters` joins those whose estimated Jaccard
similarity is at least 0.7, once, between two stages; `NearDedup` (n:1) merges the members of a cluster into its best:
most stars, then most forks, then the latest, then the smallest path (StarCoder2's order). The result depends neither on
the order of the files nor on the number of workers.

datatrove's stages are not used: they merge tuples in Python, join whatever shares a band without a look at the
signatures, and keep an arbitrary member. Here each band is sorted as an array.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document
from numpy.typing import NDArray

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.intermediate import number_of
from datasets_builders.building.steps import Arity, Merged, Outcome, Step
from datasets_builders.curation.exact_dedup import best_of, preference
from datasets_builders.curation.signatures import NUM_BANDS, NUM_PERMUTATIONS, band_hashes, signatures

THRESHOLD = 0.7  # StarCoder, StarCoder2
MIN_BYTES = 50  # of shorter files a line more or less decides
PAIRS_OF_A_BLOCK = 100_000


class SignatureWriter(Step):
    """Write the signature of every file; all files pass.

    Args:
        folder (`Path`): where; a file per rank.
        batch_size (`int`): documents whose signatures are computed at once.

    Source: StarCoder2 2.1.
    """

    name = "signatures"
    batch_size = 64

    def __init__(self, folder: Path, batch_size: int = batch_size) -> None:
        super().__init__()
        self.folder, self.batch_size = str(folder), batch_size

    def begin(self, rank: int, world_size: int) -> None:
        """Start without signatures."""
        self.rank = rank
        self._signatures: list[NDArray[np.uint32]] = []
        self._lines: list[str] = []

    def process_batch(self, docs: list[Document]) -> list[Iterable[Outcome]]:
        """Take note of a batch."""
        raws = [doc.text.encode("utf-8", "replace") for doc in docs]
        long_enough = [index for index, raw in enumerate(raws) if len(raw) >= MIN_BYTES]
        if long_enough:
            self._signatures.append(signatures([raws[index] for index in long_enough]))
            self._lines += [json.dumps([docs[index].id, *preference(docs[index])]) for index in long_enough]
        return [[doc] for doc in docs]

    def finish(self) -> Iterable[Outcome]:
        """Write the file of this rank."""
        found = np.concatenate(self._signatures) if self._signatures else np.empty((0, NUM_PERMUTATIONS), np.uint32)
        with written_whole(Path(self.folder) / f"{self.rank:05d}.npy") as path, path.open("wb") as file:
            np.save(file, found)
        with written_whole(Path(self.folder) / f"{self.rank:05d}.jsonl") as path:
            path.write_text("".join(f"{line}\n" for line in self._lines), encoding="ascii")
        return ()

    def end(self) -> None:
        """Arrays do not travel to the next rank."""
        self._signatures, self._lines = [], []


def find_clusters(folder: Path, num_tasks: int, threshold: float = THRESHOLD) -> None:
    """Join near-duplicates into clusters and write, for each rank of `NearDedup`, what becomes of its files.

    Memory: the signatures (1 KiB a file) stay on disk; the hashes of 25 bands and the line with what makes a copy
    better are held, some 400 bytes a file.

    Args:
        folder: where `SignatureWriter` wrote; `clusters/` is made in it, whole or not at all.
        num_tasks: ranks of `NearDedup`.
        threshold: least estimated Jaccard similarity of two files that are joined.

    Source: StarCoder2 2.1; that candidates are checked by their signatures is ours.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    target = folder / "clusters"
    if target.is_dir():
        return
    files = sorted(folder.glob("*.npy"))
    parts = [np.load(path, mmap_mode="r") for path in files]
    lines = [line for path in files for line in path.with_suffix(".jsonl").read_text(encoding="ascii").splitlines()]
    # In the order of ids, so that nothing depends on which rank saw a file.
    order = np.array(sorted(range(len(lines)), key=lambda index: json.loads(lines[index])[0]), np.int64)
    found = _Rows(parts, order)
    pairs = np.unique(np.concatenate([*_similar_pairs(found, threshold), np.empty((0, 2), np.int64)]), axis=0)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(lines), len(lines)))
    labels = connected_components(graph, directed=False)[1]
    members: dict[int, list[list[Any]]] = {}
    for row in np.unique(pairs):
        members.setdefault(int(labels[row]), []).append(json.loads(lines[order[row]]))
    temporary = folder / "clusters.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    _write_clusters(temporary, members.values(), num_tasks)
    temporary.rename(target)


class _Rows:
    """Signatures of all files, in the order of their ids, read from disk as they are asked for."""

    def __init__(self, parts: list[NDArray[np.uint32]], order: NDArray[np.int64]) -> None:
        self.parts, self.order = parts, order
        self.ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return len(self.order)

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Return the signatures of some rows."""
        places = self.order[rows]
        which = np.searchsorted(self.ends, places, side="right")
        answer = np.empty((len(rows), NUM_PERMUTATIONS), np.uint32)
        for number in np.unique(which):
            chosen = which == number
            start = self.ends[number] - len(self.parts[number])
            answer[chosen] = self.parts[number][places[chosen] - start]
        return answer

    def bands(self) -> NDArray[np.uint64]:
        """Return the band hashes of all files, (files, bands)."""
        blocks = range(0, len(self), PAIRS_OF_A_BLOCK)
        hashes = [band_hashes(self.take(np.arange(at, min(at + PAIRS_OF_A_BLOCK, len(self))))) for at in blocks]
        return np.concatenate(hashes) if hashes else np.empty((0, NUM_BANDS), np.uint64)


def _similar_pairs(found: _Rows, threshold: float) -> Iterator[NDArray[np.int64]]:
    """Give the pairs of files that share a band and whose signatures agree well enough."""
    bands = found.bands()
    for band in range(NUM_BANDS):
        order = np.argsort(bands[:, band], kind="stable")
        sorted_hashes = bands[order, band]
        same = np.flatnonzero(sorted_hashes[1:] == sorted_hashes[:-1]) + 1
        # Each member of a run of equal hashes is compared with the one before it and with the first of the run.
        is_start = (
            np.concatenate(([True], sorted_hashes[1:] != sorted_hashes[:-1])) if len(order) else np.empty(0, bool)
        )
        first = np.maximum.accumulate(np.where(is_start, np.arange(len(order)), 0))
        candidates = np.concatenate(
            [np.stack((order[same - 1], order[same]), 1), np.stack((order[first[same]], order[same]), 1)]
        )
        candidates = np.unique(np.sort(candidates, axis=1), axis=0)
        for at in range(0, len(candidates), PAIRS_OF_A_BLOCK):
            block = candidates[at : at + PAIRS_OF_A_BLOCK]
            agreement = (found.take(block[:, 0]) == found.take(block[:, 1])).mean(axis=1)
            yield block[agreement >= threshold]


def _write_clusters(folder: Path, clusters: Iterable[list[list[Any]]], num_tasks: int) -> None:
    """Write [id, winner, cluster size] of every member, sorted by id, into the file of the rank that will meet it."""
    by_rank: dict[int, list[tuple[str, str, int]]] = {}
    for members in clusters:
        winner = best_of(members)
        for identifier, *_ in members:
            by_rank.setdefault(number_of(identifier, num_tasks), []).append((identifier, winner, len(members)))
    for rank in range(num_tasks):
        text = "".join(json.dumps(line) + "\n" for line in sorted(by_rank.get(rank, [])))
        (folder / f"{rank:05d}.jsonl").write_text(text, encoding="ascii")


class NearDedup(Step):
    """Merge near-duplicates into the best of their cluster, which learns the cluster's size.

    Its stage has the key `document_id` (the default).

    Args:
        folder (`Path`): where `find_clusters` wrote.

    Source: StarCoder2 2.1.
    """

    name = "near_dedup"
    arity: Arity = "n:1"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = str(folder)

    def begin(self, rank: int, world_size: int) -> None:
        """Read what becomes of this rank's files."""
        with (Path(self.folder) / "clusters" / f"{rank:05d}.jsonl").open(encoding="ascii") as lines:
            self._fate = {identifier: (winner, size) for identifier, winner, size in map(json.loads, lines)}

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass a file on, or merge it into the better one."""
        winner, size = self._fate.get(doc.id, (doc.id, 1))
        doc.metadata["cluster_size"] = size
        yield doc if winner == doc.id else Merged(doc, winner, "near_duplicate")

    def end(self) -> None:
        """Forget this rank's clusters."""
        self._fate = {}
