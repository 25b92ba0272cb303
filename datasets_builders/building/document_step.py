"""What stands in a stage: datatrove's `PipelineStep`, with the types of what goes in and comes out."""

from abc import abstractmethod
from collections.abc import Generator, Iterable
from typing import TypeAlias

from datatrove.data import Document, DocumentsPipeline
from datatrove.pipeline.base import PipelineStep

Documents: TypeAlias = Generator[Document, None, None]


class DocumentStep(PipelineStep):
    """Base of what is given documents, or makes them as the first step, and passes documents on."""

    def run(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> DocumentsPipeline:
        """Pass documents on, as datatrove calls it: its type of them is one that no function can return."""
        return DocumentsPipeline(self.pass_on(data, rank, world_size))

    @abstractmethod
    def pass_on(self, data: Iterable[Document] | None, rank: int = 0, world_size: int = 1) -> Documents:
        """Pass on the documents of a rank.

        Args:
            data (iterable of `Document`, *optional*): of the step before; none for the first one.
            rank (`int`): which part of the stage.
            world_size (`int`): parts of the stage.
        """
