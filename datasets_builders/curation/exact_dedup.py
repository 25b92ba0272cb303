"""Section 2.1: exact deduplication: of files with the same content one stays, and knows of the others."""

from collections.abc import Iterable

from datatrove.data import Document

from datasets_builders.building.steps import Arity, Merged, Outcome, Step


class ExactDedup(Step):
    """Merge documents with the same id, which must be a hash of the content. The smallest path stays.

    Give its stage the key `document_id` (the default), so that equal ids meet in one rank. A rank holds its documents
    in memory: take more `num_tasks` for more data.

    Source: ours; StarCoder2 2.1 keeps the most starred, which a plain folder does not know.
    """

    name = "exact_dedup"
    arity: Arity = "n:1"

    def begin(self, rank: int, world_size: int) -> None:
        """Start without documents."""
        self._groups: dict[str, list[Document]] = {}

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Keep the document until all are seen."""
        self._groups.setdefault(doc.id, []).append(doc)
        return ()

    def finish(self) -> Iterable[Outcome]:
        """Give one document of each group, in the order of ids."""
        for identifier in sorted(self._groups):
            winner, *others = sorted(self._groups.pop(identifier), key=_path_then_text)
            if others:
                winner.metadata["duplicates"] = [other.metadata.get("path", "") for other in others]
            yield winner
            for other in others:
                yield Merged(other, winner.id, "same_content")


def _path_then_text(doc: Document) -> tuple[str, str]:
    return doc.metadata.get("path", ""), doc.text
