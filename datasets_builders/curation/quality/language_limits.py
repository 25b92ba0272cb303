"""Section 2.1: no more of a language than asked for, as StarCoder2 draws 200 GB each of Java and JavaScript."""

import hashlib
from collections.abc import Iterable, Mapping

from datatrove.data import Document

from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.ledger import num_bytes
from datasets_builders.building.steps import Arity, Outcome, Removed, Step


def language_key(doc: Document) -> str:
    """Return the key by which documents of a language meet in one rank."""
    return str(doc.metadata.get("language"))


class LanguageLimits(Step):
    """Keep documents of a language up to a number of bytes, drawn at random; all of other languages.

    Which are drawn hangs on seed and content alone: a smaller limit keeps a part of what a larger one does. Give its
    stage the key `language_key`.

    Args:
        limits: language to bytes.
        seed (`int`): of the draw.

    Source: StarCoder2 2.1 (down-sampling by language).
    """

    name = "language_limits"
    is_filter = True
    arity: Arity = "n:1"

    def __init__(self, limits: Mapping[str, float], seed: int) -> None:
        super().__init__()
        self.limits, self.seed = dict(limits), seed

    def begin(self, rank: int, world_size: int) -> None:
        """Start without documents."""
        self._drawn = DiskSort(lambda values: values[0], self.runs_folder)

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Keep documents of limited languages back until all are seen."""
        if language_key(doc) not in self.limits:
            return (doc,)
        drawn = hashlib.sha256(f"{self.seed}\0{doc.id}".encode()).hexdigest()
        self._drawn.add([drawn, *values_of(doc)])
        return ()

    def finish(self) -> Iterable[Outcome]:
        """Give documents in the order in which they are drawn, while there is room for them."""
        used: dict[str, int] = {}
        for _, *values in self._drawn:
            doc = document_of(values)
            language = language_key(doc)
            size = num_bytes(doc.text)
            if used.get(language, 0) + size <= self.limits[language]:
                used[language] = used.get(language, 0) + size
                yield doc
            else:
                yield Removed(doc, "language_limit", language)

    def end(self) -> None:
        """Drop what is left of the documents."""
        self._drawn.close()
