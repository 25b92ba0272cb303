"""Section 3.2, Table 1 (mathematics): computed word problems with worked answers, a stand-in in the small."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from datatrove.data import Document

from datasets_builders.building.builder import Builder
from datasets_builders.building.config import BuilderConfig
from datasets_builders.building.description import CardParts
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.identity import content_id
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Generator, Outcome
from datasets_builders.curation.deduplication.exact import ExactDedup
from datasets_builders.stand_ins.problems import PROBLEMS

if TYPE_CHECKING:
    from datasets import Features

DEFAULT_LICENSE = "cc0-1.0"


@dataclass
class ArithmeticConfig(BuilderConfig):
    """Configuration of `arithmetic`."""

    num_documents: int = field(
        default=5_000, metadata={"help": "number of problems drawn; equal ones are merged afterwards"}
    )

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        if self.num_documents < 1:
            raise ConfigError(f"num_documents is {self.num_documents}, but must be at least 1")


def write_problem(seed: int, number: int) -> tuple[str, str]:
    """Return (kind, text) of problem `number`: question, worked answer, final answer.

    Args:
        seed (`int`): of the dataset.
        number (`int`): each problem is drawn from a generator of its own, so that no other one has a say in it.
    """
    make = PROBLEMS[number % len(PROBLEMS)]
    question, work, answer = make(Random(f"{seed}:{number}"))
    return make.__name__, f"Question: {question}\nAnswer: {work}\nResult: {answer}"


class ProblemGenerator(Generator):
    """Compute word problems."""

    name = "compute"

    def __init__(self, seed: int, num_documents: int) -> None:
        super().__init__()
        self.seed = seed
        self.num_documents = num_documents

    def generate(self, rank: int, world_size: int) -> Iterable[Outcome]:
        """Give every problem number `rank` modulo `world_size`."""
        for number in range(rank, self.num_documents, world_size):
            kind, text = write_problem(self.seed, number)
            place = {"source": "computed", "path": f"{kind}/{number:08d}"}
            yield Document(text=text, id=content_id(text), metadata=place)


class ArithmeticBuilder(Builder[ArithmeticConfig]):
    """Computed word problems.

    Source: paper 3.2, Table 1 mixes mathematics, of which this is a stand-in of ours.
    """

    name = "arithmetic"
    summary = "computed word problems with worked answers: stand-in for mathematics"
    config_class = ArithmeticConfig
    counted_column = "source"

    @property
    def features(self) -> "Features":
        """Columns of the dataset."""
        from datasets import Features, Value

        return Features({name: Value("string") for name in ("id", "text", "source", "path")})

    def stages(self) -> list[Stage]:
        """Compute, then keep one of equal problems."""
        config = self.config
        return [
            Stage("compute", [ProblemGenerator(config.seed, config.num_documents)], tasks=config.num_tasks),
            Stage("deduplicate", [ExactDedup()], tasks=config.num_tasks),
        ]

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="Computed word problems",
            description="Word problems with worked answers, true by construction: question, work and result come "
            "from the same drawn numbers. A small stand-in for the mathematics of Table 1 of arXiv 2503.17793.",
            license=self.config.license or DEFAULT_LICENSE,
            tags=["math", "synthetic"],
            columns={
                "id": "first 32 hex digits of the SHA-256 of the text",
                "text": "question, worked answer and result",
                "source": "computed",
                "path": "kind and number of the problem",
            },
        )
