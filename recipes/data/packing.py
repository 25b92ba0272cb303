"""Section 3.2: documents packed into windows of one length, each window whole documents and very little padding.

In this order, so that fill-in-the-middle acts within a window and no rearranged document is ever cut:
1. a document longer than a window is cut into chunks at line ends (between tokens, so no id changes and none is lost);
2. each chunk of a source marked as code is rearranged, or not, by `fim` (decided by a hash of content and seed);
3. chunks are laid into windows by best fit, largest first, in groups of bounded size.
Documents are packed in spans of a fixed number of tokens, each by one worker, so that the bytes do not depend on how
many there are. What was packed is kept on disk under a fingerprint of all that it depends on.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from datasets_builders.tokenized.bin_packing import best_fit
from recipes.data.built_once import built_once
from recipes.data.chunking import FIM_SLACK_TOKENS, Chunk, Chunker
from recipes.data.token_store import TokenStore
from recipes.data.workers import ordered_map
from recipes.objectives.fim import FimConfig, resolve_markers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Raised when the bytes of packed windows change, so that windows of an older layout are not read as new ones.
LAYOUT_VERSION = 3
# Chunks laid out together: enough that the last, half-empty windows of a group weigh nothing, few enough for memory.
GROUP_CHUNKS = 20_000
# Tokens that a worker packs at once: some thousand windows, and a few hundred megabytes.
SPAN_TOKENS = 1 << 24
DESCRIPTION_FILE = "packing.json"


class PackedWindows:
    """Windows of one source: mapped from the folder that `pack_documents` wrote.

    Attributes:
        seq_length: tokens per window.
        num_windows: number of windows.
        num_tokens: tokens that are not padding.
        store_tokens: those of the whole token file, of which the windows may be the first part.
        statistics: counts of the packing (documents, chunks, FIM, padding).
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        description = json.loads((self.folder / "packing.json").read_text(encoding="utf-8"))
        self.seq_length: int = description["seq_length"]
        self.num_windows: int = description["num_windows"]
        self.num_tokens: int = description["num_tokens"]
        self.store_tokens: int = description["store_tokens"]
        self.fingerprint: str = description["fingerprint"]
        self.statistics: dict[str, int] = description["statistics"]
        self._open()

    def _open(self) -> None:
        shape = (self.num_windows, self.seq_length)
        # Plain arrays over the maps: each slice of a memmap costs more than what is read.
        self._ids = np.asarray(np.memmap(self.folder / "windows.bin", dtype="<u4", mode="r", shape=shape))
        self._ends = np.asarray(np.memmap(self.folder / "chunk_ends.bin", dtype="<u4", mode="r"))
        self._first_chunk = np.asarray(np.memmap(self.folder / "window_index.bin", dtype="<u8", mode="r"))

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
        return self.chunk_ends(window).astype(np.int64)

    def chunk_ends(self, window: int) -> np.ndarray:
        """Return `boundaries` as they are mapped: uint32."""
        return self._ends[self._first_chunk.item(window) : self._first_chunk.item(window + 1)]

    def ids_of_all(self, windows: np.ndarray) -> np.ndarray:
        """Return `ids` of many windows: uint32 of shape (windows, seq_length)."""
        return self._ids[windows]

    def chunk_ends_of_all(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `chunk_ends` of many windows, one behind the other, and the number of each: uint32, int64."""
        firsts = self._first_chunk[windows].astype(np.int64)
        counts = self._first_chunk[windows + 1].astype(np.int64) - firsts
        # Where a window's ends begin in the maps, less where they begin in the answer.
        shifts = np.repeat(firsts - (np.cumsum(counts) - counts), counts)
        return self._ends[shifts + np.arange(len(shifts))], counts


@dataclass
class _PackedSpan:
    """Windows of a span: ids of shape (windows, seq_length), ends of chunks, chunks of each window, counts."""

    windows: np.ndarray
    chunk_ends: np.ndarray
    window_chunks: np.ndarray
    counts: Counter[str]


class _SpanPacker:
    """Packs spans of documents (steps 1 to 3); one in each worker."""

    def __init__(
        self, store: TokenStore, tokenizer: PreTrainedTokenizerBase, seq_length: int, fim: FimConfig | None, seed: int
    ) -> None:
        self._store, self._seq_length, self._end_id = store, seq_length, int(cast(int, tokenizer.eos_token_id))
        self._chunker = Chunker(tokenizer, seq_length, fim, seed, self._end_id)

    def __call__(self, span: tuple[int, int]) -> _PackedSpan:
        self._chunker.counts = Counter()
        packed = [self._pack(group) for group in _groups(self._chunker.chunks(self._store, range(*span)), GROUP_CHUNKS)]
        windows, ends, num_chunks = (np.concatenate(arrays) for arrays in zip(*packed, strict=True))
        return _PackedSpan(windows, ends, num_chunks, self._chunker.counts)

    def _pack(self, group: list[Chunk]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        bins = best_fit((len(chunk.ids) for chunk in group), self._seq_length)
        windows = np.full((len(bins), self._seq_length), self._end_id, dtype="<u4")
        chunk_ends = []
        for window, members in zip(windows, bins, strict=True):
            # In the order of the corpus within a window: parts of one document that meet stay in their order.
            end = 0
            for member in sorted(members):
                ids = group[member].ids
                window[end : end + len(ids)] = ids
                end += len(ids)
                chunk_ends.append(end)
        return windows, np.array(chunk_ends, dtype="<u4"), np.array([len(members) for members in bins], dtype="<u8")


def _write_windows(
    folder: Path, spans: Iterable[_PackedSpan], windows_wanted: int | None
) -> tuple[int, int, Counter[str]]:
    """Write ids, chunk ends and the index of windows; return the numbers of windows and of real tokens, and counts."""
    num_windows = num_tokens = num_chunks = 0
    counts: Counter[str] = Counter()
    with (
        open(folder / "windows.bin", "wb") as window_file,
        open(folder / "chunk_ends.bin", "wb") as end_file,
        open(folder / "window_index.bin", "wb") as index_file,
    ):
        index_file.write(np.uint64(0).tobytes())
        for span in spans:
            last_chunks = np.cumsum(span.window_chunks)
            window_file.write(span.windows.tobytes())
            end_file.write(span.chunk_ends.tobytes())
            index_file.write((last_chunks + np.uint64(num_chunks)).astype("<u8").tobytes())
            num_windows += len(span.windows)
            num_chunks += len(span.chunk_ends)
            num_tokens += int(span.chunk_ends[last_chunks.astype(np.int64) - 1].sum(dtype=np.int64))
            counts.update(span.counts)
            if windows_wanted is not None and num_windows >= windows_wanted:
                break
    return num_windows, num_tokens, counts


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
    store: TokenStore,
    tokenizer: PreTrainedTokenizerBase,
    seq_length: int,
    fim: FimConfig | None,
    seed: int,
    windows_wanted: int | None = None,
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
        "span_tokens": SPAN_TOKENS,
        "windows_wanted": windows_wanted,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _check_tokenizer(store: TokenStore, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse a store that another tokenizer wrote, and a tokenizer that cannot end a document."""
    from datasets_builders.tokenized.tokenization import tokenizer_fingerprint

    written_with = store.metadata.get("tokenizer_fingerprint")
    if written_with is not None and written_with != tokenizer_fingerprint(tokenizer):
        raise ValueError(
            f"{store.path} was tokenised with another tokenizer (fingerprint {written_with[:12]}, this one is "
            f"{tokenizer_fingerprint(tokenizer)[:12]}). Build it again, or give the one it was built with."
        )
    if tokenizer.eos_token_id is None:
        raise ValueError("The tokenizer has no end token (eos_token): documents could not be told apart.")


def pack_documents(
    store: TokenStore,
    tokenizer: PreTrainedTokenizerBase,
    seq_length: int,
    fim: FimConfig | None,
    seed: int,
    cache_dir: str | Path,
    windows_wanted: int | None = None,
    num_workers: int | None = None,
) -> PackedWindows:
    """Pack the documents of a token file into windows, or open the windows packed before.

    Of all processes that ask one packs; see `built_once`.

    Args:
        store: documents, each with its end token.
        tokenizer: the one that wrote them.
        seq_length: tokens per window.
        fim: how to rearrange, for sources marked as code; None for the others.
        seed: of the rearranging.
        cache_dir: windows are kept in a folder of it named by their fingerprint.
        windows_wanted: stop once there are so many; the documents of a token file are in random order. None: all.
        num_workers: processes that pack; by default one per core, and none for a short file.

    Returns:
        The windows, mapped.

    Raises:
        ValueError: too short windows, a damaged store or another tokenizer's, or markers that are not one token.

    Source: paper 3.2 names both objectives; the packing is ours.
    """
    _check_tokenizer(store, tokenizer)
    fim = resolve_markers(fim, tokenizer) if fim is not None and fim.rate > 0 else None
    shortest = 2 * FIM_SLACK_TOKENS if fim else 2
    if seq_length < shortest:
        raise ValueError(f"seq_length is {seq_length}: windows need at least {shortest} tokens.")
    # Every window holds at most seq_length tokens, so that a file of so few tokens is packed whole anyway.
    if windows_wanted is not None and windows_wanted >= store.num_tokens // seq_length:
        windows_wanted = None
    fingerprint = packing_fingerprint(store, tokenizer, seq_length, fim, seed, windows_wanted)

    def build(folder: Path) -> None:
        # Here, since all of it is read anyway, and what is packed no longer depends on it.
        store.verify(len(tokenizer))
        packer = (store, tokenizer, seq_length, fim, seed)
        spans = ordered_map(_SpanPacker, packer, store.spans(SPAN_TOKENS), num_workers)
        num_windows, num_tokens, counts = _write_windows(folder, spans, windows_wanted)
        description = {
            "fingerprint": fingerprint,
            "seq_length": seq_length,
            "num_windows": num_windows,
            "num_tokens": num_tokens,
            "store_tokens": num_tokens if windows_wanted is None else store.num_tokens,
            "statistics": {**counts, "padding_tokens": num_windows * seq_length - num_tokens},
        }
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1, sort_keys=True), encoding="utf-8")

    return PackedWindows(built_once(Path(cache_dir) / fingerprint[:24], DESCRIPTION_FILE, build))
