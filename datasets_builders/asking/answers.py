"""Section 2.1: answers taken strictly: what is not of the asked form is asked for again, then removed with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from datasets_builders.asking.request import json_schema

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MALFORMED, TRUNCATED, NO_ANSWER = "malformed_answer", "truncated_answer", "no_answer"
REFUSED, FILTERED = "refused_by_server", "filtered_by_server"
DETAIL_CHARACTERS = 300
ANSWER_AGAIN = Path(__file__).with_name("prompts") / "answer_again.txt"
# Models that reason in the answer itself, and models that cannot leave out a code fence: both are unambiguous.
_THOUGHT = "</think>"
_REASONING = {
    **{f"<{name}>": f"</{name}>" for name in ("think", "thinking", "thought", "reasoning", "seed:think")},
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
}
_FENCED = re.compile(r"\A```(?:json)?[ \t]*\n(.*)\n\s*```\Z", re.DOTALL | re.IGNORECASE)


class MalformedAnswerError(ValueError):
    """An answer that is not of the asked form; the message says what is wrong with it and is told to the model."""


class RemovingError(Exception):
    """A document to which no answer comes; `reason` is that of its removal."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class RefusedError(RemovingError):
    """The server does not take this one request, or does not give what the model said.

    `is_answer` says that the model was asked, and the refusal is kept as its answer. What the server did not take is
    asked for again by the next run: it cost nothing, and the server may have been mended.
    """

    def __init__(self, reason: str, detail: str, is_answer: bool = False) -> None:
        super().__init__(reason, detail)
        self.is_answer = is_answer


class NoAnswerError(RemovingError):
    """The server fails this one request again and again, while it answers others."""


@dataclass(frozen=True)
class Answer:
    """What a teacher said.

    Args:
        text (`str`): the answer.
        finish_reason (`str`): stop, length (cut off at max_tokens), or what the server says.
        model (`str`): the teacher's model.
        reasoning (`str`): what a server gives as reasoning apart from the answer.
        prompt_tokens (`int`), completion_tokens (`int`): as the server counts them; estimated where it does not.
    """

    text: str
    finish_reason: str = "stop"
    model: str = ""
    reasoning: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def bare_text(self) -> str:
        """The answer without reasoning before it; raises `MalformedAnswerError` where the reasoning has no end."""
        return without_reasoning(self.text)

    def json(self, schema: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON value that the answer is.

        Reasoning in `<think>` before it and one code fence around it are taken off, nothing else. NaN, Infinity and a
        name given twice are no JSON.

        Args:
            schema (mapping, *optional*): JSON schema that it must meet.

        Raises:
            MalformedAnswerError: it is no JSON value, or does not meet the schema.
        """
        return strict_json(self.text, schema)


def without_reasoning(text: str) -> str:
    """Return an answer without the reasoning before it, which ends with `</think>`, or as its model marks it.

    Some chat templates begin the reasoning themselves, so that the answer has its end alone. What begins as JSON or
    as a code fence is no reasoning.

    Raises:
        MalformedAnswerError: reasoning without an end.
    """
    bare = text.strip()
    mark = next((end for start, end in _REASONING.items() if bare.startswith(start)), "")
    if mark or (_THOUGHT in bare and not bare.startswith(("{", "[", '"', "```"))):
        _, end, bare = bare.partition(mark or _THOUGHT)
        if not end:
            raise MalformedAnswerError("its reasoning has no end")
    return bare.strip()


def strict_json(text: str, schema: Mapping[str, Any] | None = None) -> Any:
    """Return the JSON value that a text is; see `Answer.json`."""
    bare = without_reasoning(text)
    fenced = _FENCED.match(bare)
    try:
        found = json.loads(
            fenced[1] if fenced else bare, object_pairs_hook=_names_once, parse_constant=_no_json_constant
        )
    except MalformedAnswerError:
        raise
    except (ValueError, RecursionError):
        raise MalformedAnswerError("it is not one JSON value and nothing else") from None
    if schema is not None:
        fault = next(iter(_validator(json.dumps(schema)).iter_errors(found)), None)
        if fault is not None:
            where = "".join(f"[{part!r}]" for part in fault.absolute_path)
            raise MalformedAnswerError(f"its JSON{where} does not meet the schema: {fault.message[:DETAIL_CHARACTERS]}")
    return found


def _names_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise MalformedAnswerError("it gives a name twice")
    return found


def _no_json_constant(word: str) -> Any:
    raise MalformedAnswerError(f"{word} is no JSON")


@cache
def _validator(schema: str) -> Validator:
    from jsonschema import Draft202012Validator

    read = json.loads(schema)
    Draft202012Validator.check_schema(read)
    return Draft202012Validator(read)


def parse_integers(text: str, names: Sequence[str], minimum: int = 1, maximum: int = 5) -> dict[str, int]:
    """Return the integers of an answer that is one JSON object with exactly these names.

    Reasoning in `<think>` before it and one code fence around it are taken off, nothing else.

    Raises:
        MalformedAnswerError: other names, a name twice, or a value that is no integer in the range.
    """
    found = strict_json(text)
    if not isinstance(found, dict) or not found:
        raise MalformedAnswerError("it is not one JSON object")
    if sorted(found) != sorted(names):
        raise MalformedAnswerError(f"its names are not exactly {', '.join(names)}")
    for name, value in found.items():
        if type(value) is not int or not minimum <= value <= maximum:
            raise MalformedAnswerError(f"{name} is no whole number from {minimum} to {maximum}")
    return {name: found[name] for name in names}


def schema_of_integers(names: Sequence[str], minimum: int = 1, maximum: int = 5) -> dict[str, Any]:
    """Return the request's `response_format` by which a server that can enforce a form enforces this one."""
    value = {"type": "integer", "minimum": minimum, "maximum": maximum}
    schema = {
        "type": "object",
        "properties": dict.fromkeys(names, value),
        "required": list(names),
        "additionalProperties": False,
    }
    return json_schema("grades", schema)


@cache
def again() -> Template:
    """Return what a model is told of an answer that is not of the asked form."""
    return Template(ANSWER_AGAIN.read_text(encoding="utf-8"))
