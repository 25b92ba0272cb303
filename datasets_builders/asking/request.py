"""Sections 2.1 and 2.4: a request, the answer to it, and the key by which an answer is found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import orjson

if TYPE_CHECKING:
    from datasets_builders.asking.teacher import Teacher

Message = dict[str, str]
CHAT, COMPLETION = "chat/completions", "completions"
KEY_CHARACTERS = 32


@dataclass(frozen=True)
class Request:
    """What a teacher is asked: a conversation, or a text that it goes on with. None leaves a value to the teacher.

    Args:
        messages (list of dict): {role, content} each; empty for a raw completion.
        prompt (`str`, *optional*): text of a raw completion, which no chat template is put around.
        temperature (`float`, *optional*), top_p (`float`, *optional*), max_tokens (`int`, *optional*): of sampling.
        stop (sequence of `str`): where the answer ends.
        response_format (dict, *optional*): form that the server enforces if it can; see `json_schema`.
        sample (`str`): tells equal requests apart, each of which is to have an answer of its own.
        extra (dict): further parameters, such as {top_k: 20}.
    """

    messages: Sequence[Mapping[str, str]] = ()
    prompt: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    response_format: Mapping[str, Any] | None = None
    sample: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.messages) == (self.prompt is not None):
            raise ValueError("a request has either messages or a prompt")

    @classmethod
    def of_user(cls, content: str, *, system: str = "", **parameters: Any) -> Self:
        """Return a conversation of one user turn, behind a system prompt where there is one."""
        before = [{"role": "system", "content": system}] if system else []
        return cls([*before, {"role": "user", "content": content}], **parameters)

    @property
    def path(self) -> str:
        """The operation, behind /v1/."""
        return COMPLETION if self.prompt is not None else CHAT

    def payload(self, teacher: Teacher, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of the request.

        Args:
            teacher (`Teacher`): who is asked; what the request leaves open is the teacher's.
            chosen (mapping): what the user chose for the step, which wins.
        """
        asked: dict[str, Any] = {"prompt": self.prompt} if self.prompt is not None else {"messages": self.messages}
        payload = {"model": teacher.model, **asked}
        for name in ("temperature", "top_p", "max_tokens"):
            values = (chosen.get(name), getattr(self, name), getattr(teacher, name))
            value = next((value for value in values if value is not None), None)
            if value is not None:
                payload[name] = value
        if self.stop:
            payload["stop"] = list(self.stop)
        if self.response_format:
            payload["response_format"] = self.response_format
        return payload | teacher.extra | dict(self.extra) | dict(chosen.get("extra") or {})

    def with_fault(self, said: str, told: str) -> Request:
        """Return the request that shows a model its answer and tells what is wrong with it."""
        from dataclasses import replace

        if self.prompt is not None:
            return replace(self, sample=f"{self.sample}\0again")
        turns = [{"role": "assistant", "content": said or "(nothing)"}, {"role": "user", "content": told}]
        return replace(self, messages=[*self.messages, *turns])


def body_of(payload: Mapping[str, Any]) -> bytes:
    """Return a payload as JSON, with a question mark for each half of a surrogate pair, which UTF-8 cannot hold."""
    try:
        return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return orjson.dumps(encodable(payload), option=orjson.OPT_SORT_KEYS)


def key_of(path: str, body: bytes, sample: str) -> str:
    """Return the key of a request: model, question and parameters decide it, and not who asks about what else."""
    found = hashlib.sha256(body)
    found.update(f"\0{path}\0{sample}".encode("utf-8", "replace"))
    return found.hexdigest()[:KEY_CHARACTERS]


def encodable(value: Any) -> Any:
    """Return a JSON value with a question mark for each lone half of a surrogate pair, which UTF-8 cannot hold."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def json_schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `response_format` by which a server that can enforce a form enforces this JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}
