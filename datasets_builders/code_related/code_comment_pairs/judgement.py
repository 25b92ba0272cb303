"""Section 2.3.2, second phase: a teacher judges step by step whether comments say what their code does.

What comes out trains the small model that labels the rest: `accelerate launch -m recipes.distill --config
recipes/configs/distill/consistency.yaml`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, ClassVar

from datatrove.data import Document

from datasets_builders.asking import (
    Answer,
    Ask,
    AskingBuilder,
    MalformedAnswerError,
    Request,
    TeacherFields,
    json_schema,
)
from datasets_builders.building.config import BuilderConfig, ConfigPerLanguageFields
from datasets_builders.building.dataset_folder import ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.building.description import CardParts
from datasets_builders.building.disk_sort import DiskSort
from datasets_builders.building.errors import ConfigError
from datasets_builders.building.intermediate import document_of, values_of
from datasets_builders.building.stages import Stage
from datasets_builders.building.steps import Arity, Outcome, Removed, Step

if TYPE_CHECKING:
    from datasets import Features

PROMPT = Path(__file__).with_name("prompts") / "judge_pair.txt"
_TEXTS = ("lines", "summary", "review")
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string", "minLength": 1} for name in _TEXTS} | {"consistent": {"type": "boolean"}},
    "required": [*_TEXTS, "consistent"],
    "additionalProperties": False,
}
PAPER_NUM_PAIRS = 25_600  # 19.2K to train on, 3.2K each to validate and to test
KNOWN = ("code", "comment", "language", "path", "repository", "license")
COLUMNS = {
    "id": "id of the pair",
    "text": "the comment, an empty line, the code",
    "code": "the definition without its comment",
    "comment": "what the comment says",
    "chain": "the teacher's reasoning: line by line, in one sentence, compared with the comment",
    "verdict": "whether the comment says what the code does",
    "language": "programming language",
    "path": "file in the repository",
    "repository": "name of the code base",
    "license": "licence of the file",
    "teacher": "model that judged",
}


@dataclass
class PairJudgementsConfig(TeacherFields, ConfigPerLanguageFields):
    """Fields of `pair_judgements`."""

    input: str = field(default="", metadata={"help": "folder of a code_comment_pairs dataset"})
    num_pairs: int = field(
        default=PAPER_NUM_PAIRS, metadata={"help": "number of pairs that are judged, the paper's by default"}
    )

    def validate(self) -> None:
        """Check ranges."""
        super().validate()
        if self.num_pairs < 1:
            raise ConfigError(f"num_pairs is {self.num_pairs}, but must be at least 1")


class ChoosePairs(Step):
    """Keep so many pairs, one task. Which ones follows from their ids and the seed: a larger number keeps the same.

    Args:
        num_pairs (`int`): how many.
        seed (`int`): chooses.
    """

    name = "choose_pairs"
    arity: Arity = "n:1"

    def __init__(self, num_pairs: int, seed: int) -> None:
        super().__init__()
        self.num_pairs, self.seed = num_pairs, seed

    def begin(self, rank: int, world_size: int) -> None:
        """Start without pairs."""
        self._documents = DiskSort(itemgetter(0), self.runs_folder)

    def process(self, doc: Document) -> Iterator[Outcome]:
        """Keep the pair until all are known."""
        place = hashlib.sha256(f"{self.seed}\0{doc.id}".encode()).hexdigest()
        self._documents.add([place, values_of(doc)])
        return iter(())

    def finish(self) -> Iterator[Outcome]:
        """Give the pairs that are chosen, and remove the others."""
        for number, (_, values) in enumerate(self._documents):
            doc = document_of(values)
            yield doc if number < self.num_pairs else Removed(doc, "enough_pairs")

    def end(self) -> None:
        """Let go of the pairs."""
        self._documents.close()


class JudgePairs(Ask):
    """Let a teacher judge in four steps whether a comment says what the code does.

    Source: paper 2.3.2, (a) to (d); the words are ours.
    """

    name = "judge_pairs"
    expected_answer_tokens = 600

    def request(self, doc: Document) -> Request:
        """Return what is asked of a pair."""
        template = Template(PROMPT.read_text(encoding="utf-8"))
        known = {name: doc.metadata[name] for name in ("code", "comment", "language")}
        return Request.of_user(template.substitute(known), response_format=json_schema("judgement", FORM))

    def take(self, doc: Document, answer: Answer) -> Iterator[Outcome]:
        """Keep reasoning and verdict."""
        found = answer.json(FORM)
        if not all(found[name].strip() for name in _TEXTS):
            raise MalformedAnswerError("one of lines, summary and review is empty")
        known = {name: doc.metadata[name] for name in KNOWN}
        chain = "\n\n".join(f"{name.capitalize()}: {found[name].strip()}" for name in _TEXTS)
        doc.metadata = known | {"chain": chain, "verdict": found["consistent"], "teacher": answer.model}
        yield doc


class PairJudgementsBuilder(AskingBuilder[PairJudgementsConfig], DerivedBuilder[PairJudgementsConfig]):
    """Pairs with a teacher's reasoning and verdict. Source: paper 2.3.2."""

    name: ClassVar[str] = "pair_judgements"
    summary: ClassVar[str] = "a teacher's reasoning and verdict on code-comment pairs"
    config_class: ClassVar[type[BuilderConfig]] = PairJudgementsConfig
    input_builder: ClassVar[str] = "code_comment_pairs"
    counted_column: ClassVar[str | None] = "language"

    @property
    def input_paths(self) -> list[str]:
        """The dataset of pairs."""
        return [self.config.input]

    def stages(self) -> list[Stage]:
        """Choose pairs, then let them be judged."""
        config = self.config
        return [
            Stage(
                "choose",
                [
                    ReadRows(self.input_paths, text_column="text", columns=KNOWN),
                    ChoosePairs(config.num_pairs, config.seed),
                ],
                tasks=1,
            ),
            Stage("judge", [JudgePairs(self.asking)], tasks=config.num_tasks),
        ]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the pairs and of the prompt."""
        prompt = hashlib.sha256(PROMPT.read_bytes()).hexdigest()
        return super().input_fingerprint() | {"prompt": prompt}

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, Value

        return Features({name: Value("bool" if name == "verdict" else "string") for name in COLUMNS})

    def card(self) -> CardParts:
        """Return the card's text."""
        return CardParts(
            title="Code-comment pairs, judged step by step",
            description=(
                "A teacher's reasoning on whether a comment says what its code does: the code line by line, in one "
                "sentence, compared with the comment, and a verdict (section 2.3.2 of arXiv 2503.17793). It trains the "
                "small model that labels further pairs: `recipes/configs/distill/consistency.yaml`."
            ),
            license=self.license,
            columns=COLUMNS,
            tags=["code", "synthetic"],
        )
