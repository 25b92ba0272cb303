"""Sections 2.1 and 2.4: asking language models behind OpenAI-compatible servers, each question once.

    class Explain(Ask):
        '''Let a teacher explain code.'''
        name = "explain"

        def request(self, doc):
            return Request.of_user(PROMPT.substitute(code=doc.text))

        def take(self, doc, answer):
            doc.metadata["explanation"], doc.metadata["teacher"] = answer.bare_text, answer.model
            yield doc

More in README.md.
"""

from datasets_builders.asking.answers import (
    Answer,
    MalformedAnswerError,
    NoAnswerError,
    RefusedError,
    parse_integers,
    schema_of_integers,
)
from datasets_builders.asking.asker import Asker, Asking
from datasets_builders.asking.budget import Budget, BudgetSpentError
from datasets_builders.asking.builder import AskingBuilder
from datasets_builders.asking.checks import check_teacher
from datasets_builders.asking.client import AskingError
from datasets_builders.asking.config import TeacherFields
from datasets_builders.asking.request import Request, encodable, json_schema
from datasets_builders.asking.step import Ask, Conversation
from datasets_builders.asking.teacher import Teacher, add_teacher_arguments, teacher_of

__all__ = [
    "Answer",
    "Ask",
    "Asker",
    "Asking",
    "AskingBuilder",
    "AskingError",
    "Budget",
    "BudgetSpentError",
    "Conversation",
    "MalformedAnswerError",
    "NoAnswerError",
    "RefusedError",
    "Request",
    "Teacher",
    "TeacherFields",
    "add_teacher_arguments",
    "check_teacher",
    "encodable",
    "json_schema",
    "parse_integers",
    "schema_of_integers",
    "teacher_of",
]
