"""Section 3.2.3: conversations of other datasets in one form: roles, white space and invisible characters.

Code is left as it is but for the ends of lines: between fences a no-break space or an unusual letter may be what the
question is about.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datatrove.data import Document

from datasets_builders.building.identity import content_id
from datasets_builders.building.intermediate import DEFAULT_SPLIT, number_of
from datasets_builders.building.steps import Outcome, Removed, Step
from datasets_builders.curation.syntax.prose import PROSE
from datasets_builders.languages.detection import candidates_of_name, language_named
from datasets_builders.released.row_sources import ROW, RowSource
from datasets_builders.tokenized.conversations import (
    ASSISTANT,
    Conversation,
    RowFormat,
    read_conversation,
)
from datasets_builders.tokenized.tokenization import UnusableRowError

CONVERSATION = "conversation"
_CODE = re.compile(r"(^[ \t]*(```+|~~~+).*?(?:^[ \t]*\2[ \t]*$|\Z)|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_FENCE_NAME = re.compile(r"^[ \t]*(?:```+|~~~+)[ \t]*([\w+#.-]+)", re.MULTILINE)
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SPACES = re.compile("[\u00a0\u202f\u2007]")
_PARAGRAPHS = re.compile("[\u2028\u2029]")
# Names after a fence that are neither a language's name nor its extension.
_FENCE_ALIASES = {"shell": "Shell", "console": "Shell", "golang": "Go", "node": "JavaScript", "c++": "C++"}
_NO_LANGUAGES = frozenset({"text", "plaintext", "txt", "output", "plain", "none", "markdown", "md"})
_PARTS = 10_000


def normalized(text: str) -> str:
    """Return a message as it is kept: line ends of one kind; outside of code NFC, plain spaces, nothing invisible."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    pieces = _CODE.split(text)
    # Of each three pieces the first is prose, the second code, the third the fence's sign.
    kept = [piece if place % 3 else _prose(piece) for place, piece in enumerate(pieces) if place % 3 < 2]
    return "".join(kept).strip("\n").rstrip()


def _prose(text: str) -> str:
    text = _PARAGRAPHS.sub("\n", _SPACES.sub(" ", _INVISIBLE.sub("", text)))
    return unicodedata.normalize("NFC", text)


def prose_of(text: str) -> list[str]:
    """Return the paragraphs outside of code."""
    pieces = [piece for place, piece in enumerate(_CODE.split(text)) if place % 3 == 0]
    return [paragraph for piece in pieces for paragraph in piece.split("\n\n") if paragraph.strip()]


def fence_languages(text: str) -> list[str]:
    """Return the languages that fences name, by Linguist's names, in order of appearance."""
    found: dict[str, None] = {}
    for name in _FENCE_NAME.findall(text):
        lower = name.lower()
        if lower in _NO_LANGUAGES:
            continue
        candidates = candidates_of_name(f"x.{lower}")
        known = _FENCE_ALIASES.get(lower) or language_named(lower) or (candidates[0] if len(candidates) == 1 else None)
        if known:
            found.setdefault(known)
    return list(found)


def message_id(messages: Sequence[Mapping[str, str]]) -> str:
    """Return the content hash of a conversation."""
    return content_id(json.dumps([[message["role"], message["content"]] for message in messages]))


class ReadConversations(Step):
    """Read rows of other datasets as conversations in the released schema; a row of no known form says why it goes.

    Args:
        sources: by the number that a row's document has.
        empty: columns of questions, with what they hold in rows that are none.
        validation_fraction (`float`): part of the rows that is held out.
        seed (`int`): chooses which.
        finds_prose (`bool`): whether what is no code is kept apart, for the step that judges it and drops it.
    """

    name = "read_conversations"

    def __init__(
        self,
        sources: Sequence[RowSource],
        empty: Mapping[str, Any],
        validation_fraction: float,
        seed: int,
        finds_prose: bool,
    ) -> None:
        super().__init__()
        self.sources, self.empty = list(sources), dict(empty)
        self.validation_fraction, self.seed, self.finds_prose = validation_fraction, seed, finds_prose

    def process(self, doc: Document) -> Iterable[Outcome]:
        """Give a conversation, or the reason why the row is none."""
        row = doc.metadata.pop(ROW)
        source = self.sources[doc.metadata.pop("source_number")]
        try:
            conversation = conversation_of(row, source.row_format)
        except UnusableRowError as error:
            doc.text = json.dumps(row, default=str, ensure_ascii=False)[:2000]
            return [Removed(doc, str(error))]
        messages = [
            {"role": role, "content": normalized(content)}
            for role, content in zip(conversation.roles, conversation.contents, strict=True)
        ]
        text = "\n\n".join(message["content"] for message in messages)
        parents = [str(row.get("mid") or row.get("id") or doc.id)]
        doc.id, doc.text = message_id(messages), text
        doc.metadata |= self.empty | chat_columns(messages)
        doc.metadata |= {
            "mid": doc.id,
            "messages": messages,
            "tags": list(dict.fromkeys([*source.tags, *_texts(row.get("tags"))])) or [source.category],
            "languages": _languages(row, text),
            "kind": CONVERSATION,
            "category": source.category,
            "license": row["license"] if isinstance(row.get("license"), str) else source.license_of_dataset,
            "parents": parents,
            "split": self._split(doc.id),
        }
        if self.finds_prose:
            doc.metadata[PROSE] = prose_of(text)
        if any(not message["content"] for message in messages):
            return [Removed(doc, "an empty message")]
        return [doc]

    def _split(self, identifier: str) -> str:
        place = number_of(f"{self.seed} {identifier}", _PARTS)
        return "validation" if place < self.validation_fraction * _PARTS else DEFAULT_SPLIT


def conversation_of(row: Mapping[str, Any], names: RowFormat) -> Conversation:
    """Return a row's conversation: whole turns of user and assistant, a system prompt before them or none.

    Raises:
        UnusableRowError: the reason why the row is none.
    """
    conversation = read_conversation(row, names)
    is_marked = names.value(row, "messages") is not None or row.get("conversations") is not None
    answers = [
        learned for role, learned in zip(conversation.roles, conversation.learned, strict=True) if role == ASSISTANT
    ]
    if is_marked and not all(answers):
        # The released schema has no place for the mark: the answer would be learned.
        raise UnusableRowError("an answer that is not to be learned")
    roles = conversation.roles[1:] if conversation.roles[0] == "system" else conversation.roles
    if roles[0] != "user":
        raise UnusableRowError("does not begin with a question")
    if any(role != ("user", "assistant")[place % 2] for place, role in enumerate(roles)):
        raise UnusableRowError("turns are not of user and assistant by turns")
    return conversation


def chat_columns(messages: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Return the sizes of a conversation."""
    lengths = dict.fromkeys(("system", "user", "assistant"), 0)
    for message in messages:
        lengths[message["role"]] += len(message["content"])
    return {
        "num_turns": sum(message["role"] == "assistant" for message in messages),
        "prompt_chars": lengths["system"] + lengths["user"],
        "answer_chars": lengths["assistant"],
    }


def _languages(row: Mapping[str, Any], text: str) -> list[str]:
    told = _texts(row.get("languages")) or _texts(row.get("language"))
    named = [name for name in (language_named(word) for word in told) if name]
    return list(dict.fromkeys(named)) or fence_languages(text)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    return [word for word in value if isinstance(word, str) and word.strip()] if isinstance(value, list) else []
