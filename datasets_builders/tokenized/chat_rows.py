"""Sections 3.2.3 and 3.2.4: conversations packed into rows, and preference pairs, as files that training maps.

A folder of rows holds, all little endian:
    rows.bin        uint32  the ids of all rows, one after another; bit 31 is set where a token is a target
    row_ends.bin    uint64  where each row ends in rows.bin
    parts.bin       uint32  where each part of a row ends within it: its conversations; or prompt, chosen, rejected
    part_ends.bin   uint64  how many parts there are up to and with each row
    packing.json            counts, hashes, what was removed and why; written last

Rows are made in groups of a fixed number of the dataset's rows, each by one worker, so that the bytes do not depend on
the number of workers. No message is ever parsed for special tokens.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from datasets_builders.tokenized.bin_packing import best_fit
from datasets_builders.tokenized.conversations import ASSISTANT, RowFormat, read_conversation, read_preference
from datasets_builders.tokenized.tokenization import UnusableRowError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

# Raised when the bytes of a folder change, so that one of an older layout is not read as a new one.
LAYOUT_VERSION = 1
DESCRIPTION_FILE = "packing.json"
# Rows of a dataset that are packed together: enough that the last, half-empty rows of a group weigh nothing.
GROUP_ROWS = 10_000
TARGET_BIT = np.uint32(1 << 31)
ID_MASK = np.uint32((1 << 31) - 1)

OverLength = Literal["drop", "split"]
OVER_LENGTH_POLICIES: tuple[OverLength, ...] = ("drop", "split")


@dataclass
class Removals:
    """Rows that are not trained on, by reason, with an example of each."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, row_id: str) -> None:
        """Count one row under a reason."""
        self.counts[reason] += 1
        self.examples.setdefault(reason, row_id)

    def merge(self, other: Removals) -> None:
        """Count what another part of the dataset removed."""
        self.counts.update(other.counts)
        self.examples = {**other.examples, **self.examples}

    def describe(self) -> str:
        """Return one line for the console and the card."""
        if not self.counts:
            return "no row removed"
        return ", ".join(f"{count:,} removed: {reason}" for reason, count in sorted(self.counts.items()))


@dataclass
class RowGroup:
    """Rows made of one group of a dataset's rows.

    Attributes:
        tokens: uint32 ids with TARGET_BIT, of all rows.
        row_lengths: of each row, in tokens.
        part_ends: within their rows.
        row_parts: parts of each row.
        num_read: rows of the dataset.
        num_kept: conversations or pairs in the rows.
        removals: what is not in them.
    """

    tokens: NDArray[np.uint32]
    row_lengths: NDArray[np.uint64]
    part_ends: NDArray[np.uint32]
    row_parts: NDArray[np.uint64]
    num_read: int
    num_kept: int
    removals: Removals


class UnreadableRow(str):
    """In place of a row that could not be read: the reason."""

    __slots__ = ()


Row = Mapping[str, Any] | UnreadableRow


class RowMaker:
    """Encodes groups of a dataset's rows.

    Args:
        tokenizer: with the special tokens of the family.
        kind: conversations ("sft") or preference pairs ("dpo").
        max_tokens: of a packed row, and of a prompt with one answer.
        names: of the dataset's columns and roles.
        over_length: what becomes of a conversation that does not fit: removed, or cut into rows of its own, the later
            ones without what was said before. A pair is removed.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        kind: Literal["sft", "dpo"],
        max_tokens: int,
        names: RowFormat | None = None,
        over_length: OverLength = "drop",
    ) -> None:
        from modeling_ling.tokenizer import ChatEncoder, role_name

        self._encoder = ChatEncoder(tokenizer)
        self._role_name = role_name
        self.kind, self.max_tokens, self.over_length = kind, max_tokens, over_length
        self.names = names or RowFormat()

    def group(self, rows: Iterable[Row], first_number: int = 0) -> RowGroup:
        """Return the rows made of a group.

        Args:
            rows: of the dataset.
            first_number: of the first of them in the dataset, to name rows that have no id.
        """
        kept: list[list[NDArray[np.uint32]]] = []
        removals = Removals()
        num_read = 0
        for number, row in enumerate(rows, first_number):
            num_read += 1
            try:
                if isinstance(row, UnreadableRow):
                    raise UnusableRowError(row)
                kept.append(self.pair(row) if self.kind == "dpo" else self.conversation(row))
            except UnusableRowError as error:
                removals.add(str(error), _name_of(row, number))
        group = rows_of_parts(kept, self.kind, self.max_tokens)
        group.num_read, group.removals = num_read, removals
        return group

    def conversation(self, row: Mapping[str, Any]) -> list[NDArray[np.uint32]]:
        """Return a row's conversation as ids with TARGET_BIT; several where it is longer than a row and is cut.

        Raises:
            UnusableRowError: the reason under which the row is removed.
        """
        conversation = read_conversation(row, self.names)
        ids, spans = self._encode(conversation.roles, conversation.contents, conversation.learned)
        marked = np.array(ids, dtype=np.uint32)
        for start, end in spans:
            marked[start:end] |= TARGET_BIT
        if len(marked) <= self.max_tokens:
            return [marked]
        if self.over_length == "drop":
            raise UnusableRowError(f"longer than {self.max_tokens} tokens")
        parts = [marked[start : start + self.max_tokens] for start in range(0, len(marked), self.max_tokens)]
        # The first token of a part is not predicted from anything.
        kept = [part for part in parts if (part[1:] & TARGET_BIT).any()]
        if not kept:
            raise UnusableRowError("no answer to learn")
        return kept

    def pair(self, row: Mapping[str, Any]) -> list[NDArray[np.uint32]]:
        """Return prompt, chosen and rejected answer of a row as ids, the answers with TARGET_BIT.

        Raises:
            UnusableRowError: the reason under which the row is removed.
        """
        context, *answers = read_preference(row, self.names)
        sides = []
        for answer in answers:
            ids, spans = self._encode(
                [*context.roles, ASSISTANT], [*context.contents, answer], [*context.learned, True]
            )
            if len(ids) > self.max_tokens:
                raise UnusableRowError(f"longer than {self.max_tokens} tokens")
            sides.append(np.array(ids, dtype=np.uint32))
            prompt_tokens = spans[-1][0]
        return [sides[0][:prompt_tokens], *(side[prompt_tokens:] | TARGET_BIT for side in sides)]

    def _encode(
        self, roles: Sequence[str], contents: Sequence[str], learned: Sequence[bool]
    ) -> tuple[list[int], list[tuple[int, int]]]:
        written = [self._role_name({"role": role}, place) for place, role in enumerate(roles)]
        try:
            return self._encoder.encode(written, contents, learned)
        except (UnicodeError, TypeError):
            raise UnusableRowError("text with half a character (a lone surrogate)") from None


def _name_of(row: Row, number: int) -> str:
    known = None if isinstance(row, UnreadableRow) else row.get("mid") or row.get("id")
    return str(known or number)


def rows_of_parts(
    kept: Sequence[Sequence[NDArray[np.uint32]]], kind: Literal["sft", "dpo"], max_tokens: int
) -> RowGroup:
    """Return encoded conversations packed into rows, or pairs as they are.

    Args:
        kept: the parts of each conversation or pair, with TARGET_BIT: see `RowMaker.conversation` and `pair`.
        kind: which of them.
        max_tokens: of a row.
    """
    rows: list[Sequence[NDArray[np.uint32]]] = list(kept)
    if kind == "sft":
        pieces = [part for made in kept for part in made]
        bins = best_fit([len(piece) for piece in pieces], max_tokens)
        rows = [[pieces[number] for number in sorted(members)] for members in bins]
    parts = [part for row in rows for part in row]
    row_parts = np.array([len(row) for row in rows], dtype=np.int64)
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    row_ends = ends[np.cumsum(row_parts) - 1] if rows else ends
    starts = np.concatenate([np.zeros(1, np.int64), row_ends[:-1]])[: len(rows)]
    return RowGroup(
        tokens=np.concatenate(parts) if parts else np.zeros(0, np.uint32),
        row_lengths=(row_ends - starts).astype(np.uint64),
        part_ends=(ends - np.repeat(starts, row_parts)).astype(np.uint32),
        row_parts=row_parts.astype(np.uint64),
        num_read=len(kept),
        num_kept=len(kept),
        removals=Removals(),
    )


class RowFileWriter:
    """Writes a folder of rows, group by group.

    Args:
        folder: new, or without such files.
    """

    _FILES = ("rows.bin", "row_ends.bin", "parts.bin", "part_ends.bin")

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.removals = Removals()
        self.num_rows = self.num_tokens = self.num_targets = self.num_parts = self.num_read = self.num_kept = 0
        self._digest = hashlib.sha256()
        self._files = ExitStack()
        self._open: list[BinaryIO] = []

    def __enter__(self) -> RowFileWriter:
        with ExitStack() as files:
            self._open = [files.enter_context(open(self.folder / name, "wb")) for name in self._FILES]
            self._files = files.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, group: RowGroup) -> None:
        """Append the rows of a group."""
        row_ends = np.cumsum(group.row_lengths) + np.uint64(self.num_tokens)
        part_ends = np.cumsum(group.row_parts) + np.uint64(self.num_parts)
        arrays = (
            group.tokens.astype("<u4"),
            row_ends.astype("<u8"),
            group.part_ends.astype("<u4"),
            part_ends.astype("<u8"),
        )
        for file, array in zip(self._open, arrays, strict=True):
            file.write(array.tobytes())
            self._digest.update(array.tobytes())
        self.num_rows += len(group.row_lengths)
        self.num_tokens += len(group.tokens)
        self.num_targets += int(np.count_nonzero(group.tokens & TARGET_BIT))
        self.num_parts += len(group.part_ends)
        self.num_read += group.num_read
        self.num_kept += group.num_kept
        self.removals.merge(group.removals)

    def finish(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Write the description; the folder is whole from then on.

        Args:
            facts: what else to record.

        Returns:
            The description as written.
        """
        for file in self._open:
            file.flush()
        description = {
            **facts,
            "layout": LAYOUT_VERSION,
            "num_rows": self.num_rows,
            "num_tokens": self.num_tokens,
            "num_targets": self.num_targets,
            "num_parts": self.num_parts,
            "num_read": self.num_read,
            "num_kept": self.num_kept,
            "removed": dict(sorted(self.removals.counts.items())),
            "removed_examples": dict(sorted(self.removals.examples.items())),
            "content_sha256": self._digest.hexdigest(),
        }
        temporary = self.folder / (DESCRIPTION_FILE + ".tmp")
        temporary.write_text(json.dumps(description, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(self.folder / DESCRIPTION_FILE)
        return description


__all__ = ["OVER_LENGTH_POLICIES", "OverLength", "Removals", "RowFileWriter", "RowGroup", "RowMaker", "UnreadableRow"]
