"""Section 2.4: the step that bounds common answers and questions that are no work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import NamedTuple

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import DEFAULT_SPLIT, document_of, values_of
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.synthesis.program_analysis.balance import capped, capped_part
from datasets_builders.synthesis.program_analysis.questions.question import stands_in_call

# Kinds whose answers are few by nature: one may have three times the part that it may have elsewhere.
FEW_ANSWERS = frozenset({"exception_prediction", "branch_prediction", "equivalence", "complexity"})


class LimitAnswers(Step):
    """Remove questions asked twice, answers so common that guessing them would pay, and questions that are no work.

    Has to see all questions: one task. The bounds hold in each split and kind.

    Args:
        max_answer_fraction (`float`): largest part that one answer may have.
        max_trivial_fraction (`float`): largest part that questions on functions of one statement may have, and those
            whose answers stand in the call.
    """

    name = "limit_answers"
    arity = "n:1"

    def __init__(self, max_answer_fraction: float, max_trivial_fraction: float = 1.0) -> None:
        super().__init__()
        self.max_answer_fraction, self.max_trivial_fraction = max_answer_fraction, max_trivial_fraction

    def begin(self, rank: int, world_size: int) -> None:
        """Start without questions."""
        # The training side gives way: of a question in both splits the one held out comes first.
        self._questions = DiskSort(itemgetter(0, 1, 2), self.runs_folder)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the question until all are known."""
        self._questions.add([doc.id, doc.metadata["split"] == DEFAULT_SPLIT, _order(doc), *values_of(doc)])
        yield from ()

    def finish(self) -> Iterator[Outcome]:
        """Give the questions that stay; remove those asked twice, or whose answer is too common.

        The questions are read twice; held are their ids and what decides.
        """
        groups: dict[tuple[str, str], list[_Place]] = {}
        for _, copies in groupby(self._questions, key=itemgetter(0)):
            doc = document_of(next(copies)[3:])
            place = _Place(doc.id, _is_one_statement(doc), _is_copied(doc), content_id(_answer_of(doc)))
            groups.setdefault((doc.metadata["kind"], doc.metadata["split"]), []).append(place)
        reasons = {
            place.id: reason for (kind, _), places in groups.items() for place, reason in self._left_out(kind, places)
        }
        groups.clear()
        for _, copies in groupby(self._questions, key=itemgetter(0)):
            doc, *others = (document_of(values[3:]) for values in copies)
            reason = reasons.get(doc.id)
            detail = _answer_of(doc) if reason == "common_answer" else doc.metadata["call"]
            yield Removed(doc, reason, detail[:80]) if reason else doc
            for other in others:
                yield Removed(other, "same_question", f"as of {doc.metadata['module']}.{doc.metadata['function']}")

    def end(self) -> None:
        """Drop what is left of the questions."""
        self._questions.close()

    def _left_out(self, kind: str, places: list[_Place]) -> Iterator[tuple[_Place, str]]:
        """Give the questions of a kind and split that go, each with the reason."""
        left = places
        for reason in ("is_one_statement", "is_copied"):
            left, removed = capped_part(left, attrgetter(reason), self.max_trivial_fraction)
            for place in removed:
                yield place, reason
        fraction = min(3 * self.max_answer_fraction, 1.0) if kind in FEW_ANSWERS else self.max_answer_fraction
        keep = capped([place.answer for place in left], fraction)
        for place, stays in zip(left, keep, strict=True):
            if not stays:
                yield place, "common_answer"


class _Place(NamedTuple):
    """What decides whether a question stays."""

    id: str
    is_one_statement: bool
    is_copied: bool
    answer: str


def _is_one_statement(doc: Document) -> bool:
    return bool(doc.metadata.get("is_one_statement"))


def _is_copied(doc: Document) -> bool:
    row = doc.metadata
    is_value = row["kind"] in ("execution_prediction", "execution_rationale")
    return is_value and stands_in_call(row.get("answer", ""), row.get("call", ""))


def _answer_of(doc: Document) -> str:
    return doc.metadata["messages"][-1]["content"]


def _order(doc: Document) -> str:
    return json.dumps([doc.metadata["path"], doc.metadata["function"]])
