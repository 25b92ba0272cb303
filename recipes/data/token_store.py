"""Section 3.2: reading token files: what `datasets_builders tokenized` writes (datatrove's layout).

`NAME.ds` holds token ids (uint32, little endian) of all documents one after another, `NAME.ds.index` the end of each
document (uint64), `NAME.ds.metadata` a JSON object. Both arrays are mapped, never loaded.
"""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np


class TokenStore:
    """The documents of one token file.

    Args:
        path: the `.ds` file.

    Raises:
        FileNotFoundError: one of the three files is missing.
        ValueError: the files do not belong together, or hold no document.

    Source: the layout is datatrove's.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.index_path = self.path.with_name(self.path.name + ".index")
        self.metadata_path = self.path.with_name(self.path.name + ".metadata")
        for file in (self.path, self.index_path, self.metadata_path):
            if not file.is_file():
                raise FileNotFoundError(f"{file} is missing: build it with `python -m datasets_builders tokenized`.")
        try:
            self.metadata: dict[str, Any] = json.loads(self.metadata_path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{self.metadata_path} is not JSON ({error}): build the token file again.") from error
        self.num_tokens = self.path.stat().st_size // 4
        self.num_documents = self.index_path.stat().st_size // 8
        if self.num_documents == 0:
            raise ValueError(f"{self.path} holds no document: the dataset it was built from is empty.")
        self._open()
        if int(self._ends[-1]) != self.num_tokens:
            raise ValueError(
                f"{self.path} holds {self.num_tokens} tokens, its index ends at {int(self._ends[-1])}: "
                "the files do not belong together. Build them again."
            )

    def _open(self) -> None:
        self._tokens = np.memmap(self.path, dtype="<u4", mode="r")
        self._ends = np.memmap(self.index_path, dtype="<u8", mode="r")

    def __getstate__(self) -> dict[str, Any]:
        # A pickled memmap is a full copy: a data loader's worker maps the file again instead.
        return {key: value for key, value in self.__dict__.items() if key not in ("_tokens", "_ends")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __len__(self) -> int:
        return self.num_documents

    def document(self, number: int) -> np.ndarray:
        """Return the token ids of one document, its end token included.

        Args:
            number: 0 to num_documents - 1.

        Returns:
            uint32 ids of shape (num_tokens_of_the_document,), mapped.

        Raises:
            IndexError: no such document.
        """
        if not 0 <= number < self.num_documents:
            raise IndexError(f"{self.path} has {self.num_documents} documents: there is no number {number}.")
        start = int(self._ends[number - 1]) if number else 0
        return self._tokens[start : int(self._ends[number])]

    def spans(self, span_tokens: int) -> list[tuple[int, int]]:
        """Return the documents in runs of about so many tokens: (first, end) of each."""
        marks = np.arange(span_tokens, self.num_tokens, span_tokens, dtype=np.uint64)
        ends = np.unique([0, *(np.searchsorted(self._ends, marks) + 1).tolist(), self.num_documents])
        return [(int(first), int(end)) for first, end in pairwise(ends)]

    def fingerprint(self) -> str:
        """Return a hash of the content: of the token and index files, by size and bytes."""
        known = self.metadata.get("content_sha256")
        if known:
            return str(known)
        return self._read_whole()[0]

    def verify(self, vocab_size: int) -> None:
        """Read every token once and compare with what the builder recorded.

        Args:
            vocab_size: tokens of the tokenizer.

        Raises:
            ValueError: the bytes are not those that were written, or an id is outside the vocabulary.
        """
        sha256, largest_id = self._read_whole()
        known = self.metadata.get("content_sha256")
        if known and known != sha256:
            raise ValueError(
                f"{self.path} is damaged: its content has the hash {sha256[:12]}, {known[:12]} was written. Build or "
                "copy it again."
            )
        if largest_id >= vocab_size:
            raise ValueError(
                f"{self.path} holds the id {largest_id}, but the tokenizer has {vocab_size} tokens. Build it again "
                "with this tokenizer."
            )

    def _read_whole(self) -> tuple[str, int]:
        """Return the hash of the content, as the builder records it, and the largest id."""
        digests = []
        largest_id = -1
        for array in (self._tokens, self._ends):
            digest = hashlib.sha256()
            for start in range(0, len(array), 1 << 22):
                block = np.ascontiguousarray(array[start : start + (1 << 22)])
                digest.update(block.view(np.uint8).data)
                if array is self._tokens:
                    largest_id = max(largest_id, int(block.max()))
            digests.append(digest.digest())
        return hashlib.sha256(b"".join(digests)).hexdigest(), largest_id
