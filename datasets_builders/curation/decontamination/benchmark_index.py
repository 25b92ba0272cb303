r"""Section 2.1: no test of a benchmark in the training data: word 10-grams, and short questions as wholes.

A document goes when it shares a word 10-gram with a benchmark's texts (DeepSeek-Coder, Qwen2.5-Coder), or holds a
whole question of three to nine words. Words are compared in NFKC, in small letters, without punctuation; a character
of Chinese, Japanese or Korean is a word. What stands for a line end or a sign in JSON, in a string of code or in HTML
(`\n`, `&gt;`) is none: such a copy of a problem would have other words at the ends of its lines. An n-gram with fewer
than five different words (`0 1 2 ...`: numbers count as one) says nothing and is left out. Hashes of 64 bits stand for
the words: with a million n-grams, a corpus of 10**12 words would lose about 0.05 documents by chance.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datatrove.data import Document
from numpy.typing import NDArray

from datasets_builders.building.atomic import written_whole
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.tokens import PROSE, mix, token_hashes
from evals.benchmarks.protected import ProtectedText

NGRAM_WORDS = 10
MAX_FILTER_BITS = 24
SHORT_WORDS = range(3, NGRAM_WORDS)
MIN_DIFFERENT_WORDS = 5
MIN_DIFFERENT_WORDS_SHORT = 3
_SEPARATE = re.compile("([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af])")
_ESCAPED = {
    "\\": ("\\n", "\\r", "\\t"),
    "&": ("&gt;", "&lt;", "&amp;", "&quot;", "&apos;", "&nbsp;", "&#34;", "&#39;", "&#x22;", "&#x27;"),
}
_ESCAPED_CHARACTER = re.compile(r"\\u([0-9a-fA-F]{4})")
_NUMBERS = re.compile(rb"\b\d+\b")
_NOT_A_WORD = re.compile(r"[^\w\s]+")
_PLACES = np.array([int.from_bytes(hashlib.sha256(bytes([n])).digest()[:8], "big") | 1 for n in range(NGRAM_WORDS)])
_PLACES = _PLACES.astype(np.uint64)


def normalize(text: str) -> bytes:
    """Return a text as it is compared: words between anything that is none."""
    if "\\u" in text:
        text = _ESCAPED_CHARACTER.sub(lambda match: chr(int(match[1], 16)), text)
    for start, escapes in _ESCAPED.items():
        if start in text:
            for escape in escapes:
                text = text.replace(escape, " ")
    if text.isascii():
        return text.lower().encode()
    text = _SEPARATE.sub(r" \1 ", unicodedata.normalize("NFKC", text).lower())
    return _NOT_A_WORD.sub(" ", text).encode("utf-8", "replace")


def ngram_hashes(words: NDArray[np.uint64], length: int, starts: NDArray[np.intp] | None = None) -> NDArray[np.uint64]:
    """Return the hashes of the word n-grams of a length: of all, or of those that start at some words, in order."""
    count = max(len(words) - length + 1, 0)
    with np.errstate(over="ignore"):
        sums = np.zeros(count if starts is None else np.searchsorted(starts, count), np.uint64)
        for place in range(length):
            at = slice(place, place + count) if starts is None else starts[: len(sums)] + place
            sums += words[at] * _PLACES[place]
        return mix(sums)


class _Hashes:
    """Hashes that are sorted, and a table of their first bits.

    Args:
        sorted: different hashes.
    """

    def __init__(self, sorted: NDArray[np.uint64]) -> None:
        self.sorted = sorted
        # Much faster than a search, and of what is not known nearly all ends here.
        bits = max(10, min(MAX_FILTER_BITS, 5 + len(sorted).bit_length()))
        self._shift = np.uint64(64 - bits)
        self._known_bits = np.zeros(1 << bits, bool)
        self._known_bits[sorted >> self._shift] = True

    def places_in(self, hashes: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return the places of those of some hashes that are known."""
        found = np.flatnonzero(self._known_bits[hashes >> self._shift])
        if not len(found) or not len(self.sorted):
            return found[:0]
        nearest = np.minimum(np.searchsorted(self.sorted, hashes[found]), len(self.sorted) - 1)
        return found[self.sorted[nearest] == hashes[found]]


class BenchmarkIndex:
    """The hashed word n-grams of protected texts, each with the text that it is from.

    Args:
        hashes: by length in words, sorted.
        owners: of each hash, an index into `names`.
        beginnings: hashes of the first three words of all n-grams of fewer than ten words, sorted.
        names: "benchmark: row".
    """

    def __init__(
        self,
        hashes: Mapping[int, NDArray[np.uint64]],
        owners: Mapping[int, NDArray[np.int32]],
        beginnings: NDArray[np.uint64],
        names: list[str],
    ) -> None:
        self.hashes, self.owners, self.names = dict(sorted(hashes.items())), dict(owners), names
        self.beginnings = beginnings
        self._known = {length: _Hashes(found) for length, found in self.hashes.items()}
        self._known_beginnings = _Hashes(beginnings)

    @classmethod
    def build(cls, texts: Mapping[str, Iterable[ProtectedText]]) -> BenchmarkIndex:
        """Index the texts of benchmarks by name."""
        found: dict[int, list[tuple[NDArray[np.uint64], int]]] = {}
        names: dict[str, int] = {}
        beginnings = [np.empty(0, np.uint64)]
        for benchmark, given in texts.items():
            for text in given:
                owner = names.setdefault(f"{benchmark}: {text.row}", len(names))
                words, length, ngrams = _worth_indexing(normalize(text.text), text.is_question)
                if len(ngrams):
                    found.setdefault(length, []).append((ngrams, owner))
                    beginnings += [ngram_hashes(words[: SHORT_WORDS.start], SHORT_WORDS.start)] * (length < NGRAM_WORDS)
        hashes, owners = {}, {}
        for length, parts in found.items():
            every = np.concatenate([ngrams for ngrams, _ in parts])
            whose = np.concatenate([np.full(len(ngrams), owner, np.int32) for ngrams, owner in parts])
            hashes[length], first = np.unique(every, return_index=True)
            owners[length] = whose[first]
        return cls(hashes, owners, np.unique(np.concatenate(beginnings)), list(names))

    def find(self, text: str) -> tuple[str, int] | None:
        """Return ("benchmark: row", number of words) of the first protected text that a document holds, or None.

        N-grams of fewer than ten words are looked for where three words are the beginning of one.
        """
        words = token_hashes(normalize(text), PROSE)
        starts = self._known_beginnings.places_in(ngram_hashes(words, SHORT_WORDS.start))
        for length, known in self._known.items():
            if length < NGRAM_WORDS and not len(starts):
                continue
            ngrams = ngram_hashes(words, length, starts if length < NGRAM_WORDS else None)
            hits = known.places_in(ngrams)
            if len(hits):
                place = np.searchsorted(known.sorted, ngrams[hits[0]])
                return self.names[self.owners[length][place]], length
        return None

    def __len__(self) -> int:
        return sum(map(len, self.hashes.values()))

    def sha256(self) -> str:
        """Return a hash of the index."""
        total = hashlib.sha256(json.dumps(self.names).encode())
        for length in sorted(self.hashes):
            total.update(self.hashes[length].tobytes())
        return total.hexdigest()

    def save(self, path: Path) -> None:
        """Write a file, whole or not at all."""
        names = np.frombuffer(json.dumps(self.names).encode(), np.uint8)
        arrays: dict[str, Any] = {"names": names, "beginnings": self.beginnings}
        arrays |= {f"hashes_{length}": hashes for length, hashes in self.hashes.items()}
        arrays |= {f"owners_{length}": owners for length, owners in self.owners.items()}
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> BenchmarkIndex:
        """Read what `save` wrote."""
        with np.load(path) as file:
            lengths = [int(key.removeprefix("hashes_")) for key in file.files if key.startswith("hashes_")]
            hashes = {length: file[f"hashes_{length}"] for length in lengths}
            owners = {length: file[f"owners_{length}"] for length in lengths}
            return cls(hashes, owners, file["beginnings"], json.loads(file["names"].tobytes()))


def _worth_indexing(raw: bytes, is_question: bool) -> tuple[NDArray[np.uint64], int, NDArray[np.uint64]]:
    """Return the words of a text, and length and hashes of its n-grams that have enough different words.

    They are its word 10-grams, or a short question as a whole. All numbers count as one word there:
    `0 1 2 3 4 5 6 7 8 9` says nothing either.
    """
    words = token_hashes(raw, PROSE)
    length = min(NGRAM_WORDS, len(words))
    numbers = token_hashes(b" ".join(set(_NUMBERS.findall(raw))), PROSE)
    counted = np.where(np.isin(words, numbers), np.uint64(0), words)
    if length < NGRAM_WORDS and not (is_question and length in SHORT_WORDS):
        return words, length, words[:0]
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(counted, length), axis=1)
    different = 1 + (windows[:, 1:] != windows[:, :-1]).sum(axis=1)
    min_different = MIN_DIFFERENT_WORDS if length == NGRAM_WORDS else MIN_DIFFERENT_WORDS_SHORT
    return words, length, ngram_hashes(words, length)[different >= min_different]


class Decontamination(Step):
    """Remove documents that hold a benchmark's texts; the reason is the benchmark, the detail its row.

    Args:
        path (`Path`): of a saved `BenchmarkIndex`.
        name (`str`): of the step, where a builder has two.

    Source: paper 2.1; DeepSeek-Coder 2.4.
    """

    name = "decontamination"
    is_filter = True
    only_in_builds = True

    def __init__(self, path: Path, name: str = name) -> None:
        super().__init__()
        self.name = name
        self.path = str(path)

    def begin(self, rank: int, world_size: int) -> None:
        """Read the index."""
        self._index: BenchmarkIndex | None = BenchmarkIndex.load(Path(self.path))

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a document that holds none of them."""
        assert self._index is not None
        found = self._index.find(doc.text)
        if found is None:
            yield doc
        else:
            benchmark, _, row = found[0].partition(": ")
            yield Removed(doc, benchmark, f"{row}, {found[1]} words")

    def end(self) -> None:
        """Drop the index."""
        self._index = None
