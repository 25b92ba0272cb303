"""lighteval's response with how each answer ended."""

from __future__ import annotations

from collections.abc import Sequence

from lighteval.models.model_output import ModelResponse

from evals.models.answer_file import Answer


class EndedResponse(ModelResponse):
    """The answers to a document, each with why it ended or why there is none.

    They are no field of the data class: lighteval writes its fields as Parquet, which has no empty structs.
    """

    def __init__(self, query: str, text: list[str], answers: Sequence[Answer]) -> None:
        super().__init__(input=query, text=text)
        self.answers = list(answers)


def answers_of(response: ModelResponse) -> list[Answer]:
    """Return the answers in a response; of log-likelihoods, one."""
    if isinstance(response, EndedResponse):
        return response.answers
    return [Answer(text=text) for text in response.final_text or [""]]
