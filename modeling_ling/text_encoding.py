"""Section 3.1: text as token ids, several times faster than the library's call and with the very same ids.

The family's splitting pattern cuts a text into words, and each word is merged alone: its ids never depend on the words
around it. So the ids of a word are looked up, and asked of the tokenizer only once. Two facts carry this further:

- In a text of ASCII characters the pattern means the same in Python's `re`. Other texts go to the tokenizer itself, for
  the Unicode tables of two libraries may differ.
- A word ends at every *line start*: behind a line end that no other line end follows before the next visible character.
  There a text can be cut and its parts encoded apart, whatever stands on either side.

A tokenizer of another construction is asked as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tokenizers import Tokenizer
from tokenizers.models import BPE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The splitting pattern of the family: contractions, words, single digits, punctuation, line ends, spaces.
SPLIT_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)
# The same for ASCII; Python's \s has four more characters (\x1c to \x1f), so it is written out.
_ASCII_SPLIT = re.compile(
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n0-9A-Za-z]?+[A-Za-z]+|[0-9]| ?[^\t-\r 0-9A-Za-z]++[\r\n]*|[\t-\r ]*[\r\n]"
    r"|[\t-\r ]+(?![^\t-\r ])|[\t-\r ]+",
    re.ASCII,
)
LINE_START = re.compile(r"(?<=[\r\n])(?=[^\S\r\n]*\S)")

MAX_CACHED_WORDS = 500_000
MAX_CACHED_CHARACTERS = 48


def byte_characters() -> dict[int, str]:
    """Return the character that byte-level tokenizers write for each byte.

    Source: GPT-2's table: printable characters stand for themselves, the others are moved behind 255.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = {byte: chr(256 + number) for number, byte in enumerate(sorted(set(range(256)) - set(printable)))}
    return {byte: moved.get(byte, chr(byte)) for byte in range(256)}


def splits_at_line_starts(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a tokenizer has the family's construction: its pattern, bytes, merges within words alone."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not isinstance(backend.model, BPE) or backend.pre_tokenizer is None:
        return False
    # The library's classes answer no questions: their pickled state is JSON.
    steps = json.loads(backend.pre_tokenizer.__getstate__()).get("pretokenizers", [])
    if len(steps) != 2 or (steps[0].get("pattern") or {}).get("Regex") != SPLIT_PATTERN:
        return False
    split = steps[0].get("behavior") == "Isolated" and not steps[0].get("invert")
    to_bytes = steps[1].get("type") == "ByteLevel" and not (steps[1].get("add_prefix_space") or steps[1]["use_regex"])
    normalizer = json.loads(backend.normalizer.__getstate__()) if backend.normalizer else {"type": "NFC"}
    # A token that is added but not special is looked for in every text, across words.
    return (
        split
        and to_bytes
        and normalizer.get("type") == "NFC"
        and backend.model.dropout is None
        and all(token.special for token in tokenizer.added_tokens_decoder.values())
    )


class _WordIds(dict[str, tuple[int, ...]]):
    """Ids of the words met so far."""

    def __init__(self, model: BPE) -> None:
        self._model = model
        self._characters = byte_characters()

    def __missing__(self, word: str) -> tuple[int, ...]:
        ids = tuple(token.id for token in self._model.tokenize(word.translate(self._characters)))
        if len(word) <= MAX_CACHED_CHARACTERS:
            if len(self) >= MAX_CACHED_WORDS:
                self.clear()
            self[word] = ids
        return ids


class TextEncoder:
    """Encodes text as data: no special token is parsed in it and none is added.

    Args:
        tokenizer: any; one of the family's construction is fast.

    Attributes:
        is_fast: whether the tokenizer has the family's construction.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self.is_fast = splits_at_line_starts(tokenizer)
        self._words = _WordIds(tokenizer.backend_tokenizer.model) if self.is_fast else None
        self._own: Tokenizer | None = None

    def encode(self, text: str) -> list[int]:
        """Return the ids of one text."""
        if self._words is not None and text.isascii():
            return list(chain.from_iterable(map(self._words.__getitem__, _ASCII_SPLIT.findall(text))))
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of many texts; what goes to the tokenizer itself goes in one call."""
        if self._words is None:
            return self._encode_all(texts)
        parts = [[(text, True)] if text.isascii() else list(_ascii_runs(text)) for text in texts]
        others = iter(self._encode_all([run for runs in parts for run, is_ascii in runs if not is_ascii]))
        result: list[list[int]] = []
        for runs in parts:
            ids: list[int] = []
            for run, is_ascii in runs:
                ids.extend(self.encode(run) if is_ascii else next(others))
            result.append(ids)
        return result

    def _encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        if not self.is_fast:
            encoded = self._tokenizer(
                list(texts), add_special_tokens=False, split_special_tokens=True, return_attention_mask=False
            )
            return encoded["input_ids"]
        if self._own is None:
            # A copy: the library keeps padding, truncation and the parsing of special tokens in the one it calls.
            self._own = Tokenizer.from_str(self._tokenizer.backend_tokenizer.to_str())
            self._own.no_padding()
            self._own.no_truncation()
            self._own.encode_special_tokens = True
        return [encoded.ids for encoded in self._own.encode_batch_fast(list(texts), add_special_tokens=False)]


def _ascii_runs(text: str) -> Iterator[tuple[str, bool]]:
    """Cut a text at line starts into runs of lines that are all ASCII or all not."""
    for is_ascii, lines in groupby(LINE_START.split(text), str.isascii):
        yield "".join(lines), is_ascii


_ENCODERS: WeakKeyDictionary[Any, tuple[int, TextEncoder]] = WeakKeyDictionary()


def text_encoder(tokenizer: PreTrainedTokenizerBase) -> TextEncoder:
    """Return the encoder of a tokenizer, with the words that it has met; a new one when tokens were added."""
    size, encoder = _ENCODERS.get(tokenizer, (-1, None))
    if encoder is None or size != len(tokenizer):
        encoder = TextEncoder(tokenizer)
        _ENCODERS[tokenizer] = (len(tokenizer), encoder)
    return encoder


__all__ = ["LINE_START", "SPLIT_PATTERN", "TextEncoder", "byte_characters", "splits_at_line_starts", "text_encoder"]
