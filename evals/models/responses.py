"""lighteval's response with how each answer ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from lighteval.models.model_output import ModelResponse

from evals.models.answer_file import Answer


@dataclass
class EndedResponse(ModelResponse):
    """The answers to a document, each with why it ended or why there is none."""

    answers: list[Answer] = field(default_factory=list)


def answers_of(response: ModelResponse) -> list[Answer]:
    """Return the answers in a response; of log-likelihoods, one."""
    if isinstance(response, EndedResponse):
        return response.answers
    return [Answer(text=text) for text in response.final_text or [""]]
