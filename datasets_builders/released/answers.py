"""Section 3.2.4: questions from random snippets, and the answers of several models to each: what `dpo` ranks.

Read top to bottom: a few lines are cut out of each file, a teacher makes a question of them (OSS-Instruct), each model
answers it, one's own checkpoint among them, and on request a judge scores the answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from datasets_builders.asking import (
    AskingBuilder,
    TeacherFields,
)
from datasets_builders.building import BuilderConfig, BuildResult, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import DatasetFolder, ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.building.rows_page import NUM_SAMPLES, write_rows_page
from datasets_builders.curation.config import DecontaminationFields
from datasets_builders.curation.pipeline import Curation
from datasets_builders.released.answer_steps import (
    AnswerQuestion,
    AskQuestion,
    CutSnippets,
    JudgeAnswers,
    KeepAnswered,
    prompt_hashes,
)
from datasets_builders.released.pictures import pictures_section

if TYPE_CHECKING:
    from datasets import Features

COLUMNS = {
    "mid": "content hash of the question and its answers, 32 hex digits",
    "prompt": "the question",
    "candidates": "answers: model, text, why it ended, and the judge's score, null without a judge",
    "languages": "programming language of the snippet",
    "question_model": "teacher that made the question",
    "snippet": "lines that the question was made of",
    "repository": "code base of the file, where the input names one",
    "license": "licence of the file that the lines were cut from",
    "parents": "id of the file's row in the input",
}

# Drawn by value in the card.
DRAWN_COLUMNS = ("languages", "question_model")


@dataclass
class AnswersConfig(TeacherFields, DecontaminationFields):
    """Fields of `answers`."""

    input: str = field(default="", metadata={"help": "folder of a source_code dataset"})
    file_fraction: float = field(
        default=1.0, metadata={"help": "part of the files that a question is made of, by hash"}
    )
    max_snippet_lines: int = field(default=15, metadata={"help": "most lines that a question is made of"})
    question_teachers: list[str] = field(
        default_factory=list, metadata={"help": "names of the teachers that make questions; empty: all"}
    )
    answer_teachers: list[str] = field(
        default_factory=list,
        metadata={"help": "names of the models that answer, one's own among them; empty: all but the judge"},
    )
    answers_per_teacher: int = field(default=1, metadata={"help": "number of answers of each model to a question"})
    answer_temperature: float = field(default=0.8, metadata={"help": "temperature at which questions are answered"})
    judge_teacher: str = field(default="", metadata={"help": "name of the teacher that scores answers; empty: none"})

    def validate(self) -> None:
        """Check ranges and names."""
        super().validate()
        if not 0 < self.file_fraction <= 1:
            raise ConfigError(f"file_fraction is {self.file_fraction}, but must be above 0 and at most 1")
        for name in ("max_snippet_lines", "answers_per_teacher"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, but must be at least 1")
        if self.answer_temperature < 0:
            raise ConfigError(f"answer_temperature is {self.answer_temperature}, but must be at least 0")
        known = self.teacher_names
        for field_name in ("question_teachers", "answer_teachers"):
            if unknown := sorted(set(getattr(self, field_name)) - set(known)):
                raise ConfigError(f"{field_name}: no teacher is called {unknown[0]!r}")
        if self.judge_teacher and self.judge_teacher not in known:
            raise ConfigError(f"judge_teacher: no teacher is called {self.judge_teacher!r}")

    @property
    def teacher_names(self) -> list[str]:
        """What the teachers are called."""
        return [str(teacher.get("name") or teacher.get("model", "")) for teacher in self.teachers]

    @property
    def answering(self) -> list[str]:
        """Names of the models that answer."""
        others = [name for name in self.teacher_names if name != self.judge_teacher]
        return self.answer_teachers or others or self.teacher_names


class AnswersBuilder(AskingBuilder[AnswersConfig], DerivedBuilder[AnswersConfig]):
    """Questions of teachers with the answers of several models, which `dpo` ranks.

    Source: paper 3.2.4 (OSS-Instruct questions, answers of the SFT model and others).
    """

    name: ClassVar[str] = "answers"
    summary: ClassVar[str] = "questions from random snippets with answers of several models, for dpo to rank"
    config_class: ClassVar[type[BuilderConfig]] = AnswersConfig
    input_builder: ClassVar[str] = "source_code"
    id_column: ClassVar[str] = "mid"
    text_column: ClassVar[str | None] = None
    counted_column: ClassVar[str | None] = "question_model"

    def __init__(self, config: AnswersConfig) -> None:
        super().__init__(config)
        self.curation = Curation(config, self.output_folder)

    @property
    def features(self) -> Features:
        """Columns of the dataset."""
        from datasets import Features, List, Value

        text = Value("string")
        candidates = List({"model": text, "text": text, "finish_reason": text, "score": Value("float64")})
        others = {"candidates": candidates, "languages": List(text), "parents": List(text)}
        return Features({name: others.get(name, text) for name in COLUMNS})

    def stages(self) -> list[Stage]:
        """Cut lines out of files, ask for questions, then each model for answers, then the judge."""
        config, asking = self.config, self.asking
        questions = replace(asking, steps=_pinned(asking.steps, AskQuestion.name, config.question_teachers))
        answers = [
            AnswerQuestion(asking, model, config.answers_per_teacher, config.answer_temperature)
            for model in config.answering
        ]
        judges = [JudgeAnswers(asking, config.judge_teacher)] if config.judge_teacher else []
        return [
            Stage(
                "questions",
                [
                    ReadRows(self.input_paths),
                    CutSnippets(config.file_fraction, config.max_snippet_lines, config.seed),
                    AskQuestion(questions),
                ],
                tasks=config.num_tasks,
            ),
            Stage(
                "answers",
                [*answers, *judges, KeepAnswered(), *self.curation.decontamination()],
                tasks=config.num_tasks,
                before=self.curation.index_benchmarks,
            ),
        ]

    @property
    def input_paths(self) -> list[str]:
        """The dataset of code."""
        return [self.config.input]

    def inputs(self) -> list[str]:
        """Return a line per dataset and teacher, and what is kept out."""
        return [*super().inputs(), *self.curation.inputs.describe()]

    def input_fingerprint(self) -> dict[str, Any]:
        """Return the hashes of the inputs, the prompts and the benchmarks' texts."""
        return super().input_fingerprint() | self.curation.inputs.fingerprint() | {"prompts": prompt_hashes()}

    @property
    def card_title(self) -> str:
        """The heading of the card."""
        return "Answers of several models to questions about code"

    def run(self) -> BuildResult:
        """Build the dataset and write a page of its rows beside it."""
        result = super().run()
        write_rows_page(
            DatasetFolder(self.output_folder), num_rows=NUM_SAMPLES, title=self.card_title, seed=self.config.seed
        )
        return result

    def card(self) -> CardParts:
        """Return the card's text."""
        hashes = [f"| `{name}` | `{sha256[:16]}` |" for name, sha256 in prompt_hashes().items()]
        return CardParts(
            title=self.card_title,
            description=f"{_DESCRIPTION}\nDecontaminated against: {self.curation.inputs.decontaminated_against}.",
            license=self.license,
            columns=COLUMNS,
            tags=["code", "synthetic"],
            usage="models = {answer['model'] for row in dataset['train'] for answer in row['candidates']}",
            sections={
                "Prompts": "\n".join(["| prompt | sha256 |", "| --- | --- |", *hashes]),
                "In pictures": pictures_section(self.output_folder, DRAWN_COLUMNS),
            },
        )


def _pinned(steps: Mapping[str, Any], name: str, teachers: Sequence[str]) -> dict[str, Any]:
    return {**steps, name: {**steps.get(name, {}), "teachers": list(teachers)}} if teachers else dict(steps)


_DESCRIPTION = """
A question about programming a row, made by a teacher of a few lines of real code, with the answers of several models.
`dpo` ranks the answers and makes preference pairs of them: `candidates=[{dataset: FOLDER}]`.
"""
