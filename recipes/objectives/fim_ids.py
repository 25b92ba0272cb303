"""Section 3.2: fill-in-the-middle on documents that are token ids already.

The parts must be encoded apart, but nearly all of their ids are those of the document: text can be cut at line starts
without changing an id (modeling_ling.text_encoding), so only the lines that hold a cut are encoded anew.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, cast

import numpy as np
from tokenizers.decoders import ByteLevel

from modeling_ling.fill_in_the_middle import markers_of, start_ids
from modeling_ling.text_encoding import LINE_START, byte_characters, text_encoder
from recipes.objectives.fim import LAYOUTS, FimConfig, draw_cut, refusal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A character that merges with nothing behind it: what is encoded behind it does not begin a text.
ANCHOR = "\N{WHITE SMILING FACE}"
# How far back the last line start is looked for at first; four times as far where there is none.
SEARCHED_CHARACTERS = 256


class FimRefusedError(ValueError):
    """A document that is left as it is; the message is the reason under which it is counted."""


class ContinuedText:
    """Encodes text that does not begin a document, such as a suffix.

    Tokenizers made by SentencePiece put a space before whatever they are given: a middle would begin with one.

    Args:
        tokenizer: any.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._encoder = text_encoder(tokenizer)
        self._anchor = self._encoder.encode(ANCHOR)
        self.adds_space = self._encoder.encode("a")[:1] != self._encoder.encode(f"{ANCHOR}a")[len(self._anchor) :][:1]

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text behind other text."""
        if self.adds_space:
            ids = self._encoder.encode(ANCHOR + text)
            if ids[: len(self._anchor)] == self._anchor:
                return ids[len(self._anchor) :]
        return self._encoder.encode(text)


class FimEncoder:
    """Rearranges documents of token ids.

    Args:
        tokenizer: the one that wrote them.
        config: with markers resolved.
        seed: of the rearranging.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, config: FimConfig, seed: int) -> None:
        self._tokenizer, self._config, self._seed = tokenizer, config, seed
        self._encoder = text_encoder(tokenizer)
        self._continued = ContinuedText(tokenizer)
        vocabulary_size = len(tokenizer)
        self._is_special = np.zeros(vocabulary_size, dtype=bool)
        self._is_special[sorted(tokenizer.added_tokens_decoder)] = True
        ids = cast(list[int], tokenizer.convert_tokens_to_ids([config.prefix, config.suffix, config.middle]))
        self._markers = dict(zip(("[prefix]", "[suffix]", "[middle]"), ([marker] for marker in ids), strict=True))
        self._bytes: list[bytes] | None = None
        if isinstance(tokenizer.backend_tokenizer.decoder, ByteLevel):
            byte_of = {character: byte for byte, character in byte_characters().items()}
            tokens = cast(list[str], tokenizer.convert_ids_to_tokens(list(range(vocabulary_size))))
            # A special token is not made of bytes, and a document that holds one is refused before it is decoded.
            self._bytes = [
                b"" if special else bytes(byte_of[character] for character in token)
                for token, special in zip(tokens, self._is_special.tolist(), strict=True)
            ]
            self._num_bytes = np.array([len(token) for token in self._bytes])

    def rearrange(self, ids: np.ndarray, key: str) -> list[int]:
        """Return the rearranged ids of one document.

        Args:
            ids: of the document without its end token.
            key: what identifies it.

        Raises:
            FimRefusedError: the document must be left as it is.
        """
        if self._is_special[ids].any():
            # A rendered conversation, say: its role tokens would come back from the string as plain text.
            raise FimRefusedError("fim_special_token_in_document")
        text = self._decode(ids)
        reason = refusal(text, self._config)
        if reason is not None:
            raise FimRefusedError(reason)
        layout, start, end = draw_cut(len(text), key, self._config, self._seed)
        document = _Document(text, ids, self._token_ends(ids))
        values = {
            "prefix": self._part(document, 0, start),
            "middle": self._part(document, start, end, continues=True),
            "suffix": self._part(document, end, len(text), continues=True),
        } | self._markers
        return list(chain.from_iterable(values[name] for name in LAYOUTS[layout]))

    def _decode(self, ids: np.ndarray) -> str:
        if self._bytes is None:
            return str(
                self._tokenizer.decode(ids.tolist(), skip_special_tokens=False, clean_up_tokenization_spaces=False)
            )
        try:
            return b"".join([self._bytes[token] for token in ids.tolist()]).decode("utf-8")
        except UnicodeDecodeError:
            raise FimRefusedError("fim_undecodable") from None

    def _token_ends(self, ids: np.ndarray) -> np.ndarray | None:
        """Return where each token ends in the document's bytes, None where ids cannot be kept."""
        if self._bytes is None or not self._encoder.is_fast:
            return None
        return np.cumsum(self._num_bytes[ids])

    def _part(self, document: _Document, start: int, end: int, *, continues: bool = False) -> list[int]:
        """Return the ids of a part of the text as if it stood alone, or behind other text."""
        if start == end:
            return []
        if continues and self._continued.adds_space:
            return self._continued.encode(document.text[start:end])
        first, last = document.kept_between(start, end)
        kept = document.ids_between(first, last) if first < last else None
        if kept is None:
            return self._encoder.encode(document.text[start:end])
        before = self._encoder.encode(document.text[start:first]) if start < first else []
        after = self._encoder.encode(document.text[last:end]) if last < end else []
        return [*before, *kept, *after]


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prefix: str, suffix: str, layout: str) -> list[int]:
    """Return what a model is asked with for the text between two others: the ids that training puts before a middle.

    Args:
        tokenizer: of the model.
        prefix: before the cursor.
        suffix: behind it.
        layout: of `LAYOUTS`.

    Raises:
        ValueError: the tokenizer has no markers that are known.
    """
    names = markers_of(tokenizer)
    parts = {f"[{role}]": [cast(int, tokenizer.convert_tokens_to_ids(name))] for role, name in names.items()}
    parts["prefix"] = text_encoder(tokenizer).encode(prefix) if prefix else []
    parts["suffix"] = ContinuedText(tokenizer).encode(suffix) if suffix else []
    before = LAYOUTS[layout][: LAYOUTS[layout].index("middle")]
    return [*start_ids(tokenizer), *chain.from_iterable(parts[name] for name in before)]


class _Document:
    """A text with its ids and where their bytes end."""

    def __init__(self, text: str, ids: np.ndarray, token_ends: np.ndarray | None) -> None:
        self.text, self._ids, self._token_ends = text, ids, token_ends
        self._is_ascii = text.isascii()

    def kept_between(self, start: int, end: int) -> tuple[int, int]:
        """Return the longest run of whole lines of a part, by characters; an empty one where there is none.

        A part that begins or ends with the document begins or ends with its ids.
        """
        if self._token_ends is None:
            return end, end
        first = start
        if start:
            found = LINE_START.search(self.text, start + 1, end)
            if found is None:
                return end, end
            first = found.start()
        if end == len(self.text):
            return first, end
        reach = SEARCHED_CHARACTERS
        while True:
            lowest = max(end - reach, first)
            starts = [match.start() for match in LINE_START.finditer(self.text, lowest, end)]
            if starts:
                return first, starts[-1]
            if lowest == first:
                return first, first
            reach *= 4

    def ids_between(self, first: int, last: int) -> list[int] | None:
        """Return the ids of a run of characters, or None where it does not begin and end with a token."""
        tokens = [self._token_at(first), self._token_at(last)]
        if None in tokens:
            return None
        return self._ids[tokens[0] : tokens[1]].tolist()

    def _token_at(self, place: int) -> int | None:
        assert self._token_ends is not None
        num_bytes = place if self._is_ascii else len(self.text[:place].encode())
        if num_bytes == 0:
            return 0
        token = int(np.searchsorted(self._token_ends, num_bytes))
        return token + 1 if self._token_ends[token] == num_bytes else None


__all__ = ["ContinuedText", "FimEncoder", "FimRefusedError", "prompt_ids"]
