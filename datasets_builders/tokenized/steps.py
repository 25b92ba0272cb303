"""Section 3.2: the steps of the tokenized builder: read rows, encode them, write token files."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from datatrove.data import Document
from numpy.typing import NDArray

from datasets_builders.building.dataset_folder import DatasetFolder
from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.ledger import num_bytes
from datasets_builders.building.steps import Arity, Merged, Outcome, Reader, Removed, Step
from datasets_builders.tokenized.chat_rows import GROUP_ROWS, OverLength, RowFileWriter, RowMaker, rows_of_parts
from datasets_builders.tokenized.conversations import COLUMNS
from datasets_builders.tokenized.token_files import write_token_store
from datasets_builders.tokenized.tokenization import (
    MESSAGES_KEY,
    UnusableRowError,
    encode_document,
    load_tokenizer,
    tokenizer_fingerprint,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ID_COLUMNS = ("id", "mid")
# All that a conversation or a pair may stand in.
CHAT_COLUMNS = (*COLUMNS, "conversations", "tools")


def source_of(doc: Document) -> str:
    """Return the source that a document belongs to: all of one source meet in one rank."""
    return doc.metadata["source"]


class ReadInputs(Reader):
    """Read the text column of every input; rank r of n takes every n-th row.

    Args:
        inputs (list of dict): path, name, text_key, split and where of each; other splits and rows are not read.
    """

    name = "read_inputs"

    def __init__(self, inputs: list[dict[str, str]]) -> None:
        super().__init__()
        self.inputs = inputs

    def list_documents(self, rank: int, world_size: int) -> Iterable[Document]:
        """Give the rows of this rank, conversations as JSON."""
        number = 0
        for source in self.inputs:
            where, _, values = source["where"].partition("=")
            folder = DatasetFolder(source["path"])
            wanted = (*ID_COLUMNS, *(CHAT_COLUMNS if source["rows"] else (source["text_key"],)), where)
            columns = [name for name in dict.fromkeys(wanted) if name in folder.columns]
            for row in folder.rows(columns, source["split"]):
                if where and str(row[where]) not in values.split("|"):
                    continue
                if number % world_size == rank:
                    yield _document(row, source)
                number += 1

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass the row on."""
        yield doc


def _document(row: Mapping[str, Any], source: Mapping[str, str]) -> Document:
    value: Any = dict(row) if source["rows"] else row[source["text_key"]]
    is_chat = source["text_key"] == MESSAGES_KEY
    text: str = json.dumps(value) if is_chat or source["rows"] else value or ""
    row_id = next((row[column] for column in ID_COLUMNS if row.get(column)), None)
    if row_id is None:
        row_id = content_id(text)
    metadata = {"source": source["name"], "is_chat": is_chat, "rows": source["rows"]}
    return Document(text=text, id=f"{source['name']}/{row_id}", metadata=metadata)


class EncodeRows(Step):
    """Turn each row into token ids that end with the end token; special tokens inside the text stay text.

    Args:
        tokenizer_folder (`str`): with tokenizer.json.
        min_tokens (`int`): documents with fewer are removed.
        row_tokens (`int`): of a row of conversations, and of a prompt with one answer.
        over_length (`str`): drop or split longer conversations.
    """

    name = "encode"
    libraries = ("tokenizers",)
    arity: Arity = "1:1"

    def __init__(
        self, tokenizer_folder: str, min_tokens: int, row_tokens: int = 4096, over_length: OverLength = "drop"
    ) -> None:
        super().__init__()
        self.tokenizer_folder = tokenizer_folder
        self.min_tokens = min_tokens
        self.row_tokens, self.over_length = row_tokens, over_length
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._makers: dict[str, RowMaker] = {}

    def begin(self, rank: int, world_size: int) -> None:
        """Load the tokenizer."""
        self._tokenizer = load_tokenizer(self.tokenizer_folder)

    def end(self) -> None:
        """Drop the tokenizer: steps travel between processes."""
        self._tokenizer = None
        self._makers = {}

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Put the ids beside the text."""
        assert self._tokenizer is not None
        if doc.metadata["rows"]:
            yield self._encoded_parts(doc)
            return
        try:
            ids = encode_document(self._tokenizer, json.loads(doc.text) if doc.metadata["is_chat"] else doc.text)
        except UnusableRowError as error:
            yield Removed(doc, str(error))
            return
        if len(ids) < self.min_tokens:
            yield Removed(doc, "too_short", f"{len(ids)} tokens")
            return
        doc.metadata["token_ids"], doc.metadata["parts"] = _as_text(ids), [len(ids)]
        yield doc

    def _encoded_parts(self, doc: Document) -> Outcome:
        """Return a conversation or a pair with the ids of its parts and TARGET_BIT, or why it is removed."""
        assert self._tokenizer is not None
        kind: Literal["sft", "dpo"] = "dpo" if doc.metadata["rows"] == "dpo" else "sft"
        if kind not in self._makers:
            self._makers[kind] = RowMaker(self._tokenizer, kind, self.row_tokens, over_length=self.over_length)
        maker, row = self._makers[kind], json.loads(doc.text)
        try:
            parts = maker.pair(row) if kind == "dpo" else maker.conversation(row)
        except UnusableRowError as error:
            return Removed(doc, str(error))
        doc.metadata["token_ids"] = _as_text(np.concatenate(parts))
        doc.metadata["parts"] = [len(part) for part in parts]
        return doc


def _as_text(ids: Sequence[int] | NDArray[np.uint32]) -> str:
    # Intermediate documents are JSON: base64 of four bytes each is smaller than the numbers.
    return base64.b64encode(np.asarray(ids, dtype="<u4").tobytes()).decode("ascii")


class TokenFileWriter(Step):
    """Write the token file of each source, or its rows, its documents shuffled by a hash of seed and id.

    Token ids that do not fit into memory are sorted on disk; ids and sizes of a source's documents are held.

    Args:
        data_folder (`Path`): where the files go.
        inputs (list of dict): for the metadata.
        tokenizer_folder (`str`): for the metadata.
        seed (`int`): of the order.
        row_tokens (`int`): of a row of conversations.

    Source: datatrove's layout; that of rows is ours.
    """

    name = "token_files"
    arity: Arity = "n:1"

    def __init__(
        self,
        data_folder: Path,
        inputs: list[dict[str, str]],
        tokenizer_folder: str,
        seed: int,
        row_tokens: int = 4096,
    ) -> None:
        super().__init__()
        self.row_tokens = row_tokens
        self.data_folder = str(data_folder)
        self.sources = {source["name"]: source for source in inputs}
        self.tokenizer_folder = tokenizer_folder
        self.seed = seed

    def begin(self, rank: int, world_size: int) -> None:
        """Start without documents."""
        self._documents = DiskSort(itemgetter(0, 1), self.runs_folder)

    def end(self) -> None:
        """Let go of the documents."""
        self._documents.close()

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Keep the ids until the source is complete; the text is no longer needed."""
        known = doc.metadata
        self._documents.add(
            [known["source"], self._place(doc.id), doc.id, num_bytes(doc.text), known["token_ids"], known["parts"]],
        )
        return ()

    def finish(self) -> Iterable[Outcome]:
        """Write the files of this rank's sources and give one row per document."""
        tokenizer = None
        for name, group in groupby(self._documents, itemgetter(0)):
            tokenizer = tokenizer or load_tokenizer(self.tokenizer_folder)
            source = self.sources[name]
            rows: list[Document] = []
            merged: list[Merged] = []
            kept = _kept_ids(group, rows, merged)
            facts = {
                "source": name,
                "split": source["split"],
                "where": source["where"],
                "tokenizer_fingerprint": tokenizer_fingerprint(tokenizer),
            }
            if source["rows"]:
                self._write_rows(source, kept, facts)
            else:
                facts |= {"text_key": source["text_key"], "end_token_id": tokenizer.eos_token_id}
                facts["vocabulary_size"] = len(tokenizer)
                write_token_store(Path(self.data_folder) / f"{name}.ds", (ids for ids, _ in kept), facts)
            yield from merged
            for number, row in enumerate(rows):
                row.metadata["document"] = number
                yield row

    def _write_rows(
        self, source: Mapping[str, str], kept: Iterator[tuple[NDArray[np.uint32], list[int]]], facts: dict[str, Any]
    ) -> None:
        """Write a source's conversations or pairs as rows, packed in groups of a fixed number."""
        kind: Literal["sft", "dpo"] = "dpo" if source["rows"] == "dpo" else "sft"
        with RowFileWriter(Path(self.data_folder) / f"{source['name']}.rows") as writer:
            while group := list(islice(kept, GROUP_ROWS)):
                made = [np.split(ids, np.cumsum(parts)[:-1]) for ids, parts in group]
                writer.add(rows_of_parts(made, kind, self.row_tokens))
            writer.finish({**facts, "kind": kind, "max_tokens": self.row_tokens})

    def _place(self, identifier: str) -> str:
        return hashlib.blake2b(f"{self.seed}|{identifier}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _kept_ids(
    group: Iterable[list[Any]], rows: list[Document], merged: list[Merged]
) -> Iterator[tuple[NDArray[np.uint32], list[int]]]:
    """Give ids and parts of a source's documents in their order, and note the rows; of equal row ids one stays.

    The ids' bytes decide between those, so that the order of arrival does not.
    """
    for identifier, same in groupby(group, itemgetter(2)):
        found = sorted(
            (base64.b64decode(token_ids), size, source, parts) for source, _, _, size, token_ids, parts in same
        )
        for position, (raw, size, source, parts) in enumerate(found):
            ids = np.frombuffer(raw, dtype="<u4")
            metadata = {"source": source, "num_tokens": len(ids), "num_bytes": size}
            row = Document(text="", id=identifier, metadata=metadata)
            if position:
                merged.append(Merged(row, identifier, "same_id", f"{source} {identifier}"))
            else:
                rows.append(row)
                yield ids, parts
