"""Section 2.4.1: tags of an instruction by a teacher: how difficult it is, how good, of what kind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any

from datatrove.data import Document

from datasets_builders.asking import Answer, Ask, Asking, MalformedAnswerError, Request, json_schema
from datasets_builders.building.steps import Outcome, Removed

RATING_PROMPT = Path(__file__).with_name("prompts") / "rate_instruction.txt"
QUALITIES = ("very poor", "poor", "average", "good", "excellent")
# Source: Magpie's tags, with categories about code.
TAGS: dict[str, tuple[str, ...]] = {
    "difficulty": ("very easy", "easy", "medium", "hard", "very hard"),
    "quality": QUALITIES,
    "category": (
        *("coding", "debugging", "testing", "explanation", "refactoring", "execution"),
        *("data and sql", "design", "mathematics", "other"),
    ),
}


def _form(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(TAGS), "additionalProperties": False}


ENFORCED_FORM = _form({name: {"type": "string", "enum": list(values)} for name, values in TAGS.items()})
# A server that enforces nothing lets "Very Easy" and "data_and_sql" through, which mean what they say.
READ_FORM = _form({name: {"type": "string"} for name in TAGS})


class RateInstructions(Ask):
    """Let a teacher tag each instruction, and keep those that are good enough.

    Args:
        asking (`Asking`): who is asked.
        min_quality (`str`): one of `QUALITIES`; those below are removed as `low_quality`.

    Source: Magpie, which keeps good and excellent ones.
    """

    name = "rate_instructions"
    expected_prompt_tokens = 400
    expected_answer_tokens = 30
    template = Template(RATING_PROMPT.read_text(encoding="utf-8").strip())

    def __init__(self, asking: Asking, min_quality: str) -> None:
        super().__init__(asking)
        self.min_quality = min_quality

    def request(self, doc: Document) -> Request:
        """Show the instruction."""
        content = self.template.substitute(instruction=doc.text)
        return Request.of_user(
            content, temperature=0.0, max_tokens=256, response_format=json_schema("tags", ENFORCED_FORM)
        )

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Note the tags, and remove what is not good enough."""
        said = answer.json(READ_FORM)
        for name, values in TAGS.items():
            value = " ".join(said[name].casefold().replace("_", " ").replace("-", " ").split())
            if value not in values:
                raise MalformedAnswerError(f"{name} is {said[name]!r}, but must be one of {', '.join(values)}")
            doc.metadata[name] = value
        is_low = QUALITIES.index(doc.metadata["quality"]) < QUALITIES.index(self.min_quality)
        yield Removed(doc, "low_quality", doc.metadata["quality"]) if is_low else doc
