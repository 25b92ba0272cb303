"""Section 2.1: exact deduplication: of files with the same content one stays, and knows of the others.

The order in which copies are preferred, most stars, most forks, latest, smallest path, serves near_dedup too.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.intermediate import document_id, document_of, values_of
from datasets_builders.building.steps import Arity, Merged, Outcome, Step, name_of


class ExactDedup(Step):
    """Merge documents with the same id, which must be a hash of the content. The best copy stays.

    Give its stage the key `document_id` (the default), so that equal ids meet in one rank. What does not fit into
    memory is sorted on disk; of equal documents one text is held.

    Source: StarCoder2 2.1.
    """

    name = "exact_dedup"
    is_filter = True
    arity: Arity = "n:1"

    def begin(self, rank: int, world_size: int) -> None:
        """Start without documents."""
        self._documents = DiskSort(lambda values: values[0], self.runs_folder)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Keep the document until all are seen."""
        self._documents.add(values_of(doc))
        return ()

    def finish(self) -> Iterable[Outcome]:
        """Give one document of each group, in the order of ids."""
        for identifier, found in groupby(map(document_of, self._documents), document_id):
            group: list[Document] = []
            for doc in found:
                if group and doc.text == group[0].text:
                    doc.text = group[0].text
                group.append(doc)
            number = int(best_of([str(index), *preference(doc), doc.text] for index, doc in enumerate(group)))
            winner = group.pop(number)
            others = sorted(group, key=lambda doc: (place_of(doc), doc.text))
            if others:
                winner.metadata["duplicates"] = [place_of(other) for other in others]
            yield winner
            for other in others:
                yield Merged(other, identifier, "same_content", name_of(winner))

    def end(self) -> None:
        """Drop what is left of the documents."""
        self._documents.close()


def preference(doc: Document) -> tuple[int, int, str, str]:
    """Return what makes a copy better than another: stars, forks, date of the last change (ISO), path.

    Source: StarCoder2 2.1.
    """
    known = doc.metadata
    return int(known.get("stars") or 0), int(known.get("forks") or 0), str(known.get("date") or ""), place_of(doc)


def best_of(members: Iterable[list[Any]]) -> str:
    """Return the id of the copy that stays: most stars, most forks, latest, smallest path, smallest of the rest.

    Args:
        members: [id, stars, forks, date, path, ...] each.

    Source: StarCoder2 2.1.
    """
    by_path = sorted(members, key=lambda member: (member[4:], member[0]))
    return max(by_path, key=lambda member: (member[1], member[2], member[3]))[0]  # of equal ones max takes the first


def place_of(doc: Document) -> str:
    """Return the repository and the path of a document."""
    return f"{doc.metadata.get('repository', '')}/{doc.metadata.get('path', '')}"
