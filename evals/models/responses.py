"""lighteval's response with how each answer ended."""

from __future__ import annotations

from collections.abc import Sequence

from lighteval.models.model_output import ModelResponse

from evals.models.answer_file import Answer

MIN_REPEATED_CHARS = 8  # a shorter beginning may come twice by chance


class EndedResponse(ModelResponse):
    """The answers to a document, each with why it ended or why there is none.

    They are no field of the data class: lighteval writes its fields as Parquet, which has no empty structs.
    """

    def __init__(self, query: str, text: list[str], answers: Sequence[Answer], logprobs: Sequence[float] = ()) -> None:
        super().__init__(input=query, text=text, logprobs=list(logprobs))
        self.answers = list(answers)


def answers_of(response: ModelResponse) -> list[Answer]:
    """Return the answers in a response; of log-likelihoods, one."""
    if isinstance(response, EndedResponse):
        return response.answers
    return [Answer(text=text) for text in response.final_text or [""]]


def joined(prefill: str, text: str) -> str:
    """Return the whole answer that a prefill and what the model wrote after it make.

    Some servers send the beginning back, or begin the message anew with it: it is not doubled. Where nothing was
    written there is no answer.
    """
    begun = prefill.strip()
    if not text or (len(begun) >= MIN_REPEATED_CHARS and text.lstrip().startswith(begun)):
        return text
    return prefill + text
