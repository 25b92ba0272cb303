"""Sections 2.1 and 2.4: asking a language model behind an OpenAI-compatible server, each question once.

    endpoint = Endpoint("http://127.0.0.1:8000/v1", "Qwen/Qwen2.5-Coder-32B-Instruct")
    check_endpoint(endpoint)
    rollout = until_valid(messages_of, lambda text: parse_integers(text, ("relevance", "cleanliness")), {})
    for identifier, result in ask_all(documents, rollout, endpoint, Path("outputs/answers"), asked="relevance, v1"):
        ...                              # {"answer": {...}} or {"removed": reason, "detail": ...}

datatrove's `InferenceRunner` does the asking: bounded concurrency, checkpoints, a replay of what was answered.
"""

from datasets_builders.asking.answers import (
    MalformedAnswerError,
    encodable,
    parse_integers,
    schema_of_integers,
    until_valid,
)
from datasets_builders.asking.endpoint import Endpoint, add_endpoint_arguments, check_endpoint, endpoint_of
from datasets_builders.asking.runner import AskingError, ask_all

__all__ = [
    "AskingError",
    "Endpoint",
    "MalformedAnswerError",
    "add_endpoint_arguments",
    "ask_all",
    "check_endpoint",
    "encodable",
    "endpoint_of",
    "parse_integers",
    "schema_of_integers",
    "until_valid",
]
