"""Section 3.2.4: questions from random snippets, and the answers of several models to each: what `dpo` ranks.

Read top to bottom: a few lines are cut out of each file, a teacher makes a question of them (OSS-Instruct), each model
answers it, one's own checkpoint among them, and on request a judge scores the answers.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from datasets_builders.asking.answers import RemovingError
from datasets_builders.asking.asker import Asking
from datasets_builders.asking.step import Conversation
from datasets_builders.building import BuilderConfig, BuildResult, CardParts, ConfigError, Stage
from datasets_builders.building.dataset_folder import ReadRows
from datasets_builders.building.derived import DerivedBuilder
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import DEFAULT_SPLIT, number_of
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.config import DecontaminationFields
from datasets_builders.curation.pipeline import Curation
from datasets_builders.released.pictures import pictures_section, write_samples

if TYPE_CHECKING:
    from datasets import Features

PROMPT_FOLDER = Path(__file__).with_name("prompts")
QUESTION_PROMPT, JUDGE_PROMPT = "question_from_snippet.txt", "judge_answer.txt"
MIN_QUESTION_CHARS = 20
QUESTION_FORM = {
    "type": "object",
    "properties": {"question": {"type": "string", "minLength": MIN_QUESTION_CHARS}},
    "required": ["question"],
    "additionalProperties": False,
}
JUDGE_FORM = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 10}},
    "required": ["score"],
    "additionalProperties": False,
}
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
_PARTS = 1_000_000

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


class CutSnippets(Step):
    """Cut some lines out of a file at a random place, of a part of the files; which ones follows from their ids.

    Args:
        fraction (`float`): part of the files.
        max_lines (`int`): one to so many lines.
        seed (`int`): chooses files and places.

    Source: OSS-Instruct (arXiv 2312.02120): 1 to 15 lines at a random start.
    """

    name = "cut_snippets"

    def __init__(self, fraction: float, max_lines: int, seed: int) -> None:
        super().__init__()
        self.fraction, self.max_lines, self.seed = fraction, max_lines, seed

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give the lines."""
        if number_of(f"{self.seed} {doc.id}", _PARTS) >= self.fraction * _PARTS:
            return [Removed(doc, "file_not_drawn")]
        lines = doc.text.splitlines()
        draw = random.Random(f"{self.seed} {doc.id}")
        start = draw.randrange(max(len(lines), 1))
        snippet = "\n".join(lines[start : start + draw.randint(1, self.max_lines)]).strip("\n")
        if not re.search(r"\w", snippet):
            return [Removed(doc, "lines_without_a_word")]
        row = doc.metadata
        language = str(row.get("language") or "code")
        made = {
            "snippet": snippet,
            "languages": [language],
            "repository": str(row.get("repository") or ""),
            "license": str(row.get("license") or ""),
            "parents": [doc.id],
            "split": row.get("split", DEFAULT_SPLIT),
            "candidates": [],
        }
        return [Document(snippet, content_id(doc.id, snippet), metadata=made)]


class AskQuestion(Ask):
    """Let a teacher make a question of a snippet."""

    name = "ask_question"
    expected_answer_tokens = 200

    def request(self, doc: Document) -> Request:
        """Return the prompt with the snippet."""
        prompt = Template((PROMPT_FOLDER / QUESTION_PROMPT).read_text(encoding="utf-8"))
        content = prompt.substitute(language=doc.metadata["languages"][0], snippet=doc.text)
        return Request.of_user(content, response_format=json_schema("question", QUESTION_FORM), sample=doc.id)

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Give the question."""
        question = answer.json(QUESTION_FORM)["question"].strip()
        if len(question) < MIN_QUESTION_CHARS:
            raise MalformedAnswerError("the question is empty or too short")
        more = {"prompt": question, "question_model": answer.model}
        yield Document(question, doc.id, metadata=doc.metadata | more)


class AnswerQuestion(Ask):
    """Let one model answer each question some times; what was cut off or refused is no candidate.

    Args:
        asking (`Asking`): who is asked.
        model (`str`): the teacher's name.
        num_answers (`int`): how often.
        temperature (`float`): of sampling.
    """

    takes_truncated = True
    expected_answer_tokens = 600

    def __init__(self, asking: Asking, model: str, num_answers: int, temperature: float) -> None:
        name = f"answer_{re.sub(r'[^A-Za-z0-9]+', '_', model).strip('_').lower()}"
        chosen = {**asking.steps.get(name, {}), "teachers": [model]}
        super().__init__(replace(asking, steps={**asking.steps, name: chosen}), name)
        self.model, self.num_answers, self.temperature = model, num_answers, temperature

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Add the answers of this model."""
        found = []
        for number in range(self.num_answers):
            request = Request.of_user(doc.metadata["prompt"], temperature=self.temperature, sample=f"{number}")
            try:
                answer = await teacher.complete(request)
            except RemovingError:
                continue
            if answer.text.strip() and answer.finish_reason != "length":
                reason = str(answer.finish_reason or "")
                found.append({"model": self.model, "text": answer.text, "finish_reason": reason, "score": None})
        doc.metadata["candidates"] = [*doc.metadata["candidates"], *found]
        return [doc]


class JudgeAnswers(Ask):
    """Let a judge score each answer by itself, from 1 to 10; an answer that it gives no score is left out."""

    name = "judge_answers"
    expected_answer_tokens = 20

    def __init__(self, asking: Asking, judge: str) -> None:
        chosen = {**asking.steps.get(self.name, {}), "teachers": [judge]}
        super().__init__(replace(asking, steps={**asking.steps, self.name: chosen}))

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Add the scores."""
        prompt = Template((PROMPT_FOLDER / JUDGE_PROMPT).read_text(encoding="utf-8"))
        judged = []
        for candidate in doc.metadata["candidates"]:
            content = prompt.substitute(question=doc.metadata["prompt"], answer=candidate["text"])
            request = Request.of_user(content, temperature=0.0, response_format=json_schema("score", JUDGE_FORM))
            score = await self._score(request, teacher)
            if score is not None:
                judged.append({**candidate, "score": score})
        doc.metadata["candidates"] = judged
        return [doc]

    async def _score(self, request: Request, teacher: Conversation) -> float | None:
        for _ in range(self.asking.attempts):
            try:
                answer = await teacher.complete(request)
                return float(answer.json(JUDGE_FORM)["score"])
            except MalformedAnswerError as error:
                request = request.with_fault(answer.text, str(error))
            except RemovingError:
                return None
        return None


class KeepAnswered(Step):
    """Keep questions with two different answers at least."""

    name = "keep_answered"

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Pass on a question that was answered."""
        row = doc.metadata
        if len({candidate["text"].strip() for candidate in row["candidates"]}) < 2:
            return [Removed(doc, "fewer_than_two_different_answers", f"{len(row['candidates'])} answers")]
        doc.text = "\n\n".join([row["prompt"], *(candidate["text"] for candidate in row["candidates"])])
        doc.id = row["mid"] = content_id(row["prompt"], *(candidate["text"] for candidate in row["candidates"]))
        return [doc]


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
        """Build the dataset and write a page of samples beside it."""
        result = super().run()
        write_samples(self.output_folder, self.card_title, self.config.seed)
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


def prompt_hashes() -> dict[str, str]:
    """Return the SHA-256 of each prompt by its file's name."""
    return {
        name: hashlib.sha256((PROMPT_FOLDER / name).read_bytes()).hexdigest()
        for name in (QUESTION_PROMPT, JUDGE_PROMPT)
    }


_DESCRIPTION = """
A question about programming a row, made by a teacher of a few lines of real code, with the answers of several models.
`dpo` ranks the answers and makes preference pairs of them: `candidates=[{dataset: FOLDER}]`.
"""
