"""Section 3.2.4: the steps that ask for questions about snippets, for answers to them, and for a judge's scores."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from string import Template

from datatrove.data import Document

from datasets_builders.asking import Answer, Ask, MalformedAnswerError, Request, json_schema
from datasets_builders.asking.answers import RemovingError
from datasets_builders.asking.asker import Asking
from datasets_builders.asking.step import Conversation
from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import DEFAULT_SPLIT, number_of
from datasets_builders.building.steps import Outcome, Removed, Step

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
_PARTS = 1_000_000


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


def prompt_hashes() -> dict[str, str]:
    """Return the SHA-256 of each prompt by its file's name."""
    return {
        name: hashlib.sha256((PROMPT_FOLDER / name).read_bytes()).hexdigest()
        for name in (QUESTION_PROMPT, JUDGE_PROMPT)
    }
