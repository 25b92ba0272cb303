"""Section 3.2: documents packed into windows of one length, each window whole documents and very little padding.

In this order, so that fill-in-the-middle acts within a window and no rearranged document is ever cut:
1. a document longer than a window is cut into chunks at line ends (between tokens, so no id changes and none is lost);
2. each chunk of a source marked as code is rearranged, or not, by `fim` (decided by a hash of content and seed);
3. chunks are laid into windows by best fit, largest first, in groups of bounded size.
What was packed is kept on disk under a fingerprint of all that it depends on.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets_builders.tokenized.bin_packing import best_fit
from recipes.data.chunking import FIM_SLACK_TOKENS, Chunk, Chunker
from recipes.data.token_store import TokenStore
from recipes.objectives.fim import FimConfig, resolve_markers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Raised when the bytes of packed windows change, so that windows of an older layout are not read as new ones.
LAYOUT_VERSION = 2
# Chunks laid out together: enough that the last, half-empty windows of a group weigh nothing, few enough for memory.
GROUP_CHUNKS = 20_000


class PackedWindows:
    """Windows of one source: mapped from the folder that `pack_documents` wrote.

    Attributes:
        seq_length: tokens per window.
        num_windows: number of windows.
        num_tokens: tokens that are not padding.
        statistics: counts of the packing (documents, chunks, FIM, padding).
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        description = json.loads((self.folder / "packing.json").read_text(encoding="utf-8"))
        self.seq_length: int = description["seq_length"]
        self.num_windows: int = description["num_windows"]
        self.num_tokens: int = description["num_tokens"]
        self.fingerprint: str = description["fingerprint"]
        self.statistics: dict[str, int] = description["statistics"]
        self._open()

    def _open(self) -> None:
        shape = (self.num_windows, self.seq_length)
        self._ids = np.memmap(self.folder / "windows.bin", dtype="<u4", mode="r", shape=shape)
        self._ends = np.memmap(self.folder / "chunk_ends.bin", dtype="<u4", mode="r")
        self._first_chunk = np.memmap(self.folder / "window_index.bin", dtype="<u8", mode="r")

    def __getstate__(self) -> dict[str, Any]:
        # A pickled memmap is a full copy: a data loader's worker maps the files again instead.
        return {key: value for key, value in self.__dict__.items() if not key.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __len__(self) -> int:
        return self.num_windows

    @property
    def padding_fraction(self) -> float:
        """Share of the windows' positions that hold no token."""
        return 1.0 - self.num_tokens / (self.num_windows * self.seq_length)

    def ids(self, window: int) -> np.ndarray:
        """Return the ids of one window, padding included: uint32 of shape (seq_length,)."""
        return self._ids[window]

    def boundaries(self, window: int) -> np.ndarray:
        """Return where each chunk of one window ends, the last being the number of real tokens: int64 (chunks,)."""
        first, last = int(self._first_chunk[window]), int(self._first_chunk[window + 1])
        return self._ends[first:last].astype(np.int64)


def _write_windows(folder: Path, chunks: Iterable[Chunk], seq_length: int, pad_id: int) -> tuple[int, int]:
    """Write ids, chunk ends and the index of windows (step 3); return the numbers of windows and of real tokens."""
    num_windows = num_tokens = num_chunks = 0
    with (
        open(folder / "windows.bin", "wb") as window_file,
        open(folder / "chunk_ends.bin", "wb") as end_file,
        open(folder / "window_index.bin", "wb") as index_file,
    ):
        index_file.write(np.uint64(0).tobytes())
        for group in _groups(chunks, GROUP_CHUNKS):
            for members in best_fit((len(chunk.ids) for chunk in group), seq_length):
                # In the order of the corpus within a window: parts of one document that meet stay in their order.
                runs = [group[member].ids for member in sorted(members)]
                ends = np.cumsum([len(run) for run in runs], dtype="<u4")
                window = np.full(seq_length, pad_id, dtype="<u4")
                window[: ends[-1]] = np.concatenate(runs)
                window_file.write(window.tobytes())
                end_file.write(ends.tobytes())
                num_chunks += len(runs)
                index_file.write(np.uint64(num_chunks).tobytes())
                num_windows += 1
                num_tokens += int(ends[-1])
    return num_windows, num_tokens


def _groups(chunks: Iterable[Chunk], size: int) -> Iterator[list[Chunk]]:
    group: list[Chunk] = []
    for chunk in chunks:
        group.append(chunk)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def packing_fingerprint(
    store: TokenStore, tokenizer: PreTrainedTokenizerBase, seq_length: int, fim: FimConfig | None, seed: int
) -> str:
    """Return a hash of all that packed windows depend on."""
    from datasets_builders.tokenized.tokenization import tokenizer_fingerprint

    facts = {
        "layout": LAYOUT_VERSION,
        "store": store.fingerprint(),
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "seq_length": seq_length,
        "fim": {**asdict(fim), "layouts": dict(fim.layouts)} if fim else None,
        # Without FIM nothing is drawn, so the seed does not matter.
        "seed": seed if fim else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _check_tokenizer(store: TokenStore, tokenizer: PreTrainedTokenizerBase) -> int:
    """Refuse a store that another tokenizer wrote; return the id of the end token."""
    from datasets_builders.tokenized.tokenization import tokenizer_fingerprint

    written_with = store.metadata.get("tokenizer_fingerprint")
    if written_with is not None and written_with != tokenizer_fingerprint(tokenizer):
        raise ValueError(
            f"{store.path} was tokenised with another tokenizer (fingerprint {written_with[:12]}, this one is "
            f"{tokenizer_fingerprint(tokenizer)[:12]}). Build it again, or give the one it was built with."
        )
    if tokenizer.eos_token_id is None:
        raise ValueError("The tokenizer has no end token (eos_token): documents could not be told apart.")
    return int(tokenizer.eos_token_id)


def pack_documents(
    store: TokenStore,
    tokenizer: PreTrainedTokenizerBase,
    seq_length: int,
    fim: FimConfig | None,
    seed: int,
    cache_dir: str | Path,
) -> PackedWindows:
    """Pack the documents of a token file into windows, or open the windows packed before.

    Args:
        store: documents, each with its end token.
        tokenizer: the one that wrote them.
        seq_length: tokens per window.
        fim: how to rearrange, for sources marked as code; None for the others.
        seed: of the rearranging.
        cache_dir: windows are kept in a folder of it named by their fingerprint.

    Returns:
        The windows, mapped.

    Raises:
        ValueError: too short windows, a damaged store or another tokenizer's, or markers that are not one token.

    Source: paper 3.2 names both objectives; the packing is ours.
    """
    end_id = _check_tokenizer(store, tokenizer)
    fim = resolve_markers(fim, tokenizer) if fim is not None and fim.rate > 0 else None
    shortest = 2 * FIM_SLACK_TOKENS if fim else 2
    if seq_length < shortest:
        raise ValueError(f"seq_length is {seq_length}: windows need at least {shortest} tokens.")
    fingerprint = packing_fingerprint(store, tokenizer, seq_length, fim, seed)
    folder = Path(cache_dir) / fingerprint[:24]
    if not (folder / "packing.json").is_file():
        # Here, since all of it is read anyway, and what is packed no longer depends on it.
        store.verify(len(tokenizer))
        # Ranks may pack at once: each writes its own folder, equal in bytes, and the first to finish gives it its name.
        unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        chunker = Chunker(tokenizer, seq_length, fim, seed, end_id)
        num_windows, num_tokens = _write_windows(unfinished, chunker.chunks(store), seq_length, end_id)
        description = {
            "fingerprint": fingerprint,
            "seq_length": seq_length,
            "num_windows": num_windows,
            "num_tokens": num_tokens,
            "statistics": {**chunker.counts, "padding_tokens": num_windows * seq_length - num_tokens},
        }
        (unfinished / "packing.json").write_text(json.dumps(description, indent=1, sort_keys=True), encoding="utf-8")
        try:
            unfinished.rename(folder)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            if not (folder / "packing.json").is_file():
                raise
    return PackedWindows(folder)
