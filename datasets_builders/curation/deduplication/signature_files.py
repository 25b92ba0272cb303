"""Section 2.1, near-deduplication: signatures on disk, so that what is held grows by a few bytes a file.

Per rank of `SignatureWriter` three files: `00000.signatures`, 1 KiB a file; `00000.bands`, in blocks of `BLOCK_ROWS`
files, band by band within a block, so that one band can be read alone; `00000.jsonl`, the id and what makes a copy
better than another. A file is known by its place: the ranks' files behind each other.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from datasets_builders.building.atomic import temporary_name
from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.json_lines import of_line, to_line
from datasets_builders.curation.deduplication.signatures import BAND_ROWS, NUM_BANDS, NUM_PERMUTATIONS, band_hashes

BLOCK_ROWS = 4096
_SIGNATURES, _BANDS = np.dtype("<u4"), np.dtype("<u8")
_ROW_BYTES = NUM_PERMUTATIONS * _SIGNATURES.itemsize
_SUFFIXES = (".signatures", ".bands", ".jsonl")  # the last one tells that all are there


class SignatureFileWriter:
    """Writes the files of one rank; `finish` gives them their names, `close` drops what has none.

    Args:
        folder (`Path`): made when missing.
        rank (`int`): in the names.
        bands (pair of `int`): number of bands and rows of each.
    """

    def __init__(self, folder: Path, rank: int, bands: tuple[int, int] = (NUM_BANDS, BAND_ROWS)) -> None:
        self.bands = bands
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = [folder / f"{rank:05d}{suffix}" for suffix in _SUFFIXES]
        self._files: list[IO[bytes]] = [temporary_name(path).open("wb") for path in self._paths]
        self._block: list[NDArray[np.uint64]] = []

    def add(self, found: NDArray[np.uint32], members: Sequence[Iterable[Any]]) -> None:
        """Add signatures, (files, 256), and of each file a list that starts with its id."""
        signatures, _, lines = self._files
        signatures.write(found.astype(_SIGNATURES, copy=False).tobytes())
        lines.writelines(to_line(list(member)) for member in members)
        self._block.append(band_hashes(found, *self.bands))
        if sum(map(len, self._block)) >= BLOCK_ROWS:
            rows = np.concatenate(self._block)
            while len(rows) >= BLOCK_ROWS:
                self._write_block(rows[:BLOCK_ROWS])
                rows = rows[BLOCK_ROWS:]
            self._block = [rows]

    def _write_block(self, rows: NDArray[np.uint64]) -> None:
        self._files[1].write(rows.T.astype(_BANDS, order="C").tobytes())

    def finish(self) -> None:
        """Complete the files."""
        if self._block:
            self._write_block(np.concatenate(self._block))
        for file in self._files:
            file.close()
        for path in self._paths:
            temporary_name(path).replace(path)

    def close(self) -> None:
        """Remove files that were not finished."""
        for path, file in zip(self._paths, self._files, strict=True):
            try:
                file.close()
            finally:
                temporary_name(path).unlink(missing_ok=True)


def has_signatures(folder: Path, name: str) -> bool:
    """Return whether a folder holds finished files of a name."""
    return (folder / f"{name}{_SUFFIXES[-1]}").exists()


def share_signatures(source: Path, name: str, target: Path, new_name: str) -> None:
    """Put finished files of a name into another folder, under another name: as links, or where none can be, as copies.

    Raises:
        OSError: one is not there, or the other folder cannot be written to.
    """
    target.mkdir(parents=True, exist_ok=True)
    for suffix in _SUFFIXES:
        old, new = source / f"{name}{suffix}", target / f"{new_name}{suffix}"
        temporary = temporary_name(target / f"{new.name}.{os.getpid()}")  # another build may share the same
        try:
            try:
                temporary.hardlink_to(old)
            except OSError:
                shutil.copyfile(old, temporary)
            temporary.replace(new)
        finally:
            temporary.unlink(missing_ok=True)


class SignatureFiles:
    """The files of all ranks, read as they are asked for. Places are counted from 0 over the ranks in order.

    Mapped files would do with less code, but count as memory of the process.

    Args:
        folder (`Path`): where `SignatureFileWriter` wrote.
        num_bands (`int`): as it was told.
    """

    def __init__(self, folder: Path, num_bands: int = NUM_BANDS) -> None:
        self.folder, self.num_bands = folder, num_bands
        self._lines = sorted(folder.glob(f"*{_SUFFIXES[-1]}"))
        self._signatures = [path.with_suffix(_SUFFIXES[0]) for path in self._lines]
        self._counts = [path.stat().st_size // _ROW_BYTES for path in self._signatures]
        self._ends = np.cumsum(self._counts, dtype=np.int64)

    def __len__(self) -> int:
        return int(sum(self._counts))

    def members(self) -> Iterator[list[Any]]:
        """Give what was added with each file, by place."""
        for path in self._lines:
            with path.open("rb") as lines:
                yield from map(of_line, lines)

    def order_of_ids(self) -> NDArray[np.int64]:
        """Return the places in the order of ids, so that nothing depends on which rank saw a file."""
        by_id = DiskSort(lambda value: value[0], self.folder)
        try:
            for place, (identifier, *_) in enumerate(self.members()):
                by_id.add([identifier, place])
            return np.fromiter((place for _, place in by_id), np.int64, len(self))
        finally:
            by_id.close()

    def band(self, number: int) -> NDArray[np.uint64]:
        """Return one band's hash of all files, by place."""
        hashes = np.empty(len(self), _BANDS)
        at = 0
        for path, count in zip(self._lines, self._counts, strict=True):
            with path.with_suffix(_SUFFIXES[1]).open("rb", buffering=0) as file:
                for start in range(0, count, BLOCK_ROWS):
                    rows = min(BLOCK_ROWS, count - start)
                    file.seek((start * self.num_bands + number * rows) * _BANDS.itemsize)
                    hashes[at : at + rows] = np.fromfile(file, _BANDS, rows)
                    at += rows
        return hashes

    def take(self, places: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Return the signatures of some places, (places, 256)."""
        found = np.empty((len(places), NUM_PERMUTATIONS), _SIGNATURES)
        which = np.searchsorted(self._ends, places, side="right")
        for number in np.unique(which):
            start = self._ends[number] - self._counts[number]
            with self._signatures[number].open("rb", buffering=0) as file:
                for row in np.flatnonzero(which == number):
                    raw = os.pread(file.fileno(), _ROW_BYTES, int(places[row] - start) * _ROW_BYTES)
                    found[row] = np.frombuffer(raw, _SIGNATURES)
        return found
