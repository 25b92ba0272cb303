"""Section 2.1: answers taken strictly: what is not of the asked form is asked for again, then removed with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datatrove.data import Document
    from datatrove.pipeline.inference.types import GenerateFunction

Message = dict[str, str]
Result = dict[str, Any]
Rollout = Callable[["Document", "GenerateFunction"], Awaitable[Result]]

MALFORMED, REFUSED = "malformed_answer", "refused_by_server"
BAD_REQUEST = "BadRequestError"  # datatrove's sign of an error that belongs to one document; it is cached too
DETAIL_CHARACTERS = 300
ANSWER_AGAIN = Path(__file__).with_name("prompts") / "answer_again.txt"
# Models that reason in the answer itself, and models that cannot leave out a code fence: both are unambiguous.
_REASONING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"\A```(?:json)?\s*\n(.*)\n\s*```\Z", re.DOTALL)


class MalformedAnswerError(ValueError):
    """An answer that is not of the asked form; the message says what is wrong with it and is told to the model."""


def parse_integers(text: str, names: Sequence[str], minimum: int = 1, maximum: int = 5) -> dict[str, int]:
    """Return the integers of an answer that is one JSON object with exactly these names.

    Reasoning in `<think>` before it and one code fence around it are taken off, nothing else.

    Raises:
        MalformedAnswerError: other names, a name twice, or a value that is no integer in the range.
    """
    bare = _REASONING.sub("", text, count=1).strip()
    fenced = _FENCED.match(bare)
    try:
        found = json.loads(fenced[1] if fenced else bare, object_pairs_hook=list)
    except (ValueError, RecursionError):
        raise MalformedAnswerError("it is not one JSON object") from None
    pairs = [pair for pair in found if isinstance(pair, tuple)] if isinstance(found, list) else []
    if not pairs or len(pairs) != len(found):
        raise MalformedAnswerError("it is not one JSON object")
    if sorted(name for name, _ in pairs) != sorted(names):
        raise MalformedAnswerError(f"its names are not exactly {', '.join(names)}")
    for name, value in pairs:
        if type(value) is not int or not minimum <= value <= maximum:
            raise MalformedAnswerError(f"{name} is no whole number from {minimum} to {maximum}")
    given: dict[str, int] = dict(pairs)
    return {name: given[name] for name in names}


def schema_of_integers(names: Sequence[str], minimum: int = 1, maximum: int = 5) -> Result:
    """Return the request's `response_format` by which a server that can enforce a form enforces this one."""
    value = {"type": "integer", "minimum": minimum, "maximum": maximum}
    schema = {
        "type": "object",
        "properties": dict.fromkeys(names, value),
        "required": list(names),
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "grades", "schema": schema, "strict": True}}


def encodable(value: Any) -> Any:
    """Return a JSON value with a question mark for each lone half of a surrogate pair, which UTF-8 cannot hold."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def until_valid(
    question: Callable[[Document], list[Message]],
    parse: Callable[[str], Any],
    parameters: Result,
    attempts: int = 3,
) -> Rollout:
    """Return a rollout that asks until the answer is of the asked form, at most `attempts` times.

    Each further attempt shows the model its answer and what is wrong with it: greedy decoding would repeat it, and so
    would the cache, which knows answers by what was asked.

    Args:
        question (function): messages of a document.
        parse (function): what is kept of an answer's text; raises `MalformedAnswerError`.
        parameters (dict): of each request, beside model and messages.
        attempts (`int`): at least 1.

    Returns:
        a rollout that gives {"answer": ...}, or {"removed": reason, "detail": ...}.
    """
    again = Template(ANSWER_AGAIN.read_text(encoding="utf-8"))

    async def rollout(document: Document, generate: GenerateFunction) -> Result:
        from datatrove.pipeline.inference.types import InferenceError

        messages, fault = question(document), ""
        for _ in range(attempts):
            try:
                said = await generate({"messages": messages, **parameters})
                return {"answer": parse(said.text)}
            except InferenceError as error:
                if BAD_REQUEST not in str(error.error):
                    raise
                return {"removed": REFUSED, "detail": str(error.error)[:DETAIL_CHARACTERS]}
            except MalformedAnswerError as error:
                cut = " (cut off at --max-tokens)" if said.finish_reason == "length" else ""
                fault = f"{error}{cut}: {said.text[:DETAIL_CHARACTERS]!r}"
                messages = [
                    *messages,
                    {"role": "assistant", "content": said.text or "(nothing)"},
                    {"role": "user", "content": again.substitute(fault=error)},
                ]
        return {"removed": MALFORMED, "detail": fault}

    return rollout
