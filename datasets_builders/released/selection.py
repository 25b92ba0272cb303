"""Section 3.2.3: which questions go into supervised fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.steps import Outcome, Removed, Step


class SelectRows(Step):
    """Keep the wanted kinds of questions that are neither too long nor malformed.

    Args:
        kinds (`Sequence[str]`): the kinds to keep.
        max_chars (`int`): longest question and answer together, in characters.
    """

    name = "select_rows"

    def __init__(self, kinds: Sequence[str], max_chars: int) -> None:
        super().__init__()
        self.kinds, self.max_chars = tuple(kinds), max_chars

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Pass on a question that is wanted."""
        messages = doc.metadata["messages"]
        num_chars = sum(len(message["content"]) for message in messages)
        if doc.metadata["kind"] not in self.kinds:
            yield Removed(doc, "kind_not_wanted", doc.metadata["kind"])
        elif [message["role"] for message in messages] != ["user", "assistant"] or not messages[1]["content"].strip():
            yield Removed(doc, "not_a_question_with_an_answer")
        elif num_chars > self.max_chars:
            yield Removed(doc, "too_long", f"{num_chars} characters")
        else:
            yield doc


class LimitKinds(Step):
    """Keep at most so many training rows of each kind; which ones follows from their ids. One task.

    The validation rows all stay: they are what is measured on.

    Args:
        max_rows (`Mapping[str, int]`): limit of a kind; kinds without one are kept whole.
    """

    name = "limit_kinds"
    arity = "n:1"

    def __init__(self, max_rows: Mapping[str, int]) -> None:
        super().__init__()
        self.max_rows = dict(max_rows)

    def begin(self, rank: int, world_size: int) -> None:
        """Start without rows."""
        self._documents = DiskSort(itemgetter(0), self.runs_folder)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the row until all are known."""
        self._documents.add(values_of(doc))
        return iter(())

    def finish(self) -> Iterator[Outcome]:
        """Give the rows that stay, and remove the others."""
        taken: dict[str, int] = {}
        for doc in map(document_of, self._documents):
            kind = doc.metadata["kind"]
            if doc.metadata["split"] == "train" and kind in self.max_rows:
                taken[kind] = taken.get(kind, 0) + 1
                if taken[kind] > self.max_rows[kind]:
                    yield Removed(doc, "enough_of_this_kind", kind)
                    continue
            yield doc

    def end(self) -> None:
        """Let go of the rows."""
        self._documents.close()
