"""Section 2.4: the teacher's answer to a finished instruction."""

from __future__ import annotations

from collections.abc import Iterable

from datatrove.data import Document

from datasets_builders.asking import Answer, Ask, Conversation, MalformedAnswerError, Request
from datasets_builders.building.steps import Outcome
from datasets_builders.synthesis.instructions.rows import ANSWER

MAX_ANSWER_TOKENS = 4096  # Magpie
ASKED_OF = "asked_of"  # key of the metadata: what binds the steps of one document to one teacher


class AnswerInstructions(Ask):
    """Let a teacher answer each instruction that has no answer yet, greedily.

    Source: paper 2.4.1: greedy decoding or a low temperature for responses; 4,096 tokens: Magpie.
    """

    name = "answer"
    expected_prompt_tokens = 150
    expected_answer_tokens = 800

    def teacher_key(self, doc: Document) -> str:
        """Return what the document began as: who wrote the instruction answers it."""
        return str(doc.metadata.get(ASKED_OF) or doc.id)

    def request(self, doc: Document) -> Request:
        """Ask the instruction, as a user would."""
        return Request.of_user(doc.text, temperature=0.0, max_tokens=MAX_ANSWER_TOKENS)

    async def converse(self, doc: Document, teacher: Conversation) -> list[Outcome]:
        """Ask about instructions that have no answer yet."""
        return [doc] if ANSWER in doc.metadata else await super().converse(doc, teacher)

    def take(self, doc: Document, answer: Answer) -> Iterable[Outcome]:
        """Keep the answer without reasoning before it."""
        text = answer.bare_text
        if not text:
            raise MalformedAnswerError("it is empty")
        doc.metadata[ANSWER], doc.metadata["teacher"] = text, answer.model
        yield doc
