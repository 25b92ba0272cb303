"""Rows of other people's datasets: read where there is one reading, removed with the reason where there is none."""

import json
from typing import Any

import pytest

from datasets_builders.tokenized.conversations import Conversation, RowFormat, read_conversation, read_preference
from datasets_builders.tokenized.tokenization import UnusableRowError

Message = dict[str, Any]


def user(content: Any, **more: Any) -> Message:
    return {"role": "user", "content": content, **more}


def answer(content: Any, **more: Any) -> Message:
    return {"role": "assistant", "content": content, **more}


def chat(*messages: Message | None) -> dict[str, Any]:
    return {"messages": list(messages)}


SIMPLE = "U:x A:y*"
# A row, and its messages: the role's letter, the content, a star on what is learned.
READ: dict[str, tuple[dict[str, Any], str]] = {
    "one answer": (chat(user("x"), answer("y")), SIMPLE),
    "several answers, all learned": (chat(user("x"), answer("y"), user("z"), answer("w")), "U:x A:y* U:z A:w*"),
    "a system prompt": (chat({"role": "system", "content": "s"}, user("x"), answer("y")), "S:s U:x A:y*"),
    "a column for the system prompt": ({"system": "s", **chat(user("x"), answer("y"))}, "S:s U:x A:y*"),
    "the same system prompt twice": (
        {"system": "s", **chat({"role": "system", "content": "s"}, user("x"), answer("y"))},
        "S:s U:x A:y*",
    ),
    "an empty column for the system prompt": ({"system": "", **chat(user("x"), answer("y"))}, SIMPLE),
    "a tool's result": (
        chat(user("w?"), answer("call"), {"role": "tool", "content": "20"}, answer("20 C")),
        "U:w? A:call* T:20 A:20 C*",
    ),
    "a role in capitals": (chat({"role": "User", "content": "x"}, {"role": "ASSISTANT", "content": "y"}), SIMPLE),
    "text parts": (chat(user([{"type": "text", "text": "x"}]), answer("y")), SIMPLE),
    "JSON text": ({"messages": json.dumps([user("x"), answer("y")])}, SIMPLE),
    "keys that say nothing": (chat(user("x", name="bob", tool_calls=None), answer("y", tool_calls=[])), SIMPLE),
    # https://github.com/axolotl-ai-cloud/axolotl/pull/1702
    "weight 0": (chat(user("x"), answer("bad", weight=0), user("z"), answer("y", weight=1)), "U:x A:bad U:z A:y*"),
    "weight 0 as a float of a table": (
        chat(user("x", weight=None), answer("b", weight=0.0), answer("y", weight=1.0)),
        "U:x A:b A:y*",
    ),
    "train false": (
        chat(user("x"), answer("bad", train=False), user("z"), answer("y", train=True)),
        "U:x A:bad U:z A:y*",
    ),
    # https://github.com/hiyouga/LlamaFactory/issues/2571
    "loss false": (
        {
            "conversations": [
                {"from": "human", "loss": None, "value": "x"},
                {"from": "gpt", "loss": False, "value": "OK"},
                {"from": "human", "loss": None, "value": "z"},
                {"from": "gpt", "loss": True, "value": "y"},
            ]
        },
        "U:x A:OK U:z A:y*",
    ),
    "a weight on a question": (chat(user("x", weight=1), answer("y")), SIMPLE),
    "ShareGPT": ({"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}]}, SIMPLE),
    # https://github.com/hiyouga/LlamaFactory/issues/6878: the names of one format in the frame of the other
    "ShareGPT with OpenAI's roles": (
        {"conversations": [{"from": "user", "value": "x"}, {"from": "assistant", "value": "y"}], "tools": ""},
        SIMPLE,
    ),
    "OpenAI's keys in ShareGPT's column": ({"conversations": [user("x"), answer("y")]}, SIMPLE),
    "prompt and completion": ({"prompt": "x", "completion": "y"}, SIMPLE),
    "prompt and completion as messages": (
        {"prompt": [user("x"), answer("old"), user("z")], "completion": [answer("y")]},
        "U:x A:old U:z A:y*",
    ),
    "a program that is a list": ({"prompt": "x", "completion": "[1, 2]"}, "U:x A:[1, 2]*"),
    "an answer that is JSON of objects": ({"prompt": "x", "completion": '[{"a": 1}]'}, 'U:x A:[{"a": 1}]*'),
    "many columns, messages among them": (
        {"problem": "p", "generations": ["g"], **chat(user("x"), answer("y"))},
        SIMPLE,
    ),
    "control tokens in a text": (chat(user("<role>"), answer("<|endoftext|>")), "U:<role> A:<|endoftext|>*"),
    "an emoji and a decomposed accent": (
        chat(user("e\u0301 \U0001f469\u200d\U0001f4bb"), answer("y")),
        "U:e\u0301 \U0001f469\u200d\U0001f4bb A:y*",
    ),
}
REMOVED: dict[str, tuple[dict[str, Any], str]] = {
    "ends with a question": (chat(user("x"), answer("y"), user("z")), "does not end with an answer"),
    "a system prompt alone": (chat({"role": "system", "content": "s"}), "does not end with an answer"),
    "an empty answer": (chat(user("x"), answer("")), "an empty answer"),
    "an answer of spaces": (chat(user("x"), answer(" \n")), "an empty answer"),
    "an empty answer in the middle": (chat(user("x"), answer(""), user("z"), answer("y")), "an empty answer"),
    "every answer at weight 0": (chat(user("x"), answer("y", weight=0)), "no answer to learn"),
    "half a weight": (chat(user("x"), answer("y", weight=0.5)), "a message with a weight other than 0 and 1"),
    "a weight in words": (chat(user("x"), answer("y", train="no")), "a message with a weight other than 0 and 1"),
    "a null message": (chat(user("x"), None, answer("y")), "a message that is null or no object"),
    "a null content": (chat(user("x"), answer(None)), "a message without content"),
    "an image": (chat(user([{"type": "image"}]), answer("y")), "a message of something else than text"),
    "a number": (chat(user("x"), answer(5)), "a message of something else than text"),
    # https://github.com/hiyouga/LlamaFactory/issues/9618
    "no messages": ({"messages": []}, "no messages"),
    "null messages": ({"messages": None}, "no messages"),
    "a text": ({"messages": "hello"}, "messages are a text that is no JSON"),
    "a number of messages": ({"messages": 3}, "messages are no list"),
    "a role that nobody knows": (
        chat({"role": "user2", "content": "x"}, answer("y")),
        "a message of an unknown role; dataset_roles maps other names",
    ),
    "a message without a role": (chat({"content": "x"}, answer("y")), "a message without a role"),
    "a tool call": (
        chat(user("x"), answer(None, tool_calls=[{"name": "f"}])),
        "tool calls have no place in the chat format",
    ),
    "a table of tools": (
        {"tools": [{"name": "f"}], **chat(user("x"), answer("y"))},
        "tools have no place in the chat format",
    ),
    "two system prompts": (
        {"system": "t", **chat({"role": "system", "content": "s"}, user("x"), answer("y"))},
        "two system prompts",
    ),
    "a completion without a prompt": ({"completion": "y"}, "no prompt"),
    "reasoning apart": (
        chat(user("x"), answer("y", reasoning_content="because")),
        "reasoning apart from the answer has no place in the chat format",
    ),
    "columns of another kind": (
        {"query": "x", "reply": "y"},
        "no column of conversations: messages, conversations or prompt and completion; "
        "dataset_columns maps other names",
    ),
}


def shown(conversation: Conversation) -> str:
    triples = zip(conversation.roles, conversation.contents, conversation.learned, strict=True)
    return " ".join(f"{role[0].upper()}:{content}" + "*" * learned for role, content, learned in triples)


ALPACA = {
    # https://github.com/hiyouga/LlamaFactory/issues/3018, 4108; https://github.com/ConardLi/easy-dataset/issues/549
    "no input": ({"instruction": "x", "input": "", "output": "y"}, {}, "U:x A:y*"),
    "an input": ({"instruction": "x", "input": "z", "output": "y"}, {}, "U:x\n\nz A:y*"),
    "an input mapped": (
        {"instruction": "x", "input": "z", "output": "y"},
        {"prompt": "instruction", "context": "input", "completion": "output"},
        "U:x\n\nz A:y*",
    ),
    "a question": ({"question": "x", "answer": "y", "input": "another thing"}, {}, "U:x A:y*"),
    "messages win": ({"instruction": "q", "output": "r", **chat(user("x"), answer("y"))}, {}, "U:x A:y*"),
}


@pytest.mark.parametrize("name", ALPACA)
def test_question_and_answer_under_well_known_names_are_read(name: str) -> None:
    row, columns, expected = ALPACA[name]
    assert shown(read_conversation(row, RowFormat(columns))) == expected


def test_an_input_that_the_mapping_forgets_is_not_dropped_without_a_word() -> None:
    row = {"instruction": "Translate.", "input": "dog", "output": "chien"}
    with pytest.raises(UnusableRowError, match="dataset_columns maps it as context"):
        read_conversation(row, RowFormat({"prompt": "instruction", "completion": "output"}))


@pytest.mark.parametrize("tools", [None, [], "", "[]", "{}", "null"])
def test_no_tools_are_no_tools_however_they_are_written(tools: Any) -> None:
    # https://github.com/hiyouga/LlamaFactory/issues/6926
    assert shown(read_conversation({"tools": tools, **chat(user("x"), answer("y"))}, RowFormat())) == "U:x A:y*"


@pytest.mark.parametrize("name", READ)
def test_a_conversation_with_one_reading_is_read(name: str) -> None:
    row, expected = READ[name]
    assert shown(read_conversation(row, RowFormat())) == expected


@pytest.mark.parametrize("name", REMOVED)
def test_a_conversation_without_one_is_removed_with_the_reason(name: str) -> None:
    row, reason = REMOVED[name]
    with pytest.raises(UnusableRowError) as error:
        read_conversation(row, RowFormat())
    assert str(error.value) == reason


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"instruction": "x", "output": "y"}, RowFormat({"prompt": "instruction", "completion": "output"})),
        (
            {"dialog": [{"who": "human_1", "says": "x"}, {"who": "bot", "says": "y"}]},
            RowFormat(
                {"messages": "dialog", "role": "who", "content": "says"}, {"human_1": "user", "bot": "assistant"}
            ),
        ),
        ({"conversation": [user("x"), answer("y")]}, RowFormat({"messages": "conversation"})),
    ],
    ids=str,
)
def test_other_names_are_mapped(row: dict[str, Any], names: RowFormat) -> None:
    assert shown(read_conversation(row, names)) == SIMPLE


def test_a_mapping_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="mesages"):
        RowFormat({"mesages": "x"})
    with pytest.raises(ValueError, match="robot"):
        RowFormat({}, {"bot": "robot"})


PAIRS: dict[str, tuple[dict[str, Any], str]] = {
    "three texts": ({"prompt": "p", "chosen": "c", "rejected": "r"}, "U:p | c | r"),
    "three lists": ({"prompt": [user("p")], "chosen": [answer("c")], "rejected": [answer("r")]}, "U:p | c | r"),
    "the prompt inside": ({"chosen": [user("p"), answer("c")], "rejected": [user("p"), answer("r")]}, "U:p | c | r"),
    "the prompt inside and beside": (
        {"prompt": "p", "chosen": [user("p"), answer("c")], "rejected": [user("p"), answer("r")]},
        "U:p | c | r",
    ),
    "several turns inside": (
        {
            "chosen": [user("p"), answer("a"), user("q"), answer("c")],
            "rejected": [user("p"), answer("a"), user("q"), answer("r")],
        },
        "U:p A:a U:q | c | r",
    ),
    "a system prompt": ({"system": "s", "prompt": "p", "chosen": "c", "rejected": "r"}, "S:s U:p | c | r"),
    "JSON text": (
        {"prompt": "p", "chosen": json.dumps([answer("c")]), "rejected": json.dumps([answer("r")])},
        "U:p | c | r",
    ),
    "a question": ({"system": "s", "question": "p", "chosen": "c", "rejected": "r"}, "S:s U:p | c | r"),
    "an instruction": ({"instruction": "p", "input": "", "chosen": "c", "rejected": "r"}, "U:p | c | r"),
    "an instruction with input": (
        {"instruction": "p", "input": "i", "chosen": "c", "rejected": "r"},
        "U:p\n\ni | c | r",
    ),
    "a list of messages before texts": (
        {"prompt": [user("p"), answer("a"), user("q")], "chosen": "c", "rejected": "r"},
        "U:p A:a U:q | c | r",
    ),
}
REMOVED_PAIRS: dict[str, tuple[dict[str, Any], str]] = {
    "an empty answer": ({"prompt": "p", "chosen": "c", "rejected": " "}, "an empty answer"),
    "equal answers": ({"prompt": "p", "chosen": "c", "rejected": "c"}, "chosen and rejected are equal"),
    "no prompt": ({"chosen": "c", "rejected": "r"}, "no prompt before the answers"),
    "one side": ({"prompt": "p", "chosen": "c"}, "no chosen or no rejected answer; dataset_columns maps other names"),
    "another prompt inside": (
        {"prompt": "p", "chosen": [user("q"), answer("c")], "rejected": [user("q"), answer("r")]},
        "the prompt and the messages before the answers differ",
    ),
    "two answers": (
        {"prompt": "p", "chosen": [answer("c"), user("q"), answer("d")], "rejected": [answer("r")]},
        "chosen and rejected differ in more than one answer",
    ),
    "a null message": (
        {"prompt": "p", "chosen": [None], "rejected": [answer("r")]},
        "a message that is null or no object",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_read(name: str) -> None:
    row, expected = PAIRS[name]
    prompt, *answers = read_preference(row, RowFormat())
    assert " | ".join([shown(prompt.without_targets()), *answers]) == expected
    assert not any(prompt.learned)


@pytest.mark.parametrize("name", REMOVED_PAIRS)
def test_a_pair_without_a_reading_is_removed(name: str) -> None:
    row, reason = REMOVED_PAIRS[name]
    with pytest.raises(UnusableRowError) as error:
        read_preference(row, RowFormat())
    assert str(error.value) == reason
