"""Sections 3.2.3 and 3.2.4: rows of other people's datasets as conversations and as preference pairs.

Read are the formats that datasets have: `messages`, ShareGPT's `conversations`, TRL's prompt and completion, Alpaca's
instruction, input and output, TRL's preference formats with and without an explicit prompt; each list of messages may
also be JSON text. Other names of columns and roles are mapped. What cannot be read for certain is a row removed with
its reason, never a guess.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets_builders.tokenized.tokenization import UnusableRowError

ASSISTANT = "assistant"
# What the template can write, and names that others use for the same.
KNOWN_ROLES = frozenset({"system", "user", ASSISTANT, "tool", "observation", "function"})
ROLE_ALIASES = {"human": "user", "gpt": ASSISTANT, "developer": "system"}
# Our names of columns and of a message's parts; `RowFormat.columns` maps them to a dataset's. `context` is put behind
# the prompt, such as Alpaca's input; `history` before it, as pairs of question and answer.
COLUMNS = ("messages", "prompt", "context", "completion", "history", "chosen", "rejected", "system", "role", "content")
# Columns of question and answer that datasets have, read where nothing is mapped: Alpaca's first.
KNOWN_PAIRS = (
    ("instruction", "output"),
    ("instruction", "response"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("question", "answer"),
    ("query", "response"),
    ("query", "answer"),
    ("problem", "solution"),
    ("problem", "generated_solution"),
)
# Columns of a question that datasets of pairs have in place of a prompt.
KNOWN_QUESTIONS = ("question", "instruction")
ALPACA_PROMPT, ALPACA_CONTEXT = "instruction", "input"
# Where servers and datasets put what a model thought before its answer.
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
# Marks of a message that is not to be learned: OpenAI's, axolotl's and ms-swift's.
WEIGHT_KEYS = ("weight", "train", "loss")

Message = Mapping[str, Any]


@dataclass(frozen=True)
class RowFormat:
    """The names that a dataset has for what is read.

    Args:
        columns: one of COLUMNS to the dataset's name for it.
        roles: a dataset's role to user, assistant, system, tool, observation or function.

    Raises:
        ValueError: a column or role that nothing is known of.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if name not in COLUMNS or not isinstance(column, str):
                raise ValueError(f"{name}: {column!r} maps nothing that is read. Columns are {', '.join(COLUMNS)}.")
        for name, role in self.roles.items():
            if role not in KNOWN_ROLES:
                raise ValueError(f"{name}: {role!r} is no role. Roles are {', '.join(sorted(KNOWN_ROLES))}.")

    def value(self, row: Mapping[str, Any], name: str) -> Any:
        """Return what a row has under one of our names, None where it has nothing."""
        return row.get(self.columns.get(name, name))


def known_columns(names: Collection[str]) -> dict[str, str]:
    """Return which of a dataset's columns hold question and answer, where it has no messages and has well-known names.

    Args:
        names: the dataset's columns.

    Returns:
        `RowFormat.columns`; none where a row is read without, or is of no known format.
    """
    if {"messages", "conversations"} & {*names}:
        return {}
    pair = next((pair for pair in KNOWN_PAIRS if {*pair} <= {*names}), None)
    if pair is None:
        return {}
    found = {"prompt": pair[0], "completion": pair[1]}
    others = {"context": ALPACA_CONTEXT, "history": "history"} if pair[0] == ALPACA_PROMPT else {}
    return found | {ours: theirs for ours, theirs in others.items() if theirs in names}


@dataclass(frozen=True)
class Conversation:
    """A conversation as it is encoded.

    Attributes:
        roles: user, assistant and so on, in small letters.
        contents: one per role.
        learned: whether a message is a target; true for assistants alone.
    """

    roles: list[str]
    contents: list[str]
    learned: list[bool]

    def __add__(self, other: Conversation) -> Conversation:
        return Conversation(self.roles + other.roles, self.contents + other.contents, self.learned + other.learned)

    def without_targets(self) -> Conversation:
        """Return the same messages, none of them learned."""
        return Conversation(self.roles, self.contents, [False] * len(self.roles))


def read_conversation(row: Mapping[str, Any], names: RowFormat) -> Conversation:
    """Return the conversation of a row, ready to be learned.

    Args:
        row: of any of the formats.
        names: of its columns and roles.

    Returns:
        It ends with an answer, and at least one answer is a target.

    Raises:
        UnusableRowError: the reason under which the row is removed.
    """
    _refuse_tools(row)
    if not names.columns:
        names = RowFormat(known_columns([name for name, value in row.items() if value is not None]), names.roles)
    conversation = _with_system(_conversation_of(row, names), row, names)
    if conversation.roles[-1] != ASSISTANT:
        raise UnusableRowError("does not end with an answer")
    for role, content in zip(conversation.roles, conversation.contents, strict=True):
        if role == ASSISTANT and not content.strip():
            raise UnusableRowError("an empty answer")
    if not any(conversation.learned):
        raise UnusableRowError("no answer to learn")
    return conversation


def _conversation_of(row: Mapping[str, Any], names: RowFormat) -> Conversation:
    messages = names.value(row, "messages")
    if messages is None and "messages" not in names.columns:
        messages = row.get("conversations")
    if messages is not None:
        return _read_messages(messages, names)
    prompt, completion = names.value(row, "prompt"), names.value(row, "completion")
    if completion is not None:
        # Only the completion is learned, as in TRL: answers in the prompt are context.
        asked = _side(_with_context(prompt, row, names), "user", names)
        before = _history(row, names)
        return (before + asked).without_targets() + _side(completion, ASSISTANT, names)
    if "messages" in row or "conversations" in row:
        raise UnusableRowError("no messages")
    raise UnusableRowError(
        "no column of conversations: messages, conversations or prompt and completion; dataset_columns maps other names"
    )


def _with_context(prompt: Any, row: Mapping[str, Any], names: RowFormat) -> Any:
    context = names.value(row, "context") if "context" in names.columns else None
    if not context:
        if names.columns.get("prompt") == ALPACA_PROMPT and "context" not in names.columns and row.get(ALPACA_CONTEXT):
            raise UnusableRowError("an input beside the instruction; dataset_columns maps it as context")
        return prompt
    if not isinstance(prompt, str) or not isinstance(context, str):
        raise UnusableRowError("a message of something else than text")
    return f"{prompt}\n\n{context}"


def _history(row: Mapping[str, Any], names: RowFormat) -> Conversation:
    history = names.value(row, "history") if "history" in names.columns else None
    conversation = Conversation([], [], [])
    for turn in history or ():
        if not isinstance(turn, Sequence) or len(turn) != 2 or not all(isinstance(text, str) for text in turn):
            raise UnusableRowError("a history that is no list of questions with answers")
        conversation += Conversation(["user", ASSISTANT], list(turn), [False, False])
    return conversation


def read_preference(row: Mapping[str, Any], names: RowFormat) -> tuple[Conversation, str, str]:
    """Return the prompt of a row and its two answers.

    Args:
        row: prompt, chosen, rejected; each a text or a list of messages, the prompt perhaps only inside the other two.
        names: of its columns and roles.

    Raises:
        UnusableRowError: the reason under which the row is removed.
    """
    _refuse_tools(row)
    prompt, chosen, rejected = (names.value(row, name) for name in ("prompt", "chosen", "rejected"))
    if prompt is None and "prompt" not in names.columns:
        # LLaMA-Factory's format; else Anthropic's or UltraFeedback's, with the prompt inside the answers.
        prompt = row.get("conversations")
        if prompt is None and isinstance(chosen, str) and isinstance(rejected, str):
            prompt = _known_question(row)
    if chosen is None or rejected is None:
        raise UnusableRowError("no chosen or no rejected answer; dataset_columns maps other names")
    sides = [_side(chosen, ASSISTANT, names), _side(rejected, ASSISTANT, names)]
    pairs = [list(zip(side.roles, side.contents, strict=True)) for side in sides]
    shared = 0
    while all(len(pair) > shared + 1 for pair in pairs) and pairs[0][shared] == pairs[1][shared]:
        shared += 1
    inside = Conversation(sides[0].roles[:shared], sides[0].contents[:shared], [False] * shared)
    context = _side(prompt, "user", names).without_targets() if prompt is not None else inside
    known = list(zip(context.roles, context.contents, strict=True))
    if prompt is not None and shared and pairs[0][:shared] != known[-shared:]:
        raise UnusableRowError("the prompt and the messages before the answers differ")
    if not known:
        raise UnusableRowError("no prompt before the answers")
    answers = []
    for pair in pairs:
        if len(pair) != shared + 1 or pair[shared][0] != ASSISTANT:
            raise UnusableRowError("chosen and rejected differ in more than one answer")
        answers.append(pair[shared][1])
    if not all(answer.strip() for answer in answers):
        raise UnusableRowError("an empty answer")
    if answers[0] == answers[1]:
        raise UnusableRowError("chosen and rejected are equal")
    return _with_system(context, row, names), answers[0], answers[1]


def _known_question(row: Mapping[str, Any]) -> str | None:
    """Return the question of a pair's row under another well-known name than prompt, with Alpaca's input behind it."""
    name = next((name for name in KNOWN_QUESTIONS if isinstance(row.get(name), str)), None)
    if name is None:
        return None
    context = row.get(ALPACA_CONTEXT) if name == ALPACA_PROMPT else None
    if context and not isinstance(context, str):
        raise UnusableRowError("a message of something else than text")
    return f"{row[name]}\n\n{context}" if context else str(row[name])


def _refuse_tools(row: Mapping[str, Any]) -> None:
    tools = row.get("tools")
    # Where a column has to be of one type, a table of no tools is a text.
    if tools and not (isinstance(tools, str) and tools.strip() in ("", "[]", "{}", "null", "None")):
        raise UnusableRowError("tools have no place in the chat format")


def _with_system(conversation: Conversation, row: Mapping[str, Any], names: RowFormat) -> Conversation:
    system = names.value(row, "system")
    if not system:
        return conversation
    if not isinstance(system, str):
        raise UnusableRowError("a system prompt that is no text")
    if conversation.roles[:1] == ["system"]:
        if conversation.contents[0] == system:
            return conversation
        raise UnusableRowError("two system prompts")
    return Conversation(["system"], [system], [False]) + conversation


def _side(value: Any, role: str, names: RowFormat) -> Conversation:
    """Return a text as one message of a role, or a list of messages."""
    if isinstance(value, str) and not _is_json_list(value):
        inside = _messages_of_object(value)
        if inside is None:
            return Conversation([role], [value], [role == ASSISTANT])
        value = inside
    if value is None:
        raise UnusableRowError("no prompt")
    return _read_messages([value] if isinstance(value, Mapping) else value, names)


def _messages_of_object(text: str) -> list[Any] | None:
    """Return the messages of a JSON object that holds them, as a text; None for any other text."""
    if not text.lstrip().startswith("{") or '"messages"' not in text:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(part, dict) for part in messages):
        return None
    if not all({*part} & {"role", "from"} and {*part} & {"content", "value"} for part in messages):
        return None
    _refuse_tools(value)
    return messages


def _is_json_list(text: str) -> bool:
    """Whether a text is a list of messages in JSON; a program's list of numbers, say, is an answer."""
    if not text.lstrip().startswith("[{"):
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(
        isinstance(item, dict) and {*item} & {"role", "from"} and {*item} & {"content", "value"} for item in value
    )


def _read_messages(value: Any, names: RowFormat) -> Conversation:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise UnusableRowError("messages are a text that is no JSON") from None
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise UnusableRowError("messages are no list")
    if not value:
        raise UnusableRowError("no messages")
    conversation = Conversation([], [], [])
    for message in value:
        if not isinstance(message, Mapping):
            raise UnusableRowError("a message that is null or no object")
        role = _role(message, names)
        conversation.roles.append(role)
        conversation.contents.append(_content(message, names))
        conversation.learned.append(role == ASSISTANT and _is_learned(message))
    return conversation


def _part(message: Message, name: str, others: str, names: RowFormat) -> Any:
    if name in names.columns:
        return message.get(names.columns[name])
    return message.get(name) if message.get(name) is not None else message.get(others)


def _role(message: Message, names: RowFormat) -> str:
    role = _part(message, "role", "from", names)
    if not isinstance(role, str):
        raise UnusableRowError("a message without a role")
    role = names.roles.get(role, role).lower()
    role = ROLE_ALIASES.get(role, role)
    if role not in KNOWN_ROLES:
        raise UnusableRowError("a message of an unknown role; dataset_roles maps other names")
    return role


def _content(message: Message, names: RowFormat) -> str:
    if message.get("tool_calls"):
        raise UnusableRowError("tool calls have no place in the chat format")
    if any(message.get(key) for key in REASONING_KEYS):
        raise UnusableRowError("reasoning apart from the answer has no place in the chat format")
    content = _part(message, "content", "value", names)
    if isinstance(content, Sequence) and not isinstance(content, (str, bytes)):
        texts = [part.get("text") if isinstance(part, Mapping) else None for part in content]
        kinds = {part.get("type") for part in content if isinstance(part, Mapping)}
        if kinds - {"text"} or not all(isinstance(text, str) for text in texts):
            raise UnusableRowError("a message of something else than text")
        content = "".join(map(str, texts))
    if content is None:
        raise UnusableRowError("a message without content")
    if not isinstance(content, str):
        raise UnusableRowError("a message of something else than text")
    return content


def _is_learned(message: Message) -> bool:
    learned = True
    for key in WEIGHT_KEYS:
        value = message.get(key)
        if value is None:
            continue
        if not isinstance(value, (bool, int, float)) or value not in (0, 1):
            raise UnusableRowError("a message with a weight other than 0 and 1")
        learned = learned and bool(value)
    return learned


__all__ = ["Conversation", "RowFormat", "known_columns", "read_conversation", "read_preference"]
